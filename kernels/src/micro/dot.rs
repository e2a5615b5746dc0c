//! What a tile needs of an instruction set for one kind of elements.

use crate::micro::operands::{Tile, Tiled};
use crate::micro::vector::Vector;
use core::ops::Range;

/// Multiplies and sums vectors of elements.
pub(crate) trait Dot<T: Tiled>: Vector {
    /// Sums in lanes.
    type Sums: Copy;
    /// The other operand, in lanes.
    type Lanes: Copy;
    /// A broadcast operand.
    type Value: Copy;
    /// Sums of a vector.
    const LANES: usize;

    /// The same sum in each lane.
    fn splat(self, start: T::Sum) -> Self::Sums;

    /// Sums from memory.
    ///
    /// # Safety
    /// `LANES` sums are readable at `from`.
    unsafe fn sums(self, from: *const T::Sum) -> Self::Sums;

    /// Half a vector of sums from memory, as two rows that share a vector have it: each the same.
    ///
    /// # Safety
    /// `LANES / 2` sums are readable at `from`.
    unsafe fn shared_sums(self, from: *const T::Sum) -> Self::Sums;

    /// What stands for a vector's operands until they are loaded.
    fn no_lanes(self) -> Self::Lanes;

    /// What stands for a broadcast operand until it is loaded.
    fn no_value(self) -> Self::Value;

    /// One step's operands of a vector.
    ///
    /// # Safety
    /// `LANES · T::DEPTH` elements are readable at `from`.
    unsafe fn lanes(self, from: *const T::Lane) -> Self::Lanes;

    /// One step's operands of half a vector, as two rows that share a vector multiply them.
    ///
    /// # Safety
    /// `LANES / 2 · T::DEPTH` elements are readable at `from`.
    unsafe fn shared_lanes(self, from: *const T::Lane) -> Self::Lanes;

    /// One step's operand, for every lane.
    ///
    /// # Safety
    /// `T::DEPTH` elements are readable at `from`.
    unsafe fn broadcast(self, from: *const T::Broadcast) -> Self::Value;

    /// Adds the products of one step.
    fn dot(self, value: Self::Value, lanes: Self::Lanes, sums: Self::Sums) -> Self::Sums;

    /// The operands of two rows that share a vector, each in its lanes.
    fn values_beside(self, even: Self::Value, odd: Self::Value) -> Self::Value;

    /// The starts of two rows that share a vector, each in its lanes.
    fn sums_beside(self, even: Self::Sums, odd: Self::Sums) -> Self::Sums;

    /// The sums of the first or the second of two rows that share a vector, in the low half.
    fn own_sums(self, sums: Self::Sums, second: bool) -> Self::Sums;
}

/// Finishes sums and stores them.
pub(crate) trait End<T: Tiled>: Dot<T> {
    /// Finishes and stores some rows of a tile whose lanes are all wanted and adjacent in memory.
    ///
    /// # Safety
    /// Those rows of `V` vectors at `t.y` are writable, and readable at a non-null `t.residual`.
    unsafe fn store_whole<const M: usize, const V: usize>(
        self,
        sums: &mut [[Self::Sums; V]; M],
        rows: Range<usize>,
        t: &Tile<T>,
    );

    /// Finishes and stores the first `t.lanes` lanes of each row, adjacent in memory, under masks.
    ///
    /// # Safety
    /// `M` rows of `t.lanes` elements at `t.y` are writable, and readable at a non-null
    /// `t.residual`.
    unsafe fn store_masked<const M: usize, const V: usize>(
        self,
        sums: &[[Self::Sums; V]; M],
        t: &Tile<T>,
    );

    /// Finishes and stores the first `t.lanes` lanes of each row where `t.y_lanes` says. `sums`
    /// are the rows, of `vectors` vectors each.
    ///
    /// # Safety
    /// Those elements are writable at `t.y` and readable at a non-null `t.residual`. A table has
    /// `t.lanes` entries.
    unsafe fn store_spilled(sums: &[Self::Sums], vectors: usize, t: &Tile<T>);
}
