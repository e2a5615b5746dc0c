//! How a layer is cut, for a kernel and a blocking: into tasks, blocks, units, panels and tiles.
//!
//! | piece | is | file |
//! |---|---|---|
//! | task | some pixels × some panels, for one thread | `split.rs` |
//! | unit | the pixels of one tile | `units.rs` |
//! | block | consecutive units, which every panel goes over before the next block begins | `units.rs` |
//! | panel | the outputs of one tile, within one group | `panels.rs` |
//! | tile | one unit × one panel | `tile_kind.rs` |
//!
//! `pixels.rs` says where the pixels lie in memory, and `outlet.rs` where the outputs of a layer go.
//!
//! Everything is computed here once. The room `choose` prices the kinds of tiles with their counts.
//! The room `run` goes over the same units and panels one by one. Neither imports the other. The tests
//! of this room and of `plan` check that both see the same tiles.
//!
//! This room imports `describe` and `micro`. It knows nothing of cycles or of buffers. All that it says
//! of memory is offsets and lengths in elements.

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

/// A layer, or siblings that read one input, to be cut for a kernel and a blocking.
#[derive(Clone, Copy)]
pub(crate) struct Cut<'a> {
    pub(crate) kernel: &'static Kernel,
    pub(crate) blocking: Blocking,
    pub(crate) pixels: &'a Pixels,
    pub(crate) outlets: &'a [Outlet],
    pub(crate) panels: &'a Panels,
}

/// The most outputs of a block that are staged, unless one unit has more. Staged outputs are read
/// again soon. So many of them take a quarter of a small L2 and stay there. With fewer, each weight
/// panel would be read for too few units.
const MOST_STAGED: usize = (64 << 10) / size_of::<f32>();

impl Cut<'_> {
    /// The inputs of a group: the length of every tile's reduction.
    pub(crate) fn depth(&self) -> usize {
        self.panels.depth()
    }

    /// Whether the pixels lie in vector lanes and are read in place, without packing.
    pub(crate) fn lanes_in_place(&self) -> bool {
        self.kernel.family() == Family::Pixels
            && !self.blocking.pack
            && self.pixels.input.pixel == 1
    }

    /// Whether a tile with outputs in lanes reads each pixel's inputs side by side, be they packed or
    /// in place.
    pub(crate) fn reads_rows(&self) -> bool {
        self.kernel.family() == Family::Outputs && self.pixels.input.channel == 1
    }

    /// Whether a unit may contain the end of a run of evenly spaced pixels and pixels behind it. It may
    /// where runs are short: a partly filled vector at the end of every run, of 49 pixels say, would
    /// cost more than storing some units in pieces.
    pub(crate) fn cuts_across_runs(&self) -> bool {
        self.kernel.family() == Family::Pixels
            && !self.lanes_in_place()
            && self.pixels.run(Even::Output) < 8 * self.kernel.isa().lanes()
    }

    /// The tensors in which the pixels of a unit are evenly spaced, unless units are
    /// [cut across runs](Cut::cuts_across_runs).
    pub(crate) fn even(&self) -> Even {
        let in_place = match self.kernel.family() {
            Family::Outputs => !self.blocking.pack,
            Family::Pixels => self.lanes_in_place(),
        };
        if in_place { Even::Both } else { Even::Output }
    }

    /// Whether outputs are averaged over the pixels. No two tiles may then compute the same pixel,
    /// which would count twice.
    pub(crate) fn averages(&self) -> bool {
        self.outlets.iter().any(|outlet| outlet.layer.average)
    }

    /// The staged elements of a pixel, if outputs are staged: the packed outputs of all groups. To
    /// stage outputs is to store the tiles of a block in a small buffer, from which whole rows are
    /// then copied to the output.
    ///
    /// Outputs of groups are staged where a tile could not store them side by side. This is so for
    /// shuffled channels. On ISAs without masked stores it is also so for groups whose outputs do not
    /// fill the lanes.
    pub(crate) fn staged_row(&self) -> Option<usize> {
        let [outlet] = self.outlets else { return None };
        let layer = &outlet.layer;
        if layer.groups == 1 {
            return None;
        }
        let adjacent = outlet.output.at.channel == if layer.shuffle { layer.groups } else { 1 };
        let padded = self.panels.padded();
        let ragged = padded != layer.k / layer.groups;
        (adjacent
            // Masked stores of a part of a vector are as fast as stores of whole vectors.
            && (layer.shuffle || (ragged && !self.kernel.has_masks()))
            && self.kernel.family() == Family::Outputs
            // The copy adds the residual and then clamps, if channels are not shuffled. It applies no
            // other activation.
            && (outlet.residual.is_none() || (!layer.shuffle && !outlet.needs_pass()))
            && !layer.average)
            .then(|| padded.saturating_mul(layer.groups))
    }

    /// The most units that a block may have, so that staged outputs stay in L2.
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

/// The fewest pixels of a row, not side by side in memory, that are worth a tile of their own.
const WORTH_A_TILE: usize = 4;

/// Whether a kernel can read these pixels in place, in runs that are long enough for a tile.
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
