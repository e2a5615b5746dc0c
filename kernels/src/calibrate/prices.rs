//! Prices of tiles, stores and packing from times of pieces of work.
//!
//! ```text
//! a tile of depth d takes  ends + d · step         (from two depths)
//! stored another way       ends of that way + d · step
//! packing takes            start + each · count    (from two counts)
//! ```

use super::operands::{Job, Size, forms, sizes};
use super::packing::{Pack, Way};
use super::rounds::{Times, Work};
use crate::micro::isa::Isa;
use crate::micro::operands::{Form, LINE, PLANES, ROWS, Store};

/// Depths that a tile is timed at: beyond the steps that some tiles do at their end, for half of
/// the rows at a time.
const DEPTHS: [usize; 2] = [32, 160];

/// Cycles beyond which a price is a disturbance and not a CPU's.
const MOST: f64 = 1e5;

/// What a size of tile costs in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TilePrice {
    pub(crate) isa: Isa,
    pub(crate) form: Form,
    /// Whether two rows share the last vector, of which half the lanes are then stored.
    pub(crate) half: bool,
    pub(crate) rows: usize,
    pub(crate) vectors: usize,
    /// One step of the reduction.
    pub(crate) step: f64,
    /// Start and store.
    pub(crate) ends: f64,
}

/// What start and store of a size of tile cost in cycles when it is stored in such a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StorePrice {
    pub(crate) isa: Isa,
    /// Masked, partial or across.
    pub(crate) store: Store,
    pub(crate) rows: usize,
    pub(crate) vectors: usize,
    /// Start and store.
    pub(crate) ends: f64,
    /// Each lane past the last whole vector, of all rows; 0 but for [`Store::Partial`].
    pub(crate) each: f64,
}

/// What packing costs in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PackPrice {
    pub(crate) isa: Isa,
    pub(crate) way: Way,
    /// The start of a channel, or of a block of 16 channels that is transposed.
    pub(crate) start: f64,
    /// A vector that is copied; else an element.
    pub(crate) each: f64,
}

/// Everything that small pieces of work tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Prices {
    pub(crate) tiles: Vec<TilePrice>,
    pub(crate) stores: Vec<StorePrice>,
    pub(crate) packs: Vec<PackPrice>,
}

/// The pieces of work of this CPU that [`Prices::from`] asks for.
pub(super) fn work() -> Vec<Work> {
    let mut all = Vec::new();
    // Whatever times are asked for is what is to be timed.
    Prices::ask(&mut |work| {
        if !all.contains(work) {
            all.push(*work);
        }
        Some(1.0)
    });
    all
}

impl Prices {
    /// What the times come to.
    pub(super) fn from(times: &Times) -> Prices {
        Prices::ask(&mut |work| times.get(work))
    }

    /// The prices by the cycles that `time` gives for each piece of work; those without are left
    /// out.
    fn ask(time: &mut dyn FnMut(&Work) -> Option<f64>) -> Prices {
        let mut prices = Prices::default();
        for size in sizes() {
            let whole = |form| Job::whole(size, form, DEPTHS[0]);
            for form in forms(size.kernel) {
                prices.tiles.extend(tile(whole(*form), time));
                prices.tiles.extend(half(whole(*form), time));
            }
            // Stores cost the same after any form: rows are what outputs in lanes are read by.
            prices.stores.extend(stores(whole(ROWS), time));
        }
        let mut isas: Vec<Size> = Vec::new();
        for size in sizes() {
            if !isas.iter().any(|it| it.kernel.isa() == size.kernel.isa()) {
                isas.push(size);
            }
        }
        for size in isas {
            prices.packs.extend(Way::ALL.iter().filter_map(|way| pack(size, *way, time)));
        }
        prices
    }
}

/// Step and ends of a tile, from two depths.
fn tile(job: Job, time: &mut dyn FnMut(&Work) -> Option<f64>) -> Option<TilePrice> {
    let [shallow, deep] = DEPTHS.map(|depth| time(&Work::Tile(Job { depth, ..job })));
    let steps = (DEPTHS[1] - DEPTHS[0]) as f64;
    // Two disturbed times may give no step at all, which no tile has.
    let step = ((deep? - shallow?) / steps).clamp(0.01, MOST);
    // Calls overlap: of small tiles the next begins before the last has ended.
    let ends = (shallow? - DEPTHS[0] as f64 * step).clamp(1.0, MOST);
    let Job { size: Size { kernel, rows, vectors }, form, half, .. } = job;
    Some(TilePrice { isa: kernel.isa(), form, half, rows, vectors, step, ends })
}

