//! A layer as the cost model sees it.

use super::model::F32;
use crate::pixels::{Even, Pixels};
use crate::{Family, Kernel, Layer};

/// What the model asks of a layer, derived once for all candidates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem {
    pub(crate) groups: usize,
    /// Inputs of a group.
    pub(crate) depth: usize,
    /// Outputs of a group.
    pub(crate) outputs: usize,
    pub(crate) pixels: Pixels,
    /// Whether the channels of the groups are shuffled.
    pub(super) shuffled: bool,
    /// Longest even run of pixels in both tensors, and in the output alone.
    pub(super) run_both: usize,
    pub(super) run_output: usize,
    /// Whether a residual is added.
    pub(super) residual: bool,
    /// Bytes of input, weights, output and residual.
    pub(super) total: f64,
}

/// Pixels of a row, apart from one another, that are worth a tile of their own.
const WORTH_A_TILE: usize = 4;

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
            pixels: *pixels,
            shuffled: layer.shuffle && layer.groups > 1,
            run_both: pixels.run(Even::Both),
            run_output: pixels.run(Even::Output),
            residual: layer.residual,
            total: values * F32,
        }
    }

    /// Whether the kernel can read this input where it lies, in pieces worth a tile.
    pub(crate) fn in_place(&self, kernel: &Kernel) -> bool {
        let input = &self.pixels.input;
        match kernel.family() {
            Family::Outputs => {
                let planes = kernel.reads_planes() && self.run_both >= WORTH_A_TILE;
                input.channel == 1 || input.pixel == 1 || planes
            }
            Family::Pixels => input.pixel == 1 && self.run_both >= kernel.isa().lanes(),
        }
    }
}
