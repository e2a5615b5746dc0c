//! The registry: every kernel, one line each.
//!
//! A kernel is a register tile of one size on one ISA, and a choice of what lies in the lanes. Where
//! fewer rows or vectors remain, it uses the smaller tiles of the ISA's menu.

use crate::describe::arithmetic::Dtype;
use crate::micro::features::Features;
use crate::micro::isa::Isa;

/// What lies in the lanes of a kernel's vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Output channels lie in lanes, and pixels are broadcast. NHWC results are stored as the lanes
    /// hold them. NCHW results are transposed when they are stored.
    Outputs,
    /// Pixels lie in lanes, and weights are broadcast. NCHW results are stored as the lanes hold
    /// them. NHWC inputs are transposed when they are packed, and NHWC results when they are stored.
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
    dtype: Dtype,
    needs: Features,
    isa: Isa,
    family: Family,
    rows: usize,
    vectors: usize,
}

impl Kernel {
    /// The name: `DTYPE-ISA-FAMILY-ROWSxCOLUMNS`, where the family is `ol` (outputs in lanes) or `pl`
    /// (pixels in lanes).
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The element types it is for.
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The features that the CPU must have.
    pub const fn needs(&self) -> Features {
        self.needs
    }

    /// The instruction set it is written for.
    pub const fn isa(&self) -> Isa {
        self.isa
    }

    /// What lies in the lanes of its vectors.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The number of broadcast values of the tile: pixels, or output channels.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The number of lanes of the tile: output channels, or pixels.
    pub const fn columns(&self) -> usize {
        self.vectors * self.isa.lanes()
    }

    /// The number of vectors of the tile: columns ÷ lanes of the ISA.
    pub const fn vectors(&self) -> usize {
        self.vectors
    }

    /// The lanes that multiply-adds are spent on, for `count` values in lanes: those of all vectors
    /// that the values fill or begin to fill. Where two rows of a tile share the last vector, each row
    /// spends half of that vector's lanes.
    ///
    /// ```
    /// let wide = pointwise::kernels().iter().find(|k| k.name() == "f32-avx512-ol-14x32").unwrap();
    /// assert_eq!([20, 24, 25].map(|outputs| wide.lanes_for(outputs)), [24, 24, 32]);
    /// ```
    pub const fn lanes_for(&self, count: usize) -> usize {
        let lanes = self.isa.lanes();
        let vectors = count.div_ceil(lanes);
        // The vectors are divided among tiles as evenly as they can be, the larger tiles first. So the
        // last tile has the rounded-down share.
        let last = match vectors.div_ceil(self.vectors) {
            0 => 0,
            parts => vectors / parts,
        };
        let padding = vectors * lanes - count;
        vectors * lanes
            - if self.shares_vectors(last) && padding >= lanes / 2 { lanes / 2 } else { 0 }
    }

    /// Whether this CPU can run it.
    pub fn is_available(&self) -> bool {
        Features::host().has(self.needs)
    }

    /// Whether builds for its ISA have tiles whose broadcast values lie in planes.
    pub(crate) const fn reads_planes(&self) -> bool {
        matches!(self.isa, Isa::Avx2 | Isa::Avx512)
    }

    /// Whether builds for its ISA have tiles of so many vectors in which two rows share the last
    /// vector.
    pub(crate) const fn shares_vectors(&self, vectors: usize) -> bool {
        matches!(self.isa, Isa::Avx2 | Isa::Avx512) && vectors >= 2
    }

    /// Whether its tiles store a part of a vector, under a mask, as fast as a whole vector.
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

/// Every kernel of the library, including those that this CPU or this build cannot run.
pub fn kernels() -> &'static [Kernel] {
    REGISTRY
}

/// Registers kernels: `name dtype ISA family rows vectors`. A kernel needs the features of its ISA.
macro_rules! registry {
    ($($name:literal $dtype:ident $isa:ident $family:ident $rows:literal $vectors:literal;)*) => {
        static REGISTRY: &[Kernel] = &[$(Kernel {
            name: $name,
            dtype: Dtype::$dtype,
            needs: Isa::$isa.needs(),
            isa: Isa::$isa,
            family: Family::$family,
            rows: $rows,
            vectors: $vectors,
        }),*];
    };
}

registry! {
    "f32-scalar-ol-4x4" F32 Scalar Outputs 4 4;
    "f32-scalar-pl-4x4" F32 Scalar Pixels 4 4;
    "f32-neon-ol-8x8" F32 Neon Outputs 8 2;
    "f32-neon-ol-8x12" F32 Neon Outputs 8 3;
    "f32-neon-ol-6x16" F32 Neon Outputs 6 4;
    "f32-neon-pl-8x8" F32 Neon Pixels 8 2;
    "f32-neon-pl-8x12" F32 Neon Pixels 8 3;
    "f32-neon-pl-6x16" F32 Neon Pixels 6 4;
    "f32-avx2-ol-12x8" F32 Avx2 Outputs 12 1;
    "f32-avx2-ol-6x16" F32 Avx2 Outputs 6 2;
    "f32-avx2-ol-4x24" F32 Avx2 Outputs 4 3;
    "f32-avx2-pl-12x8" F32 Avx2 Pixels 12 1;
    "f32-avx2-pl-6x16" F32 Avx2 Pixels 6 2;
    "f32-avx2-pl-4x24" F32 Avx2 Pixels 4 3;
    "f32-avx512-ol-28x16" F32 Avx512 Outputs 28 1;
    "f32-avx512-ol-14x32" F32 Avx512 Outputs 14 2;
    "f32-avx512-ol-9x48" F32 Avx512 Outputs 9 3;
    "f32-avx512-ol-6x64" F32 Avx512 Outputs 6 4;
    "f32-avx512-pl-28x16" F32 Avx512 Pixels 28 1;
    "f32-avx512-pl-14x32" F32 Avx512 Pixels 14 2;
    "f32-avx512-pl-9x48" F32 Avx512 Pixels 9 3;
    "f32-avx512-pl-6x64" F32 Avx512 Pixels 6 4;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_named_by_what_it_is() {
        for kernel in kernels() {
            let family = match kernel.family {
                Family::Outputs => "ol",
                Family::Pixels => "pl",
            };
            let (isa, rows, columns) = (kernel.isa, kernel.rows, kernel.columns());
            assert_eq!(kernel.name, format!("{}-{isa}-{family}-{rows}x{columns}", kernel.dtype));
        }
    }
}
