//! A choice that is bound to the tensors of a plan. Plans of one layer and of siblings are made of it.

use crate::choose::candidate::{Basis, Candidate};
use crate::cpu::{Cpu, Tuning};
use crate::cut::Cut;
use crate::cut::blocking::Blocking;
use crate::cut::outlet::{MOST_OUTLETS, Outlet, check_buffer};
use crate::cut::panels::{Panel, Panels};
use crate::cut::pixels::Pixels;
use crate::cut::split::Task;
use crate::describe::arithmetic::Algorithm;
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Shape};
use crate::describe::parameters::Parameters;
use crate::describe::view::View;
use crate::micro::registry::Kernel;
use crate::pack::weights::{Packed, pack_weights};
use crate::reference::float_environment::DefaultEnvironment;
use crate::run::executed::Executed;
use crate::run::{Destination, Output, Run};

/// A layer to plan, and where its output and residual lie.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) layer: Layer,
    pub(crate) output: Option<View>,
    pub(crate) residual: Option<View>,
}

/// Where the tensors of one layer lie, or of several layers that read one input. They have been
/// checked.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    /// The layer. For several layers it is one layer with the outputs of all of them.
    pub(crate) layer: Layer,
    pub(crate) shape: Shape,
    pub(crate) pixels: Pixels,
    pub(crate) outlets: Vec<Outlet>,
    input_needed: usize,
    input_exact: bool,
}

/// Outlets that read one input, bound to a kernel, a blocking and a split.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) geometry: Geometry,
    pub(crate) kernel: &'static Kernel,
    pub(crate) blocking: Blocking,
    pub(crate) tasks: Vec<Task>,
    /// The estimated cycles of the slowest task.
    pub(crate) cycles: f64,
    pub(crate) why: String,
    pub(crate) basis: Basis,
    pub(crate) algorithm: Algorithm,
    tuning: Tuning,
    pub(crate) panels: Panels,
    /// The panels of each group.
    list: Vec<Panel>,
    border: bool,
}

/// The buffers of one outlet in a run.
#[derive(Clone, Copy)]
pub(crate) struct Buffers<'a, A: Executed> {
    pub(crate) output: Output<A::Output>,
    pub(crate) residual: Option<&'a [A::Output]>,
}

impl Geometry {
    /// The geometry of 1 to [`MOST_OUTLETS`] layers that read the same input in the same way.
    ///
    /// # Errors
    /// [`Error::BadBranchCount`], [`Error::TooLarge`], those of [`Layer::check`] and of
    /// [`View::check`].
    pub(crate) fn new(wanted: &[Wanted], input: Option<View>) -> Result<Geometry, Error> {
        if wanted.is_empty() || wanted.len() > MOST_OUTLETS {
            return Err(Error::BadBranchCount { given: wanted.len(), most: MOST_OUTLETS });
        }
        let mut layer = wanted[0].layer;
        layer.check()?;
        layer.k = wanted
            .iter()
            .try_fold(0usize, |sum, wanted| sum.checked_add(wanted.layer.k))
            .ok_or_else(|| Error::TooLarge { what: "output", sizes: vec![layer.k] })?;
        let shape = layer.check()?;
        let input_exact = input.is_none();
        let input = input.unwrap_or_else(|| View::dense(layer.layout, layer.c, layer.h, layer.w));
        let sizes = [layer.n, layer.c, layer.h, layer.w];
        let input_needed = input.check("input", sizes)?;
        let input = input.settled(input_needed, sizes);
        let mut pixels = Pixels::new(&layer, &shape, input);
        let outlets = wanted
            .iter()
            .map(|wanted| {
                let shape = wanted.layer.check()?;
                Outlet::new(&wanted.layer, &shape, wanted.output, wanted.residual, &mut pixels)
            })
            .collect::<Result<Vec<Outlet>, Error>>()?;
        Ok(Geometry { layer, shape, pixels, outlets, input_needed, input_exact })
    }
}

