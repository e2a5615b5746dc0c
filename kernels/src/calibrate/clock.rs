//! Times in cycles of the core's own clock, which needs no privilege and follows its frequency.

use core::hint::black_box;
use std::time::Instant;

/// Additions in the chain: a few microseconds, so that reading the time does not show.
const LINKS: usize = 4096;

/// Chains that are remembered.
const RECENT: usize = 16;

/// A stopwatch whose unit is the core's cycle.
///
/// The core's frequency drifts while it is measured on. So before each piece of work a chain of
/// dependent additions is timed, a cycle each on every core there is. The shortest of the last few
/// chains gives the cycle: a disturbance only ever makes a chain longer.
pub(super) struct Clock {
    /// Nanoseconds of a cycle, of the last chains.
    recent: [f64; RECENT],
    next: usize,
}

impl Clock {
    /// Times the first chains.
    pub(super) fn start() -> Self {
        let mut clock = Clock { recent: [f64::INFINITY; RECENT], next: 0 };
        for _ in 0..RECENT {
            clock.tick();
        }
        clock
    }

    /// Times one more chain.
    fn tick(&mut self) {
        let begin = Instant::now();
        chain(LINKS);
        self.recent[self.next] = begin.elapsed().as_nanos() as f64 / LINKS as f64;
        self.next = (self.next + 1) % RECENT;
    }

    /// Cycles that the work takes.
    pub(super) fn cycles(&mut self, work: impl FnOnce()) -> f64 {
        self.tick();
        let begin = Instant::now();
        work();
        begin.elapsed().as_nanos() as f64 / self.nanoseconds()
    }

    /// Nanoseconds of a cycle at present.
    pub(super) fn nanoseconds(&self) -> f64 {
        // A timer may be too coarse to see a chain at all.
        self.recent.iter().copied().fold(f64::INFINITY, f64::min).max(1e-3)
    }
}

/// Takes at least so many cycles: additions that each need the one before.
pub(super) fn chain(links: usize) {
    /// Additions between two branches.
    const BLOCK: usize = 64;
    let mut x = black_box(1u64);
    for _ in 0..links.div_ceil(BLOCK) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: 64 additions to a register that the compiler gave and gets back.
        unsafe {
            core::arch::asm!(".rept 64", "add {0}, {0}", ".endr", inout(reg) x,
                options(pure, nomem, nostack));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            core::arch::asm!(".rept 64", "add {0}, {0}, {0}", ".endr", inout(reg) x,
                options(pure, nomem, nostack));
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        for _ in 0..BLOCK {
            x = black_box(x);
        }
    }
    black_box(x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_the_shortest_of_the_recent_chains() {
        let mut clock = Clock::start();
        clock.recent = [2.0; RECENT];
        clock.recent[3] = 0.5;
        assert_eq!(clock.nanoseconds(), 0.5);
        // Older ones are forgotten.
        for _ in 0..RECENT {
            clock.tick();
        }
        assert!(clock.recent.iter().all(|ns| *ns > 0.0 && *ns != 2.0));
        assert!(clock.cycles(|| chain(1000)) > 0.0);
    }
}
