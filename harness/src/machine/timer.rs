//! The resolution and cost of the clock, and how steady one thread is.

use crate::timing::clock::{self, Clock};
use crate::timing::stats;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The clock, and the steadiness of one thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timer {
    /// The smallest step that the clock was seen to take, ns.
    pub resolution_ns: f64,
    /// The time of one reading, ns.
    pub overhead_ns: f64,
    /// The spread of the time of equal work: upper less lower quartile, as a share of the median.
    pub jitter_quartiles: f64,
    /// The 99th percentile of those times ÷ their median − 1.
    pub jitter_p99: f64,
    /// The slowest of those times ÷ their median − 1.
    pub jitter_max: f64,
    /// The core's clock rate, GHz: from the median time of a chain of operations of one cycle each.
    pub frequency_ghz: f64,
}

/// The time of one piece of the work, ns. It is shorter than a sample, and long enough that a timer
/// interrupt takes a part of it and not the whole.
const PIECE_NS: f64 = 250e3;

impl Timer {
    /// Examines the clock, then times `pieces` equal pieces of work of ¼ ms. `after` is called after
    /// each piece.
    pub fn measure(clock: &dyn Clock, pieces: usize, after: &mut dyn FnMut()) -> Timer {
        let links = links_for(clock, PIECE_NS);
        let mut times = Vec::with_capacity(pieces);
        for _ in 0..pieces.max(1) {
            times.push(time_chain(clock, links));
            after();
        }
        Timer::from_pieces(resolution(clock), clock::overhead(clock), links, &times)
    }

    /// The result for pieces of `links` links that took `times`, ns.
    fn from_pieces(resolution_ns: f64, overhead_ns: f64, links: u64, times: &[f64]) -> Timer {
        let quantile = |tau| stats::quantile(times, tau).unwrap_or(1.0).max(1.0);
        let median = quantile(0.5);
        Timer {
            resolution_ns,
            overhead_ns,
            jitter_quartiles: (quantile(0.75) - quantile(0.25)) / median,
            jitter_p99: quantile(0.99) / median - 1.0,
            jitter_max: quantile(1.0) / median - 1.0,
            frequency_ghz: (links * CYCLES_PER_LINK) as f64 / median,
        }
    }
}

/// The smallest step above zero between readings of the clock, ns.
fn resolution(clock: &dyn Clock) -> f64 {
    let mut smallest = u64::MAX;
    let mut last = clock.now();
    let mut seen = 0;
    // The limit ends the loop for a clock that stands still.
    for _ in 0..1_000_000 {
        let now = clock.now();
        if now > last {
            smallest = smallest.min(now - last);
            last = now;
            seen += 1;
        }
        if seen == 1000 {
            break;
        }
    }
    if seen == 0 { f64::INFINITY } else { smallest as f64 }
}

/// A link is an exclusive-or and an addition; each depends on the one before.
const CYCLES_PER_LINK: u64 = 2;

/// Work whose time depends on the core's clock rate alone: it uses no memory, no parallelism, and no
/// branch but the loop's.
#[inline(never)]
fn chain(links: u64) {
    let (mask, step) = (black_box(0x9e37_79b9_7f4a_7c15u64), black_box(0x2545_f491_4f6c_dd1du64));
    let mut value = black_box(1u64);
    for _ in 0..links {
        value = (value ^ mask).wrapping_add(step);
    }
    black_box(value);
}

/// The time of a chain of `links` links, ns.
pub(super) fn time_chain(clock: &dyn Clock, links: u64) -> f64 {
    let start = clock.now();
    chain(links);
    (clock.now() - start) as f64
}

/// The number of links that take about `ns`.
pub(super) fn links_for(clock: &dyn Clock, ns: f64) -> u64 {
    const TRIAL: u64 = 20_000;
    let times: Vec<f64> = (0..20).map(|_| time_chain(clock, TRIAL)).collect();
    let fastest = stats::min(&times).unwrap_or(1.0).max(1.0);
    ((TRIAL as f64 * ns / fastest) as u64).clamp(1, 1 << 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::clock::fake::Fake;

    #[test]
    fn resolution_is_the_smallest_step() {
        assert_eq!(resolution(&Fake::new(41)), 41.0);
        assert_eq!(resolution(&Fake::new(0)), f64::INFINITY);
    }

    #[test]
    fn jitter_is_told_as_shares_of_the_median() {
        // Times of 100 to 104, and one in a hundred far above.
        let mut times: Vec<f64> = (0..1000).map(|i| 100.0 + f64::from(i % 5)).collect();
        times.extend([204.0; 10]);
        times.push(510.0);
        let timer = Timer::from_pieces(1.0, 20.0, 153, &times);
        assert!((timer.jitter_quartiles - 2.0 / 102.0).abs() < 1e-9, "{timer:?}");
        assert!((0.5..=1.0).contains(&timer.jitter_p99), "{timer:?}");
        assert_eq!(timer.jitter_max, 4.0);
        assert_eq!(timer.frequency_ghz, 3.0);
    }
}
