//! Blocking: how many pixels the tiles of all panels go over at a time, and whether these pixels are
//! packed first.

/// How many pixels the tiles of all panels go over at a time, and whether these pixels are packed
/// first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Blocking {
    /// The number of pixel units in a block, 1 to [`Blocking::MOST_UNITS`]. A unit is the pixels of one
    /// tile.
    pub units: usize,
    /// Whether the pixels are first copied to a small buffer, in the order in which the kernel reads
    /// them. Else they are read in place.
    pub pack: bool,
}

impl Blocking {
    /// The largest number of pixel units that a block may have.
    pub const MOST_UNITS: usize = 64;

    /// A blocking of `units` pixel units, packed or in place.
    pub const fn new(units: usize, pack: bool) -> Self {
        Blocking { units, pack }
    }
}
