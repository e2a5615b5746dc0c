//! The operations that a tile needs of an instruction set for an element type.
//!
//! Two rows of a tile may share its last vector: see `tile.rs`. Then pairs of lanes belong to the two
//! rows in turns, so that each row has half of the vector's lanes.

use crate::micro::operands::{Tile, Tiled};
use crate::micro::vector::Vector;
use core::ops::Range;

/// Multiplying and summing vectors of elements.
pub(crate) trait Dot<T: Tiled>: Vector {
    /// A vector of sums.
    type Sums: Copy;
    /// A vector of the operand that lies in lanes.
    type Lanes: Copy;
    /// A broadcast value: the same in every lane.
    type Value: Copy;
    /// The number of sums in a vector.
    const LANES: usize;

    /// A vector whose lanes are all `start`.
    fn splat(self, start: T::Sum) -> Self::Sums;

    /// Loads a vector of sums.
    ///
    /// # Safety
    /// `LANES` sums are readable at `from`.
    unsafe fn sums(self, from: *const T::Sum) -> Self::Sums;

    /// Loads half a vector of sums for two rows that share a vector: both rows get the same sums.
    ///
    /// # Safety
    /// `LANES / 2` sums are readable at `from`.
    unsafe fn shared_sums(self, from: *const T::Sum) -> Self::Sums;

    /// What stands for a vector's operands until they are loaded.
    fn no_lanes(self) -> Self::Lanes;

    /// What stands for a broadcast operand until it is loaded.
    fn no_value(self) -> Self::Value;

    /// Loads a vector of one step's operands.
    ///
    /// # Safety
    /// `LANES · T::DEPTH` elements are readable at `from`.
    unsafe fn lanes(self, from: *const T::Lane) -> Self::Lanes;

    /// Loads half a vector of one step's operands for two rows that share a vector: both rows get the
    /// same operands.
    ///
    /// # Safety
    /// `LANES / 2 · T::DEPTH` elements are readable at `from`.
    unsafe fn shared_lanes(self, from: *const T::Lane) -> Self::Lanes;

    /// Loads one step's broadcast value.
    ///
    /// # Safety
    /// `T::DEPTH` elements are readable at `from`.
    unsafe fn broadcast(self, from: *const T::Broadcast) -> Self::Value;

    /// Adds the products of one step to the sums.
    fn dot(self, value: Self::Value, lanes: Self::Lanes, sums: Self::Sums) -> Self::Sums;

    /// The broadcast values of two rows that share a vector, each in the lanes of its row.
    fn values_beside(self, even: Self::Value, odd: Self::Value) -> Self::Value;

    /// The first sums of two rows that share a vector, each in the lanes of its row.
    fn sums_beside(self, even: Self::Sums, odd: Self::Sums) -> Self::Sums;

    /// The sums of one of two rows that share a vector (the `second` or the first), moved to the
    /// vector's low half.
    fn own_sums(self, sums: Self::Sums, second: bool) -> Self::Sums;
}

/// Finishing sums and storing them. To finish a sum is to add the residual and to apply
/// [`Tile::finish`].
pub(crate) trait End<T: Tiled>: Dot<T> {
    /// Finishes and stores some rows of a tile. All their lanes are stored, side by side in memory.
    ///
    /// # Safety
    /// Those rows of `V` vectors at `t.y` are writable, and readable at a non-null `t.residual`.
    unsafe fn store_whole<const M: usize, const V: usize>(
        self,
        sums: &mut [[Self::Sums; V]; M],
        rows: Range<usize>,
        t: &Tile<T>,
    );

    /// Finishes and stores the first `t.lanes` lanes of each row, side by side in memory, with masked
    /// stores.
    ///
    /// # Safety
    /// `M` rows of `t.lanes` elements at `t.y` are writable, and readable at a non-null
    /// `t.residual`.
    unsafe fn store_masked<const M: usize, const V: usize>(
        self,
        sums: &[[Self::Sums; V]; M],
        t: &Tile<T>,
    );

    /// Finishes and stores the first `t.lanes` lanes of each row at the places that `t.y_lanes` names.
    /// `sums` are the rows one after another, of `vectors` vectors each.
    ///
    /// # Safety
    /// Those elements are writable at `t.y` and readable at a non-null `t.residual`. A table has
    /// `t.lanes` entries.
    unsafe fn store_spilled(sums: &[Self::Sums], vectors: usize, t: &Tile<T>);
}
