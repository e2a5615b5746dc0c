//! The kind of a tile: its size, how it reads and how it stores. Tiles of one kind cost the same.

use crate::cut::Cut;
use crate::cut::panels::PanelShape;
use crate::cut::units::UnitShape;
use crate::micro::operands::{Form, LINE, PLANES, ROWS, Store};
use crate::micro::registry::Family;

/// Everything about a tile except where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TileKind {
    /// The number of broadcast values.
    pub(crate) rows: usize,
    /// The number of vectors that each of them is multiplied with.
    pub(crate) vectors: usize,
    /// The number of lanes of these vectors that are stored.
    pub(crate) lanes: usize,
    /// How the broadcast values lie.
    pub(crate) form: Form,
    /// Whether two rows share the last vector.
    pub(crate) shared: bool,
    /// Whether the pixels are read from packed scratch.
    pub(crate) packed: bool,
    pub(crate) store: Store,
}

impl Cut<'_> {
    /// How the broadcast values of a unit's tiles lie.
    fn form(&self, unit: &UnitShape) -> Form {
        let input = &self.pixels.input;
        match self.kernel.family() {
            Family::Pixels => LINE,
            Family::Outputs if input.channel == 1 => ROWS,
            Family::Outputs if unit.packed || input.pixel == 1 => LINE,
            Family::Outputs => PLANES,
        }
    }

    /// The kind of the tile of a panel and a unit. `uneven` says that the unit's pixels are not evenly
    /// spaced in the outputs.
    pub(crate) fn tile_kind(&self, panel: &PanelShape, unit: &UnitShape, uneven: bool) -> TileKind {
        let lanes_of_isa = self.kernel.isa().lanes();
        let outlet = &self.outlets[panel.outlet];
        let average = outlet.layer.average;
        let staged = self.staged_row().is_some();
        let form = self.form(unit);
        let (rows, width, wanted, lanes, pitch) = match self.kernel.family() {
            Family::Outputs => {
                // A staged row has room for whole vectors. The tile of an average is stored in a small
                // buffer, with channels side by side.
                let pitch = if staged || average { 1 } else { outlet.output.at.channel };
                let lanes = if staged { panel.width } else { panel.outputs };
                (unit.pixels, panel.width, panel.outputs, lanes, pitch)
            }
            Family::Pixels => {
                let pitch = if average { panel.width } else { outlet.output.at.pixel };
                (panel.width, unit.width, unit.pixels, unit.pixels, pitch)
            }
        };
        let store = if uneven && !average {
            Store::Scattered
        } else if pitch != 1 {
            Store::Across
        } else if lanes == width {
            Store::Whole
        } else if self.kernel.has_masks() {
            Store::Masked
        } else {
            Store::Partial
        };
        // A power of two: a shift, since this is asked for each panel.
        let vectors = width >> lanes_of_isa.trailing_zeros();
        let shared = (width - wanted) * 2 >= lanes_of_isa
            && form != PLANES
            && self.kernel.shares_vectors(vectors);
        TileKind { rows, vectors, lanes, form, shared, packed: unit.packed, store }
    }
}
