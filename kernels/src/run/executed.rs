//! The operations of a run, outside its tiles, that differ between element types.

use crate::describe::activation::Activation;
use crate::describe::arithmetic::F32;
use crate::micro::isa::Isa;
use crate::micro::menu::Kernels;
use crate::micro::operands::Clamp;
use crate::pack::line::PacksLines;
use crate::run::epilogue::{self, Pass};
use crate::run::rows::{self, Staged};

/// An arithmetic that can be run.
pub(crate) trait Executed: Kernels + PacksLines {
    /// What a tile does to its sums if it applies no activation.
    const UNFINISHED: Self::Finish;

    /// What a tile does to its sums for an activation that it can apply, one that only clamps. `None`
    /// for other activations, which need a pass.
    fn finish(activation: &Activation) -> Option<Self::Finish>;

    /// Adds the residual and applies the activation to elements that are stored.
    ///
    /// # Safety
    /// The CPU has the ISA. The elements of the output that the pass names are writable, by this call
    /// alone. Those of the residual, and of the slopes if the activation is PReLU, are readable.
    unsafe fn pass(isa: Isa, pass: &Pass<Self::Output>);

    /// Copies rows of staged outputs to the output, adding the residual.
    ///
    /// # Safety
    /// The CPU has the ISA. The staged outputs and the residuals are readable, and the destination is
    /// writable, by this call alone.
    unsafe fn unstage(isa: Isa, staged: &Staged<Self::Output, Self::Finish>);

    /// An output whose window lies in the padding. `start` is the value that its chain starts from, and
    /// `slope` is that of its channel.
    fn border(
        start: Self::Sum,
        residual: Option<Self::Output>,
        activation: &Activation,
        slope: f32,
    ) -> Self::Output;

    /// Adds an output to the sum of an average.
    fn add(sum: Self::Output, value: Self::Output) -> Self::Output;

    /// Divides the sum of an average by the number of its pixels.
    fn divide(sum: Self::Output, pixels: usize) -> Self::Output;
}

impl Executed for F32 {
    const UNFINISHED: Clamp = Clamp::NONE;

    fn finish(activation: &Activation) -> Option<Clamp> {
        activation.bounds().map(|(lo, hi)| Clamp { lo, hi })
    }

    unsafe fn pass(isa: Isa, pass: &Pass<f32>) {
        // SAFETY: by contract.
        unsafe { epilogue::apply(isa, pass) }
    }

    unsafe fn unstage(isa: Isa, staged: &Staged<f32, Clamp>) {
        // SAFETY: by contract.
        unsafe { rows::copy_rows(isa, staged) }
    }

    #[inline]
    fn border(start: f32, residual: Option<f32>, activation: &Activation, slope: f32) -> f32 {
        let v = residual.map_or(start, |residual| start + residual);
        activation.apply_with_slope(v, slope)
    }

    #[inline]
    fn add(sum: f32, value: f32) -> f32 {
        sum + value
    }

    #[inline]
    fn divide(sum: f32, pixels: usize) -> f32 {
        sum / pixels as f32
    }
}
