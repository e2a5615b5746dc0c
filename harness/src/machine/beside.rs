//! The FMA ceiling as it is beside a case: sampled in turns with the contenders.
//!
//! The best of a whole run is what the machine can do at its highest clock rate; the median row
//! was not timed at that one. A ceiling that takes its samples in the same rounds, and is reduced
//! to a median like everybody, divides out what the clock rate did meanwhile.

use super::ceiling::{chains, spin};
use super::ceilings::Ceilings;
use crate::contender::{Prepared, Refusal};
use pointwise::Isa;

/// What one run takes on each thread, ns: long against waking the threads.
const RUN_NS: f64 = 1e6;

/// Multiply-adds on registers, on every thread of the pool that it is run in.
#[derive(Clone)]
pub struct Beside {
    isa: Isa,
    threads: usize,
    rounds: u64,
}

impl Beside {
    /// For the ISA whose ceiling is the highest of those up to `cap`; nothing when none was
    /// measured on `threads` threads.
    pub fn new(ceilings: &Ceilings, threads: usize, cap: Option<Isa>) -> Option<Beside> {
        let best = ceilings.highest(threads, cap)?;
        let per_round = operations(best.isa, threads, 1);
        let rounds = (RUN_NS * best.gflops / per_round).max(1.0) as u64;
        Some(Beside { isa: best.isa, threads, rounds })
    }

    /// The rate when a run takes `ns`, GFLOP/s.
    pub fn gflops(&self, ns: f64) -> f64 {
        operations(self.isa, self.threads, self.rounds) / ns
    }
}

fn operations(isa: Isa, threads: usize, rounds: u64) -> f64 {
    2.0 * (chains(isa) * isa.lanes() * threads) as f64 * rounds as f64
}

impl Prepared for Beside {
    fn run(&mut self) -> Result<(), Refusal> {
        let (isa, rounds) = (self.isa, self.rounds);
        if self.threads == 1 {
            spin(isa, rounds);
        } else {
            rayon::broadcast(|_| spin(isa, rounds));
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
    use super::*;
    use crate::machine::FmaCeiling;

    #[test]
    fn it_does_what_its_rate_counts() {
        let of = |isa, gflops| FmaCeiling { isa, threads: 1, gflops };
        let fma = vec![of(Isa::Scalar, 1.0), of(Isa::Avx2, 96.0)];
        let ceilings = Ceilings { fma, bandwidth: Vec::new() };
        let beside = Beside::new(&ceilings, 1, None).unwrap();
        assert_eq!((beside.isa, beside.rounds), (Isa::Avx2, 500_000));
        // 12 chains of 8 lanes, two operations each.
        assert_eq!(beside.gflops(1e6), 96.0);
        assert_eq!(beside.gflops(2e6), 48.0);
        assert_eq!(Beside::new(&ceilings, 1, Some(Isa::Scalar)).unwrap().isa, Isa::Scalar);
        assert!(Beside::new(&ceilings, 2, None).is_none());
    }
}
