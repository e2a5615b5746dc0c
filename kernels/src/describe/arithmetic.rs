//! Element types and algorithms, and what each promises of its results.

use core::fmt;

/// What inputs, weights and outputs of a layer are stored as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE 754 single precision.
    #[default]
    F32,
}

impl Dtype {
    /// The lower-case name, with which names of kernels begin.
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

/// How the sums of a layer are computed from its inputs and weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Each output is one chain of multiply-adds over the inputs in ascending order.
    #[default]
    Direct,
}

/// What is promised of the results of an element type and an algorithm.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Contract {
    /// The bits of the reference on every kernel, ISA, layout and thread count.
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
/// The type is plain data: it has no padding, every pattern of bytes is a value of it, all bytes
/// zero are [`ZERO`](Element::ZERO), and its alignment is at most 64 bytes.
pub unsafe trait Element: Copy + Send + Sync + PartialEq + fmt::Debug + 'static {
    /// What unused places are filled with.
    const ZERO: Self;
}

// SAFETY: plain data, and +0 has no bit set.
unsafe impl Element for f32 {
    const ZERO: f32 = 0.0;
}

/// The element types of one kind of layer: what is multiplied, what it is summed in, what comes
/// out. The library implements it; [`F32`] is what [`Plan`](crate::Plan) and the others take by
/// default.
pub trait Arithmetic: Copy + fmt::Debug + Send + Sync + 'static {
    /// What inputs are stored as.
    type Input: Element;
    /// What weights are stored as.
    type Weight: Element;
    /// What products are summed in, and what a bias is given as.
    type Sum: Element;
    /// What outputs and residuals are stored as.
    type Output: Element;
    /// Its name.
    const DTYPE: Dtype;
}

/// Single precision throughout.
#[derive(Clone, Copy, Debug)]
pub struct F32;

impl Arithmetic for F32 {
    type Input = f32;
    type Weight = f32;
    type Sum = f32;
    type Output = f32;
    const DTYPE: Dtype = Dtype::F32;
}
