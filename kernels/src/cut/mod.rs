//! What a layer comes to on a kernel: parts for threads, blocks, units, panels, and the kind of
//! each tile.
//!
//! ```text
//! task    some pixels × some panels, for one thread        split.rs
//! unit    the pixels of one tile                           units.rs
//! block   units that meet a panel one after another        units.rs
//! panel   the outputs of one tile, of one group            panels.rs
//! tile    one unit × one panel                             tile_kind.rs
//! ```
//!
//! Everything is computed here once. The room `choose` prices the kinds of tiles with their counts;
//! the room `run` walks the same units and panels one by one. Neither imports the other, and the
//! tests below hold that both see the same tiles.
//!
//! This room imports `describe` and `micro`. It knows nothing of cycles or of buffers: offsets and
//! lengths in elements are all that it says of memory.

pub(crate) mod blocking;
pub(crate) mod outlet;
pub(crate) mod panels;
pub(crate) mod pixels;
pub(crate) mod split;
pub(crate) mod tile_kind;
pub(crate) mod units;

#[cfg(test)]
mod tests;

use crate::cut::blocking::Blocking;
use crate::cut::outlet::Outlet;
use crate::cut::panels::Panels;
use crate::cut::pixels::{Even, Pixels};
use crate::micro::registry::{Family, Kernel};

/// A layer, or siblings that read one input, on one kernel and blocking.
#[derive(Clone, Copy)]
pub(crate) struct Cut<'a> {
    pub(crate) kernel: &'static Kernel,
    pub(crate) blocking: Blocking,
    pub(crate) pixels: &'a Pixels,
    pub(crate) outlets: &'a [Outlet],
    pub(crate) panels: &'a Panels,
}

/// Outputs of a block that are staged, at most, unless one unit has more. Staged outputs are read
/// again soon, and a quarter of a small L2 keeps them; with fewer of them each weight panel meets
/// too few units.
const MOST_STAGED: usize = (64 << 10) / size_of::<f32>();

impl Cut<'_> {
    /// Inputs of a group: the steps of every tile.
    pub(crate) fn depth(&self) -> usize {
        self.panels.depth()
    }

    /// Whether the pixels of a tile lie in vector lanes and are read where the input has them.
    pub(crate) fn lanes_in_place(&self) -> bool {
        self.kernel.family() == Family::Pixels
            && !self.blocking.pack
            && self.pixels.input.pixel == 1
    }

    /// Whether each pixel's inputs are adjacent where a tile with outputs in lanes reads them,
    /// packed or not.
    pub(crate) fn reads_rows(&self) -> bool {
        self.kernel.family() == Family::Outputs && self.pixels.input.channel == 1
    }

    /// Whether units are cut across the ends of evenly spaced runs of pixels. Short runs are: a
    /// vector that ends with each run of 49 pixels would cost more than storing such a unit in
    /// pieces.
    pub(crate) fn cuts_across_runs(&self) -> bool {
        self.kernel.family() == Family::Pixels
            && !self.lanes_in_place()
            && self.pixels.run(Even::Output) < 8 * self.kernel.isa().lanes()
    }

    /// The tensors in which the pixels of a unit are evenly spaced, unless units are cut across
    /// the ends of runs.
    pub(crate) fn even(&self) -> Even {
        let in_place = match self.kernel.family() {
            Family::Outputs => !self.blocking.pack,
            Family::Pixels => self.lanes_in_place(),
        };
        if in_place { Even::Both } else { Even::Output }
    }

    /// Whether the outputs are summed over the pixels. A pixel that two tiles compute would then
    /// count twice.
    pub(crate) fn averages(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.layer.average)
    }

    /// Staged elements of a pixel, where outputs are staged before they go to their places: the
    /// packed outputs of all groups.
    ///
    /// Outputs of groups are staged where a tile could not store them side by side: shuffled
    /// channels, and on ISAs without masks groups whose outputs do not fill the lanes.
    pub(crate) fn staged_row(&self) -> Option<usize> {
        let [outlet] = self.outlets else { return None };
        let layer = &outlet.layer;
        let adjacent = outlet.output.at.channel == if layer.shuffle { layer.groups } else { 1 };
        let padded = self.panels.padded();
        let ragged = padded != layer.k / layer.groups;
        (layer.groups > 1
            && adjacent
            // Under a mask a tile stores the lanes it has as fast as whole vectors.
            && (layer.shuffle || (ragged && !self.kernel.has_masks()))
            && self.kernel.family() == Family::Outputs
            // A residual is added while the rows are copied, which then ends with the clamp.
            && (outlet.residual.is_none() || (!layer.shuffle && !outlet.needs_pass()))
            && !layer.average)
            .then(|| padded.saturating_mul(layer.groups))
    }

    /// Units that a block may have: no more than keep staged outputs near.
    pub(crate) fn most_units(&self) -> usize {
        match self.staged_row() {
            Some(row) => (MOST_STAGED / row.saturating_mul(self.kernel.rows()).max(1)).max(1),
            None => Blocking::MOST_UNITS,
        }
    }

    /// Units of a block, unless it is the last.
    pub(crate) fn units_of_block(&self) -> usize {
        self.blocking.units.min(self.most_units())
    }
}

/// Pixels of a row, apart from one another, that are worth a tile of their own.
const WORTH_A_TILE: usize = 4;

/// Whether a kernel can read these pixels where they lie, in pieces worth a tile.
pub(crate) fn can_read_in_place(pixels: &Pixels, kernel: &Kernel) -> bool {
    let (input, run) = (&pixels.input, pixels.run(Even::Both));
    match kernel.family() {
        Family::Outputs => {
            let planes = kernel.reads_planes() && run >= WORTH_A_TILE;
            input.channel == 1 || input.pixel == 1 || planes
        }
        Family::Pixels => input.pixel == 1 && run >= kernel.isa().lanes(),
    }
}
