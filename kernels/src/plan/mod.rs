//! Plans: a layer is bound to a kernel, a blocking and a split, its weights are packed, and it is run.
//!
//! This room imports all others. It alone reads environment variables, and it alone measures, if the
//! caller asks for that.

mod bound;
mod candidates;
mod decide;
mod environment;
mod measure;
pub(crate) mod options;
pub(crate) mod packed;
pub(crate) mod siblings;
#[cfg(test)]
mod tests;

use crate::choose::candidate::Basis;
use crate::choose::profile::ProfileError;
use crate::cut::blocking::Blocking;
use crate::describe::arithmetic::{Arithmetic, Contract, F32};
use crate::describe::buffer::try_zeroed;
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Shape};
use crate::describe::parameters::Parameters;
use crate::describe::view::Views;
use crate::micro::registry::Kernel;
use crate::run::Output;
use crate::run::executed::Executed;
use crate::run::pool::{Pool, spread};
use bound::{Bound, Buffers, Wanted};
use core::marker::PhantomData;
use decide::choose;
use options::PlanOptions;
use packed::PackedWeights;

/// A layer bound to a kernel, a blocking and a split for this CPU.
///
/// A plan is made once and then used from any number of threads at a time. [`pack`](Plan::pack) the
/// weights once, then [`run`](Plan::run) the plan for each input:
///
/// ```
/// use pointwise::{Layer, Layout, Plan, PlanOptions, Pool};
/// // Three channels of 3×3 pixels: 1…9, 10…18, 19…27.
/// let input: Vec<f32> = (1..=27).map(|v| v as f32).collect();
/// // Two filters: the sum of the channels, and the first less the last.
/// let weights = [1.0, 1.0, 1.0, 1.0, 0.0, -1.0];
///
/// let layer = Layer::new(3, 2, 3, 3).layout(Layout::Nchw);
/// let plan = Plan::new(&layer, &PlanOptions::new())?;
/// let packed = plan.pack(&weights, None)?;
/// let mut output = [0.0; 18];
/// plan.run(&packed, &input, None, &mut output, Pool::Serial)?;
/// assert_eq!(output[..9], [30.0, 33.0, 36.0, 39.0, 42.0, 45.0, 48.0, 51.0, 54.0]);
/// assert_eq!(output[9..], [-18.0; 9]);
///
/// // Every second pixel of every second row.
/// let plan = Plan::new(&layer.stride(2, 2), &PlanOptions::new())?;
/// let packed = plan.pack(&weights, None)?;
/// let mut output = [0.0; 8];
/// plan.run(&packed, &input, None, &mut output, Pool::Serial)?;
/// assert_eq!(output, [30.0, 36.0, 48.0, 54.0, -18.0, -18.0, -18.0, -18.0]);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Plan<A: Arithmetic = F32> {
    layer: Layer,
    bound: Bound,
    /// The reason why a profile that was asked for is not used.
    profile_problem: Option<ProfileError>,
    arithmetic: PhantomData<A>,
}

impl Plan {
    /// Plans `layer` for this CPU. Unless the options say [`Mode::Measure`](crate::Mode::Measure), this
    /// measures nothing and takes microseconds.
    ///
    /// # Errors
    /// Those of [`Layer::check`]; [`Error::ZeroThreads`]; [`Error::UnknownKernel`],
    /// [`Error::KernelUnavailable`] and [`Error::UnknownIsa`] for names in `options` or the
    /// environment; [`Error::BadBlocking`]; [`Error::BadSplit`]; [`Error::NotInProfile`];
    /// [`Error::OutOfMemory`] for a layer with so many outputs that the list of its panels cannot be
    /// allocated.
    pub fn new(layer: &Layer, options: &PlanOptions) -> Result<Plan, Error> {
        Plan::with_views(layer, &Views::new(), options)
    }

    /// Plans a layer whose tensors are slices of larger ones: see [`View`](crate::View).
    ///
    /// # Errors
    /// Those of [`Plan::new`]; [`Error::OverlappingView`]; [`Error::TooLarge`] for a view that
    /// ends beyond what a buffer can hold.
    pub fn with_views(layer: &Layer, views: &Views, options: &PlanOptions) -> Result<Plan, Error> {
        Plan::typed(layer, views, options)
    }
}

