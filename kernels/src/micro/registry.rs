//! The registry: every kernel compiled in, one line each.
//!
//! A kernel is a register tile on one ISA and a choice of what lies in the lanes. Its smaller
//! sizes, for tails, come from the ISA's menu of tiles.

use crate::micro::isa::Isa;
use crate::micro::tile::{Form, HALF, LINE, PLANES, ROWS, TileFn, WHOLE, tile};

/// What the lanes of a kernel's vectors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Output channels in lanes, pixels broadcast. NHWC in its natural order; NCHW results are
    /// stored across the lanes.
    Outputs,
    /// Pixels in lanes, weights broadcast. NCHW in its natural order; NHWC inputs are packed
    /// across and results stored across the lanes.
    Pixels,
}

impl Family {
    /// `outputs` or `pixels`.
    pub const fn name(self) -> &'static str {
        match self {
            Family::Outputs => "outputs",
            Family::Pixels => "pixels",
        }
    }
}

/// One micro-kernel: a register tile of [`rows`](Kernel::rows) broadcast values ×
/// [`columns`](Kernel::columns) lanes.
pub struct Kernel {
    name: &'static str,
    isa: Isa,
    family: Family,
    rows: usize,
    vectors: usize,
    menu: &'static Menu,
}

impl Kernel {
    /// `f32-ISA-FAMILY-ROWSxCOLUMNS`, the family being `ol` (outputs in lanes) or `pl` (pixels
    /// in lanes).
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The instruction set it is written for.
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// What lies in its lanes.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Broadcast values of the tile: pixels, or output channels.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Lanes of the tile: output channels, or pixels.
    pub const fn columns(&self) -> usize {
        self.vectors * self.isa.lanes()
    }

    /// Vectors of the tile: columns ÷ lanes of the ISA.
    pub const fn vectors(&self) -> usize {
        self.vectors
    }

    /// Lanes that its multiply-adds are spent on for `count` values in lanes: those of as many
    /// vectors as are begun, less half a vector where two rows of a tile share the last one.
    ///
    /// ```
    /// let wide = pointwise::kernels().iter().find(|k| k.name() == "f32-avx512-ol-14x32").unwrap();
    /// assert_eq!([20, 24, 25].map(|outputs| wide.lanes_for(outputs)), [24, 24, 32]);
    /// ```
    pub const fn lanes_for(&self, count: usize) -> usize {
        let lanes = self.isa.lanes();
        let vectors = count.div_ceil(lanes);
        // The last of parts that differ by at most one is among the smaller.
        let last = match vectors.div_ceil(self.vectors) {
            0 => 0,
            parts => vectors / parts,
        };
        let padding = vectors * lanes - count;
        vectors * lanes
            - if self.shares_vectors(last) && padding >= lanes / 2 { lanes / 2 } else { 0 }
    }

    /// Whether this CPU runs it.
    pub fn is_available(&self) -> bool {
        self.isa.is_available() && !self.menu.rows.is_empty()
    }

    /// The function for a tile of `rows` × `vectors` whose broadcast values lie as `form` says;
    /// `shared` if two rows share its last vector.
    pub(crate) fn tile(&self, rows: usize, vectors: usize, form: Form, shared: bool) -> TileFn {
        let menu = match (form, shared) {
            (ROWS, false) => self.menu.rows,
            (LINE, false) => self.menu.line,
            (ROWS, true) => self.menu.shared_rows,
            (LINE, true) => self.menu.shared_line,
            _ => self.menu.planes,
        };
        // Of a single vector the loads are the limit, and half of it takes as many: those that
        // are shared begin with two.
        menu[vectors - if shared { 2 } else { 1 }][rows - 1]
    }

    /// Whether there are tiles whose broadcast values lie in planes, in a build for its ISA.
    pub(crate) const fn reads_planes(&self) -> bool {
        matches!(self.isa, Isa::Avx2 | Isa::Avx512)
    }

    /// Whether tiles of so many vectors come in a form whose last vector two rows share, in a build
    /// for its ISA.
    pub(crate) const fn shares_vectors(&self, vectors: usize) -> bool {
        matches!(self.isa, Isa::Avx2 | Isa::Avx512) && vectors >= 2
    }

    /// Whether its tiles store some lanes of a vector as fast as all of them.
    pub(crate) const fn has_masks(&self) -> bool {
        matches!(self.isa, Isa::Avx512)
    }
}

impl core::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Kernel {}

/// Every kernel of the library, those that this CPU or build cannot run included.
pub fn kernels() -> &'static [Kernel] {
    REGISTRY
}

/// Registers a kernel: `name, ISA, family, rows, vectors, menu`.
macro_rules! registry {
    ($($name:literal $isa:ident $family:ident $rows:literal $vectors:literal $menu:ident;)*) => {
        static REGISTRY: &[Kernel] = &[$(Kernel {
            name: $name,
            isa: Isa::$isa,
            family: Family::$family,
            rows: $rows,
            vectors: $vectors,
            menu: &$menu,
        }),*];
    };
}

