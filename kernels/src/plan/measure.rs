//! Measuring at plan time. The candidates with the best estimates are timed, and the slower ones are
//! dropped, until one is left.

use crate::choose::candidate::{Basis, Candidate};
use crate::describe::activation::Activation;
use crate::describe::arithmetic::{Algorithm, Element};
use crate::describe::buffer::try_zeroed;
use crate::describe::error::Error;
use crate::describe::layer::Layer;
use crate::describe::parameters::Parameters;
use crate::plan::bound::{Bound, Buffers, Geometry, Wanted};
use crate::run::Output;
use crate::run::executed::Executed;
use crate::run::pool::{Pool, spread};
use std::time::Instant;

/// The most candidates that are measured.
const MOST: usize = 16;

/// The fastest of the first candidates of `ranked`. All tensors are zeros, because the time of a layer
/// does not depend on the values.
pub(crate) fn best<A: Executed>(
    layer: &Layer,
    threads: usize,
    ranked: &[Candidate],
) -> Result<Candidate, Error> {
    let wanted = Wanted { layer: *layer, output: None, residual: None };
    let geometry = Geometry::new(&[wanted], None)?;
    let shape = geometry.shape;
    let input = try_zeroed::<A::Input>(shape.input_len)?;
    let weights = try_zeroed::<A::Weight>(shape.weights_len)?;
    let bias = zeros::<A::Sum>(layer.bias, layer.k)?;
    let slopes = zeros::<f32>(layer.activation == Activation::Prelu, layer.k)?;
    let residual = zeros::<A::Output>(layer.residual, shape.residual_len)?;
    let mut output = try_zeroed::<A::Output>(shape.output_len)?;
    let output = Output { start: output.as_mut_ptr(), len: output.len() };
    let buffers = [Buffers::<A> { output, residual: residual.as_deref() }];
    let pool = || if threads == 1 { Pool::Serial } else { Pool::Current };
    let mut parameters = Parameters::<A>::typed(&weights);
    (parameters.bias, parameters.slopes) = (bias.as_deref(), slopes.as_deref());
    let mut timed = Vec::new();
    for candidate in ranked.iter().take(MOST) {
        let bound = Bound::new(
            geometry.clone(),
            candidate,
            Basis::Modelled,
            ranked.len(),
            Algorithm::Direct,
        )?;
        let packed = bound.pack(&[parameters])?;
        bound.check(0, shape.output_len, residual.as_ref().map(Vec::len))?;
        bound.check_operands::<A>(&packed, &input)?;
        timed.push((*candidate, bound, packed, f64::INFINITY));
    }
    while timed.len() > 1 {
        for _ in 0..3 {
            for (_, bound, packed, least) in &mut timed {
                let run = || {
                    spread(bound.tasks.len(), pool(), |index| {
                        // SAFETY: the one outlet and the operands were checked. The output belongs
                        // to this function, which does nothing else with it meanwhile, and each task
                        // runs once.
                        unsafe { bound.task(index, packed, &input, &buffers) }
                    })
                };
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

/// `len` zeros if they are wanted.
fn zeros<T: Element>(wanted: bool, len: usize) -> Result<Option<Vec<T>>, Error> {
    wanted.then(|| try_zeroed(len)).transpose()
}
