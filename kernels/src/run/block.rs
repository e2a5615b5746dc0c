//! The units of a block, and the scratch that they need.

use crate::cut::blocking::Blocking;
use crate::cut::units::Unit;
use core::mem::MaybeUninit;

/// The units of a block.
pub(super) struct Block {
    /// The first `len` are initialized. The others stay as they are: a run of a few hundred
    /// nanoseconds would take half as long again to fill them.
    units: [MaybeUninit<Placed>; Blocking::MOST_UNITS],
    len: usize,
    /// The number of scratch elements that are taken.
    scratch: usize,
    /// The number of pixels, each of which has a row of staged outputs.
    rows: usize,
}

/// A unit of a block.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    pub(super) unit: Unit,
    /// The place in scratch where its packed pixels begin, if they are packed.
    pub(super) at: usize,
    /// The number of its first pixel within the block.
    pub(super) row: usize,
    /// Whether its shape is that of the unit before it in the block.
    pub(super) again: bool,
}

impl Block {
    /// No units.
    pub(super) fn new() -> Self {
        let units = [const { MaybeUninit::uninit() }; Blocking::MOST_UNITS];
        Block { units, len: 0, scratch: 0, rows: 0 }
    }

    /// The units so far.
    pub(super) fn units(&self) -> &[Placed] {
        // SAFETY: the first `len` are initialized, and a `MaybeUninit` lies like what it holds.
        unsafe { core::slice::from_raw_parts(self.units.as_ptr().cast(), self.len) }
    }

    /// Adds a unit whose packed pixels take so many elements of scratch.
    ///
    /// # Panics
    /// When the block has [`Blocking::MOST_UNITS`] units.
    pub(super) fn push(&mut self, unit: Unit, packed: usize) {
        let again = self.units().last().is_some_and(|before| {
            before.unit.shape == unit.shape && before.unit.uneven == unit.uneven
        });
        let placed = Placed { unit, at: self.scratch, row: self.rows, again };
        self.units[self.len].write(placed);
        self.len += 1;
        self.scratch += packed.next_multiple_of(16);
        self.rows += unit.shape.pixels;
    }

    /// Takes all units out.
    pub(super) fn clear(&mut self) {
        (self.len, self.scratch, self.rows) = (0, 0, 0);
    }
}
