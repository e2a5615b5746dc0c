//! A tile's operands and destination, and the element types that it is made for.

use crate::describe::arithmetic::Element;

/// What a register tile multiplies, sums and stores, by the part that each operand has in it.
pub(crate) trait Tiled: Copy + 'static {
    /// What is broadcast.
    type Broadcast: Element;
    /// What lies in lanes.
    type Lane: Element;
    /// What the products are summed in.
    type Sum: Element;
    /// What is stored.
    type Output: Element;
    /// Consecutive inputs that each lane takes in one step.
    const DEPTH: usize;
    /// What a sum goes through on its way out, beside the residual.
    type Finish: Copy;
}

/// Bounds of an output: values below `lo` become `lo`, values above `hi` become `hi`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clamp {
    pub(crate) lo: f32,
    pub(crate) hi: f32,
}

impl Clamp {
    /// No bounds.
    pub(crate) const NONE: Clamp = Clamp { lo: f32::NEG_INFINITY, hi: f32::INFINITY };
}

/// Operands and destination of one tile. Strides are in elements.
#[derive(Clone, Copy)]
pub(crate) struct Tile<T: Tiled> {
    /// Steps of the reduction, each of `T::DEPTH` inputs.
    pub(crate) depth: usize,
    /// First broadcast value; value `i` of step `s` is `a[i·a_row + s·DEPTH]` in the `ROWS` form,
    /// `a[i·DEPTH + s·a_step]` in the `LINE` form and `a[i·a_row + s·a_step]` in the `PLANES` form.
    pub(crate) a: *const T::Broadcast,
    /// Between values of a step.
    pub(crate) a_row: usize,
    /// Between steps.
    pub(crate) a_step: usize,
    /// First vector; those of step `s` start at `b[s·b_step]`.
    pub(crate) b: *const T::Lane,
    /// Between steps.
    pub(crate) b_step: usize,
    /// Where the chains start: one value a row if `start_by_row`, else one a lane.
    pub(crate) start: *const T::Sum,
    /// What `start` is indexed by.
    pub(crate) start_by_row: bool,
    /// Element (0, 0) of the result.
    pub(crate) y: *mut T::Output,
    /// Element (0, 0) of the residual, at the result's strides; null if there is none.
    pub(crate) residual: *const T::Output,
    /// Between rows of the result.
    pub(crate) y_row: usize,
    /// Where lane `j` of the result lies.
    pub(crate) y_lanes: Offsets,
    /// Lanes that are wanted; the others are padding.
    pub(crate) lanes: usize,
    /// How the result is stored; agrees with `y_lanes` and `lanes`.
    pub(crate) store: Store,
    /// What each sum goes through last.
    pub(crate) finish: T::Finish,
    pub(crate) ahead: Ahead,
    /// Steps at the end that the two halves of the rows do one after the other, so that the first
    /// half's stores go out during the steps of the second. Only tiles that are compiled so and
    /// store whole vectors look at it.
    pub(crate) staggered: usize,
}

/// What a tile asks the caches for while it computes. The addresses may be any: nothing is read
/// there.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    /// Distance from the vectors that a step reads to those that it asks for.
    pub(crate) lanes: usize,
    /// Distance from the first broadcast value to what the first step asks for beside its vectors.
    /// It may be negative, as a number that wraps around. Each further step asks as much further as
    /// it reads further; in the `ROWS` form, whose rows follow one another, as many values further
    /// as the tile has rows.
    pub(crate) next: usize,
}

/// Where the `M` broadcast values of a step lie. A number, since stable Rust has no enumerations
/// as parameters of functions.
pub(crate) type Form = u8;
/// Each in a row of its own; the next step's are adjacent.
pub(crate) const ROWS: Form = 0;
/// Side by side; the next step's are `a_step` further.
pub(crate) const LINE: Form = 1;
/// `a_row` apart; the next step's are `a_step` further.
pub(crate) const PLANES: Form = 2;

/// How a tile's results leave its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Store {
    /// Every lane of every vector, adjacent in memory.
    Whole,
    /// The lanes that are wanted, adjacent, the last ones under a mask.
    Masked,
    /// The lanes that are wanted, adjacent, the last ones one by one from memory.
    Partial,
    /// Lanes an even step apart, through a transpose.
    Across,
    /// Lanes at places of their own, one by one.
    Scattered,
}

/// Where the lanes of a tile's result lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Offsets {
    /// Lane `j` at `j`.
    Adjacent,
    /// Lane `j` at `j` times this; the rows of the tile are then adjacent.
    Every(usize),
    /// Lane `j` at the `j`-th of these, which wrap around where they lie below the first; as many
    /// as the tile has lanes wanted.
    Table(*const usize),
}

/// Computes one tile.
///
/// # Safety
/// The ISA behind it is available. With `M`, `V` those of the function, `L` the ISA's lanes:
/// all values that the form reads of `a` and all `V·L` of each step of `b` are readable, `start`
/// holds `M` or `V·L` values, every element `(i < M, j < lanes)` of `y` is writable by this call
/// alone, of `residual` readable, and `1 ≤ lanes ≤ V·L`. `store` is `Whole` only if `lanes` is
/// `V·L`, and `Whole`, `Masked` and `Partial` only if the lanes are adjacent. A tile whose last
/// vector two rows share computes the first `V·L − L/2` lanes only: what it stores beyond is
/// unspecified.
pub(crate) type TileFn<T> = unsafe fn(&Tile<T>);
