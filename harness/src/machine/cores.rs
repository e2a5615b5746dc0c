//! Whether each thread has a core of its own.
//!
//! A hypervisor may let two virtual CPUs run on the two hardware threads of one core, for seconds
//! on end, although other cores are idle: above all after one of the two has slept. Then whatever
//! keeps the pipes full runs at half its speed on each, and what waits for memory loses less, so
//! that not even ratios hold. The system inside is not told. But multiply-adds on registers, on all
//! threads at once, show it.

use super::ceiling::spin;
use super::lockstep::lockstep;
use crate::measure::{Clock, Cores, Monotonic, stats};
use pointwise::Isa;
use std::time::Duration;

/// What one thread's multiply-adds take, ns: long against the clock and starting together, short
/// against a sample.
const RUN_NS: f64 = 10e3;

/// The best of so many counts: one thread may be interrupted.
const TRIES: usize = 3;

/// Slower than the fastest by so much, threads share a core (which costs a factor of two); less may
/// be the clock rate, of the power that all draw together.
const SHARED: f64 = 1.5;

/// How long is waited in all for threads to get cores of their own. Those that stay busy are mostly
/// moved apart within two seconds; where they share for good, as all hardware threads of a machine
/// do, not much is lost.
const PATIENCE: Duration = Duration::from_secs(15);

/// Multiply-adds to compare the cores by.
pub(crate) struct Probe {
    isa: Isa,
    rounds: u64,
    /// What they took at best, ns.
    fastest: f64,
    patience: Duration,
    clock: Monotonic,
}

impl Probe {
    /// Looks at how fast this thread is alone.
    pub(crate) fn new() -> Probe {
        let clock = Monotonic::new();
        let isa = Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap_or(Isa::Scalar);
        let best = |rounds| {
            let time = || {
                let start = clock.now();
                spin(isa, rounds);
                ((clock.now() - start) as f64).max(1.0)
            };
            stats::min(&[(); 10 * TRIES].map(|()| time())).unwrap_or(1.0)
        };
        let trial = 100;
        let rounds = (trial as f64 * RUN_NS / best(trial)).max(1.0) as u64;
        Probe { isa, rounds, fastest: best(rounds), patience: PATIENCE, clock }
    }

    /// Whether the slowest thread of the pool that it is called in is as slow as if it shared its
    /// core.
    fn finds_shared(&mut self) -> bool {
        let (isa, rounds) = (self.isa, self.rounds);
        let times = lockstep(TRIES, |_| (), |()| spin(isa, rounds));
        let Some(best) = stats::min(&times) else { return false };
        self.fastest = self.fastest.min(best);
        best > SHARED * self.fastest
    }
}

impl Cores for Probe {
    fn were_shared(&mut self) -> bool {
        if self.patience.is_zero() || !self.finds_shared() {
            return false;
        }
        let start = self.clock.now();
        loop {
            let apart = !self.finds_shared();
            let waited = Duration::from_nanos(self.clock.now() - start);
            if apart || waited >= self.patience {
                self.patience = self.patience.saturating_sub(waited);
                return apart;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_as_fast_as_ever_shares_nothing_and_who_never_is_is_not_waited_for_again() {
        let pool = crate::measure::pool(2).unwrap();
        pool.install(|| {
            let mut probe = Probe::new();
            probe.fastest = f64::MAX;
            assert!(!probe.were_shared());
            assert!(probe.fastest < f64::MAX);
            assert_eq!(probe.patience, PATIENCE);
            // No machine gets there.
            probe.fastest = 1e-9;
            probe.patience = Duration::from_millis(1);
            assert!(!probe.were_shared());
            assert!(probe.patience.is_zero());
            assert!(!probe.were_shared());
        });
    }
}
