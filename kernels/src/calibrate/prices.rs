//! Prices from times of pieces of work.
//!
//! ```text
//! a tile of depth d takes     ends + d · step         (from two depths)
//! stored another way          ends of that way + d · step
//! ```
//!
//! Steps are prices of each tile. Ends and packing are fitted as sums of a few prices that all tiles
//! of an ISA's width have in common, as the cost model adds them up: see `choose/price.rs`.

use super::fit::{Equation, least_squares};
use super::operands::{Job, Size, forms, sizes};
use super::packing::{Pack, Way};
use super::rounds::{Times, Work};
use crate::micro::isa::Isa;
use crate::micro::operands::{Form, LINE, PLANES, ROWS, Store};

/// Depths that a tile is timed at: beyond the steps that some tiles do at their end, for half of
/// the rows at a time.
const DEPTHS: [usize; 2] = [64, 192];

/// Cycles beyond which a price is a disturbance and not a CPU's.
const MOST: f64 = 1e5;

/// Accumulators that keep the multipliers busy. Of a smaller tile the next call begins long before
/// the last has ended, so that nothing can be said of its start and end.
const BUSY: usize = 8;

/// Channels of what is packed, and of rows that are copied.
const CHANNELS: usize = 32;
const ROW: [usize; 2] = [64, 512];

/// What a size of tile costs in cycles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TilePrice {
    pub(super) isa: Isa,
    pub(super) form: Form,
    pub(super) rows: usize,
    pub(super) vectors: usize,
    /// One step of the reduction.
    pub(super) step: f64,
    /// Start and store, where the result is stored whole.
    pub(super) ends: f64,
}

/// Everything that small pieces of work tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Prices {
    pub(super) tiles: Vec<TilePrice>,
    /// Prices by the names that data files have for them.
    pub(super) named: Vec<(&'static str, f64)>,
}

/// Cycles of a piece of work; nothing if it was not timed.
type Time<'a> = &'a mut dyn FnMut(Work) -> Option<f64>;

/// The pieces of work of this CPU that [`Prices::from`] asks for.
pub(super) fn work() -> Vec<Work> {
    let mut all = Vec::new();
    // Whatever times are asked for is what is to be timed.
    Prices::ask(&mut |work| {
        if !all.contains(&work) {
            all.push(work);
        }
        Some(1.0)
    });
    all
}

impl Prices {
    /// What the times come to.
    pub(super) fn from(times: &Times) -> Prices {
        Prices::ask(&mut |work| times.get(&work))
    }

    /// The prices by the cycles that `time` gives; those without are left out.
    fn ask(time: Time<'_>) -> Prices {
        let (mut tiles, mut equations) = (Vec::new(), Vec::new());
        for size in sizes() {
            for form in forms(size.kernel) {
                let whole = tile(Job::whole(size, *form, DEPTHS[0]), time);
                tiles.extend(whole);
                let Some(TilePrice { step, .. }) = whole else { continue };
                if *form != PLANES {
                    equations.extend(pairs(size, *form, step, time));
                }
            }
            equations.extend(planes(size, &tiles));
            equations.extend(stores(size, time));
        }
        let mut isas: Vec<Size> = Vec::new();
        for size in sizes() {
            if !isas.iter().any(|it| it.kernel.isa() == size.kernel.isa()) {
                isas.push(size);
            }
        }
        for size in isas {
            equations.extend(packs(size, time));
        }
        Prices { tiles, named: least_squares(&equations) }
    }
}

/// Step and ends of a tile, from two depths.
fn tile(job: Job, time: Time<'_>) -> Option<TilePrice> {
    let [shallow, deep] = DEPTHS.map(|depth| time(Work::Tile(Job { depth, ..job })));
    let steps = (DEPTHS[1] - DEPTHS[0]) as f64;
    // Two disturbed times may give no step at all, which no tile has.
    let step = ((deep? - shallow?) / steps).clamp(0.01, MOST);
    // Calls overlap: of small tiles the next begins before the last has ended.
    let ends = (shallow? - DEPTHS[0] as f64 * step).clamp(1.0, MOST);
    let Job { size: Size { kernel, rows, vectors }, form, .. } = job;
    Some(TilePrice { isa: kernel.isa(), form, rows, vectors, step, ends })
}

