//! Planning a layer for a CPU, packing its weights, running it.

use crate::choose::{self, Candidate, Problem};
use crate::cpu::Cpu;
use crate::drive::{Blocking, Output, Run, Task};
use crate::panels::{Packed, Packing, Panel};
use crate::pixels::Pixels;
use crate::reference::{expect_len, expect_optional, try_zeroed};
use crate::{Error, Isa, Kernel, Layer, Shape, kernels};
use rayon::prelude::*;

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
    /// Parts to cut the work into: the threads that a run can use, at least 1.
    pub threads: usize,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions::new()
    }
}

impl PlanOptions {
    /// One thread, everything else chosen.
    pub const fn new() -> Self {
        PlanOptions { isa: None, kernel: None, blocking: None, threads: 1 }
    }

    /// Caps the ISA.
    #[must_use]
    pub const fn isa(mut self, cap: Isa) -> Self {
        self.isa = Some(cap);
        self
    }

    /// Names the kernel; [`kernels`] lists them.
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

    /// With the environment variables in the places that the caller left open.
    fn with_environment(&self) -> Result<PlanOptions, Error> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
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
    shape: Shape,
    kernel: &'static Kernel,
    blocking: Blocking,
    packing: Packing,
    panels: Vec<Panel>,
    pixels: Pixels,
    tasks: Vec<Task>,
    border: bool,
    why: String,
}

/// Weights and bias in the order that a plan's kernel reads them. Any plan that packs alike takes
/// them, for another batch or image size say.
pub struct PackedWeights(Packed);

impl core::fmt::Debug for PackedWeights {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PackedWeights({})", self.0.packing)
    }
}

impl PackedWeights {
    /// Bytes of memory they take.
    pub fn bytes(&self) -> usize {
        size_of_val(self.0.weights.values()) + size_of_val(self.0.starts.values())
    }
}

impl Plan {
    /// Chooses for `layer` on this CPU, without measuring: microseconds.
    ///
    /// # Errors
    /// Those of [`Layer::check`]; [`Error::ZeroThreads`]; [`Error::UnknownKernel`],
    /// [`Error::KernelUnavailable`] and [`Error::UnknownIsa`] for names in `options` or the
    /// environment; [`Error::BadBlocking`].
    pub fn new(layer: &Layer, options: &PlanOptions) -> Result<Plan, Error> {
        let shape = layer.check()?;
        let options = options.with_environment()?;
        if options.threads == 0 {
            return Err(Error::ZeroThreads);
        }
        if let Some(blocking) = options.blocking
            && !(1..=Blocking::MOST_UNITS).contains(&blocking.units)
        {
            return Err(Error::BadBlocking { why: "a block has 1 to 64 pixel units" });
        }
        let allowed = allowed(&options)?;
        let pixels = Pixels::of(layer, &shape);
        let problem = Problem::new(layer, &pixels);
        let (mut best, mut count) = (None::<Candidate>, 0);
        let forced = options.blocking;
        choose::for_each_candidate(
            layer,
            &problem,
            Cpu::host(),
            &allowed,
            forced,
            options.threads,
            |candidate| {
                count += 1;
                if best.is_none_or(|best| candidate.cycles < best.cycles) {
                    best = Some(candidate);
                }
            },
        );
        let Candidate { kernel, blocking, split, cycles } = best.expect("a kernel is allowed");
        let packing = Packing::new(layer, kernel);
        let panels = packing.panels();
        let step = split.step(kernel, pixels.len());
        let tasks = choose::tasks(split, pixels.len(), panels.len(), step);
        let why = format!(
            "{} of {} candidates, {:.0} cycles estimated: {} panels of {} outputs, {} in blocks of \
             {} units, {} tasks of {} pixel parts × {} output parts",
            kernel.name(),
            count,
            cycles,
            panels.len(),
            panels[0].count,
            if blocking.pack { "input packed" } else { "input read in place" },
            blocking.units,
            tasks.len(),
            split.pixels,
            split.panels,
        );
        let border = shape.rows.len() != shape.oh || shape.columns.len() != shape.ow;
        let layer = *layer;
        Ok(Plan { layer, shape, kernel, blocking, packing, panels, pixels, tasks, border, why })
    }

