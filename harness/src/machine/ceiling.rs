//! The FMA ceiling: multiply-adds per second with registers only.
//!
//! Measured rather than looked up: CPUs that list the same ISA run it at different widths, at
//! clock rates that depend on it, and a hypervisor may hide which CPU it is.

use super::lockstep::lockstep;
use crate::measure::stats;
use pointwise::Isa;
use pulp::{Simd, WithSimd};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The most that was reached with one ISA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FmaCeiling {
    /// With vectors of this ISA.
    #[serde(with = "isa_name")]
    pub isa: Isa,
    /// On so many threads at once.
    pub threads: usize,
    /// All together, two operations per multiply-add.
    pub gflops: f64,
}

/// What a timed run should take, ns: long against starting threads, short against a time slice.
const RUN_NS: f64 = 300e3;

/// The most GFLOP/s of `repeats` short runs on every thread of `pool` at once; nothing when this
/// CPU lacks the ISA.
///
/// The best, not the median: a ceiling is what the machine can do when it is left alone.
pub fn fma_ceiling(isa: Isa, pool: &rayon::ThreadPool, repeats: usize) -> Option<FmaCeiling> {
    if !isa.is_available() {
        return None;
    }
    let threads = pool.current_num_threads();
    let trial = 2_000;
    let times = pool.install(|| lockstep(5, |_| (), |()| spin(isa, trial)));
    let rounds = (trial as f64 * RUN_NS / stats::min(&times)?).max(1.0) as u64;
    let times = pool.install(|| lockstep(repeats.max(1), |_| (), |()| spin(isa, rounds)));
    let operations = 2.0 * (chains(isa) * isa.lanes() * threads) as f64 * rounds as f64;
    Some(FmaCeiling { isa, threads, gflops: operations / stats::min(&times)? })
}

/// Independent chains of multiply-adds. At least latency × pipes are needed (4 × 2 on current
/// x86, up to 4 × 4 on Arm), and operands and chains must fit in the registers: 16 with AVX2, 32
/// with AVX-512 and NEON.
pub(super) const fn chains(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 | Isa::Neon => WIDE,
        _ => NARROW,
    }
}

const NARROW: usize = 12;
const WIDE: usize = 24;

/// `rounds` multiply-adds on each chain.
pub(super) fn spin(isa: Isa, rounds: u64) {
    match isa {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Isa::Avx2 => {
            if let Some(simd) = pulp::x86::V3::try_new() {
                Simd::vectorize(simd, Chains::<NARROW> { rounds });
            }
        }
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Isa::Avx512 => {
            if let Some(simd) = pulp::x86::V4::try_new() {
                Simd::vectorize(simd, Chains::<WIDE> { rounds });
            }
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => {
            if let Some(simd) = pulp::aarch64::Neon::try_new() {
                Simd::vectorize(simd, Chains::<WIDE> { rounds });
            }
        }
        _ => scalar(rounds),
    }
}

/// `N` chains of multiply-adds in registers.
struct Chains<const N: usize> {
    rounds: u64,
}

impl<const N: usize> WithSimd for Chains<N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // Hidden from the compiler, or it would see what the sums come to.
        let a = simd.splat_f32s(black_box(1.0e-3));
        let b = simd.splat_f32s(black_box(1.0e-3));
        let mut sums = [simd.splat_f32s(0.0); N];
        for sum in &mut sums {
            *sum = simd.splat_f32s(black_box(1.0));
        }
        for _ in 0..self.rounds {
            // Chained through the addend, as in a kernel: some Arm CPUs forward it sooner.
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(a, b, *sum);
            }
        }
        let mut all = sums[0];
        for sum in sums {
            all = simd.add_f32s(all, sum);
        }
        black_box(simd.reduce_sum_f32s(all));
    }
}

/// The same in portable code, compiled for whatever the build's target has: on a baseline x86-64
/// every multiply-add is a call into the C library, as it is in a portable kernel.
#[inline(never)]
fn scalar(rounds: u64) {
    let (a, b) = (black_box(1.0e-3f32), black_box(1.0e-3f32));
    let mut sums = [0.0f32; NARROW];
    for sum in &mut sums {
        *sum = black_box(1.0);
    }
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = a.mul_add(b, *sum);
        }
    }
    black_box(sums);
}

/// An ISA as its name.
pub(super) mod isa_name {
    use pointwise::Isa;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::machine) fn serialize<S: Serializer>(
        isa: &Isa,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(isa.name())
    }

    pub(in crate::machine) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Isa, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Several ISAs as their names.
pub(super) mod isa_names {
    use pointwise::Isa;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::machine) fn serialize<S: Serializer>(
        isas: &[Isa],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(isas.iter().map(|isa| isa.name()))
    }

    pub(in crate::machine) fn deserialize<'d, D: Deserializer<'d>>(
        from: D,
    ) -> Result<Vec<Isa>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_exist_for_exactly_the_isas_of_this_cpu() {
        let pool = crate::measure::pool(1).unwrap();
        for isa in Isa::ALL {
            let ceiling = fma_ceiling(isa, &pool, 2);
            assert_eq!(ceiling.is_some(), isa.is_available(), "{isa}");
            if let Some(ceiling) = ceiling {
                assert_eq!((ceiling.isa, ceiling.threads), (isa, 1));
                assert!(ceiling.gflops.is_finite() && ceiling.gflops > 0.0);
            }
        }
    }

    #[test]
    fn isas_are_written_by_name() {
        let ceiling = FmaCeiling { isa: Isa::Avx2, threads: 2, gflops: 3.5 };
        let text = serde_json::to_string(&ceiling).unwrap();
        assert_eq!(text, r#"{"isa":"avx2","threads":2,"gflops":3.5}"#);
        assert_eq!(serde_json::from_str::<FmaCeiling>(&text).unwrap(), ceiling);
        assert!(serde_json::from_str::<FmaCeiling>(&text.replace("avx2", "mmx")).is_err());
    }
}