// `Executed` is private, so that only the library implements it.
#[allow(private_bounds)]
impl<A: Executed> Plan<A> {
    /// Plans a layer of any element type that the library has kernels for. The element type of the plan
    /// is that of `A`, whatever [`Layer::dtype`] says.
    ///
    /// ```
    /// use pointwise::{F32, Layer, Plan, PlanOptions, Views};
    /// let layer = Layer::new(64, 256, 56, 56);
    /// let plan = Plan::<F32>::typed(&layer, &Views::new(), &PlanOptions::new())?;
    /// assert_eq!(plan.kernel().dtype(), layer.dtype);
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Plan::with_views`].
    pub fn typed(layer: &Layer, views: &Views, options: &PlanOptions) -> Result<Self, Error> {
        let layer = layer.dtype(A::DTYPE);
        let wanted = Wanted { layer, output: views.output, residual: views.residual };
        let (bound, profile_problem) = choose::<A>(&[wanted], views.input, options)?;
        Ok(Plan { layer, bound, profile_problem, arithmetic: PhantomData })
    }

    /// The promise about the results.
    pub const fn contract(&self) -> Contract {
        Contract::of(A::DTYPE, self.bound.algorithm)
    }

    /// The layer that the plan is for.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// The sizes that follow from the layer.
    pub fn shape(&self) -> &Shape {
        &self.bound.geometry.shape
    }

    /// The chosen kernel.
    pub fn kernel(&self) -> &'static Kernel {
        self.bound.kernel
    }

    /// The chosen blocking.
    pub fn blocking(&self) -> Blocking {
        self.bound.blocking
    }

    /// The number of parts that a run is cut into. It is at most the number of threads asked for.
    pub fn threads(&self) -> usize {
        self.bound.tasks.len()
    }

    /// What the choice rests on.
    pub fn basis(&self) -> Basis {
        self.bound.basis
    }

    /// The reason why a profile that the options or `POINTWISE_PROFILE` asked for was not used.
    pub fn profile_problem(&self) -> Option<&ProfileError> {
        self.profile_problem.as_ref()
    }

    /// What was chosen and why, in a line.
    pub fn explain(&self) -> &str {
        &self.bound.why
    }

    /// Packs the weights, `[k][c / groups]`, and the bias, `k` values, if the layer has one.
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::Missing`], [`Error::Unexpected`], [`Error::OutOfMemory`].
    pub fn pack(
        &self,
        weights: &[A::Weight],
        bias: Option<&[A::Sum]>,
    ) -> Result<PackedWeights<A>, Error> {
        self.pack_parameters(&Parameters { weights, bias, slopes: None })
    }

    /// Packs the weights, and bias and slopes if the layer has them.
    ///
    /// # Errors
    /// Those of [`Plan::pack`]; [`Error::BadSlope`].
    pub fn pack_parameters(
        &self,
        parameters: &Parameters<'_, A>,
    ) -> Result<PackedWeights<A>, Error> {
        Ok(PackedWeights::new(self.bound.pack(&[*parameters])?, Vec::new()))
    }

    /// Computes the layer. `input` is in the layer's layout, `output` and `residual` are in its output
    /// layout, unless a view says where they lie.
    ///
    /// Every output is written, and nothing between the elements of a view. A run allocates nothing
    /// once each thread that takes part has run a layer of this size. (Rayon's queue may allocate when
    /// the caller is not in the pool.)
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::ViewLeavesBuffer`], [`Error::Missing`],
    /// [`Error::Unexpected`] and [`Error::PackedForAnotherPlan`], before anything is written;
    /// [`Error::OutOfMemory`] when scratch cannot be allocated; the output is then incomplete.
    pub fn run(
        &self,
        weights: &PackedWeights<A>,
        input: &[A::Input],
        residual: Option<&[A::Output]>,
        output: &mut [A::Output],
        pool: Pool<'_>,
    ) -> Result<(), Error> {
        self.bound.check(0, output.len(), residual.map(<[A::Output]>::len))?;
        let output = Output { start: output.as_mut_ptr(), len: output.len() };
        let buffers = [Buffers::<A> { output, residual }];
        if !weights.rest.is_empty() {
            return Err(Error::PackedForAnotherPlan {
                given: format!("{weights:?}"),
                needed: "one layer".to_owned(),
            });
        }
        self.bound.check_operands::<A>(&weights.first, input)?;
        spread(self.bound.tasks.len(), pool, |index| {
            // SAFETY: the one outlet and the operands were checked. The output is borrowed for this
            // call alone, and each task runs once.
            unsafe { self.bound.task(index, &weights.first, input, &buffers) }
        })
    }
}

/// Plans, packs and runs `layer` once, on the calling thread. It is meant for a single input.
///
/// `input` is in the layer's layout, `residual` and the result are in its output layout. `weights` are
/// `[k][c / groups]`.
///
/// ```
/// use pointwise::{Activation, Layer, convolve};
/// let layer = Layer::new(2, 1, 1, 2).bias(true).activation(Activation::Relu);
/// let output = convolve(&layer, &[1.0, 2.0, -3.0, -4.0], &[10.0, 1.0], Some(&[0.5]), None)?;
/// assert_eq!(output, [12.5, 0.0]);
/// # Ok::<(), pointwise::Error>(())
/// ```
///
/// # Errors
/// Those of [`Plan::new`], [`Plan::pack`] and [`Plan::run`].
pub fn convolve(
    layer: &Layer,
    input: &[f32],
    weights: &[f32],
    bias: Option<&[f32]>,
    residual: Option<&[f32]>,
) -> Result<Vec<f32>, Error> {
    let plan = Plan::new(layer, &PlanOptions::new())?;
    let packed = plan.pack(weights, bias)?;
    let mut output = try_zeroed(plan.shape().output_len)?;
    plan.run(&packed, input, residual, &mut output, Pool::Serial)?;
    Ok(output)
}
