//! The clock: a trait, so that tests of the measuring loop can bring a clock of their own.

use std::time::Instant;

/// A clock whose readings never decrease.
pub trait Clock: Send + Sync {
    /// Nanoseconds since some fixed moment.
    fn now(&self) -> u64;
}

/// The operating system's monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic {
    start: Instant,
}

impl Monotonic {
    /// A clock that starts at zero now.
    pub fn new() -> Self {
        Monotonic { start: Instant::now() }
    }
}

impl Default for Monotonic {
    fn default() -> Self {
        Monotonic::new()
    }
}

impl Clock for Monotonic {
    #[inline]
    fn now(&self) -> u64 {
        let elapsed = self.start.elapsed();
        elapsed.as_secs() * 1_000_000_000 + u64::from(elapsed.subsec_nanos())
    }
}

/// The time between two readings of the clock in a row, ns.
///
/// It is subtracted from each sample. It is the median of many tries, so that a try which an
/// interrupt made longer does not count.
pub fn overhead(clock: &dyn Clock) -> f64 {
    let tries: Vec<f64> = (0..1001)
        .map(|_| {
            let start = clock.now();
            (clock.now() - start) as f64
        })
        .collect();
    super::stats::median(&tries).unwrap_or(0.0)
}

#[cfg(test)]
pub(crate) mod fake {
    //! A clock that a test moves.

    use super::Clock;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Moves by what `advance` is given, and by `per_read` ns at every reading.
    #[derive(Clone, Default)]
    pub(crate) struct Fake {
        ns: Arc<AtomicU64>,
        per_read: u64,
    }

    impl Fake {
        pub(crate) fn new(per_read: u64) -> Self {
            Fake { ns: Arc::default(), per_read }
        }

        pub(crate) fn advance(&self, ns: u64) {
            self.ns.fetch_add(ns, Ordering::Relaxed);
        }
    }

    impl Clock for Fake {
        fn now(&self) -> u64 {
            self.ns.fetch_add(self.per_read, Ordering::Relaxed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_the_cost_of_one_reading() {
        assert_eq!(overhead(&fake::Fake::new(23)), 23.0);
        assert_eq!(overhead(&fake::Fake::new(0)), 0.0);
    }

    #[test]
    fn the_monotonic_clock_does_not_go_back() {
        let clock = Monotonic::new();
        let readings: Vec<u64> = (0..100).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
