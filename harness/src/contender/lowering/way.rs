//! The ways in which a layer can be computed with a GEMM, and which is the fastest here.
//!
//! A careful user of a GEMM tries what its interface offers and keeps what is fastest. So does
//! this module, before anything is measured, and the record's kernel says what was found.

use crate::contender::contract::Refusal;
use pointwise::{Layer, Layout};
use std::fmt;
use std::time::Duration;

/// How the products of a layer are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Whether the weights are `[c / groups][k / groups]` in each group, transposed ahead, and not
    /// as they are given, `[k / groups][c / groups]`.
    pub(super) transposed: bool,
    /// Whether the second factor's transpose is given as the first factor, and the product is
    /// written by columns.
    pub(super) exchanged: bool,
    pub(super) cut: Cut,
    pub(super) workers: Workers,
}

/// Into how many pieces each product is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Whole,
    Pixels(usize),
    /// Output channels.
    Channels(usize),
}

impl Cut {
    /// Pieces whose outputs lie side by side in memory.
    pub(super) fn side_by_side(layout: Layout, pieces: usize) -> Cut {
        match layout {
            Layout::Nhwc => Cut::Pixels(pieces),
            Layout::Nchw => Cut::Channels(pieces),
        }
    }
}

/// Who computes the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workers {
    /// The calling thread, one piece and its last pass after the other.
    Caller,
    /// The threads of the rayon pool, each piece and its last pass on one.
    Pool,
    /// The library's own threads, a piece after the other; then the last pass on the calling
    /// thread, or on the threads of the pool.
    Library { last_pass_in_pool: bool },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.transposed { "weights transposed" } else { "weights as given" })?;
        if self.exchanged {
            f.write_str(", factors exchanged")?;
        }
        let pieces = match self.workers {
            Workers::Caller => "blocks",
            _ => "shares",
        };
        match self.cut {
            Cut::Whole => {}
            Cut::Pixels(n) => write!(f, ", {n} {pieces} of pixels")?,
            Cut::Channels(n) => write!(f, ", {n} {pieces} of channels")?,
        }
        f.write_str(match self.workers {
            Workers::Caller | Workers::Pool => "",
            Workers::Library { last_pass_in_pool: false } => ", its own threads",
            Workers::Library { last_pass_in_pool: true } => {
                ", its own threads, last pass on all threads"
            }
        })
    }
}

/// Output values of a block that stays in the second-level cache until its last pass.
const BLOCK: usize = 1 << 16;

/// The ways whose order of factors, division and workers differ: the first choice. `products` is
/// how many products the layer has.
pub(super) fn orders(threads: usize, products: usize, has_threads: bool) -> Vec<Way> {
    let mut ways = Vec::new();
    for (transposed, exchanged) in [(false, false), (true, false), (false, true), (true, true)] {
        let way = |cut, workers| Way { transposed, exchanged, cut, workers };
        if threads == 1 {
            ways.push(way(Cut::Whole, Workers::Caller));
            continue;
        }
        if has_threads {
            for last_pass_in_pool in [true, false] {
                ways.push(way(Cut::Whole, Workers::Library { last_pass_in_pool }));
            }
        }
        for cut in cuts(threads.div_ceil(products)) {
            ways.push(way(cut, Workers::Pool));
        }
    }
    ways
}

/// Other divisions of the work, everything else being as in `way`: the second choice.
pub(super) fn divisions(way: Way, layer: &Layer, outputs: usize, threads: usize) -> Vec<Way> {
    let products = products(layer);
    let pieces: Vec<usize> = match way.workers {
        Workers::Library { .. } => Vec::new(),
        // More shares than threads, so that a thread that is done takes another's.
        Workers::Pool => [2, 4].map(|m| (m * threads).div_ceil(products)).to_vec(),
        // Blocks whose outputs are still in a cache when the last pass reads them.
        Workers::Caller => [2, 4, 8].into_iter().filter(|n| outputs > n * BLOCK / 2).collect(),
    };
    let mut ways = vec![way];
    for cut in pieces.into_iter().flat_map(cuts) {
        let other = Way { cut, ..way };
        if !ways.contains(&other) {
            ways.push(other);
        }
    }
    ways
}

