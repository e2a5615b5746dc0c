//! A layer as the prices see it.

use crate::cut::pixels::Pixels;
use crate::describe::layer::Layer;

/// Bytes of an element.
pub(super) const F32: f64 = 4.0;

/// What the prices ask of a layer, derived once for all candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem {
    pub(crate) groups: usize,
    /// Inputs of a group.
    pub(crate) depth: usize,
    /// Outputs of a group.
    pub(crate) outputs: usize,
    /// Whether the channels of groups are shuffled.
    pub(super) shuffled: bool,
    /// Whether a residual is added.
    pub(super) residual: bool,
    /// Bytes of input, weights, output and residual.
    pub(super) total: f64,
}

impl Problem {
    pub(crate) fn new(layer: &Layer, pixels: &Pixels) -> Self {
        let count = pixels.len() as f64;
        let outputs = if layer.residual { 2 * layer.k } else { layer.k };
        let values =
            count * (layer.c + outputs) as f64 + (layer.k * (layer.c / layer.groups)) as f64;
        Problem {
            groups: layer.groups,
            depth: layer.c / layer.groups,
            outputs: layer.k / layer.groups,
            shuffled: layer.shuffle && layer.groups > 1,
            residual: layer.residual,
            total: values * F32,
        }
    }
}