/// The first name for 512-bit vectors, the second for shorter ones.
fn wide(isa: Isa, wide: &'static str, narrow: &'static str) -> &'static str {
    if isa == Isa::Avx512 { wide } else { narrow }
}

/// What a step takes longer where two rows share the last vector, beyond its multiply-adds, for
/// each pair of rows.
fn pairs(size: Size, form: Form, step: f64, time: Time<'_>) -> Option<Equation> {
    let Size { kernel, rows, vectors } = size;
    if !kernel.shares_vectors(vectors) {
        return None;
    }
    let job = Job::whole(size, form, DEPTHS[0]);
    let wanted = job.wanted - kernel.isa().lanes() / 2;
    let shared = tile(Job { half: true, store: ragged(size), wanted, ..job }, time)?.step;
    let (pairs, whole) = (rows.div_ceil(2) as f64, (rows * vectors) as f64);
    let name = wide(kernel.isa(), "pair_wide", "pair_narrow");
    let fewer = step * (whole - rows as f64 + pairs) / whole;
    Some(Equation::new(shared - fewer, step, [(name, pairs)]))
}

/// What a step takes longer for each value that is broadcast from a plane instead of a row.
fn planes(size: Size, tiles: &[TilePrice]) -> Option<Equation> {
    let of = |form| {
        let is = |it: &&TilePrice| {
            let size = (size.kernel.isa(), size.rows, size.vectors, form);
            (it.isa, it.rows, it.vectors, it.form) == size
        };
        tiles.iter().find(is).map(|it| it.step)
    };
    let step = of(ROWS)?;
    Some(Equation::new(of(PLANES)? - step, step, [("plane", size.rows as f64)]))
}

/// How an ISA stores lanes that fill no whole vectors.
fn ragged(size: Size) -> Store {
    if size.kernel.has_masks() { Store::Masked } else { Store::Partial }
}

