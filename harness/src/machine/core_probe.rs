//! Whether each thread has a core of its own.
//!
//! A hypervisor may run two virtual CPUs on the two hardware threads of one core for seconds,
//! although other cores are idle. This happens above all after one of the two CPUs has slept. Code
//! that keeps the pipes full then runs at half its speed, and code that waits for memory loses less,
//! so that even ratios of times are wrong. The guest system is not told. Multiply-adds on registers,
//! run on all threads at once, reveal it.

use super::ceiling::multiply_add;
use super::lockstep::lockstep;
use crate::timing::clock::{Clock, Monotonic};
use crate::timing::stats;
use pointwise::Isa;
use std::time::Duration;

/// The time that one thread's multiply-adds should take, ns: far longer than a reading of the clock
/// and than starting threads together, and far shorter than a sample.
const RUN_NS: f64 = 10e3;

/// The best of so many tries counts, because an interrupt may disturb one.
const TRIES: usize = 3;

/// Threads that are slower than the fastest by this factor share a core, which costs a factor of
/// two. A smaller loss may come from the clock rate, which falls when all cores draw power.
const SHARED: f64 = 1.5;

/// The time that a run may spend in all on waiting for threads to get cores of their own. Busy
/// threads are mostly moved apart within two seconds. Where threads share cores for good, as when
/// every hardware thread of a machine is used, the wait is lost only once.
const PATIENCE: Duration = Duration::from_secs(15);

/// Tells when a sample on several threads has to be taken again.
pub(crate) trait SharedCores: Send {
    /// Whether threads of the current rayon pool shared a core.
    ///
    /// A yes means that it has waited until no two of them do. Where waiting is in vain the answer
    /// is no, because a second sample would be no better.
    fn were_shared(&mut self) -> bool;
}

/// Finds shared cores by timing multiply-adds.
pub(crate) struct CoreProbe {
    isa: Isa,
    rounds: u64,
    /// Their shortest time so far, ns.
    fastest: f64,
    /// What is left of [`PATIENCE`].
    patience: Duration,
    clock: Monotonic,
}

impl CoreProbe {
    /// Times the multiply-adds on this thread alone.
    pub(crate) fn new() -> CoreProbe {
        let clock = Monotonic::new();
        let isa = Isa::ALL.into_iter().rfind(|isa| isa.is_available()).unwrap_or(Isa::Scalar);
        let best = |rounds| {
            let time = || {
                let start = clock.now();
                multiply_add(isa, rounds);
                ((clock.now() - start) as f64).max(1.0)
            };
            stats::min(&[(); 10 * TRIES].map(|()| time())).unwrap_or(1.0)
        };
        let trial = 100;
        let rounds = (trial as f64 * RUN_NS / best(trial)).max(1.0) as u64;
        CoreProbe { isa, rounds, fastest: best(rounds), patience: PATIENCE, clock }
    }

    /// Whether the slowest thread of the current pool is as slow as a thread that shares its core.
    fn finds_shared(&mut self) -> bool {
        let (isa, rounds) = (self.isa, self.rounds);
        let times = lockstep(TRIES, |_| (), |()| multiply_add(isa, rounds));
        let Some(best) = stats::min(&times) else { return false };
        self.fastest = self.fastest.min(best);
        best > SHARED * self.fastest
    }
}

impl SharedCores for CoreProbe {
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
    fn full_speed_means_no_sharing_and_a_wait_in_vain_is_not_repeated() {
        let pool = crate::timing::pool::pool(2).unwrap();
        pool.install(|| {
            let mut probe = CoreProbe::new();
            probe.fastest = f64::MAX;
            assert!(!probe.were_shared());
            assert!(probe.fastest < f64::MAX);
            assert_eq!(probe.patience, PATIENCE);
            // No machine reaches this time.
            probe.fastest = 1e-9;
            probe.patience = Duration::from_millis(1);
            assert!(!probe.were_shared());
            assert!(probe.patience.is_zero());
            assert!(!probe.were_shared());
        });
    }
}