    /// The layer planned for.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    /// Its derived sizes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The kernel chosen.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// The blocking chosen.
    pub fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// Parts that a run is cut into: at most the threads asked for.
    pub fn threads(&self) -> usize {
        self.tasks.len()
    }

    /// What was chosen and why, in a line.
    pub fn explain(&self) -> &str {
        &self.why
    }

    /// Packs `[k][c / groups]` weights, and the bias of `k` values if the layer has one.
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::Missing`], [`Error::Unexpected`], [`Error::OutOfMemory`].
    pub fn pack(&self, weights: &[f32], bias: Option<&[f32]>) -> Result<PackedWeights, Error> {
        expect_len("weights", weights.len(), self.shape.weights_len)?;
        expect_optional("bias", bias, self.layer.bias, self.layer.k)?;
        Ok(PackedWeights(self.packing.pack(weights, bias)?))
    }

    /// Computes the layer: `input` and `output` in the layer's layout, `residual` like `output`.
    ///
    /// Every output is written. Nothing is allocated once each thread that takes part has run a
    /// layer of this size (but for what rayon's queue does when the caller is not in the pool).
    ///
    /// # Errors
    /// [`Error::WrongLength`], [`Error::Missing`], [`Error::Unexpected`] and
    /// [`Error::PackedForAnotherPlan`], before anything is written; [`Error::OutOfMemory`] when
    /// scratch cannot be had, and the output is then incomplete.
    pub fn run(
        &self,
        weights: &PackedWeights,
        input: &[f32],
        residual: Option<&[f32]>,
        output: &mut [f32],
        pool: Pool<'_>,
    ) -> Result<(), Error> {
        expect_len("input", input.len(), self.shape.input_len)?;
        expect_len("output", output.len(), self.shape.output_len)?;
        expect_optional("residual", residual, self.layer.residual, self.shape.output_len)?;
        if weights.0.packing != self.packing {
            return Err(Error::PackedForAnotherPlan {
                given: weights.0.packing.to_string(),
                needed: self.packing.to_string(),
            });
        }
        let run = Run {
            layer: &self.layer,
            shape: &self.shape,
            kernel: self.kernel,
            blocking: self.blocking,
            pixels: &self.pixels,
            panels: &self.panels,
            packed: &weights.0,
            input,
            residual,
            output: Output { start: output.as_mut_ptr(), len: output.len() },
        };
        let task = |index: usize| {
            // SAFETY: the lengths were checked above, the packing too; the kernel's ISA was
            // checked when the plan was made; tasks are disjoint by construction, and border
            // rows are dealt out by task number.
            unsafe {
                run.task(&self.tasks[index])?;
                if self.border {
                    run.border(index, self.tasks.len());
                }
            }
            Ok(())
        };
        let parallel = || (0..self.tasks.len()).into_par_iter().with_max_len(1).try_for_each(task);
        match pool {
            _ if self.tasks.len() == 1 => task(0),
            Pool::Serial => (0..self.tasks.len()).try_for_each(task),
            Pool::Current => parallel(),
            Pool::In(pool) => pool.install(parallel),
        }
    }
}

/// The kernels that the options and this CPU admit.
fn allowed(options: &PlanOptions) -> Result<Vec<&'static Kernel>, Error> {
    let admitted = |kernel: &Kernel| {
        kernel.is_available() && options.isa.is_none_or(|cap| kernel.isa() <= cap)
    };
    if let Some(name) = &options.kernel {
        let kernel = kernels()
            .iter()
            .find(|kernel| kernel.name() == name)
            .ok_or_else(|| Error::UnknownKernel { name: name.clone() })?;
        if !admitted(kernel) {
            let needs = kernel.isa().needs();
            return Err(Error::KernelUnavailable { name: name.clone(), needs });
        }
        return Ok(vec![kernel]);
    }
    let best: Vec<&Kernel> = kernels().iter().filter(|kernel| admitted(kernel)).collect();
    // One lane is never the better choice where there are vectors.
    let vectors = best.iter().any(|kernel| kernel.isa() != Isa::Scalar);
    Ok(best.into_iter().filter(|kernel| !vectors || kernel.isa() != Isa::Scalar).collect())
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
    let mut output = try_zeroed(plan.shape.output_len)?;
    plan.run(&packed, input, residual, &mut output, Pool::Serial)?;
    Ok(output)
}
