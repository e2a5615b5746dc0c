//! What the caller of a tile gives it: the operands, the destination and the element types.

use crate::describe::arithmetic::Element;

/// The element types of a register tile.
pub(crate) trait Tiled: Copy + 'static {
    /// The type of the broadcast operand.
    type Broadcast: Element;
    /// The type of the operand that lies in lanes.
    type Lane: Element;
    /// The type that the products are summed in.
    type Sum: Element;
    /// The type that results are stored as.
    type Output: Element;
    /// The number of consecutive inputs that each lane multiplies and sums in one step.
    const DEPTH: usize;
    /// What is done to a sum, after the residual was added, before it is stored.
    type Finish: Copy;
}

/// The bounds of an output: a value below `lo` becomes `lo`, and a value above `hi` becomes `hi`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clamp {
    pub(crate) lo: f32,
    pub(crate) hi: f32,
}

impl Clamp {
    /// No bounds.
    pub(crate) const NONE: Clamp = Clamp { lo: f32::NEG_INFINITY, hi: f32::INFINITY };
}

/// The operands and the destination of one tile. Strides are in elements.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T: Tiled> {
    /// Steps of the reduction, each of `T::DEPTH` inputs.
    pub(crate) depth: usize,
    /// The first broadcast value. Value `i` of step `s` is `a[i·a_row + s·DEPTH]` in the `ROWS` form,
    /// `a[i·DEPTH + s·a_step]` in the `LINE` form and `a[i·a_row + s·a_step]` in the `PLANES` form.
    pub(crate) a: *const T::Broadcast,
    /// Stride between the broadcast values of a step.
    pub(crate) a_row: usize,
    /// Stride between steps in `a`.
    pub(crate) a_step: usize,
    /// The first vector. The vectors of step `s` start at `b[s·b_step]`.
    pub(crate) b: *const T::Lane,
    /// Stride between steps in `b`.
    pub(crate) b_step: usize,
    /// The values that the chains start from: one for each row if `start_by_row`, else one for each
    /// lane.
    pub(crate) start: *const T::Sum,
    /// Whether `start` has a value for each row, or for each lane.
    pub(crate) start_by_row: bool,
    /// Element (0, 0) of the result.
    pub(crate) y: *mut T::Output,
    /// Element (0, 0) of the residual, which has the result's strides. Null if there is none.
    pub(crate) residual: *const T::Output,
    /// Stride between rows of the result.
    pub(crate) y_row: usize,
    /// Where the lanes of the result lie.
    pub(crate) y_lanes: Offsets,
    /// The number of lanes that are stored. The lanes behind them are padding.
    pub(crate) lanes: usize,
    /// How the result is stored. It agrees with `y_lanes` and `lanes`.
    pub(crate) store: Store,
    /// What is done to each sum before it is stored.
    pub(crate) finish: T::Finish,
    pub(crate) ahead: Ahead,
    /// The number of last steps that are done for the first ⌈M/2⌉ rows, and then again for the other
    /// rows. So the stores of the first rows go out while the other rows multiply. Only a tile that is
    /// compiled with `STAGGERS` and stores whole vectors reads this.
    pub(crate) staggered: usize,
}

/// What a tile prefetches while it computes. The addresses may be any, because a prefetch reads
/// nothing.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    /// The distance from the vectors that a step reads to those that it prefetches.
    pub(crate) lanes: usize,
    /// The distance from the first broadcast value to the ones that the first step prefetches. A
    /// negative distance wraps around. In the `ROWS` form, whose rows follow one another, each further
    /// step prefetches `M` values further. In the other forms it prefetches as much further as it
    /// reads further.
    pub(crate) next: usize,
}

/// Where the `M` broadcast values of a step lie. It is a number, because stable Rust allows no
/// enumeration as a constant parameter.
pub(crate) type Form = u8;
/// Each value lies in a row of its own. The values of the next step follow them.
pub(crate) const ROWS: Form = 0;
/// The values lie side by side. Those of the next step lie `a_step` further.
pub(crate) const LINE: Form = 1;
/// The values lie `a_row` apart. Those of the next step lie `a_step` further.
pub(crate) const PLANES: Form = 2;

/// How the results of a tile are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    /// Every lane of every vector, side by side in memory.
    Whole,
    /// The first lanes, side by side, with masked stores.
    Masked,
    /// The first lanes, side by side: whole vectors, then the remaining lanes one by one.
    Partial,
    /// The first lanes, evenly spaced, by a transpose.
    Across,
    /// The first lanes, each at a place of its own, one by one.
    Scattered,
}

/// Where the lanes of a tile's result lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Offsets {
    /// Lane `j` lies at `j`.
    Adjacent,
    /// Lane `j` lies at `j` times this number. The rows of the tile then lie side by side.
    Every(usize),
    /// Lane `j` lies at the `j`-th offset of this table, which has `Tile::lanes` offsets. An offset
    /// below that of the first lane is a wrapped-around number.
    Table(*const usize),
}

/// Computes one tile.
///
/// # Safety
/// The ISA that the function was compiled for is available. `M` and `V` are those of the function, and
/// `L` is the number of lanes of a vector.
/// - All values of `a` that the form names are readable.
/// - Of `b`, each step has `V·L·DEPTH` readable elements.
/// - `start` has `M` or `V·L` readable values.
/// - Every element `(i < M, j < lanes)` of `y` is writable, by this call alone. The same elements of
///   `residual` are readable, unless it is null.
/// - `1 ≤ lanes ≤ V·L`. `store` is `Whole` only if `lanes` is `V·L`. It is `Whole`, `Masked` or
///   `Partial` only if the lanes lie side by side.
///
/// A tile whose last vector two rows share computes only the first `V·L − L/2` lanes. What it stores
/// in the lanes behind them is unspecified.
pub(crate) type TileFn<T> = unsafe fn(&Tile<T>);