/// The same of the tile whose last vector two rows share, where there is one.
fn half(job: Job, time: &mut dyn FnMut(&Work) -> Option<f64>) -> Option<TilePrice> {
    let Size { kernel, vectors, .. } = job.size;
    if !kernel.shares_vectors(vectors) || job.form == PLANES {
        return None;
    }
    let wanted = job.wanted - kernel.isa().lanes() / 2;
    let store = if kernel.has_masks() { Store::Masked } else { Store::Partial };
    tile(Job { half: true, store, wanted, ..job }, time)
}

/// Start and store of a tile in each other way that its ISA has.
fn stores(whole: Job, time: &mut dyn FnMut(&Work) -> Option<f64>) -> Vec<StorePrice> {
    let Some(TilePrice { isa, rows, vectors, ends, .. }) = tile(whole, time) else {
        return Vec::new();
    };
    let stored = time(&Work::Tile(whole)).unwrap_or(0.0);
    let lanes = isa.lanes();
    // The steps are the same, so that the difference is the store's.
    let mut with = |store, wanted| {
        let took = time(&Work::Tile(Job { store, wanted, ..whole }))?;
        Some((ends + took - stored).clamp(1.0, MOST))
    };
    let price = |store, ends, each| StorePrice { isa, store, rows, vectors, ends, each };
    let mut prices = Vec::new();
    let begun = (vectors - 1) * lanes;
    if whole.size.kernel.has_masks() {
        let masked = with(Store::Masked, begun + lanes / 2 + 1);
        prices.extend(masked.map(|ends| price(Store::Masked, ends, 0.0)));
    } else if let (Some(one), Some(most)) =
        (with(Store::Partial, begun + 1), with(Store::Partial, begun + lanes - 1))
    {
        let each = ((most - one) / (lanes - 2) as f64).clamp(0.0, MOST);
        prices.push(price(Store::Partial, (one - each).max(1.0), each));
    }
    prices.extend(with(Store::Across, whole.wanted).map(|ends| price(Store::Across, ends, 0.0)));
    prices
}

/// Start and each of a way to pack, from two counts of pixels.
fn pack(size: Size, way: Way, time: &mut dyn FnMut(&Work) -> Option<f64>) -> Option<PackPrice> {
    let isa = size.kernel.isa();
    // Channels are what starts but where blocks of 16 are transposed.
    let (depth, starts) = if way == Way::Transpose { (64, 4) } else { (32, 32) };
    let counts = [16, 64];
    let units = |count: usize| match way {
        Way::Copy => (depth * count / isa.lanes()) as f64,
        _ => (depth * count) as f64,
    };
    let [few, many] =
        counts.map(|count| time(&Work::Pack(Pack { kernel: size.kernel, way, depth, count })));
    let each = ((many? - few?) / (units(counts[1]) - units(counts[0]))).clamp(1e-3, MOST);
    let start = ((few? - units(counts[0]) * each) / f64::from(starts)).clamp(0.0, MOST);
    Some(PackPrice { isa, way, start, each })
}

/// `masked`, `partial` or `across`.
pub(crate) const fn store_name(store: Store) -> &'static str {
    match store {
        Store::Whole => "whole",
        Store::Masked => "masked",
        Store::Partial => "partial",
        Store::Across => "across",
        Store::Scattered => "scattered",
    }
}

