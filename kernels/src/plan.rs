//! Planning a layer for a CPU, packing its weights, running it.

use crate::bound::{Bound, Buffers, Wanted, spread};
use crate::choose::{Basis, Candidate, Split};
use crate::drive::{Blocking, Output};
use crate::panels::Packed;
use crate::profile::{Mode, Profile, ProfileError};
use crate::reference::try_zeroed;
use crate::{Error, Isa, Kernel, Layer, Parameters, Shape, Sharing, Views};
use std::sync::Arc;

/// What a caller may decide about a plan; the rest is chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// Kernels of this ISA and plainer ones only. Unset: the variable `POINTWISE_ISA`, else no
    /// cap.
    pub isa: Option<Isa>,
    /// This kernel and no other. Unset: the variable `POINTWISE_KERNEL`, else the best.
    pub kernel: Option<String>,
    /// This blocking and no other.
    pub blocking: Option<Blocking>,
    /// Parts to cut the work into: the threads that a run can use, at least 1. More than 1024
    /// count as 1024.
    pub threads: usize,
    /// This split among threads and no other.
    pub split: Option<Split>,
    /// What was measured on this CPU. Unset: the file that `POINTWISE_PROFILE` names, if any.
    pub profile: Option<Arc<Profile>>,
    /// How much planning may find out.
    pub mode: Mode,
    /// How siblings go over their common input; a single layer does not ask.
    pub sharing: Sharing,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions::new()
    }
}

impl PlanOptions {
    /// One thread, everything else chosen.
    pub const fn new() -> Self {
        PlanOptions {
            isa: None,
            kernel: None,
            blocking: None,
            threads: 1,
            split: None,
            profile: None,
            mode: Mode::Estimate,
            sharing: Sharing::Best,
        }
    }

    /// Caps the ISA.
    #[must_use]
    pub const fn isa(mut self, cap: Isa) -> Self {
        self.isa = Some(cap);
        self
    }

    /// Names the kernel; [`kernels`](crate::kernels()) lists them.
    #[must_use]
    pub fn kernel(mut self, name: &str) -> Self {
        self.kernel = Some(name.to_owned());
        self
    }

    /// Forces a blocking.
    #[must_use]
    pub const fn blocking(mut self, blocking: Blocking) -> Self {
        self.blocking = Some(blocking);
        self
    }

    /// Sets the threads that a run can use.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Forces kernel, blocking and split of a candidate.
    #[must_use]
    pub fn candidate(mut self, candidate: &Candidate) -> Self {
        self.split = Some(candidate.split);
        self.kernel(candidate.kernel.name()).blocking(candidate.blocking)
    }

    /// Lets a profile decide where it can.
    #[must_use]
    pub fn profile(mut self, profile: Arc<Profile>) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Says how much planning may find out.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Says how siblings go over their common input.
    #[must_use]
    pub const fn sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// With the environment variables in the places that the caller left open.
    pub(crate) fn with_environment(&self) -> Result<PlanOptions, Error> {
        // What is not Unicode is no name either, and is refused as one.
        let variable = |name| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let mut options = self.clone();
        if options.isa.is_none() {
            options.isa = variable("POINTWISE_ISA").map(|name| name.parse()).transpose()?;
        }
        if options.kernel.is_none() {
            options.kernel = variable("POINTWISE_KERNEL");
        }
        Ok(options)
    }
}

/// Where a run's tasks are executed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Pool<'p> {
    /// One after another on the calling thread, however many the plan was made for.
    #[default]
    Serial,
    /// In the rayon pool that the caller is in, or rayon's global one (which rayon starts at its
    /// first use).
    Current,
    /// In this pool.
    In(&'p rayon::ThreadPool),
}

/// A layer bound to a kernel, a blocking and a split for this CPU.
///
/// Made once, then used from any number of threads at a time. Plan, [`pack`](Plan::pack), then
/// [`run`](Plan::run) as often as there are inputs:
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
pub struct Plan {
    layer: Layer,
    bound: Bound,
}

/// Weights, bias and slopes in the order that a plan's kernel reads them. Any plan that packs alike takes
/// them, for another batch or image size say.
pub struct PackedWeights {
    /// Those of the plan, or of the first part of siblings.
    pub(crate) first: Packed,
    /// Those of the other parts.
    pub(crate) rest: Vec<Packed>,
}

impl core::fmt::Debug for PackedWeights {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PackedWeights({}", self.first.packing)?;
        self.rest.iter().try_for_each(|part| write!(f, "; {}", part.packing))?;
        f.write_str(")")
    }
}

