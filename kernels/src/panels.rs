//! Weights, cut into panels as a kernel reads them, and packed.

use crate::memory::Aligned;
use crate::pixels::even_parts;
use crate::{Error, Family, Kernel, Layer};

/// What a set of packed weights was packed for. Plans of equal keys share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Packing {
    pub(crate) family: Family,
    /// Lanes of a vector; 1 when outputs are broadcast.
    lanes: usize,
    /// Vectors (outputs in lanes) or rows (pixels in lanes) of the widest panel.
    most: usize,
    /// Channels of all groups.
    c: usize,
    k: usize,
    groups: usize,
    bias: bool,
}

impl core::fmt::Display for Packing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Packing { lanes, most, c, k, groups, bias, .. } = self;
        let bias = if *bias { "with" } else { "without" };
        let width = lanes * most;
        let family = self.family.name();
        write!(f, "c {c}, k {k}, g {groups}, {bias} bias, {family} in panels of {width}")
    }
}

/// The outputs of one panel of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panel {
    /// First output, within the group.
    pub(crate) first: usize,
    /// Outputs.
    pub(crate) count: usize,
    /// Outputs with those that only fill the last vector.
    pub(crate) width: usize,
}

impl Packing {
    pub(crate) fn new(layer: &Layer, kernel: &Kernel) -> Self {
        let (lanes, most) = match kernel.family() {
            Family::Outputs => (kernel.isa().lanes(), kernel.vectors()),
            Family::Pixels => (1, kernel.rows()),
        };
        let Layer { c, k, groups, bias, .. } = *layer;
        Packing { family: kernel.family(), lanes, most, c, k, groups, bias }
    }

    /// The panels of each group.
    pub(crate) fn panels(&self) -> Vec<Panel> {
        let outputs = self.k / self.groups;
        let mut first = 0;
        even_parts(outputs.div_ceil(self.lanes), self.most)
            .map(|vectors| {
                let width = vectors * self.lanes;
                let panel = Panel { first, count: width.min(outputs - first), width };
                first += width;
                panel
            })
            .collect()
    }

    /// How many panels a group has.
    pub(crate) fn count(&self) -> usize {
        (self.k / self.groups).div_ceil(self.lanes).div_ceil(self.most)
    }

    /// Outputs of a group, with those that only fill its last vector.
    pub(crate) fn padded(&self) -> usize {
        (self.k / self.groups).next_multiple_of(self.lanes)
    }

    /// Inputs of a group.
    pub(crate) fn depth(&self) -> usize {
        self.c / self.groups
    }

    /// Packs `[k][c / groups]` weights to `[group][panel][c][width]`, and the bias (or zeros) to
    /// `[group][padded]`.
    pub(crate) fn pack(&self, weights: &[f32], bias: Option<&[f32]>) -> Result<Packed, Error> {
        let (depth, outputs, padded) = (self.depth(), self.k / self.groups, self.padded());
        let size = [self.groups, padded, depth]
            .iter()
            .try_fold(1usize, |size, n| size.checked_mul(*n))
            .ok_or(Error::TooLarge { what: "packed weights", sizes: vec![self.k, depth] })?;
        let mut packed = Aligned::zeroed(size)?;
        let mut starts = Aligned::zeroed(self.groups * padded)?;
        let panels = self.panels();
        for group in 0..self.groups {
            for panel in &panels {
                let from = &weights[(group * outputs + panel.first) * depth..];
                let to = (group * padded + panel.first) * depth;
                let to = &mut packed.values_mut()[to..][..panel.width * depth];
                transpose(from, depth, panel.count, to, panel.width);
            }
            if let Some(bias) = bias {
                starts.values_mut()[group * padded..][..outputs]
                    .copy_from_slice(&bias[group * outputs..][..outputs]);
            }
        }
        Ok(Packed { packing: *self, weights: packed, starts })
    }
}

/// Weights and bias as a plan's kernel reads them.
pub(crate) struct Packed {
    pub(crate) packing: Packing,
    pub(crate) weights: Aligned,
    pub(crate) starts: Aligned,
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
