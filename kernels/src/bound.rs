//! What plans of one layer and of several have in common: a choice, bound to buffers at a run.

use crate::branch::{Branch, MOST_BRANCHES, check_buffer};
use crate::choose::{self, Basis, Candidate, Problem, Split, decide};
use crate::drive::{Blocking, Destination, Output, Run, Task};
use crate::environment::DefaultEnvironment;
use crate::panels::{Packed, Packing, Panel};
use crate::pixels::Pixels;
use crate::profile::ProfileError;
use crate::{Error, Isa, Kernel, Layer, Parameters, PlanOptions, Pool, Shape, View, kernels};
use core::ops::Range;
use rayon::prelude::*;

/// The most parts that work is cut into.
pub(crate) const MOST_THREADS: usize = 1024;

/// Branches that read one input, bound to a kernel, a blocking and a split.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// The branches' input; its `k` is that of all of them together.
    pub(crate) layer: Layer,
    pub(crate) shape: Shape,
    pub(crate) kernel: &'static Kernel,
    pub(crate) blocking: Blocking,
    pub(crate) tasks: Vec<Task>,
    /// Estimated, of the slowest task.
    pub(crate) cycles: f64,
    pub(crate) why: String,
    pub(crate) basis: Basis,
    pub(crate) profile_problem: Option<ProfileError>,
    branches: Vec<Branch>,
    packing: Packing,
    panels: Vec<Panel>,
    pixels: Pixels,
    input_needed: usize,
    input_exact: bool,
    border: bool,
}

/// A branch to plan.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) layer: Layer,
    pub(crate) output: Option<View>,
    pub(crate) residual: Option<View>,
}

/// Buffers of one branch at a run.
#[derive(Clone, Copy)]
pub(crate) struct Buffers<'a> {
    pub(crate) output: Output,
    pub(crate) residual: Option<&'a [f32]>,
}

impl Bound {
    /// Plans branches whose layers agree on everything about the input, 1 to [`MOST_BRANCHES`].
    pub(crate) fn new(
        wanted: &[Wanted],
        input: Option<View>,
        options: &PlanOptions,
    ) -> Result<Bound, Error> {
        // The estimates raise exceptions, which a host may have unmasked.
        let _environment = DefaultEnvironment::enter();
        if wanted.is_empty() || wanted.len() > MOST_BRANCHES {
            return Err(Error::BadBranchCount { given: wanted.len(), most: MOST_BRANCHES });
        }
        let mut layer = wanted[0].layer;
        layer.check()?;
        layer.k = wanted
            .iter()
            .try_fold(0usize, |sum, branch| sum.checked_add(branch.layer.k))
            .ok_or_else(|| Error::TooLarge { what: "output", sizes: vec![layer.k] })?;
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
        let input_exact = input.is_none();
        let input = input.unwrap_or_else(|| View::dense(layer.layout, layer.c, layer.h, layer.w));
        let sizes = [layer.n, layer.c, layer.h, layer.w];
        let input_needed = input.check("input", sizes)?;
        let input = input.settled(input_needed, sizes);
        let mut pixels = Pixels::new(&layer, &shape, input);
        let branches = wanted
            .iter()
            .map(|wanted| {
                let shape = wanted.layer.check()?;
                Branch::new(&wanted.layer, &shape, wanted.output, wanted.residual, &mut pixels)
            })
            .collect::<Result<Vec<Branch>, Error>>()?;
        let problem = Problem::new(&layer, &pixels);
        let options = PlanOptions { threads: options.threads.min(MOST_THREADS), ..options };
        let decision = decide(&layer, &branches, &problem, &options, &allowed)?;
        let Candidate { kernel, blocking, split, cycles } = decision.candidate;
        let packing = Packing::new(branches.iter().map(|branch| &branch.layer), kernel);
        let panels = packing.panels()?;
        let step = split.step(kernel, pixels.len());
        let tasks = choose::tasks(split, pixels.len(), panels.len(), step);
        // Panels of several branches differ in width, which the model does not see.
        let width = |panels: &[Panel]| panels.iter().map(|panel| panel.width).sum::<usize>() as f64;
        let widest =
            tasks.iter().map(|task| width(&panels[task.panels.clone()])).fold(0.0, f64::max);
        let uneven = widest * split.panels as f64 / width(&panels);
        let why = format!(
            "{} of {} candidates, {} ({:.0} {}): {} panels of {} outputs, {} in blocks of \
             {} units, {} tasks of {} pixel parts × {} output parts",
            kernel.name(),
            decision.considered,
            decision.basis,
            cycles,
            if decision.basis == Basis::Measured { "ns" } else { "cycles" },
            panels.len(),
            panels[0].count,
            if blocking.pack { "input packed" } else { "input read in place" },
            blocking.units,
            tasks.len(),
            split.pixels,
            split.panels,
        );
        let border = shape.rows.len() != shape.oh || shape.columns.len() != shape.ow;
        Ok(Bound {
            layer,
            shape,
            kernel,
            blocking,
            tasks,
            cycles: cycles * if branches.len() > 1 { uneven } else { 1.0 },
            why,
            basis: decision.basis,
            profile_problem: decision.problem,
            branches,
            packing,
            panels,
            pixels,
            input_needed,
            input_exact,
            border,
        })
    }

