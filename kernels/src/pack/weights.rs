//! Weights, packed panel by panel as a kernel reads them.

use crate::cut::panels::{Panel, Panels};
use crate::describe::error::Error;
use crate::describe::parameters::Parameters;
use crate::pack::aligned::Aligned;

/// Weights and bias as a plan's kernel reads them.
pub(crate) struct Packed {
    /// What it was packed for.
    pub(crate) panels: Panels,
    /// `[group][panel][c][width]`.
    pub(crate) weights: Aligned,
    /// Where the chains start: the bias or zeros, `[group][padded]`.
    pub(crate) starts: Aligned,
    /// Slopes of PReLU, `[group][padded]`; empty unless an outlet has slopes.
    pub(crate) slopes: Aligned,
}

/// `to[j·width + i] = from[i·depth + j]` for `i < count`, `j < depth`, a few columns at a time so
/// that both sides stay in cache.
fn transpose(from: &[f32], depth: usize, count: usize, to: &mut [f32], width: usize) {
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
pub(crate) fn pack_weights(
    panels: &Panels,
    parameters: &[Parameters<'_>],
) -> Result<Packed, Error> {
    let (depth, padded, groups) = (panels.depth(), panels.padded(), panels.groups);
    let size = [groups, padded, depth]
        .iter()
        .try_fold(1usize, |size, n| size.checked_mul(*n))
        .ok_or_else(|| Error::TooLarge { what: "packed weights", sizes: vec![padded, depth] })?;
    let mut weights = Aligned::zeroed(size)?;
    let mut starts = Aligned::zeroed(groups * padded)?;
    let any_slopes = panels.parts.iter().any(|part| part.slopes);
    let mut slopes = Aligned::zeroed(if any_slopes { groups * padded } else { 0 })?;
    let list = panels.list()?;
    for group in 0..groups {
        for Panel { shape, first, at } in &list {
            let parameters = &parameters[shape.outlet];
            let first = group * (panels.parts[shape.outlet].k / groups) + first;
            let to = group * padded + at;
            let lines = &mut weights.values_mut()[to * depth..][..shape.width * depth];
            let from = &parameters.weights[first * depth..];
            transpose(from, depth, shape.outputs, lines, shape.width);
            for (to_all, given) in
                [(&mut starts, parameters.bias), (&mut slopes, parameters.slopes)]
            {
                if let Some(given) = given {
                    to_all.values_mut()[to..][..shape.outputs]
                        .copy_from_slice(&given[first..][..shape.outputs]);
                }
            }
        }
    }
    Ok(Packed { panels: panels.clone(), weights, starts, slopes })
}