registry! {
    "f32-scalar-ol-4x4"   Scalar Outputs  4 4 SCALAR;
    "f32-scalar-pl-4x4"   Scalar Pixels   4 4 SCALAR;
    "f32-neon-ol-8x8"     Neon   Outputs  8 2 NEON;
    "f32-neon-ol-8x12"    Neon   Outputs  8 3 NEON;
    "f32-neon-ol-6x16"    Neon   Outputs  6 4 NEON;
    "f32-neon-pl-8x8"     Neon   Pixels   8 2 NEON;
    "f32-neon-pl-8x12"    Neon   Pixels   8 3 NEON;
    "f32-neon-pl-6x16"    Neon   Pixels   6 4 NEON;
    "f32-avx2-ol-12x8"    Avx2   Outputs 12 1 AVX2;
    "f32-avx2-ol-6x16"    Avx2   Outputs  6 2 AVX2;
    "f32-avx2-ol-4x24"    Avx2   Outputs  4 3 AVX2;
    "f32-avx2-pl-12x8"    Avx2   Pixels  12 1 AVX2;
    "f32-avx2-pl-6x16"    Avx2   Pixels   6 2 AVX2;
    "f32-avx2-pl-4x24"    Avx2   Pixels   4 3 AVX2;
    "f32-avx512-ol-28x16" Avx512 Outputs 28 1 AVX512;
    "f32-avx512-ol-14x32" Avx512 Outputs 14 2 AVX512;
    "f32-avx512-ol-9x48"  Avx512 Outputs  9 3 AVX512;
    "f32-avx512-ol-6x64"  Avx512 Outputs  6 4 AVX512;
    "f32-avx512-pl-28x16" Avx512 Pixels  28 1 AVX512;
    "f32-avx512-pl-14x32" Avx512 Pixels  14 2 AVX512;
    "f32-avx512-pl-9x48"  Avx512 Pixels   9 3 AVX512;
    "f32-avx512-pl-6x64"  Avx512 Pixels   6 4 AVX512;
}

/// The tiles of one ISA: `[vectors − 1][rows − 1]`, for each form of the broadcast values.
///
/// The `shared` ones begin with two vectors, the last of which two rows share.
pub(crate) struct Menu {
    rows: &'static [&'static [TileFn]],
    line: &'static [&'static [TileFn]],
    planes: &'static [&'static [TileFn]],
    shared_rows: &'static [&'static [TileFn]],
    shared_line: &'static [&'static [TileFn]],
}

/// The tiles of one form: for each count of vectors, the counts of rows.
macro_rules! tiles {
    ($token:ty, $form:ident, $shared:ident, {$($vectors:literal: $($rows:literal)*;)*}) => {
        &[$(&[$(tile::<$token, $rows, $vectors, $form, $shared>),*]),*]
    };
}

/// The menu of one ISA, on x86 with tiles that read planes and with halves.
macro_rules! menu {
    ($token:ty, $sizes:tt) => {
        Menu {
            rows: tiles!($token, ROWS, WHOLE, $sizes),
            line: tiles!($token, LINE, WHOLE, $sizes),
            planes: &[],
            shared_rows: &[],
            shared_line: &[],
        }
    };
    ($token:ty, $sizes:tt, halves: $halves:tt) => {
        Menu {
            planes: tiles!($token, PLANES, WHOLE, $sizes),
            shared_rows: tiles!($token, ROWS, HALF, $halves),
            shared_line: tiles!($token, LINE, HALF, $halves),
            ..menu!($token, $sizes)
        }
    };
}

static SCALAR: Menu = menu!(pulp::Scalar, {
    1: 1 2 3 4;
    2: 1 2 3 4;
    3: 1 2 3 4;
    4: 1 2 3 4;
});

#[cfg(target_arch = "x86_64")]
static AVX2: Menu = menu!(pulp::x86::V3, {
    1: 1 2 3 4 5 6 7 8 9 10 11 12;
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
}, halves: {
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
});

#[cfg(target_arch = "x86_64")]
static AVX512: Menu = menu!(pulp::x86::V4, {
    1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28;
    2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    3: 1 2 3 4 5 6 7 8 9;
    4: 1 2 3 4 5 6;
}, halves: {
    2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    3: 1 2 3 4 5 6 7 8 9;
    4: 1 2 3 4 5 6;
});

#[cfg(target_arch = "aarch64")]
static NEON: Menu = menu!(pulp::aarch64::Neon, {
    1: 1 2 3 4 5 6 7 8;
    2: 1 2 3 4 5 6 7 8;
    3: 1 2 3 4 5 6 7 8;
    4: 1 2 3 4 5 6;
});

/// What stands for the menu of an ISA that this build is not for.
macro_rules! absent {
    ($($menu:ident)*) => { $(static $menu: Menu =
        Menu { rows: &[], line: &[], planes: &[], shared_rows: &[], shared_line: &[] };)* };
}

#[cfg(not(target_arch = "x86_64"))]
absent!(AVX2 AVX512);
#[cfg(not(target_arch = "aarch64"))]
absent!(NEON);
