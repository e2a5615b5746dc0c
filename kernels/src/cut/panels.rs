//! Panels: the outputs, cut into the pieces that tiles compute.

use crate::cut::pixels::even_groups;
use crate::describe::activation::Activation;
use crate::describe::arithmetic::Dtype;
use crate::describe::error::Error;
use crate::describe::layer::Layer;
use crate::micro::registry::{Family, Kernel};
use core::ops::Range;

/// How the outputs of each group are cut into panels. Weights are packed for `Panels`: plans with
/// equal `Panels` can use the same packed weights.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Panels {
    dtype: Dtype,
    family: Family,
    /// The outputs of a vector, or 1 if outputs are broadcast.
    lanes: usize,
    /// The size of the widest panel: in vectors if outputs lie in lanes, else in outputs.
    most: usize,
    /// The input channels of all groups.
    c: usize,
    pub(crate) groups: usize,
    /// The outputs of each outlet.
    pub(crate) parts: Vec<Part>,
    /// Inputs of a group.
    depth: usize,
    /// Outputs of a group, with those that only fill the last vectors of outlets.
    padded: usize,
}

/// The outputs of one outlet, and which parameters they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Part {
    /// The output channels of all groups.
    pub(crate) k: usize,
    bias: bool,
    pub(crate) slopes: bool,
}

/// The shape of a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PanelShape {
    /// The outlet that the outputs belong to.
    pub(crate) outlet: usize,
    /// The number of outputs.
    pub(crate) outputs: usize,
    /// The number of outputs, with the padding that fills the last vector.
    pub(crate) width: usize,
}

/// One panel of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panel {
    pub(crate) shape: PanelShape,
    /// The number of its first output within the outlet's group.
    pub(crate) first: usize,
    /// The place of its first output within the packed group.
    pub(crate) at: usize,
}

impl core::fmt::Display for Panels {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Panels { dtype, lanes, most, c, groups, .. } = self;
        write!(f, "{dtype}, c {c}, g {groups}, ")?;
        for Part { k, bias, slopes } in &self.parts {
            let bias = if *bias { "with" } else { "without" };
            write!(f, "k {k} {bias} bias{}, ", if *slopes { " with slopes" } else { "" })?;
        }
        // Panels of the same width and other vectors are packed in another way, so both are named.
        write!(f, "{} in panels of {most}×{lanes}", self.family.name())
    }
}

impl Panels {
    /// The panels of layers that read the same inputs in the same groups.
    pub(crate) fn new<'a>(layers: impl Iterator<Item = &'a Layer>, kernel: &Kernel) -> Self {
        let (lanes, most) = match kernel.family() {
            Family::Outputs => (kernel.isa().lanes(), kernel.vectors()),
            Family::Pixels => (1, kernel.rows()),
        };
        let mut panels = Panels {
            dtype: kernel.dtype(),
            family: kernel.family(),
            lanes,
            most,
            c: 0,
            groups: 1,
            parts: Vec::new(),
            depth: 0,
            padded: 0,
        };
        for layer in layers {
            (panels.c, panels.groups) = (layer.c, layer.groups);
            let slopes = layer.activation == Activation::Prelu;
            panels.parts.push(Part { k: layer.k, bias: layer.bias, slopes });
        }
        panels.depth = panels.c / panels.groups;
        let outputs = panels.parts.iter().map(|part| part.k / panels.groups);
        panels.padded = outputs.map(|outputs| outputs.next_multiple_of(lanes)).sum();
        panels
    }

    /// The shapes of a group's panels in order, each with the number of consecutive panels that have
    /// it.
    fn shapes(&self) -> impl Iterator<Item = (PanelShape, usize)> + '_ {
        self.parts.iter().enumerate().flat_map(move |(outlet, part)| {
            let outputs = part.k / self.groups;
            let vectors = outputs.div_ceil(self.lanes);
            let short = vectors * self.lanes - outputs;
            let [large, small] = even_groups(vectors, self.most).map(|(vectors, count)| {
                let width = vectors * self.lanes;
                (PanelShape { outlet, outputs: width, width }, count)
            });
            // The last panel is the one whose last vector is partly filled.
            let last = usize::from(short > 0);
            let ragged = PanelShape { outputs: small.0.width.saturating_sub(short), ..small.0 };
            [large, (small.0, small.1 - last), (ragged, last)]
                .into_iter()
                .filter(|(_, count)| *count > 0)
        })
    }

    /// Calls `each` with every shape among the panels whose numbers within a group lie in `panels`, and
    /// with the number of panels that have this shape.
    pub(crate) fn for_each_shape(
        &self,
        panels: Range<usize>,
        mut each: impl FnMut(PanelShape, usize),
    ) {
        let mut first = 0;
        for (shape, count) in self.shapes() {
            let end = first + count;
            let common = panels.end.min(end).saturating_sub(panels.start.max(first));
            if common > 0 {
                each(shape, common);
            }
            first = end;
        }
    }

    /// The panels of a group. All groups have the same.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]: a valid layer may have more panels than memory can list.
    pub(crate) fn list(&self) -> Result<Vec<Panel>, Error> {
        let mut panels = Vec::new();
        let count = self.count();
        panels
            .try_reserve_exact(count)
            .map_err(|_| Error::OutOfMemory { bytes: count.saturating_mul(size_of::<Panel>()) })?;
        let (mut outlet, mut first, mut start) = (0, 0, 0);
        for (shape, count) in self.shapes() {
            if shape.outlet != outlet {
                (outlet, first, start) = (shape.outlet, 0, start + first);
            }
            for _ in 0..count {
                panels.push(Panel { shape, first, at: start + first });
                first += shape.width;
            }
        }
        Ok(panels)
    }

    /// The number of panels of a group.
    pub(crate) fn count(&self) -> usize {
        let vectors = |part: &Part| (part.k / self.groups).div_ceil(self.lanes);
        self.parts.iter().map(|part| vectors(part).div_ceil(self.most)).sum()
    }

    /// The outputs of a group, with the padding that fills the last vector of each outlet.
    pub(crate) fn padded(&self) -> usize {
        self.padded
    }

    /// The inputs of a group.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }
}
