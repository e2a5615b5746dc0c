//! The ceilings of one run.

use super::bandwidth::{Bandwidth, bandwidth, probes};
use super::cache::CacheLevel;
use super::ceiling::{FmaCeiling, fma_ceiling};
use crate::timing::progress::Progress;
use pointwise::Isa;
use serde::{Deserialize, Serialize};

/// The best that this machine was seen to do. A run is compared with ceilings of the same run,
/// because the clock rate differs from day to day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// One for each ISA and number of threads.
    pub fma: Vec<FmaCeiling>,
    /// One for each number of threads and level, the nearest level first.
    pub bandwidth: Vec<Bandwidth>,
}

/// How long the ceilings are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// About half a second per number of threads.
    Quick,
    /// About three seconds.
    Thorough,
}

impl Ceilings {
    /// Measures all ISAs of this CPU and all levels of memory on the threads of `pool`.
    ///
    /// The best of several passes counts. Another process that takes a CPU for a tenth of a second
    /// spoils one pass and not the next.
    pub fn measure(
        pool: &rayon::ThreadPool,
        caches: &[CacheLevel],
        effort: Effort,
        progress: &dyn Progress,
    ) -> Ceilings {
        let (passes, runs, sweeps) = match effort {
            Effort::Quick => (2, 20, 3),
            Effort::Thorough => (5, 50, 5),
        };
        let isas: Vec<Isa> = Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect();
        let probes = probes(caches, pool.current_num_threads());
        let mut best = Ceilings::default();
        progress.begin("ceilings", passes * (isas.len() + probes.len()) as u64);
        for _ in 0..passes {
            let mut pass = Ceilings::default();
            for isa in &isas {
                pass.fma.extend(fma_ceiling(*isa, pool, runs));
                progress.step();
            }
            for probe in &probes {
                // A sweep of a cache takes a quarter of a millisecond, one of memory many.
                let sweeps = if probe.capacity.is_some() { 8 * sweeps } else { sweeps };
                pass.bandwidth.push(bandwidth(probe, pool, sweeps));
                progress.step();
            }
            best = best.better(pass);
        }
        progress.end();
        best
    }

    /// For each ceiling the better of two measurements.
    fn better(mut self, other: Ceilings) -> Ceilings {
        if self.fma.is_empty() && self.bandwidth.is_empty() {
            return other;
        }
        for (one, other) in self.fma.iter_mut().zip(other.fma) {
            one.gflops = one.gflops.max(other.gflops);
        }
        for (one, other) in self.bandwidth.iter_mut().zip(other.bandwidth) {
            one.read_gbps = one.read_gbps.max(other.read_gbps);
            one.copy_gbps = one.copy_gbps.max(other.copy_gbps);
        }
        self
    }

    /// Both sets of ceilings, which are of different numbers of threads.
    #[must_use]
    pub fn and(mut self, other: Ceilings) -> Ceilings {
        self.fma.extend(other.fma);
        self.bandwidth.extend(other.bandwidth);
        self
    }

    /// Measures the FMA ceilings again and keeps the better figures. It takes a few milliseconds
    /// between two layers. A rate measured under a risen clock then stays below its ceiling.
    pub fn raise(&mut self, pool: &rayon::ThreadPool) {
        let threads = pool.current_num_threads();
        for ceiling in self.fma.iter_mut().filter(|ceiling| ceiling.threads == threads) {
            // Where there is a wider ISA, the scalar ceiling bounds no layer.
            if ceiling.isa == Isa::Scalar {
                continue;
            }
            if let Some(again) = fma_ceiling(ceiling.isa, pool, 5) {
                ceiling.gflops = ceiling.gflops.max(again.gflops);
            }
        }
    }

    /// The rate of the [`highest`](Ceilings::highest) FMA ceiling, GFLOP/s.
    pub fn gflops(&self, threads: usize, cap: Option<Isa>) -> Option<f64> {
        self.highest(threads, cap).map(|ceiling| ceiling.gflops)
    }

    /// The highest FMA ceiling on `threads` threads among ISAs up to `cap`; `None` when no such
    /// ceiling was measured.
    pub fn highest(&self, threads: usize, cap: Option<Isa>) -> Option<&FmaCeiling> {
        self.fma
            .iter()
            .filter(|ceiling| ceiling.threads == threads)
            .filter(|ceiling| cap.is_none_or(|cap| ceiling.isa.is_within(cap)))
            .max_by(|a, b| a.gflops.total_cmp(&b.gflops))
    }