/// Start and store of a tile in each way that its ISA has. Their sum is measured; where the way
/// changes only the store, the steps are the same and their difference is measured.
fn stores(size: Size, time: Time<'_>) -> Vec<Equation> {
    let Size { kernel, rows, vectors } = size;
    let (isa, lanes) = (kernel.isa(), kernel.isa().lanes());
    // Rows are what outputs in lanes are read by; stores cost the same after any form.
    let job = Job::whole(size, ROWS, DEPTHS[0]);
    if rows * vectors < BUSY {
        return Vec::new();
    }
    let Some(TilePrice { step, .. }) = tile(job, time) else { return Vec::new() };
    let steps = DEPTHS[0] as f64 * step;
    let mut ends_of = |job: Job| Some((time(Work::Tile(job))? - steps).clamp(-MOST, MOST));
    // An error counts by the time of a tile of a middling layer.
    let scale = 256.0 * step;
    let (m, whole) = (rows as f64, (rows * vectors) as f64);
    let start = wide(isa, "tile_wide", "tile_narrow");
    let vector = wide(isa, "store_wide", "store_narrow");
    let leave = wide(isa, "spill_wide", "spill_narrow");
    let spilled = wide(isa, "spilled_wide", "spilled_narrow");
    let mut equations = Vec::new();
    let mut add = |job: Job, terms: &[(&'static str, f64)]| {
        if let Some(ends) = ends_of(job) {
            equations.push(Equation::new(ends, scale, terms.iter().copied()));
        }
    };
    let direct = [(start, 1.0), ("store_row", m), (vector, whole)];
    add(job, &direct);
    add(Job { apart: true, ..job }, &[&direct[..], &[("store_page", m)]].concat());
    add(Job { residual: true, ..job }, &[&direct[..], &[("residual", whole)]].concat());
    let begun = (vectors - 1) * lanes;
    let store = ragged(size);
    if store == Store::Masked {
        let masked = [(start, 1.0), ("store_row", m), ("store_masked", whole)];
        add(Job { store, wanted: begun + lanes / 2 + 1, ..job }, &masked);
    } else {
        for single in [1, lanes - 1] {
            add(
                Job { store, wanted: begun + single, ..job },
                &[
                    (start, 1.0),
                    ("store_row", m),
                    (leave, 1.0),
                    (spilled, whole),
                    ("partial", m * (vectors - 1) as f64),
                    ("single", m * single as f64),
                ],
            );
        }
    }
    let spill = [(start, 1.0), (leave, 1.0), (spilled, whole)];
    let wanted = job.wanted;
    let eights = if rows < 8 { 0 } else { wanted / 8 };
    let (eights, fours) = (eights as f64, (wanted / 4 - 2 * eights) as f64);
    let elements = wanted as f64;
    let across = if rows < 4 {
        [("across1", elements * m), ("lane", elements), ("across8", 0.0)]
    } else {
        let (high8, high4) = (rows.div_ceil(8) as f64, rows.div_ceil(4) as f64);
        [("across8", eights * high8), ("across4", fours * high4), ("lane", elements)]
    };
    add(Job { store: Store::Across, ..job }, &[&spill[..], &across[..]].concat());
    let uneven = [("uneven", elements * m)];
    add(Job { store: Store::Scattered, ..job }, &[&spill[..], &uneven[..]].concat());
    equations
}

/// What packing takes in each way.
fn packs(size: Size, time: Time<'_>) -> Vec<Equation> {
    let (kernel, lanes) = (size.kernel, size.kernel.isa().lanes());
    let mut equations = Vec::new();
    let mut add = |way, [depth, count]: [usize; 2], terms: &[(&'static str, f64)]| {
        if let Some(took) = time(Work::Pack(Pack { kernel, way, depth, count })) {
            let took = took.clamp(1.0, MOST);
            equations.push(Equation::new(took, took, terms.iter().copied()));
        }
    };
    let channels = CHANNELS as f64;
    for count in [16, 32, 64] {
        let (sizes, elements) = ([CHANNELS, count], (CHANNELS * count) as f64);
        let begun = ("channel", channels);
        add(Way::Copy, sizes, &[begun, ("copy", channels * (count / lanes) as f64)]);
        add(Way::Second, sizes, &[begun, ("second", elements / 8.0)]);
        add(Way::Gather, sizes, &[begun, ("gather", elements)]);
    }
    // The widest blocks need as many pixels as channels; fewer pixels are left to narrower ones.
    for count in [8usize, 12, 24, 48] {
        let blocks = (CHANNELS / 8) as f64;
        let terms = if lanes == 16 && count >= 16 {
            let high = count.div_ceil(16) as f64;
            [("pack16", (CHANNELS / 16) as f64 * high), ("pack8", 0.0)]
        } else {
            let fours = (count % 8).div_ceil(4) as f64;
            [("pack8", blocks * (count / 8) as f64), ("pack4", 2.0 * blocks * fours)]
        };
        add(Way::Transpose, [CHANNELS, count], &terms);
    }
    for depth in ROW {
        let pixels = 16;
        let vectors = (pixels * depth / lanes) as f64;
        add(Way::Rows, [depth, pixels], &[("pixel", pixels as f64), ("copy", vectors)]);
    }
    equations
}

/// `rows`, `line` or `planes`.
pub(super) const fn form_name(form: Form) -> &'static str {
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

    /// Prices of some CPU.
    fn price(name: &str) -> f64 {
        let names = [
            "tile_narrow",
            "tile_wide",
            "pair_narrow",
            "pair_wide",
            "plane",
            "store_narrow",
            "store_wide",
            "store_masked",
            "store_row",
            "store_page",
            "spill_narrow",
            "spill_wide",
            "spilled_narrow",
            "spilled_wide",
            "partial",
            "single",
            "across8",
            "across4",
            "across1",
            "lane",
            "uneven",
            "residual",
            "copy",
            "pixel",
            "channel",
            "pack16",
            "pack8",
            "pack4",
            "gather",
            "second",
        ];
        1.0 + names.iter().position(|it| *it == name).unwrap() as f64 / 10.0
    }

    fn sum(isa: Isa, terms: &[(&'static str, f64)]) -> f64 {
        let of = |name: &'static str| match (name, isa) {
            ("tile" | "store" | "spill" | "spilled" | "pair", Isa::Avx512) => {
                price(&format!("{name}_wide"))
            }
            ("tile" | "store" | "spill" | "spilled" | "pair", _) => {
                price(&format!("{name}_narrow"))
            }
            _ => price(name),
        };
        terms.iter().map(|(name, count)| of(name) * count).sum()
    }

    /// Cycles as that CPU would take them: written down a second time, as plainly as can be.
    fn made_up(work: Work) -> Option<f64> {
        Some(match work {
            Work::Tile(job) => {
                let Job {
                    size: Size { kernel, rows, vectors }, form, depth, store, wanted, ..
                } = job;
                let (isa, lanes) = (kernel.isa(), kernel.isa().lanes());
                let (m, whole, wanted_lanes) =
                    (rows as f64, (rows * vectors) as f64, wanted as f64);
                let mut step = whole * if form == LINE { 2.0 } else { 3.0 };
                if form == PLANES {
                    step += m * price("plane");
                }
                if job.half {
                    let pairs = rows.div_ceil(2) as f64;
                    step *= (whole - m + pairs) / whole;
                    step += pairs * sum(isa, &[("pair", 1.0)]);
                }
                let begun = sum(isa, &[("tile", 1.0), ("store_row", m)]);
                let spill = sum(isa, &[("tile", 1.0), ("spill", 1.0), ("spilled", whole)]);
                let ends = match store {
                    Store::Whole => {
                        let page = if job.apart { m * price("store_page") } else { 0.0 };
                        let residual = if job.residual { whole * price("residual") } else { 0.0 };
                        begun + sum(isa, &[("store", whole)]) + page + residual
                    }
                    Store::Masked => begun + whole * price("store_masked"),
                    Store::Partial => {
                        let [vectors, single] = [wanted / lanes, wanted % lanes].map(|n| n as f64);
                        spill
                            + m * price("store_row")
                            + m * (vectors * price("partial") + single * price("single"))
                    }
                    Store::Across if rows < 4 => {
                        spill + wanted_lanes * (m * price("across1") + price("lane"))
                    }
                    Store::Across => {
                        let eights = if rows < 8 { 0 } else { wanted / 8 };
                        let fours = wanted / 4 - 2 * eights;
                        spill
                            + (eights * rows.div_ceil(8)) as f64 * price("across8")
                            + (fours * rows.div_ceil(4)) as f64 * price("across4")
                            + wanted_lanes * price("lane")
                    }
                    Store::Scattered => spill + wanted_lanes * m * price("uneven"),
                };
                depth as f64 * step + ends
            }
            Work::Pack(Pack { kernel, way, depth, count }) => {
                let lanes = kernel.isa().lanes();
                let [channels, elements] = [depth, depth * count].map(|n| n as f64);
                let vectors = (depth * count / lanes) as f64;
                match way {
                    Way::Copy => channels * price("channel") + vectors * price("copy"),
                    Way::Second => channels * price("channel") + elements / 8.0 * price("second"),
                    Way::Gather => channels * price("channel") + elements * price("gather"),
                    Way::Rows => count as f64 * price("pixel") + vectors * price("copy"),
                    Way::Transpose if lanes == 16 && count >= 16 => {
                        (depth / 16 * count.div_ceil(16)) as f64 * price("pack16")
                    }
                    Way::Transpose => {
                        let fours = 2 * (depth / 8) * (count % 8).div_ceil(4);
                        (depth / 8 * (count / 8)) as f64 * price("pack8")
                            + fours as f64 * price("pack4")
                    }
                }
            }
        })
    }

    #[test]
    fn prices_are_what_the_times_were_made_of() {
        let prices = Prices::ask(&mut made_up);
        for TilePrice { isa, form, rows, vectors, step, .. } in &prices.tiles {
            let plane = if *form == PLANES { *rows as f64 * price("plane") } else { 0.0 };
            let due = (rows * vectors) as f64 * if *form == LINE { 2.0 } else { 3.0 } + plane;
            assert!((step - due).abs() < 1e-6, "{isa} {rows}x{vectors}: {step}");
        }
        for (name, found) in &prices.named {
            assert!((found / price(name) - 1.0).abs() < 0.01, "{name}: {found} {}", price(name));
        }
        let some = |isa: Isa| sizes().iter().any(|size| size.kernel.isa() == isa);
        let due = match (some(Isa::Avx512), some(Isa::Avx2), some(Isa::Neon)) {
            (true, _, _) => 30,
            // No masks, and no vectors that are told apart by their width.
            (_, true, _) => 23,
            // No planes either, and rows share no vectors.
            (_, _, true) => 21,
            _ => 0,
        };
        assert_eq!(prices.named.len(), due, "{:?}", prices.named);
    }

    #[test]
    fn every_tile_of_every_kernel_that_runs_here_is_priced() {
        let prices = Prices::ask(&mut made_up);
        for kernel in kernels().iter().filter(|k| k.is_available() && k.isa() != Isa::Scalar) {
            let isa = kernel.isa();
            for vectors in 1..=kernel.vectors() {
                for rows in 1..=kernel.rows() {
                    let of = |form| {
                        let is = |it: &&TilePrice| {
                            (it.isa, it.form, it.rows, it.vectors) == (isa, form, rows, vectors)
                        };
                        prices.tiles.iter().filter(is).count()
                    };
                    for form in [ROWS, LINE] {
                        assert_eq!(of(form), 1, "{isa} {rows}x{vectors}");
                    }
                    assert_eq!(of(PLANES), usize::from(kernel.reads_planes()));
                }
            }
        }
    }

    #[test]
    fn disturbed_times_never_give_a_price_that_no_file_may_hold() {
        // Deep tiles that took no longer than shallow ones, and stores that took less than none;
        // and a machine that stood still meanwhile.
        for (whole, other) in [(1000.0, 0.0), (1e9, 1e12), (0.0, 0.0)] {
            let prices = Prices::ask(&mut |work| match work {
                Work::Tile(Job { store: Store::Whole, .. }) => Some(whole),
                _ => Some(other),
            });
            assert!(prices.tiles.iter().all(|it| it.step > 0.0 && it.step <= MOST));
            assert!(prices.tiles.iter().all(|it| (1.0..=MOST).contains(&it.ends)));
            assert!(prices.named.iter().all(|it| it.1 > 0.0 && it.1.is_finite()), "{prices:?}");
        }
    }

    #[test]
    fn what_is_asked_for_is_what_is_timed() {
        let work = work();
        let prices = Prices::ask(&mut |asked| work.contains(&asked).then_some(1.0));
        let tiles = prices.tiles.len();
        assert_eq!(tiles, Prices::ask(&mut made_up).tiles.len());
        // Each only once.
        for (at, one) in work.iter().enumerate() {
            assert!(!work[..at].contains(one), "{one:?}");
        }
    }
}
