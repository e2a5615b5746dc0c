//! Element types and algorithms, and what each promises of its results.

use core::fmt;

/// The name of the element types of a layer's tensors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 single precision.
    #[default]
    F32,
}

impl Dtype {
    /// The lower-case name. Names of kernels begin with it.
    pub const fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The way in which the sums of a layer are computed from its inputs and weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Each output is one chain of multiply-adds over the inputs in ascending order.
    #[default]
    Direct,
}

/// The promise about the results of an element type and an algorithm.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Contract {
    /// Every kernel, ISA, layout and thread count gives the bits of the reference.
    Bits,
}

impl Contract {
    /// The promise for an element type and an algorithm.
    pub const fn of(dtype: Dtype, algorithm: Algorithm) -> Contract {
        match (dtype, algorithm) {
            (Dtype::F32, Algorithm::Direct) => Contract::Bits,
        }
    }
}

/// A value that tensors hold.
///
/// # Safety
/// The type is plain data: it has no padding bytes, every pattern of bytes is a valid value, bytes
/// that are all zero are the value [`ZERO`](Element::ZERO), and the alignment is at most 64 bytes.
pub unsafe trait Element: Copy + Send + Sync + PartialEq + fmt::Debug + 'static {
    /// The value that fills unused places of packed tensors, and with which averages start.
    const ZERO: Self;
}

// SAFETY: plain data, and +0 has no bit set.
unsafe impl Element for f32 {
    const ZERO: f32 = 0.0;
}

/// The element types of a layer: what is multiplied, what the products are summed in, and what the
/// outputs are stored as.
///
/// The library implements this trait, and callers only name the types that implement it.
/// [`Plan`](crate::Plan), [`PackedWeights`](crate::PackedWeights), [`Parameters`](crate::Parameters)
/// and [`Siblings`](crate::Siblings) are for [`F32`] by default.
pub trait Arithmetic: Copy + fmt::Debug + Send + Sync + 'static {
    /// The type that inputs are stored as.
    type Input: Element;
    /// The type that weights are stored as.
    type Weight: Element;
    /// The type that products are summed in. A bias is given in it.
    type Sum: Element;
    /// The type that outputs and residuals are stored as.
    type Output: Element;
    /// The name of these element types, by which layers and kernels tell theirs.
    const DTYPE: Dtype;
}

/// Single precision for inputs, weights, sums and outputs.
#[derive(Clone, Copy, Debug)]
pub struct F32;

impl Arithmetic for F32 {
    type Input = f32;
    type Weight = f32;
    type Sum = f32;
    type Output = f32;
    const DTYPE: Dtype = Dtype::F32;
}
