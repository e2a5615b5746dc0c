//! What the heaviest part of a split comes to, packed or in place: the kinds of tiles that `cut`
//! lists, with their counts, and what is packed. How many units a block has is left open.

use crate::choose::problem::Problem;
use crate::cut::Cut;
use crate::cut::pixels::Even;
use crate::cut::split::Split;
use crate::cut::tile_kind::TileKind;
use crate::cut::units::UnitShape;
use crate::micro::isa::Isa;
use crate::micro::operands::{Form, LINE};
use crate::micro::registry::Family;

/// Tiles of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tiles {
    /// How many there are, in one group.
    pub(super) count: f64,
    pub(super) kind: TileKind,
}

/// How pixels get to where they are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// They are read in place.
    None,
    /// Row by row, a row being the inputs of a pixel.
    Rows,
    /// Rows of inputs to lines of pixels, through transposes.
    Transposed,
    /// Line by line.
    Lines,
    /// Every second element of a line.
    EverySecond,
    /// Element by element.
    Gathered,
}

/// What one part of a layer comes to, whatever the units of its blocks.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) isa: Isa,
    pub(super) family: Family,
    pub(super) tiles: Vec<Tiles>,
    /// How the broadcast values of the tiles lie.
    pub(super) form: Form,
    /// Steps of the reduction.
    pub(super) depth: f64,
    pub(super) groups: f64,
    /// Units of pixels and panels of weights, in one group.
    pub(super) units: f64,
    pub(super) panels: f64,
    /// Pixels of the part.
    pub(super) pixels: f64,
    /// Whether the tiles read rows or packed lines, which follow one another in memory.
    pub(super) straight: bool,
    pub(super) packing: Packing,
    /// Pixels that are packed, and the evenly spaced pieces that they are packed in.
    pub(super) packed: f64,
    pub(super) pieces: f64,
    /// Whether the last line of a packed unit is filled with zeros.
    pub(super) filled: bool,
    /// Pitches of the input as the tiles read it: between broadcast values or steps.
    pub(super) input_pixel: usize,
    pub(super) input_channel: usize,
    /// Between rows of a tile in the output, and whether its lanes are adjacent there.
    pub(super) output_row: usize,
    pub(super) adjacent: bool,
    pub(super) residual: bool,
    /// Outputs of all groups that are staged, and whether they are shuffled.
    pub(super) staged: f64,
    pub(super) shuffled: bool,
    /// The most units of a block.
    pub(super) most_units: f64,
    /// Bytes that all threads touch in a run.
    pub(super) total: f64,
    pub(super) threads: f64,
    /// Lines of the output that another thread writes too.
    pub(super) shared_lines: f64,
}

impl Work {
    pub(super) fn new(problem: &Problem, cut: &Cut<'_>, split: Split) -> Self {
        let task = cut.heaviest(split);
        let mut shapes: Vec<(UnitShape, bool, usize)> = Vec::with_capacity(8);
        cut.for_each_unit_shape(task.pixels.clone(), |shape, uneven, count| {
            shapes.push((shape, uneven, count));
        });
        let mut tiles = Vec::with_capacity(8);
        cut.panels.for_each_shape(task.panels.clone(), |panel, of_panel| {
            for (unit, uneven, of_unit) in &shapes {
                let kind = cut.tile_kind(&panel, unit, *uneven);
                tiles.push(Tiles { count: (of_panel * of_unit) as f64, kind });
            }
        });
        let family = cut.kernel.family();
        let lanes = cut.kernel.isa().lanes();
        let (input, output) = (&cut.pixels.input, &cut.pixels.output);
        let staged = cut.staged_row().is_some();
        let part = task.pixels.len();
        let packed = || shapes.iter().filter(|(shape, ..)| shape.packed);
        let units: usize = shapes.iter().map(|shape| shape.2).sum();
        let mut work = Work {
            isa: cut.kernel.isa(),
            family,
            form: tiles.first().map_or(LINE, |tiles| tiles.kind.form),
            tiles,
            depth: problem.depth as f64,
            groups: problem.groups as f64,
            units: units as f64,
            panels: task.panels.len() as f64,
            pixels: part as f64,
            straight: cut.blocking.pack || cut.reads_rows(),
            packing: Packing::None,
            packed: packed().map(|(shape, _, count)| (shape.pixels * count) as f64).sum(),
            pieces: packed().map(|(.., count)| *count as f64).sum(),
            filled: false,
            input_pixel: input.pixel,
            input_channel: input.channel,
            output_row: match family {
                Family::Outputs => output.pixel,
                Family::Pixels => output.channel,
            },
            adjacent: match family {
                Family::Outputs => staged || output.channel == 1,
                Family::Pixels => output.pixel == 1,
            },
            residual: problem.residual,
            staged: if staged { (part * problem.outputs * problem.groups) as f64 } else { 0.0 },
            shuffled: problem.shuffled,
            most_units: cut.most_units() as f64,
            total: problem.total,
            threads: (split.pixels * split.panels) as f64,
            shared_lines: 0.0,
        };
        if work.packed > 0.0 {
            work.packing = match (input.channel, input.pixel, family) {
                (1, _, Family::Outputs) => Packing::Rows,
                (1, _, Family::Pixels) => Packing::Transposed,
                (_, 1, _) => Packing::Lines,
                (_, 2, _) => Packing::EverySecond,
                _ => Packing::Gathered,
            };
        }
        if cut.blocking.pack {
            // Units are packed in pieces that end where runs of the input end.
            let run = cut.pixels.run(Even::Both).min(part).max(1);
            let rows = work.packing == Packing::Rows;
            let pieces = work.units + part.div_ceil(run) as f64 - 1.0;
            work.pieces = if rows { work.packed } else { pieces };
            work.filled = family == Family::Pixels && !part.is_multiple_of(lanes);
        }
        let outputs = problem.outputs as f64 * problem.groups as f64 / split.panels as f64;
        let (cuts, rows, cut_at) = match family {
            _ if !work.adjacent => (1, 0.0, 0),
            Family::Outputs => (split.panels, part as f64, 0),
            Family::Pixels => (split.pixels, outputs, part),
        };
        // Neither the pitch of the rows that a split cuts nor the place of the cut is a multiple
        // of a cache line.
        if cuts > 1 && (!work.output_row.is_multiple_of(16) || !cut_at.is_multiple_of(16)) {
            work.shared_lines = rows;
        }
        work
    }
}
