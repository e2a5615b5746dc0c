//! Weights, cut into panels as a kernel reads them, and packed.

use crate::memory::Aligned;
use crate::pixels::even_parts;
use crate::{Activation, Error, Family, Kernel, Layer, Parameters};

/// What a set of packed weights was packed for. Plans of equal keys share them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Packing {
    pub(crate) family: Family,
    /// Lanes of a vector; 1 when outputs are broadcast.
    lanes: usize,
    /// Vectors (outputs in lanes) or rows (pixels in lanes) of the widest panel.
    most: usize,
    /// Channels of all groups.
    c: usize,
    groups: usize,
    parts: Vec<Part>,
}

/// The outputs of one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Part {
    k: usize,
    bias: bool,
    slopes: bool,
}

impl core::fmt::Display for Packing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Packing { lanes, most, c, groups, .. } = self;
        write!(f, "c {c}, g {groups}, ")?;
        for Part { k, bias, slopes } in &self.parts {
            let bias = if *bias { "with" } else { "without" };
            write!(f, "k {k} {bias} bias{}, ", if *slopes { " with slopes" } else { "" })?;
        }
        // Panels as wide but of other vectors are another packing.
        write!(f, "{} in panels of {most}×{lanes}", self.family.name())
    }
}

/// The outputs of one panel of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panel {
    /// The branch they belong to.
    pub(crate) branch: usize,
    /// First output, within the branch's group.
    pub(crate) first: usize,
    /// First output, within the packed group.
    pub(crate) at: usize,
    /// Outputs.
    pub(crate) count: usize,
    /// Outputs with those that only fill the last vector.
    pub(crate) width: usize,
}

impl Packing {
    /// For branches that read the same inputs in the same groups.
    pub(crate) fn new<'a>(layers: impl Iterator<Item = &'a Layer>, kernel: &Kernel) -> Self {
        let (lanes, most) = match kernel.family() {
            Family::Outputs => (kernel.isa().lanes(), kernel.vectors()),
            Family::Pixels => (1, kernel.rows()),
        };
        let mut packing =
            Packing { family: kernel.family(), lanes, most, c: 0, groups: 1, parts: Vec::new() };
        for layer in layers {
            (packing.c, packing.groups) = (layer.c, layer.groups);
            let slopes = layer.activation == Activation::Prelu;
            packing.parts.push(Part { k: layer.k, bias: layer.bias, slopes });
        }
        packing
    }

    /// The panels of each group.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]: a valid layer may have more than there is memory for a list of.
    pub(crate) fn panels(&self) -> Result<Vec<Panel>, Error> {
        let mut panels = Vec::new();
        let count = self.count();
        panels
            .try_reserve_exact(count)
            .map_err(|_| Error::OutOfMemory { bytes: count.saturating_mul(size_of::<Panel>()) })?;
        let mut start = 0;
        for (branch, part) in self.parts.iter().enumerate() {
            let outputs = part.k / self.groups;
            let mut first = 0;
            for vectors in even_parts(outputs.div_ceil(self.lanes), self.most) {
                let width = vectors * self.lanes;
                let count = width.min(outputs - first);
                panels.push(Panel { branch, first, at: start + first, count, width });
                first += width;
            }
            start += first;
        }
        Ok(panels)
    }

    /// How many panels a group has.
    pub(crate) fn count(&self) -> usize {
        let vectors = |part: &Part| (part.k / self.groups).div_ceil(self.lanes);
        self.parts.iter().map(|part| vectors(part).div_ceil(self.most)).sum()
    }

    /// Outputs of a group, with those that only fill the last vectors of branches.
    pub(crate) fn padded(&self) -> usize {
        self.parts.iter().map(|part| (part.k / self.groups).next_multiple_of(self.lanes)).sum()
    }

    /// Inputs of a group.
    pub(crate) fn depth(&self) -> usize {
        self.c / self.groups
    }

    /// Packs each branch's `[k][c / groups]` weights to `[group][panel][c][width]`, and bias (or
    /// zeros) and slopes to `[group][padded]`.
    pub(crate) fn pack(&self, branches: &[Parameters<'_>]) -> Result<Packed, Error> {
        let (depth, padded) = (self.depth(), self.padded());
        let size = [self.groups, padded, depth]
            .iter()
            .try_fold(1usize, |size, n| size.checked_mul(*n))
            .ok_or_else(|| Error::TooLarge {
                what: "packed weights",
                sizes: vec![padded, depth],
            })?;
        let mut packed = Aligned::zeroed(size)?;
        let mut starts = Aligned::zeroed(self.groups * padded)?;
        let any_slopes = self.parts.iter().any(|part| part.slopes);
        let mut slopes = Aligned::zeroed(if any_slopes { self.groups * padded } else { 0 })?;
        let panels = self.panels()?;
        for group in 0..self.groups {
            for panel in &panels {
                let parameters = &branches[panel.branch];
                let outputs = self.parts[panel.branch].k / self.groups;
                let first = group * outputs + panel.first;
                let to = group * padded + panel.at;
                let lines = &mut packed.values_mut()[to * depth..][..panel.width * depth];
                let from = &parameters.weights[first * depth..];
                transpose(from, depth, panel.count, lines, panel.width);
                if let Some(bias) = parameters.bias {
                    starts.values_mut()[to..][..panel.count]
                        .copy_from_slice(&bias[first..][..panel.count]);
                }
                if let Some(given) = parameters.slopes {
                    slopes.values_mut()[to..][..panel.count]
                        .copy_from_slice(&given[first..][..panel.count]);
                }
            }
        }
        Ok(Packed { packing: self.clone(), weights: packed, starts, slopes })
    }
}

/// Weights and bias as a plan's kernel reads them.
pub(crate) struct Packed {
    pub(crate) packing: Packing,
    pub(crate) weights: Aligned,
    pub(crate) starts: Aligned,
    /// Empty unless a branch has slopes.
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
