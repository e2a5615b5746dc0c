//! The price of what `cut` lists: estimated cycles of a layer on a kernel, blocking and split.
//!
//! ```text
//! cycles = groups · (packing + Σ over tiles (depth · step + operands + ends))
//! step     = the busiest of: multiply-add pipes, load ports, issue, the chain's latency
//! operands = bytes of panel and input ÷ bandwidth of the level they are found in; what exceeds
//!            the steps is waited for, of the rest a small share
//! ends     = start and store, by the form that the store takes
//! ```
//!
//! Where an operand is found follows from its reuse distance, the bytes touched between two uses
//! of it: a panel is used again after one unit of input, a unit after its block and one panel,
//! all weights after a block. Padded lanes and tail tiles count as the work that they are.

use crate::choose::problem::{F32, Problem};
use crate::choose::terms::Terms;
use crate::cpu::Cpu;
use crate::cut::Cut;
use crate::cut::panels::PanelShape;
use crate::cut::split::Split;
use crate::cut::tile_kind::TileKind;
use crate::cut::units::UnitShape;
use crate::micro::operands::{PLANES, ROWS, Store};
use crate::micro::registry::Family;

const LINE: f64 = 64.0;
const PAGE: f64 = 4096.0;

/// What share of something with this reuse distance is still in a cache of this size: all up to
/// three quarters of it, nothing from five quarters on.
fn resident(distance: f64, size: f64) -> f64 {
    (2.5 - 2.0 * distance / size).clamp(0.0, 1.0)
}

/// Tiles of one kind in one part of a layer, and what surrounds them there.
#[derive(Clone, Copy)]
struct Tiles<'a> {
    kind: &'a TileKind,
    panel: &'a PanelShape,
    unit: &'a UnitShape,
    /// Tiles of the kind.
    count: f64,
    /// Units and panels of the part.
    units: f64,
    panels: f64,
}

/// Estimates the candidates of one layer that share kernel and blocking.
pub(crate) struct Price<'a> {
    pub(crate) problem: &'a Problem,
    pub(crate) cpu: &'a Cpu,
    pub(crate) terms: &'a Terms,
    pub(crate) cut: Cut<'a>,
}

