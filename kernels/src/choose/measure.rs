//! Measuring at plan time: the model's best few candidates, halved by measured time.

use super::Candidate;
use crate::reference::try_zeroed;
use crate::{Activation, Error, Layer, Parameters, Plan, PlanOptions, Pool};
use std::time::Instant;

/// How many candidates are measured.
const MOST: usize = 16;

/// The fastest of the candidates, on zeros: layers of this kind run in the same time whatever
/// the values are.
pub(super) fn best(
    layer: &Layer,
    options: &PlanOptions,
    all: &mut [Candidate],
) -> Result<Candidate, Error> {
    let shape = layer.check()?;
    all.sort_by(|a, b| a.cycles.total_cmp(&b.cycles));
    let input = try_zeroed(shape.input_len)?;
    let weights = try_zeroed(shape.weights_len)?;
    let zeros = |wanted: bool, len| wanted.then(|| try_zeroed(len)).transpose();
    let bias = zeros(layer.bias, layer.k)?;
    let slopes = zeros(layer.activation == Activation::Prelu, layer.k)?;
    let residual = zeros(layer.residual, shape.residual_len)?;
    let mut output = try_zeroed(shape.output_len)?;
    let pool = || if options.threads == 1 { Pool::Serial } else { Pool::Current };
    let mut timed = Vec::new();
    for candidate in all.iter().take(MOST) {
        let options = PlanOptions::new().threads(options.threads).candidate(candidate);
        let plan = Plan::new(layer, &options)?;
        let mut parameters = Parameters::new(&weights);
        (parameters.bias, parameters.slopes) = (bias.as_deref(), slopes.as_deref());
        let packed = plan.pack_parameters(&parameters)?;
        timed.push((*candidate, plan, packed, f64::INFINITY));
    }
    while timed.len() > 1 {
        for _ in 0..3 {
            for (_, plan, packed, least) in &mut timed {
                let mut run = || plan.run(packed, &input, residual.as_deref(), &mut output, pool());
                run()?;
                let begin = Instant::now();
                run()?;
                *least = least.min(begin.elapsed().as_secs_f64());
            }
        }
        timed.sort_by(|a, b| a.3.total_cmp(&b.3));
        timed.truncate(timed.len() / 2);
    }
    timed.first().map(|timed| timed.0).ok_or(Error::BadSplit)
}