impl PackedWeights {
    /// Bytes of memory they take.
    pub fn bytes(&self) -> usize {
        let bytes = |Packed { weights, starts, slopes, .. }: &Packed| -> usize {
            [weights, starts, slopes].into_iter().map(|values| size_of_val(values.values())).sum()
        };
        bytes(&self.first) + self.rest.iter().map(bytes).sum::<usize>()
    }
}

impl Plan {
    /// Chooses for `layer` on this CPU, without measuring: microseconds.
    ///
    /// # Errors
    /// Those of [`Layer::check`]; [`Error::ZeroThreads`]; [`Error::UnknownKernel`],
    /// [`Error::KernelUnavailable`] and [`Error::UnknownIsa`] for names in `options` or the
    /// environment; [`Error::BadBlocking`]; [`Error::OutOfMemory`] for a layer with so many
    /// outputs that the list of its panels cannot be had.
    pub fn new(layer: &Layer, options: &PlanOptions) -> Result<Plan, Error> {
        Plan::with_views(layer, &Views::new(), options)
    }

    /// The same for tensors that are slices of larger ones: see [`View`](crate::View).
    ///
    /// # Errors
    /// Those of [`Plan::new`]; [`Error::OverlappingView`]; [`Error::TooLarge`] for a view that
    /// ends beyond what a buffer can hold.
    pub fn with_views(layer: &Layer, views: &Views, options: &PlanOptions) -> Result<Plan, Error> {
        let wanted = Wanted { layer: *layer, output: views.output, residual: views.residual };
        Ok(Plan { layer: *layer, bound: Bound::new(&[wanted], views.input, options)? })
    }

    /// The layer planned for.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Its derived sizes.
    pub fn shape(&self) -> &Shape {
        &self.bound.shape
    }

    /// The kernel chosen.
    pub fn kernel(&self) -> &'static Kernel {
        self.bound.kernel
    }

    /// The blocking chosen.
    pub fn blocking(&self) -> Blocking {
        self.bound.blocking
    }

    /// Parts that a run is cut into: at most the threads asked for.
    pub fn threads(&self) -> usize {
        self.bound.tasks.len()
    }

    /// What the choice rests on.
    pub fn basis(&self) -> Basis {
        self.bound.basis
    }

    /// Why the profile that was asked for, by the options or `POINTWISE_PROFILE`, was not used.
    pub fn profile_problem(&self) -> Option<&ProfileError> {
        self.bound.profile_problem.as_ref()
    }

    /// What was chosen and why, in a line.
    pub fn explain(&self) -> &str {
        &self.bound.why
    }

    /// Packs `[k][c / groups]` weights, and the bias of `k` values if the layer has one.
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::Missing`], [`Error::Unexpected`], [`Error::OutOfMemory`].
    pub fn pack(&self, weights: &[f32], bias: Option<&[f32]>) -> Result<PackedWeights, Error> {
        self.pack_parameters(&Parameters { weights, bias, slopes: None })
    }

    /// Packs weights, and whichever of bias and slopes the layer has.
    ///
    /// # Errors
    /// Those of [`Plan::pack`]; [`Error::BadSlope`].
    pub fn pack_parameters(&self, parameters: &Parameters<'_>) -> Result<PackedWeights, Error> {
        Ok(PackedWeights { first: self.bound.pack(&[*parameters])?, rest: Vec::new() })
    }

    /// Computes the layer: `input` in the layer's layout, `output` and `residual` in its output
    /// layout, or each as its view says.
    ///
    /// Every output is written, and nothing between the elements of a view. Nothing is allocated once each thread that takes part has run a
    /// layer of this size (but for what rayon's queue does when the caller is not in the pool).
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::ViewLeavesBuffer`], [`Error::Missing`],
    /// [`Error::Unexpected`] and [`Error::PackedForAnotherPlan`], before anything is written; [`Error::OutOfMemory`] when
    /// scratch cannot be had, and the output is then incomplete.
    pub fn run(
        &self,
        weights: &PackedWeights,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        pool: Pool<'_>,
    ) -> Result<(), Error> {
        self.bound.check(0, output.len(), residual.map(<[f32]>::len))?;
        let output = Output { start: output.as_mut_ptr(), len: output.len() };
        let buffers = [Buffers { output, residual }];
        if !weights.rest.is_empty() {
            return Err(Error::PackedForAnotherPlan {
                given: format!("{weights:?}"),
                needed: "one layer".to_owned(),
            });
        }
        self.bound.check_operands(&weights.first, input)?;
        spread(self.bound.tasks.len(), pool, |index| {
            // SAFETY: one branch, checked, as are the operands; the output is borrowed for this
            // call alone.
            unsafe { self.bound.task(index, &weights.first, input, &buffers) }
        })
    }
}

/// Plans, packs and runs `layer` once, on the calling thread: for when there is one input.
///
/// `input` and the result lie in the layer's layout; `weights` are `[k][c / groups]`.
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