/// `rows`, `line` or `planes`.
pub(crate) const fn form_name(form: Form) -> &'static str {
    match form {
        ROWS => "rows",
        LINE => "line",
        _ => "planes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micro::registry::kernels;

    /// Cycles as some CPU would take them.
    fn made_up(work: &Work) -> Option<f64> {
        Some(match work {
            Work::Tile(Job {
                size: Size { kernel, rows, vectors },
                form,
                half,
                depth,
                store,
                wanted,
            }) => {
                let lanes = kernel.isa().lanes();
                let whole = (rows * vectors) as f64;
                let step = whole * if *form == LINE { 2.0 } else { 3.0 } - f64::from(*half);
                let store = match store {
                    Store::Whole => 20.0 + whole,
                    Store::Masked => 30.0 + whole,
                    Store::Partial => 40.0 + 2.0 * whole + 5.0 * (wanted % lanes) as f64,
                    _ => 50.0 + 7.0 * whole,
                };
                *depth as f64 * step + store
            }
            Work::Pack(Pack { way: Way::Copy, kernel, depth, count }) => {
                (depth * 3) as f64 + (depth * count / kernel.isa().lanes()) as f64 * 0.5
            }
            Work::Pack(Pack { way: Way::Transpose, depth, count, .. }) => {
                (depth / 16 * 3) as f64 + (depth * count) as f64 * 0.5
            }
            Work::Pack(Pack { depth, count, .. }) => {
                (depth * 3) as f64 + (depth * count) as f64 * 0.5
            }
        })
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6 * (1.0 + b.abs())
    }

    #[test]
    fn prices_are_what_the_times_were_made_of() {
        let prices = Prices::ask(&mut made_up);
        for TilePrice { isa, form, half, rows, vectors, step, ends } in &prices.tiles {
            let whole = (rows * vectors) as f64;
            let due = whole * if *form == LINE { 2.0 } else { 3.0 } - f64::from(*half);
            assert!(close(*step, due), "{isa} {rows}x{vectors}: {step}");
            let due = match (half, isa) {
                (false, _) => 20.0 + whole,
                (true, Isa::Avx512) => 30.0 + whole,
                (true, _) => 40.0 + 2.0 * whole + 5.0 * (isa.lanes() / 2) as f64,
            };
            assert!(close(*ends, due), "{isa} {rows}x{vectors} {half}: {ends}");
        }
        for StorePrice { isa, store, rows, vectors, ends, each } in &prices.stores {
            let whole = (rows * vectors) as f64;
            let due = match store {
                Store::Masked => (30.0 + whole, 0.0),
                Store::Partial => (40.0 + 2.0 * whole, 5.0),
                _ => (50.0 + 7.0 * whole, 0.0),
            };
            assert!(close(*ends, due.0) && close(*each, due.1), "{isa} {store:?}: {ends} {each}");
        }
        for PackPrice { isa, way, start, each } in &prices.packs {
            assert!(close(*start, 3.0) && close(*each, 0.5), "{isa} {way:?}: {start} {each}");
        }
    }

    #[test]
    fn every_tile_of_every_kernel_that_runs_here_is_priced() {
        let prices = Prices::ask(&mut made_up);
        for kernel in kernels().iter().filter(|k| k.is_available() && k.isa() != Isa::Scalar) {
            let isa = kernel.isa();
            for vectors in 1..=kernel.vectors() {
                for rows in 1..=kernel.rows() {
                    let of = |form, half| {
                        let is = |it: &&TilePrice| {
                            (it.isa, it.form, it.half, it.rows, it.vectors)
                                == (isa, form, half, rows, vectors)
                        };
                        prices.tiles.iter().filter(is).count()
                    };
                    for form in [ROWS, LINE] {
                        assert_eq!(of(form, false), 1, "{isa} {rows}x{vectors}");
                        assert_eq!(of(form, true), usize::from(kernel.shares_vectors(vectors)));
                    }
                    assert_eq!(of(PLANES, false), usize::from(kernel.reads_planes()));
                    let is =
                        |it: &&StorePrice| (it.isa, it.rows, it.vectors) == (isa, rows, vectors);
                    let kinds: Vec<_> =
                        prices.stores.iter().filter(is).map(|it| it.store).collect();
                    let last = if kernel.has_masks() { Store::Masked } else { Store::Partial };
                    assert_eq!(kinds, [last, Store::Across], "{isa} {rows}x{vectors}");
                }
            }
            let ways: Vec<_> =
                prices.packs.iter().filter(|it| it.isa == isa).map(|it| it.way).collect();
            assert_eq!(ways, Way::ALL);
        }
    }

    #[test]
    fn disturbed_times_never_give_a_price_that_no_file_may_hold() {
        // Deep tiles that took no longer than shallow ones, and stores that took less than none;
        // and a machine that stood still meanwhile.
        for (whole, else_) in [(1000.0, 0.0), (1e9, 1e12), (0.0, 0.0)] {
            let prices = Prices::ask(&mut |work| match work {
                Work::Tile(Job { store: Store::Whole, .. }) => Some(whole),
                _ => Some(else_),
            });
            assert!(prices.tiles.iter().all(|it| it.step > 0.0 && it.step <= MOST));
            assert!(prices.tiles.iter().all(|it| (1.0..=MOST).contains(&it.ends)));
            let stores = &prices.stores;
            assert!(stores.iter().all(|it| (1.0..=MOST).contains(&it.ends) && it.each >= 0.0));
            assert!(prices.packs.iter().all(|it| it.start >= 0.0 && it.each > 0.0));
        }
    }

    #[test]
    fn what_is_asked_for_is_what_is_timed() {
        let work = work();
        let prices = Prices::ask(&mut |asked| work.contains(asked).then_some(1.0));
        let tiles = prices.tiles.len();
        assert_eq!(tiles, Prices::ask(&mut made_up).tiles.len());
        // Each only once.
        for (at, one) in work.iter().enumerate() {
            assert!(!work[..at].contains(one), "{one:?}");
        }
    }
}
