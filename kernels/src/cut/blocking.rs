//! How much of the input the tiles go through at a time, and whether it is packed first.

/// How the input reaches the tiles, and how much of it at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Blocking {
    /// Pixel units of a block, 1 to [`Blocking::MOST_UNITS`]. A unit is the pixels of one tile.
    pub units: usize,
    /// Whether the input is first copied to a small buffer in the order the kernel reads it,
    /// rather than read in place.
    pub pack: bool,
}

impl Blocking {
    /// The most pixel units a block may have.
    pub const MOST_UNITS: usize = 64;

    /// A blocking of `units` pixel units, packed or in place.
    pub const fn new(units: usize, pack: bool) -> Self {
        Blocking { units, pack }
    }
}