/// Products that a layer is made of: NHWC's images are one.
pub(super) fn products(layer: &Layer) -> usize {
    match layer.layout {
        Layout::Nhwc => layer.groups,
        Layout::Nchw => layer.n * layer.groups,
    }
}

fn cuts(pieces: usize) -> Vec<Cut> {
    match pieces {
        1 => vec![Cut::Whole],
        _ => vec![Cut::Pixels(pieces), Cut::Channels(pieces)],
    }
}

/// How long ways are tried.
const BUDGET: Duration = Duration::from_millis(10);
/// Each that is not far behind is timed so often at least.
const MIN_ROUNDS: usize = 4;
const MAX_ROUNDS: usize = 50;

/// The way whose fastest run is the fastest, of several that are as fast the first. `time` computes
/// the layer and says how long that took. A way that is refused is left out.
///
/// # Errors
/// The first refusal, when all ways are refused.
pub(super) fn fastest(
    ways: &[Way],
    mut time: impl FnMut(Way) -> Result<Duration, Refusal>,
) -> Result<Way, Refusal> {
    let mut tried: Vec<(Way, Duration)> = ways.iter().map(|way| (*way, Duration::MAX)).collect();
    let mut refusal = None;
    let mut spent = Duration::ZERO;
    for round in 0..MAX_ROUNDS {
        if round > 0 && tried.len() == 1 || round >= MIN_ROUNDS && spent > BUDGET {
            break;
        }
        tried.retain_mut(|(way, best)| match time(*way) {
            Ok(took) => {
                spent += took;
                *best = took.min(*best);
                true
            }
            Err(why) => {
                refusal.get_or_insert(why);
                false
            }
        });
        // One that is far behind is not tried again.
        let least = least(&tried);
        tried.retain(|(_, best)| *best <= least.mul_f64(1.4));
    }
    let enough = least(&tried).mul_f64(1.01);
    match tried.iter().find(|(_, best)| *best <= enough) {
        Some((way, _)) => Ok(*way),
        None => Err(refusal.unwrap_or_else(|| Refusal::Failed("no way is left".to_owned()))),
    }
}

fn least(tried: &[(Way, Duration)]) -> Duration {
    tried.iter().map(|(_, best)| *best).min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_way_is_found_and_a_refused_one_left_out() {
        let ways = orders(1, 1, false);
        let mut calls = 0;
        let found = fastest(&ways, |way| match (way.transposed, way.exchanged) {
            // Slow only once.
            (true, false) => {
                calls += 1;
                Ok(Duration::from_micros(if calls == 1 { 12 } else { 9 }))
            }
            (false, false) => Ok(Duration::from_micros(10)),
            _ => Err(Refusal::Unsupported("columns".to_owned())),
        });
        assert_eq!(found.unwrap(), ways[1]);
        // As fast but for noise: the first.
        let found = fastest(&ways, |way| Ok(Duration::from_nanos(1000 - way.transposed as u64)));
        assert_eq!(found.unwrap(), ways[0]);
        let refused = fastest(&ways, |_| Err(Refusal::Unsupported("all".to_owned())));
        assert_eq!(refused, Err(Refusal::Unsupported("all".to_owned())));
    }

    #[test]
    fn there_are_more_shares_than_threads_to_try() {
        let layer = Layer::new(64, 64, 56, 56);
        let way = orders(2, 1, false)[0];
        let others = divisions(way, &layer, 1 << 20, 2);
        assert!(others.iter().any(|way| way.cut == Cut::Pixels(8)), "{others:?}");
        assert_eq!(others[0], way);
    }

    #[test]
    fn ways_are_told_in_words() {
        let cut = Cut::Pixels(4);
        let way = Way { transposed: true, exchanged: false, cut, workers: Workers::Pool };
        assert_eq!(way.to_string(), "weights transposed, 4 shares of pixels");
        let workers = Workers::Library { last_pass_in_pool: true };
        let way = Way { transposed: false, cut: Cut::Whole, workers, ..way };
        let words = "weights as given, its own threads, last pass on all threads";
        assert_eq!(way.to_string(), words);
    }
}
