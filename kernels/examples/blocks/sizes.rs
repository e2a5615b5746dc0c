//! The sizes of the blocks that the examples compute, here and in `compare/`.

/// A ResNet-50 bottleneck of stage conv3_x (He et al. 2015, Table 1).
#[allow(dead_code)] // each example has one of the blocks
pub mod bottleneck {
    /// Rows and columns.
    pub const IMAGE: [usize; 2] = [28, 28];
    /// Channels outside.
    pub const WIDE: usize = 512;
    /// Channels inside.
    pub const NARROW: usize = 128;
}

/// GoogLeNet's Inception module 3a (Szegedy et al. 2014, Table 1).
#[allow(dead_code)] // as above
pub mod inception_3a {
    /// Rows and columns.
    pub const IMAGE: [usize; 2] = [28, 28];
    /// Channels of the input.
    pub const INPUT: usize = 192;
    /// Outputs of the 1×1 branch.
    pub const ONE: usize = 64;
    /// Outputs of the 1×1 before the 3×3.
    pub const REDUCE3: usize = 96;
    /// Outputs of the 1×1 before the 5×5.
    pub const REDUCE5: usize = 16;
    /// Outputs of the 3×3.
    pub const THREE: usize = 128;
    /// Outputs of the 5×5.
    pub const FIVE: usize = 32;
    /// Outputs of the 1×1 after the pool.
    pub const POOLED: usize = 32;
    /// All of them concatenated.
    pub const OUTPUT: usize = ONE + THREE + FIVE + POOLED;
}
