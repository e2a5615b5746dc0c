//! Packing weights, panel by panel, in the order in which a kernel reads them.

use crate::cut::panels::{Panel, Panels};
use crate::describe::arithmetic::{Arithmetic, Element};
use crate::describe::error::Error;
use crate::describe::parameters::Parameters;
use crate::pack::aligned::Aligned;

/// Packed weights, bias and slopes.
pub(crate) struct Packed {
    /// The panels that they are packed for.
    pub(crate) panels: Panels,
    /// `[group][panel][c][width]`.
    pub(crate) weights: Aligned,
    /// The values that the chains start from, the bias or zeros: `[group][padded]`.
    pub(crate) starts: Aligned,
    /// The slopes of PReLU, `[group][padded]`. Empty unless an outlet has slopes.
    pub(crate) slopes: Aligned,
}

/// Copies values to `to`, from place `at` on.
fn place<T: Element>(values: &[T], to: &mut [T], at: usize) {
    to[at..][..values.len()].copy_from_slice(values);
}

/// `to[j·width + i] = from[i·depth + j]` for `i < count` and `j < depth`. It goes over a few values of
/// `j` at a time, so that both sides stay in the caches.
fn transpose<T: Element>(from: &[T], depth: usize, count: usize, to: &mut [T], width: usize) {
    const STEP: usize = 16;
    let mut start = 0;
    while start < depth {
        let step = STEP.min(depth - start);
        let to = &mut to[start * width..][..step * width];
        for i in 0..count {
            let row = &from[i * depth + start..][..step];
            for (value, to) in row.iter().zip(to[i..].iter_mut().step_by(width)) {
                *to = *value;
            }
        }
        start += step;
    }
}

/// Packs each outlet's `[k][c / groups]` weights, with bias and slopes.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::OutOfMemory`].
pub(crate) fn pack_weights<A: Arithmetic>(
    panels: &Panels,
    parameters: &[Parameters<'_, A>],
) -> Result<Packed, Error> {
    let (depth, padded, groups) = (panels.depth(), panels.padded(), panels.groups);
    let size = [groups, padded, depth]
        .iter()
        .try_fold(1usize, |size, n| size.checked_mul(*n))
        .ok_or_else(|| Error::TooLarge { what: "packed weights", sizes: vec![padded, depth] })?;
    let mut weights = Aligned::zeroed::<A::Weight>(size)?;
    let mut starts = Aligned::zeroed::<A::Sum>(groups * padded)?;
    let any_slopes = panels.parts.iter().any(|part| part.slopes);
    let mut slopes = Aligned::zeroed::<f32>(if any_slopes { groups * padded } else { 0 })?;
    let list = panels.list()?;
    for group in 0..groups {
        for Panel { shape, first, at } in &list {
            let parameters = &parameters[shape.outlet];
            let first = group * (panels.parts[shape.outlet].k / groups) + first;
            let to = group * padded + at;
            let lines = &mut weights.values_mut()[to * depth..][..shape.width * depth];
            let from = &parameters.weights[first * depth..];
            transpose(from, depth, shape.outputs, lines, shape.width);
            if let Some(bias) = parameters.bias {
                place(&bias[first..][..shape.outputs], starts.values_mut(), to);
            }
            if let Some(given) = parameters.slopes {
                place(&given[first..][..shape.outputs], slopes.values_mut(), to);
            }
        }
    }
    Ok(Packed { panels: panels.clone(), weights, starts, slopes })
}
