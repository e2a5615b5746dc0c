//! The FMA ceiling: multiply-adds per second on registers only.
//!
//! The ceiling is measured rather than looked up. CPUs with the same ISA have units of different
//! widths, their clock rate depends on the ISA in use, and a hypervisor may hide the CPU's name.

use super::isa_text;
use super::lockstep::lockstep;
use crate::timing::stats;
use pointwise::Isa;
use pulp::{Simd, WithSimd};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The highest rate that was reached with one ISA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FmaCeiling {
    /// The ISA whose vectors were used.
    #[serde(with = "isa_text::one")]
    pub isa: Isa,
    /// The number of threads that worked at once.
    pub threads: usize,
    /// GFLOP/s of all threads together, two operations per multiply-add.
    pub gflops: f64,
}

/// The time that a run should take, ns: far longer than starting threads together, and shorter
/// than a time slice of the scheduler.
const RUN_NS: f64 = 300e3;

/// The FMA ceiling of an ISA on all threads of `pool` at once; `None` when this CPU lacks the ISA.
///
/// It is the best of `repeats` short runs rather than their median, because a ceiling is what the
/// machine can do when nothing disturbs it.
pub(super) fn fma_ceiling(
    isa: Isa,
    pool: &rayon::ThreadPool,
    repeats: usize,
) -> Option<FmaCeiling> {
    if !isa.is_available() {
        return None;
    }
    let threads = pool.current_num_threads();
    let trial = 2_000;
    let times = pool.install(|| lockstep(5, |_| (), |()| multiply_add(isa, trial)));
    let rounds = (trial as f64 * RUN_NS / stats::min(&times)?).max(1.0) as u64;
    let times = pool.install(|| lockstep(repeats.max(1), |_| (), |()| multiply_add(isa, rounds)));
    let operations = 2.0 * (chains(isa) * isa.lanes() * threads) as f64 * rounds as f64;
    Some(FmaCeiling { isa, threads, gflops: operations / stats::min(&times)? })
}

/// The number of independent chains of multiply-adds that [`multiply_add`] runs.
///
/// Latency × pipes is the least number that keeps the pipes busy: 4 × 2 on current x86, up to 4 × 4
/// on Arm. Chains and operands must fit in the registers: 16 with AVX2, 32 with AVX-512 and NEON.
pub const fn chains(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 | Isa::Neon => WIDE,
        _ => NARROW,
    }
}

const NARROW: usize = 12;
const WIDE: usize = 24;

/// Runs `rounds` multiply-adds on each of the [`chains`] of an ISA, on this thread. An ISA that this
/// CPU lacks does nothing.
pub fn multiply_add(isa: Isa, rounds: u64) {
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

/// `N` chains of multiply-adds on registers.
struct Chains<const N: usize> {
    rounds: u64,
}

impl<const N: usize> WithSimd for Chains<N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // `black_box` hides the values from the compiler, which would compute the sums otherwise.
        let a = simd.splat_f32s(black_box(1.0e-3));
        let b = simd.splat_f32s(black_box(1.0e-3));
        let mut sums = [simd.splat_f32s(0.0); N];
        for sum in &mut sums {
            *sum = simd.splat_f32s(black_box(1.0));
        }
        for _ in 0..self.rounds {
            // The chain goes through the addend, as in a kernel: some Arm CPUs forward the addend
            // sooner than the factors.
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

/// The same in portable code, compiled for the build's target. On baseline x86-64 every
/// multiply-add is a call into the C library, as it is in a portable kernel.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_exist_for_exactly_the_isas_of_this_cpu() {
        let pool = crate::timing::pool::pool(1).unwrap();
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