impl Bound {
    /// Binds `candidate`, which was chosen among `considered` candidates.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when the list of panels cannot be allocated.
    pub(crate) fn new(
        geometry: Geometry,
        candidate: &Candidate,
        basis: Basis,
        considered: usize,
        algorithm: Algorithm,
    ) -> Result<Bound, Error> {
        let Candidate { kernel, blocking, split, cycles } = *candidate;
        let Geometry { shape, pixels, outlets, .. } = &geometry;
        let panels = Panels::new(outlets.iter().map(|outlet| &outlet.layer), kernel);
        let list = panels.list()?;
        let tasks = Cut { kernel, blocking, pixels, outlets, panels: &panels }.tasks(split);
        let why = format!(
            "{} of {considered} candidates, {basis} ({cycles:.0} {}): {} panels of {} outputs, {} in \
             blocks of {} units, {} tasks of {} pixel parts × {} output parts",
            kernel.name(),
            if basis == Basis::Measured { "ns" } else { "cycles" },
            list.len(),
            list[0].shape.outputs,
            if blocking.pack { "input packed" } else { "input read in place" },
            blocking.units,
            tasks.len(),
            split.pixels,
            split.panels,
        );
        let border = shape.rows.len() != shape.oh || shape.columns.len() != shape.ow;
        let tuning = Cpu::host().tuning;
        Ok(Bound {
            geometry,
            kernel,
            blocking,
            tasks,
            cycles,
            why,
            basis,
            algorithm,
            tuning,
            panels,
            list,
            border,
        })
    }

    /// The number of outlets that it computes.
    pub(crate) fn outlets(&self) -> usize {
        self.geometry.outlets.len()
    }

    /// Packs the parameters of each outlet.
    pub(crate) fn pack<A: Executed>(
        &self,
        parameters: &[Parameters<'_, A>],
    ) -> Result<Packed, Error> {
        for (outlet, parameters) in self.geometry.outlets.iter().zip(parameters) {
            parameters.check(&outlet.layer, outlet.layer.k * self.panels.depth())?;
        }
        pack_weights(&self.panels, parameters)
    }

    /// Refuses buffers that do not fit outlet `index`.
    pub(crate) fn check(
        &self,
        index: usize,
        output: usize,
        residual: Option<usize>,
    ) -> Result<(), Error> {
        let outlet = &self.geometry.outlets[index];
        outlet.output.check_buffer("output", output)?;
        match (residual, &outlet.residual) {
            (Some(given), Some(grid)) => grid.check_buffer("residual", given),
            (Some(_), None) => Err(Error::Unexpected { what: "residual" }),
            (None, Some(_)) => Err(Error::Missing { what: "residual" }),
            (None, None) => Ok(()),
        }
    }

    /// Refuses an input of the wrong length, and weights that are packed in another way.
    pub(crate) fn check_operands<A: Executed>(
        &self,
        packed: &Packed,
        input: &[A::Input],
    ) -> Result<(), Error> {
        let Geometry { input_needed, input_exact, .. } = self.geometry;
        check_buffer("input", input.len(), input_needed, input_exact)?;
        if packed.panels != self.panels {
            return Err(Error::PackedForAnotherPlan {
                given: packed.panels.to_string(),
                needed: self.panels.to_string(),
            });
        }
        Ok(())
    }

    /// Runs task `index` of [`Bound::tasks`].
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when this thread's scratch cannot be allocated.
    ///
    /// # Safety
    /// - `buffers` has an entry for each outlet, and each passed [`Bound::check`].
    /// - The operands passed [`Bound::check_operands`].
    /// - The tasks of this run alone write to the outputs. The views of the outputs are disjoint.
    /// - No task runs twice at the same time.
    pub(crate) unsafe fn task<A: Executed>(
        &self,
        index: usize,
        packed: &Packed,
        input: &[A::Input],
        buffers: &[Buffers<'_, A>],
    ) -> Result<(), Error> {
        let Geometry { layer, shape, pixels, outlets, .. } = &self.geometry;
        // The list is on the stack, because a run allocates nothing.
        let first = Destination::<A> {
            outlet: &outlets[0],
            output: buffers[0].output,
            residual: buffers[0].residual,
        };
        let mut destinations = [first; MOST_OUTLETS];
        for ((to, outlet), buffers) in destinations.iter_mut().zip(outlets).zip(buffers) {
            *to = Destination { outlet, output: buffers.output, residual: buffers.residual };
        }
        let run = Run {
            layer,
            shape,
            cut: Cut {
                kernel: self.kernel,
                blocking: self.blocking,
                pixels,
                outlets,
                panels: &self.panels,
            },
            panels: &self.list,
            tuning: self.tuning,
            packed,
            input,
            destinations: &destinations[..outlets.len()],
        };
        let _environment = DefaultEnvironment::enter();
        // SAFETY: the lengths and the packing were checked by contract, and the kernel's ISA when the
        // plan was made. Tasks are disjoint by construction, and each task has border rows of its own.
        unsafe {
            run.task(&self.tasks[index])?;
            if self.border {
                run.border(index, self.tasks.len());
            }
        }
        Ok(())
    }
}
