//! The sizes of the blocks that the examples compute, here and in `compare/`.

// Public for the library of `compare/`, which is another crate.
#![allow(unreachable_pub)]

/// A ResNet-50 bottleneck of stage conv3_x (He et al. 2015, Table 1).
#[allow(dead_code)] // each example has one of the blocks
pub(crate) mod bottleneck {
    /// Rows and columns.
    pub(crate) const IMAGE: [usize; 2] = [28, 28];
    /// Channels outside.
    pub(crate) const WIDE: usize = 512;
    /// Channels inside.
    pub(crate) const NARROW: usize = 128;
}

/// GoogLeNet's Inception module 3a (Szegedy et al. 2014, Table 1).
#[allow(dead_code)] // as above
pub(crate) mod inception_3a {
    /// Rows and columns.
    pub(crate) const IMAGE: [usize; 2] = [28, 28];
    /// Channels of the input.
    pub(crate) const INPUT: usize = 192;
    /// Outputs of the 1×1 branch.
    pub(crate) const ONE: usize = 64;
    /// Outputs of the 1×1 before the 3×3.
    pub(crate) const REDUCE3: usize = 96;
    /// Outputs of the 1×1 before the 5×5.
    pub(crate) const REDUCE5: usize = 16;
    /// Outputs of the 3×3.
    pub(crate) const THREE: usize = 128;
    /// Outputs of the 5×5.
    pub(crate) const FIVE: usize = 32;
    /// Outputs of the 1×1 after the pool.
    pub(crate) const POOLED: usize = 32;
    /// All of them concatenated.
    pub(crate) const OUTPUT: usize = ONE + THREE + FIVE + POOLED;
}
