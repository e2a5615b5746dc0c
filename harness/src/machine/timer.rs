//! How finely, and at what cost, time can be told here.

use crate::measure::{Clock, clock, stats};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The clock and the steadiness of one thread, as measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timer {
    /// The smallest step that the clock was seen to take, ns.
    pub resolution_ns: f64,
    /// What reading it costs, ns.
    pub overhead_ns: f64,
    /// How the same work spread, as multiples of its fastest time: the median …
    pub jitter_median: f64,
    /// … the 99th percentile …
    pub jitter_p99: f64,
    /// … and the slowest.
    pub jitter_max: f64,
    /// Core clock, GHz, from the fastest time: of a chain of operations that take a cycle each.
    pub frequency_ghz: f64,
}

/// What a piece of the fixed work should take, ns.
const PIECE_NS: f64 = 50e3;

impl Timer {
    /// Watches the clock, then times the same work `pieces` times (50 µs each), calling `after`
    /// after each.
    pub fn measure(clock: &dyn Clock, pieces: usize, after: &mut dyn FnMut()) -> Timer {
        let links = links_for(clock, PIECE_NS);
        let mut times = Vec::with_capacity(pieces);
        for _ in 0..pieces.max(1) {
            times.push(time_chain(clock, links));
            after();
        }
        Timer::from_pieces(resolution(clock), clock::overhead(clock), links, &times)
    }

    /// From pieces of `links` links that took `times`.
    fn from_pieces(resolution_ns: f64, overhead_ns: f64, links: u64, times: &[f64]) -> Timer {
        let fastest = stats::min(times).unwrap_or(1.0).max(1.0);
        let multiple = |tau| stats::quantile(times, tau).unwrap_or(fastest) / fastest;
        Timer {
            resolution_ns,
            overhead_ns,
            jitter_median: multiple(0.5),
            jitter_p99: multiple(0.99),
            jitter_max: multiple(1.0),
            frequency_ghz: (links * CYCLES_PER_LINK) as f64 / fastest,
        }
    }
}

/// The smallest step above zero of many readings, ns.
fn resolution(clock: &dyn Clock) -> f64 {
    let mut smallest = u64::MAX;
    let mut last = clock.now();
    let mut seen = 0;
    // A clock that stands still must not keep us.
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

/// A link is an exclusive-or and an addition, each dependent on the one before.
const CYCLES_PER_LINK: u64 = 2;

/// A chain that nothing but the core's clock rate makes faster or slower: no memory, no branches
/// but the loop's, no parallelism.
#[inline(never)]
fn chain(links: u64) {
    let (mask, step) = (black_box(0x9e37_79b9_7f4a_7c15u64), black_box(0x2545_f491_4f6c_dd1du64));
    let mut value = black_box(1u64);
    for _ in 0..links {
        value = (value ^ mask).wrapping_add(step);
    }
    black_box(value);
}

/// What a chain of `links` takes, ns.
pub(super) fn time_chain(clock: &dyn Clock, links: u64) -> f64 {
    let start = clock.now();
    chain(links);
    (clock.now() - start) as f64
}

/// How many links take about `ns`.
pub(super) fn links_for(clock: &dyn Clock, ns: f64) -> u64 {
    const TRIAL: u64 = 20_000;
    let times: Vec<f64> = (0..20).map(|_| time_chain(clock, TRIAL)).collect();
    let fastest = stats::min(&times).unwrap_or(1.0).max(1.0);
    ((TRIAL as f64 * ns / fastest) as u64).clamp(1, 1 << 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::clock::fake::Fake;

    #[test]
    fn resolution_is_the_smallest_step() {
        assert_eq!(resolution(&Fake::new(41)), 41.0);
        assert_eq!(resolution(&Fake::new(0)), f64::INFINITY);
    }

    #[test]
    fn jitter_is_told_in_multiples_of_the_fastest() {
        let mut times = vec![110.0; 97];
        times.extend([100.0, 150.0, 400.0]);
        let timer = Timer::from_pieces(1.0, 20.0, 175, &times);
        assert_eq!(timer.jitter_median, 1.1);
        assert!((1.4..4.0).contains(&timer.jitter_p99), "{timer:?}");
        assert_eq!(timer.jitter_max, 4.0);
        assert_eq!(timer.frequency_ghz, 3.5);
    }
}
