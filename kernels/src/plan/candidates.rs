//! The candidates that a plan chooses among, for callers that want to see them.

use crate::choose::candidate::{Basis, Candidates};
use crate::choose::decide::explained;
use crate::cpu::Cpu;
use crate::describe::error::Error;
use crate::describe::layer::Layer;
use crate::micro::registry::Kernel;
use crate::plan::Plan;
use crate::plan::bound::{Geometry, Wanted};
use crate::plan::decide::{allowed, profile, question};
use crate::plan::options::PlanOptions;

impl Plan {
    /// The candidates for `layer` on this CPU, with their estimates, and the reasons why others were left
    /// out. [`PlanOptions::candidate`] plans one of them.
    ///
    /// ```
    /// use pointwise::{Layer, Plan, PlanOptions};
    /// let layer = Layer::new(64, 256, 56, 56);
    /// let options = PlanOptions::new();
    /// let candidates = Plan::candidates(&layer, &options)?;
    /// let second = candidates.ranked[1];
    /// let plan = Plan::new(&layer, &options.candidate(&second))?;
    /// assert_eq!((plan.kernel(), plan.blocking()), (second.kernel, second.blocking));
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn candidates(layer: &Layer, options: &PlanOptions) -> Result<Candidates, Error> {
        let options = options.with_environment()?;
        let allowed = allowed(layer.dtype, &options, Kernel::is_available)?;
        let geometry = Geometry::new(&[whole(layer)], None)?;
        let question = question(&geometry, &options, Cpu::host(), &allowed)?;
        let (profile, _) = profile(&options);
        Ok(explained(&question, profile.as_deref(), options.kernel.is_some()))
    }

    /// The candidates for `layer` on another CPU. They are predicted from that CPU's data file.
    ///
    /// # Errors
    /// Those of [`Plan::new`]. A kernel is refused if `cpu` cannot run it, and not if only this machine
    /// cannot.
    pub fn candidates_on(
        layer: &Layer,
        options: &PlanOptions,
        cpu: &Cpu,
    ) -> Result<Candidates, Error> {
        let allowed = allowed(layer.dtype, options, |kernel| cpu.runs(kernel.isa()))?;
        let geometry = Geometry::new(&[whole(layer)], None)?;
        let question = question(&geometry, options, cpu, &allowed)?;
        let candidates = explained(&question, None, options.kernel.is_some());
        Ok(Candidates { basis: Basis::Predicted, ..candidates })
    }
}

/// A layer of whole tensors.
fn whole(layer: &Layer) -> Wanted {
    Wanted { layer: *layer, output: None, residual: None }
}
