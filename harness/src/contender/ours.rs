//! Our library: the plan's own choice, and each kernel by its name.

use super::buffer::Buffer;
use crate::contender::contract::{Case, Contender, Prepared, Refusal, SetupTimes};
use pointwise::{Error, Kernel, PackedWeights, Plan, PlanOptions, Pool};
use std::time::Instant;

/// What the plan chooses.
pub(super) struct Planned;

impl Contender for Planned {
    fn name(&self) -> &str {
        "pointwise"
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn available(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn exact(&self) -> bool {
        true
    }

    fn prepacks(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        bind(case, PlanOptions::new())
    }
}

/// One kernel, whatever the plan would have chosen.
pub(super) struct One(&'static Kernel);

impl One {
    pub(super) fn boxed(kernel: &'static Kernel) -> Box<dyn Contender> {
        Box::new(One(kernel))
    }
}

impl Contender for One {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn version(&self) -> String {
        Planned.version()
    }

    fn available(&self) -> Result<(), Refusal> {
        if self.0.is_available() {
            return Ok(());
        }
        Err(Refusal::Unavailable(format!("it needs {}", self.0.isa().needs())))
    }

    fn exact(&self) -> bool {
        true
    }

    fn prepacks(&self) -> bool {
        true
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        bind(case, PlanOptions::new().kernel(self.0.name()))
    }
}

fn bind<'a>(case: &Case<'_>, mut options: PlanOptions) -> Result<Box<dyn Prepared + 'a>, Refusal> {
    options = options.threads(case.threads);
    if let Some(cap) = case.isa {
        options = options.isa(cap);
    }
    let start = Instant::now();
    let plan = Plan::new(case.layer, &options).map_err(refusal)?;
    let plan_ns = start.elapsed().as_nanos() as f64;
    let start = Instant::now();
    let weights = plan.pack_parameters(&case.parameters()).map_err(refusal)?;
    let pack_ns = start.elapsed().as_nanos() as f64;
    let output = Buffer::unwritten(plan.shape().output_len);
    Ok(Box::new(Bound {
        weights,
        input: case.input_buffer(),
        residual: case.residual.map(Buffer::copy_of),
        output,
        threads: case.threads,
        setup: SetupTimes { plan_ns, pack_ns },
        plan,
    }))
}

struct Bound {
    plan: Plan,
    weights: PackedWeights,
    input: Buffer,
    residual: Option<Buffer>,
    output: Buffer,
    threads: usize,
    setup: SetupTimes,
}

impl Prepared for Bound {
    fn run(&mut self) -> Result<(), Refusal> {
        let pool = if self.threads == 1 { Pool::Serial } else { Pool::Current };
        let residual = self.residual.as_deref();
        self.plan
            .run(&self.weights, &self.input, residual, &mut self.output, pool)
            .map_err(|e| Refusal::Failed(e.to_string()))
    }

    fn output(&mut self) -> Vec<f32> {
        self.output.to_vec()
    }

    fn kernel(&self) -> String {
        self.plan.kernel().name().to_owned()
    }

    fn setup_times(&self) -> Option<SetupTimes> {
        Some(self.setup)
    }
}

/// A kernel that is ruled out is not a failure of the library.
pub(super) fn refusal(error: Error) -> Refusal {
    match error {
        Error::KernelUnavailable { .. } => Refusal::Unsupported(error.to_string()),
        _ => Refusal::Failed(error.to_string()),
    }
}
