//! Our library with the layers that read one input computed in one pass.

use super::buffer::Buffer;
use super::ours::refusal;
use crate::contender::contract::{Case, Contender, Prepared, Refusal, SetupTimes};
use pointwise::{Branch, PackedWeights, Parameters, PlanOptions, Pool, Sharing, Siblings};
use std::time::Instant;

/// [`Siblings`] wherever there are some; a layer without is a branch by itself.
pub(super) struct Together(pub(super) Sharing);

impl Contender for Together {
    fn name(&self) -> &str {
        super::SIBLINGS
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
        bind(std::slice::from_ref(case), self.0)
    }

    fn prepare_siblings<'a>(
        &'a self,
        cases: &[Case<'_>],
    ) -> Option<Result<Box<dyn Prepared + 'a>, Refusal>> {
        Some(bind(cases, self.0))
    }
}

fn bind<'a>(cases: &[Case<'_>], sharing: Sharing) -> Result<Box<dyn Prepared + 'a>, Refusal> {
    let Some(first) = cases.first() else {
        return Err(Refusal::Unsupported("no layer at all".to_owned()));
    };
    let mut options = PlanOptions::new().threads(first.threads).sharing(sharing);
    if let Some(cap) = first.isa {
        options = options.isa(cap);
    }
    let branches: Vec<Branch> = cases.iter().map(|case| Branch::new(*case.layer)).collect();
    let start = Instant::now();
    let siblings = Siblings::new(&branches, None, &options).map_err(refusal)?;
    let plan_ns = start.elapsed().as_nanos() as f64;
    let parameters: Vec<Parameters<'_>> = cases.iter().map(Case::parameters).collect();
    let start = Instant::now();
    let weights = siblings.pack(&parameters).map_err(refusal)?;
    let pack_ns = start.elapsed().as_nanos() as f64;
    let outputs = cases
        .iter()
        .map(|case| Ok(Buffer::unwritten(case.layer.check().map_err(refusal)?.output_len)))
        .collect::<Result<Vec<Buffer>, Refusal>>()?;
    Ok(Box::new(Bound {
        siblings,
        weights,
        input: first.input_buffer(),
        residuals: cases.iter().map(|case| case.residual.map(Buffer::copy_of)).collect(),
        outputs,
        threads: first.threads,
        setup: SetupTimes { plan_ns, pack_ns },
    }))
}

struct Bound {
    siblings: Siblings,
    weights: PackedWeights,
    input: Buffer,
    residuals: Vec<Option<Buffer>>,
    outputs: Vec<Buffer>,
    threads: usize,
    setup: SetupTimes,
}

impl Prepared for Bound {
    fn run(&mut self) -> Result<(), Refusal> {
        let pool = if self.threads == 1 { Pool::Serial } else { Pool::Current };
        let mut none = [None; Siblings::MOST_BRANCHES];
        for (to, residual) in none.iter_mut().zip(&self.residuals) {
            *to = residual.as_deref();
        }
        let count = self.outputs.len();
        let mut outputs: Vec<&mut [f32]> = self.outputs.iter_mut().map(|o| &mut **o).collect();
        self.siblings
            .run(&self.weights, &self.input, &none[..count], &mut outputs, pool)
            .map_err(|e| Refusal::Failed(e.to_string()))
    }

    fn output(&mut self) -> Vec<f32> {
        self.outputs.iter().flat_map(|output| output.iter().copied()).collect()
    }

    fn kernel(&self) -> String {
        let mut names: Vec<&str> =
            self.siblings.kernels().map(|(kernel, ..)| kernel.name()).collect();
        names.dedup();
        names.join(" + ")
    }

    fn setup_times(&self) -> Option<SetupTimes> {
        Some(self.setup)
    }
}