    /// How many branches it computes.
    pub(crate) fn branches(&self) -> usize {
        self.branches.len()
    }

    /// Packs the parameters of each branch.
    pub(crate) fn pack(&self, parameters: &[Parameters<'_>]) -> Result<Packed, Error> {
        for (branch, parameters) in self.branches.iter().zip(parameters) {
            let depth = self.packing.depth();
            parameters.check(&branch.layer, branch.layer.k * depth)?;
        }
        self.packing.pack(parameters)
    }

    /// Refuses buffers that do not fit branch `index`.
    pub(crate) fn check(
        &self,
        index: usize,
        output: usize,
        residual: Option<usize>,
    ) -> Result<(), Error> {
        let branch = &self.branches[index];
        branch.output.check_buffer("output", output)?;
        match (residual, &branch.residual) {
            (Some(given), Some(grid)) => grid.check_buffer("residual", given),
            (Some(_), None) => Err(Error::Unexpected { what: "residual" }),
            (None, Some(_)) => Err(Error::Missing { what: "residual" }),
            (None, None) => Ok(()),
        }
    }

    /// Refuses an input of another length, and weights packed for another plan.
    pub(crate) fn check_operands(&self, packed: &Packed, input: &[f32]) -> Result<(), Error> {
        check_buffer("input", input.len(), self.input_needed, self.input_exact)?;
        if packed.packing != self.packing {
            return Err(Error::PackedForAnotherPlan {
                given: packed.packing.to_string(),
                needed: self.packing.to_string(),
            });
        }
        Ok(())
    }

    /// Runs task `index` of [`Bound::tasks`].
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when this thread's scratch cannot be had.
    ///
    /// # Safety
    /// As [`Bound::piece`].
    pub(crate) unsafe fn task(
        &self,
        index: usize,
        packed: &Packed,
        input: &[f32],
        buffers: &[Buffers<'_>],
    ) -> Result<(), Error> {
        // SAFETY: by contract.
        unsafe { self.piece(index, [0, 1], packed, input, buffers) }
    }

    /// Runs one of some pieces of a task, cut by its pixels: all of them, once each, are the task.
    /// A plan with averages has one piece.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when this thread's scratch cannot be had.
    ///
    /// # Safety
    /// `buffers` has as many entries as there are branches; the outputs are writable by the tasks
    /// of this run alone, disjoint in what their views name, and with their residuals passed
    /// [`Bound::check`]; the operands passed [`Bound::check_operands`].
    pub(crate) unsafe fn piece(
        &self,
        index: usize,
        [piece, pieces]: [usize; 2],
        packed: &Packed,
        input: &[f32],
        buffers: &[Buffers<'_>],
    ) -> Result<(), Error> {
        // On the stack: a run allocates nothing.
        let first = Destination {
            branch: &self.branches[0],
            output: buffers[0].output,
            residual: buffers[0].residual,
        };
        let mut destinations = [first; MOST_BRANCHES];
        for ((to, branch), buffers) in destinations.iter_mut().zip(&self.branches).zip(buffers) {
            *to = Destination { branch, output: buffers.output, residual: buffers.residual };
        }
        let run = Run {
            layer: &self.layer,
            shape: &self.shape,
            kernel: self.kernel,
            blocking: self.blocking,
            pixels: &self.pixels,
            panels: &self.panels,
            packed,
            padded: self.packing.padded(),
            input,
            destinations: &destinations[..self.branches.len()],
        };
        let _environment = DefaultEnvironment::enter();
        // SAFETY: the lengths were checked, the packing too; the kernel's ISA was checked when the
        // plan was made; tasks are disjoint by construction, and border rows are dealt out by task
        // number.
        unsafe {
            let task = &self.tasks[index];
            let Range { start, end } = task.pixels;
            // At whole tiles, of which a piece has many.
            let step = Split::WHOLE.step(self.kernel, usize::MAX);
            let cut = |i: usize| match i {
                0 => start,
                _ if i == pieces => end,
                _ => (start + (end - start) / step * i / pieces * step).min(end),
            };
            let pixels = cut(piece)..cut(piece + 1);
            if !pixels.is_empty() {
                run.task(&Task { pixels, panels: task.panels.clone() })?;
            }
            if self.border && piece == 0 {
                run.border(index, self.tasks.len());
            }
        }
        Ok(())
    }
}

/// Runs `count` tasks where the pool says.
pub(crate) fn spread(
    count: usize,
    pool: Pool<'_>,
    task: impl Fn(usize) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let parallel = || (0..count).into_par_iter().with_max_len(1).try_for_each(&task);
    match pool {
        _ if count == 1 => task(0),
        Pool::Serial => (0..count).try_for_each(task),
        Pool::Current => parallel(),
        Pool::In(pool) => pool.install(parallel),
    }
}

/// The kernels that the options and this CPU admit.
pub(crate) fn allowed(options: &PlanOptions) -> Result<Vec<&'static Kernel>, Error> {
    allowed_where(options, Kernel::is_available)
}

/// The kernels that the options admit on a CPU that `runs` some of them.
pub(crate) fn allowed_where(
    options: &PlanOptions,
    runs: impl Fn(&Kernel) -> bool,
) -> Result<Vec<&'static Kernel>, Error> {
    let admitted =
        |kernel: &Kernel| runs(kernel) && options.isa.is_none_or(|cap| kernel.isa() <= cap);
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