impl Price<'_> {
    /// Estimated cycles of the slowest part of a split.
    pub(crate) fn cycles(&self, split: Split) -> f64 {
        let Price { problem, terms, cut, .. } = *self;
        let task = cut.heaviest(split);
        let (mut units, mut packed) = (0, 0);
        cut.for_each_unit_shape(task.pixels.clone(), |shape, _, count| {
            units += count;
            packed += if shape.packed { count } else { 0 };
        });
        let (panels, units) = (task.panels.len() as f64, units as f64);
        let mut cycles = 0.0;
        cut.panels.for_each_shape(task.panels.clone(), |panel, of_panel| {
            cut.for_each_unit_shape(task.pixels.clone(), |unit, uneven, of_unit| {
                let tiles = Tiles {
                    kind: &cut.tile_kind(&panel, &unit, uneven),
                    panel: &panel,
                    unit: &unit,
                    count: (of_panel * of_unit) as f64,
                    units,
                    panels,
                };
                cycles += self.tiles(&tiles);
            });
        });
        let part = task.pixels.len();
        if cut.staged_row().is_some() {
            cycles += (part * problem.outputs) as f64 * terms.staged;
        }
        if cut.blocking.pack {
            cycles += self.packing(part, units);
        } else {
            cycles += packed as f64 * problem.depth as f64 * (terms.channel + terms.copy);
        }
        let wake = if split.pixels * split.panels > 1 { self.cpu.wake } else { 0.0 };
        cycles * problem.groups as f64 + wake + self.shared_lines(split, part) * terms.shared
    }

    /// Lines of the output that a thread writes and another one too: where the rows of the output
    /// that a split cuts are not whole lines.
    fn shared_lines(&self, split: Split, part: usize) -> f64 {
        let output = &self.cut.pixels.output;
        let outputs = (self.problem.outputs * self.problem.groups) as f64 / split.panels as f64;
        let (cuts, rows, pitch, cut) = if output.pixel == 1 {
            (split.pixels, outputs, output.channel, part)
        } else if self.adjacent() {
            (split.panels, part as f64, output.pixel, 0)
        } else {
            return 0.0;
        };
        if cuts > 1 && (pitch % 16 != 0 || cut % 16 != 0) { rows } else { 0.0 }
    }

    /// Whether tiles with outputs in lanes store these side by side: in their places, or staged.
    fn adjacent(&self) -> bool {
        self.cut.pixels.output.channel == 1 || self.cut.staged_row().is_some()
    }

    /// Cycles of one kind of tile: steps, operands, ends.
    fn tiles(&self, tiles: &Tiles<'_>) -> f64 {
        let Price { problem, cpu, terms, cut } = *self;
        let Tiles { kind, units, panels, .. } = *tiles;
        let isa = cut.kernel.isa();
        let lanes = isa.lanes() as f64;
        let depth = problem.depth as f64;
        let (m, v) = (kind.rows as f64, kind.vectors as f64);
        let (input, output) = (&cut.pixels.input, &cut.pixels.output);

        // A step of the reduction.
        let whole = m * v;
        let fmas = if kind.shared { whole - (m / 2.0).floor() } else { whole };
        let outputs_in_lanes = cut.kernel.family() == Family::Outputs;
        let rows = kind.form == ROWS;
        // Pixels apart from one another are read as rows are.
        let apart = kind.form == PLANES;
        let (step, ends) = match cpu.tiles.get(isa, rows || apart, kind.rows, kind.vectors) {
            // Known of whole vectors: the multiply-adds are fewer, the loads as many.
            Some((step, ends)) => {
                ((step * fmas / whole).max(step.min((m + v) / cpu.loads(isa))), ends)
            }
            None => {
                let broadcasts = if kind.vectors == 1 { 0.0 } else { m };
                let step = (fmas / cpu.fma(isa))
                    .max((m + v) / cpu.loads(isa))
                    .max((fmas + broadcasts + v + 3.0) / cpu.issue)
                    .max(cpu.fma_latency);
                (step, None)
            }
        };
        let ends = ends.unwrap_or(whole * terms.vector);
        let core = depth * step;

        // Operands: the panel of weights and the unit of input.
        let (panel, unit) = if outputs_in_lanes {
            (depth * v * lanes * F32, depth * m * F32)
        } else {
            (depth * m * F32, depth * v * lanes * F32)
        };
        let block = (cut.units_of_block() as f64).min(units).max(1.0);
        let blocks = (units / block).ceil();
        let straight = tiles.unit.packed || rows;
        // In place, channel by channel: whole cache lines of as many pages as there are channels.
        let (unit_bytes, pages) = if straight {
            (unit, 0.0)
        } else {
            let pitch = input.channel as f64 * F32;
            let width = unit / depth;
            let mut lines = ((width + LINE - F32) / LINE).max(1.0);
            if !outputs_in_lanes && input.channel % 16 == 0 {
                lines = (width / LINE).ceil();
            }
            let pages =
                if pitch * depth > cpu.tlb_pages * PAGE { (pitch / PAGE).min(1.0) } else { 0.0 };
            (lines * LINE * depth, pages)
        };
        let l1 = cpu.l1 as f64 * terms.l1_share;
        let l2 = cpu.l2 as f64 * terms.l2_share;
        // Channels a multiple of 4 KB apart share one set of L1.
        let pitch = if tiles.unit.packed {
            0
        } else if rows {
            input.pixel
        } else {
            input.channel
        };
        let sets = self.sets(pitch);
        let l1_input = if straight { l1 } else { l1 * sets };
        let weights = panel * panels;
        let all = block * unit_bytes;

        let panel_again = resident(panel + unit_bytes, l1);
        let unit_again = resident(all + panel, l1_input);
        // In place the unit after the block has been asked for too.
        let ahead = if straight { 0.0 } else { self.in_memory() * unit };
        let unit_in_l2 = resident(all + ahead + panel, l2);
        let panel_in_l2 = resident(weights + all, l2);
        let input_in_l2 = if tiles.unit.packed {
            unit_in_l2
        } else {
            resident(problem.total, cpu.l2 as f64 * terms.l2_share)
        };

        let far = self.far();
        // Cycles to bring an operand of which these shares are in L1, and of the rest in L2.
        let bring = |bytes: f64, near: f64, l2: f64| {
            let beyond = (1.0 - near) * bytes;
            (beyond * l2 / cpu.l2_bytes, beyond * (1.0 - l2) / far)
        };
        // Each step of an input read in place is in another page, where nothing fetches ahead but
        // the reorder window: of what is in memory, a latency for every window of steps.
        let operations = fmas + m + v + 3.0;
        let reach = if straight { 0.0 } else { depth * self.page_wait(operations) };
        // Output lines are read, and written back once they leave L2. What does not start on a line
        // ends in one that another tile has written too.
        let pitch = if outputs_in_lanes { output.pixel } else { output.channel };
        let adjacent = if outputs_in_lanes { self.adjacent() } else { output.pixel == 1 };
        let begun = if adjacent && pitch % 16 != 0 { m * (LINE - F32) } else { 0.0 };
        let elements = (tiles.unit.pixels * tiles.panel.outputs) as f64;
        let bytes = elements * F32;
        let written = (bytes + begun * terms.begun) * terms.write;
        let residual = if problem.residual { bytes } else { 0.0 };
        let kept = resident(problem.total, l2);
        let (o2, o3) = bring(written + residual, 0.0, kept);
        let first_unit = blocks / units;
        let first_panel = 1.0 / panels;
        let mut waits = 0.0;
        for (unit_share, near_unit, l2_unit) in [
            (first_panel, if tiles.unit.packed { resident(all, l1) } else { 0.0 }, input_in_l2),
            (1.0 - first_panel, unit_again, unit_in_l2),
        ] {
            for (panel_share, near_panel, l2_panel) in
                [(first_unit, 0.0, panel_in_l2), (1.0 - first_unit, panel_again, 1.0)]
            {
                let share = unit_share * panel_share;
                if share <= 0.0 {
                    continue;
                }
                let (a2, a3) = bring(unit_bytes, near_unit, l2_unit);
                let a3 = a3.max(reach * (1.0 - near_unit) * (1.0 - l2_unit));
                let (b2, b3) = bring(panel, near_panel, l2_panel);
                let memory = a2 + b2 + o2 + a3 + b3 + o3;
                // Pixels apart from one another bring the next tile's along.
                let leak = match straight {
                    true => terms.leak,
                    false if apart => 0.0,
                    false => terms.scatter,
                };
                // What is broadcast comes a few values at a time.
                let (far_a, far_b) = if outputs_in_lanes {
                    (terms.far_broadcast, terms.far_leak)
                } else {
                    (terms.far_leak, terms.far_broadcast)
                };
                let far = a3 * far_a + b3 * far_b + o3 * terms.far_leak;
                let wait = (memory - core).max(0.0)
                    + memory.min(core) * (a2 * leak + (b2 + o2) * terms.leak + far)
                        / memory.max(1e-9);
                waits += share * wait;
            }
        }
        // A tile asks for all of its residual at once, a run of lines for each row: short runs come
        // from behind L2 more slowly than long ones.
        if problem.residual {
            waits += (1.0 - kept) * m * terms.apart;
        }
        // Every step touches another page.
        waits += depth * pages * terms.page;
        // Rows that share sets of L1 push each other's lines out before they are used up.
        if rows && !tiles.unit.packed {
            let ways = cpu.l1_ways as f64 - 2.0;
            let distinct = (64.0 * sets).max(1.0);
            let excess = (m / distinct - ways).max(0.0);
            if excess > 0.0 {
                waits += depth * excess.min(m) * terms.alias;
            }
        }
        // Vectors that straddle two lines.
        if !outputs_in_lanes && !tiles.unit.packed && input.channel % isa.lanes() != 0 {
            waits += depth * v * terms.straddle * (lanes / 16.0);
        }

        // Ends: start and store.
        let store = match kind.store {
            Store::Across => {
                let each = if kind.rows >= 4 { terms.across } else { terms.across_few };
                terms.finish + elements * each + v * lanes * terms.lane
            }
            Store::Scattered => ends + elements * terms.uneven,
            Store::Whole | Store::Masked => ends,
            // Through memory, the last lanes one by one.
            Store::Partial => {
                let single = (kind.lanes % isa.lanes()) as f64;
                ends + terms.finish
                    + m * (v * (terms.spilled - terms.vector) + single * terms.single)
            }
        };
        tiles.count * (core + waits + terms.tile + terms.step * depth + store)
            + (tiles.count / units.max(1.0)) * blocks * terms.panel
    }

    /// Share of what is behind L2 that is in memory.
    fn in_memory(&self) -> f64 {
        1.0 - resident(self.problem.total, self.cpu.l3 as f64 * self.terms.l3_share)
    }

    /// Bytes per cycle from behind L2.
    fn far(&self) -> f64 {
        let memory = self.in_memory();
        1.0 / ((1.0 - memory) / self.cpu.far_bytes + memory / self.cpu.memory_bytes)
    }

    /// Cycles that a step of so many micro-operations takes when each waits for memory, and only
    /// the reorder window lets them wait together.
    fn page_wait(&self, operations: f64) -> f64 {
        self.in_memory() * self.cpu.memory_latency * operations / self.cpu.window
    }

    /// Share of L1's sets that addresses this many elements apart fall into.
    fn sets(&self, pitch: usize) -> f64 {
        if pitch == 0 {
            return 1.0;
        }
        let bytes = pitch.wrapping_mul(size_of::<f32>());
        let power = 1usize << bytes.trailing_zeros().min(12);
        (64.0 / power as f64).min(1.0)
    }

    /// Cycles of packing a part's pixels.
    fn packing(&self, part: usize, units: f64) -> f64 {
        let Price { problem, terms, cpu, cut } = *self;
        let lanes = cut.kernel.isa().lanes() as f64;
        let depth = problem.depth as f64;
        let elements = part as f64 * depth;
        let input = &cut.pixels.input;
        let bytes = elements * F32 * 2.0;
        let l2 = resident(problem.total, cpu.l2 as f64 * terms.l2_share);
        let bring = bytes * (l2 / cpu.l2_bytes + (1.0 - l2) / self.far());
        let cycles = if input.channel == 1 {
            match cut.kernel.family() {
                Family::Outputs => elements / lanes * terms.copy + part as f64 * 10.0,
                // Sixteen channels of sixteen pixels at a time.
                Family::Pixels if lanes == 16.0 && depth >= 16.0 => {
                    let blocks = (depth / 16.0).ceil() * (part as f64 / units / 16.0).ceil();
                    units * blocks * 256.0 * terms.transpose16
                }
                // Eight channels of eight pixels at a time.
                Family::Pixels if depth >= 8.0 => {
                    let blocks = (depth / 8.0).ceil() * (part as f64 / units / 8.0).ceil();
                    units * blocks * 64.0 * terms.transpose
                }
                Family::Pixels => elements * terms.gather,
            }
        } else if input.pixel == 1 {
            let pieces = units * depth * (part as f64 / units / lanes).ceil().max(1.0);
            let pages = if input.channel as f64 * F32 * depth > cpu.tlb_pages * PAGE {
                terms.page
            } else {
                0.0
            };
            let each = terms.channel + pages;
            (units * depth * each + pieces * terms.copy)
                .max(pieces * (1.0 - l2) * self.page_wait(8.0))
        } else if input.pixel == 2 {
            units * depth * terms.channel + elements * terms.second
        } else {
            units * depth * terms.channel + elements * terms.gather
        };
        cycles.max(bring) + units * terms.block
    }
}