    /// The same with the FMA ceilings on `threads` threads lowered to `gflops` at most: the rate
    /// that was measured in turns with the contenders of one case.
    #[must_use]
    pub fn at_most(&self, threads: usize, gflops: f64) -> Ceilings {
        let mut held = self.clone();
        for ceiling in held.fma.iter_mut().filter(|ceiling| ceiling.threads == threads) {
            ceiling.gflops = ceiling.gflops.min(gflops);
        }
        held
    }

    /// The ceiling of one ISA on `threads` threads, GFLOP/s.
    pub fn of(&self, isa: Isa, threads: usize) -> Option<f64> {
        let mut ceilings = self.fma.iter();
        ceilings.find(|c| c.isa == isa && c.threads == threads).map(|c| c.gflops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Ceilings {
        let of = |isa, threads, gflops| FmaCeiling { isa, threads, gflops };
        Ceilings {
            fma: vec![
                of(Isa::Scalar, 1, 2.0),
                of(Isa::Avx2, 1, 120.0),
                of(Isa::Avx512, 1, 110.0),
                of(Isa::Avx2, 2, 230.0),
            ],
            bandwidth: Vec::new(),
        }
    }

    #[test]
    fn the_highest_counts_within_the_cap() {
        let ceilings = some();
        // The widest ISA need not have it: with 512-bit vectors the clock rate may be lower.
        assert_eq!(ceilings.gflops(1, None), Some(120.0));
        assert_eq!(ceilings.gflops(1, Some(Isa::Avx512)), Some(120.0));
        assert_eq!(ceilings.gflops(1, Some(Isa::Scalar)), Some(2.0));
        assert_eq!(ceilings.gflops(2, None), Some(230.0));
        assert_eq!(ceilings.gflops(2, Some(Isa::Scalar)), None);
        assert_eq!(ceilings.gflops(3, None), None);
        assert_eq!(ceilings.of(Isa::Avx512, 1), Some(110.0));
        assert_eq!(ceilings.of(Isa::Neon, 1), None);
    }

    #[test]
    fn held_down_only_where_higher_and_on_the_same_threads() {
        let held = some().at_most(1, 115.0);
        assert_eq!(held.of(Isa::Avx2, 1), Some(115.0));
        assert_eq!(held.of(Isa::Avx512, 1), Some(110.0));
        assert_eq!(held.of(Isa::Avx2, 2), Some(230.0));
        assert_eq!(held.highest(1, None).unwrap().isa, Isa::Avx2);
    }

    #[test]
    fn raising_never_lowers() {
        let pool = crate::timing::pool::pool(1).unwrap();
        let mut ceilings = some();
        ceilings.fma[1].gflops = 1e9;
        ceilings.fma[2].gflops = 1e-9;
        ceilings.raise(&pool);
        assert_eq!(ceilings.of(Isa::Avx2, 1), Some(1e9));
        assert_eq!(ceilings.of(Isa::Avx2, 2), Some(230.0));
        if Isa::Avx512.is_available() {
            assert!(ceilings.of(Isa::Avx512, 1).unwrap() > 1e-6);
        }
    }

    #[test]
    fn of_two_passes_the_better_figure_counts_one_by_one() {
        let level = |read_gbps, copy_gbps| Bandwidth {
            level: "L1".to_owned(),
            threads: 1,
            capacity: None,
            bytes: 1,
            read_gbps,
            copy_gbps,
        };
        let one = Ceilings { bandwidth: vec![level(10.0, 2.0)], ..some() };
        let mut other = Ceilings { bandwidth: vec![level(9.0, 3.0)], ..some() };
        other.fma[1].gflops = 125.0;
        other.fma[2].gflops = 90.0;
        let best = Ceilings::default().better(one).better(other);
        assert_eq!(best.of(Isa::Avx2, 1), Some(125.0));
        assert_eq!(best.of(Isa::Avx512, 1), Some(110.0));
        assert_eq!(best.bandwidth, [level(10.0, 3.0)]);
    }

    #[test]
    fn ceilings_of_several_thread_counts_stand_side_by_side() {
        let two = Ceilings {
            fma: vec![FmaCeiling { isa: Isa::Scalar, threads: 7, gflops: 9.0 }],
            bandwidth: Vec::new(),
        };
        let both = some().and(two);
        assert_eq!(both.gflops(7, None), Some(9.0));
        assert_eq!(both.gflops(1, None), Some(120.0));
    }
}
