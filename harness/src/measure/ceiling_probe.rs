//! The FMA ceiling at the clock rate of one case, sampled in turns with the contenders.
//!
//! The best ceiling of a run was reached at the highest clock rate of the run. Dividing by it would
//! understate everyone, because the clock was rarely that high. The probe here takes its samples in
//! the same rounds as the contenders and is reduced to a median like theirs, so that dividing by it
//! cancels what the clock rate did meanwhile.

use super::session::Session;
use crate::contender::{Prepared, Refusal};
use crate::machine::{Ceilings, chains, multiply_add};
use crate::timing::progress::Progress;
use crate::timing::stats::Samples;
use pointwise::Isa;

/// The time of one run on each thread, ns: far longer than waking the threads.
const RUN_NS: f64 = 1e6;

/// Measures contenders in turns with the FMA ceiling, on the threads of `pool`.
///
/// Returns the samples of each contender, in the order of `contenders`, and the ceilings at the clock
/// rate of this case, for ISAs up to `cap`. `ceilings` are those of the whole run, and rise where a
/// higher rate is found.
pub fn measure_under_ceiling<'a>(
    session: &mut Session,
    contenders: &mut Vec<Box<dyn Prepared + 'a>>,
    ceilings: &mut Ceilings,
    cap: Option<Isa>,
    pool: &rayon::ThreadPool,
    progress: &dyn Progress,
) -> (Vec<Result<Samples, Refusal>>, Ceilings) {
    let threads = pool.current_num_threads();
    let probe = CeilingProbe::new(ceilings, threads, cap);
    contenders.extend(probe.clone().map(|probe| Box::new(probe) as Box<dyn Prepared>));
    let mut samples = pool.install(|| session.measure(contenders, progress));
    ceilings.raise(pool);
    let mut here = ceilings.clone();
    if let Some(probe) = probe {
        contenders.pop();
        if let Some(summary) = samples.pop().and_then(|samples| samples.ok()?.summary()) {
            here = here.at_most(threads, probe.gflops(summary.median));
        }
    }
    (samples, here)
}

/// Multiply-adds on registers, on every thread of the pool that they are run in.
#[derive(Clone)]
struct CeilingProbe {
    isa: Isa,
    threads: usize,
    rounds: u64,
}

impl CeilingProbe {
    /// A probe with the ISA of the highest ceiling on `threads` threads among ISAs up to `cap`.
    /// `None` when no ceiling was measured on `threads` threads.
    fn new(ceilings: &Ceilings, threads: usize, cap: Option<Isa>) -> Option<CeilingProbe> {
        let best = ceilings.highest(threads, cap)?;
        let per_round = operations(best.isa, threads, 1);
        let rounds = (RUN_NS * best.gflops / per_round).max(1.0) as u64;
        Some(CeilingProbe { isa: best.isa, threads, rounds })
    }

    /// The rate, GFLOP/s, when a run takes `ns`.
    fn gflops(&self, ns: f64) -> f64 {
        operations(self.isa, self.threads, self.rounds) / ns
    }
}

fn operations(isa: Isa, threads: usize, rounds: u64) -> f64 {
    2.0 * (chains(isa) * isa.lanes() * threads) as f64 * rounds as f64
}

impl Prepared for CeilingProbe {
    fn run(&mut self) -> Result<(), Refusal> {
        let (isa, rounds) = (self.isa, self.rounds);
        if self.threads == 1 {
            multiply_add(isa, rounds);
        } else {
            rayon::broadcast(|_| multiply_add(isa, rounds));
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<f32> {
        Vec::new()
    }

    fn kernel(&self) -> String {
        String::new()
    }

    fn reads_memory(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::{Cache, Settings};
    use super::*;
    use crate::machine::FmaCeiling;

    #[test]
    fn contenders_are_measured_beside_the_ceiling_and_the_ceiling_is_no_contender() {
        struct Nothing;
        impl Prepared for Nothing {
            fn run(&mut self) -> Result<(), Refusal> {
                Ok(())
            }
            fn output(&mut self) -> Vec<f32> {
                Vec::new()
            }
            fn kernel(&self) -> String {
                String::new()
            }
        }
        let pool = crate::timing::pool::pool(1).unwrap();
        // No core has this ceiling.
        let isa = Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap();
        let fma = vec![FmaCeiling { isa, threads: 1, gflops: 500.0 }];
        let mut ceilings = Ceilings { fma, bandwidth: Vec::new() };
        let mut session = Session::new(Settings::quick(Cache::Hot), &[], 1);
        let mut contenders: Vec<Box<dyn Prepared>> = vec![Box::new(Nothing)];
        let silent = crate::timing::progress::Silent;
        let measured = measure_under_ceiling(
            &mut session,
            &mut contenders,
            &mut ceilings,
            None,
            &pool,
            &silent,
        );
        let (samples, here) = measured;
        assert_eq!((samples.len(), contenders.len()), (1, 1));
        assert_eq!(ceilings.gflops(1, None), Some(500.0));
        assert!(here.gflops(1, None).unwrap() < 500.0);
    }

    #[test]
    fn a_run_has_the_operations_that_its_rate_counts() {
        let of = |isa, gflops| FmaCeiling { isa, threads: 1, gflops };
        let fma = vec![of(Isa::Scalar, 1.0), of(Isa::Avx2, 96.0)];
        let ceilings = Ceilings { fma, bandwidth: Vec::new() };
        let probe = CeilingProbe::new(&ceilings, 1, None).unwrap();
        assert_eq!((probe.isa, probe.rounds), (Isa::Avx2, 500_000));
        // 12 chains of 8 lanes, two operations each.
        assert_eq!(probe.gflops(1e6), 96.0);
        assert_eq!(probe.gflops(2e6), 48.0);
        assert_eq!(CeilingProbe::new(&ceilings, 1, Some(Isa::Scalar)).unwrap().isa, Isa::Scalar);
        assert!(CeilingProbe::new(&ceilings, 2, None).is_none());
    }
}
