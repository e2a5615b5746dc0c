//! The price of what a layer comes to, on a CPU.
//!
//! ```text
//! cycles = groups · (packing + Σ over tiles (depth · step + ends + waits) + blocks · panels) + …
//! step   = measured for each tile, or the busiest of: multiply-add pipes, load ports, issue, the
//!          chain's latency
//! ends   = start and store, by the form that the store takes
//! waits  = bytes of panel, input and output ÷ bandwidth of the level they are found in, as far as
//!          the steps do not hide them; cache lines that nothing fetches ahead
//! ```
//!
//! Where an operand is found follows from its reuse distance, the bytes touched between two uses
//! of it: a panel is used again after one unit of input, a unit after its block and one panel,
//! all weights after a block. Padded lanes and tail tiles count as the work that they are.

use crate::choose::problem::F32;
use crate::choose::shares::{Shares, resident, waited};
use crate::choose::work::{Packing, Work};
use crate::cpu::Cpu;
use crate::cut::tile_kind::TileKind;
use crate::micro::isa::Isa;
use crate::micro::operands::{PLANES, ROWS, Store};
use crate::micro::registry::Family;

const LINE: f64 = 64.0;
const PAGE: f64 = 4096.0;

/// Cycles of one step of the reduction of a tile.
fn step(work: &Work, kind: &TileKind, cpu: &Cpu) -> f64 {
    let isa = work.isa;
    let (rows, vectors) = (kind.rows as f64, kind.vectors as f64);
    let whole = rows * vectors;
    let planes = if work.form == PLANES { rows * cpu.prices.plane } else { 0.0 };
    // Planes are read as rows are.
    let in_rows = work.form == ROWS || work.form == PLANES;
    let step = cpu.step(isa, in_rows, kind.rows, kind.vectors) + planes;
    if !kind.shared {
        return step;
    }
    let pairs = (rows / 2.0).ceil();
    let pair = if isa == Isa::Avx512 { cpu.prices.pair_wide } else { cpu.prices.pair_narrow };
    step * (whole - rows + pairs) / whole + pairs * pair
}

/// Cycles of a tile's start and store.
fn ends(work: &Work, kind: &TileKind, cpu: &Cpu) -> f64 {
    let p = &cpu.prices;
    let wide = work.isa == Isa::Avx512;
    let lanes = work.isa.lanes();
    let rows = kind.rows as f64;
    let whole = rows * kind.vectors as f64;
    let wanted = kind.lanes as f64;
    let (start, vector) =
        if wide { (p.tile_wide, p.store_wide) } else { (p.tile_narrow, p.store_narrow) };
    let spill = || match wide {
        true => p.spill_wide + whole * p.spilled_wide,
        false => p.spill_narrow + whole * p.spilled_narrow,
    };
    let apart = (work.output_row as f64 * F32 / PAGE).min(1.0);
    let begun = rows * (p.store_row + apart * p.store_page);
    let residual = if work.residual { whole * p.residual } else { 0.0 };
    let store = match kind.store {
        Store::Whole => begun + whole * vector + residual,
        Store::Masked => begun + whole * p.store_masked + residual,
        Store::Partial => {
            let (vectors, single) = (kind.lanes / lanes, kind.lanes % lanes);
            begun + spill() + rows * (vectors as f64 * p.partial + single as f64 * p.single)
        }
        Store::Scattered => spill() + wanted * rows * p.uneven,
        Store::Across if kind.rows < 4 => spill() + wanted * (rows * p.across1 + p.lane),
        Store::Across => {
            let eights = if kind.rows < 8 { 0 } else { kind.lanes / 8 };
            let fours = kind.lanes / 4 - 2 * eights;
            let blocks = eights as f64 * (rows / 8.0).ceil() * p.across8
                + fours as f64 * (rows / 4.0).ceil() * p.across4;
            let single = (kind.lanes % 4) as f64 * rows * p.across1;
            spill() + blocks + single + wanted * p.lane
        }
    };
    start + store
}

/// A part of a layer with what its price has that no block changes.
pub(super) struct Priced<'a> {
    work: &'a Work,
    cpu: &'a Cpu,
    shares: &'a Shares,
    /// Cycles of all tiles of a group: their steps and their ends.
    steps: f64,
    ends: f64,
    /// Tiles of a group, and the mean size of one.
    count: f64,
    rows: f64,
    vectors: f64,
    /// Bytes of a panel, and of the lines that a unit is read in.
    panel: f64,
    unit_lines: f64,
    /// Bytes of a group's output.
    output: f64,
    /// The share of all operands that L2 holds from run to run.
    kept: f64,
    /// The share of what is behind L2 that is in memory.
    in_memory: f64,
    /// Cycles of a byte from behind L2.
    far: f64,
    /// Cycles that a tile waits whatever the block: for pages, sets of L1, straddled lines.
    unhidden: f64,
    /// The share of L1's sets that the input falls into.
    sets: f64,
}

impl<'a> Priced<'a> {
    pub(super) fn new(work: &'a Work, cpu: &'a Cpu, shares: &'a Shares) -> Self {
        let lanes = work.isa.lanes() as f64;
        let depth = work.depth;
        let [mut steps, mut all_ends, mut count, mut rows, mut vectors, mut output] = [0.0; 6];
        for tiles in &work.tiles {
            let kind = &tiles.kind;
            steps += tiles.count * depth * step(work, kind, cpu);
            all_ends += tiles.count * ends(work, kind, cpu);
            count += tiles.count;
            rows += tiles.count * kind.rows as f64;
            vectors += tiles.count * kind.vectors as f64;
            output += tiles.count * (kind.rows * kind.lanes) as f64 * F32;
        }
        (rows, vectors) = (rows / count, vectors / count);
        let outputs_in_lanes = work.family == Family::Outputs;
        let (line, broadcast) = (depth * vectors * lanes * F32, depth * rows * F32);
        let (panel, unit) = if outputs_in_lanes { (line, broadcast) } else { (broadcast, line) };
        let unit_lines = if work.straight { unit } else { Self::lines(work, unit, rows) };
        let total = work.groups
            * (panel * work.panels
                + output * if work.residual { 2.0 } else { 1.0 }
                + work.pixels * depth * F32);
        let kept = resident(total, cpu.l2 as f64 * shares.l2);
        let in_memory = 1.0 - resident(work.total, cpu.l3 as f64 * shares.l3);
        let memory = (1.0 / cpu.memory_bytes).max(work.threads * cpu.prices.memory_shared);
        let far = (1.0 - in_memory) / cpu.far_bytes + in_memory * memory;
        let pitch = match work.packing {
            Packing::None if outputs_in_lanes && work.straight => work.input_pixel,
            Packing::None => work.input_channel,
            _ => 0,
        };
        let sets = sets(pitch);
        let mut priced = Priced {
            work,
            cpu,
            shares,
            steps,
            ends: all_ends,
            count,
            rows,
            vectors,
            panel,
            unit_lines,
            output,
            kept,
            in_memory,
            far,
            unhidden: 0.0,
            sets,
        };
        priced.unhidden = priced.unhidden();
        priced
    }

    /// Bytes of the cache lines that a unit is read in, channel by channel.
    fn lines(work: &Work, unit: f64, rows: f64) -> f64 {
        let width = unit / work.depth;
        let outputs_in_lanes = work.family == Family::Outputs;
        let lines = if work.form == PLANES {
            (rows * work.input_pixel as f64 * F32 / LINE).min(rows).max(1.0)
        } else if !outputs_in_lanes && work.input_channel.is_multiple_of(16) {
            (width / LINE).ceil()
        } else {
            ((width + LINE - F32) / LINE).max(1.0)
        };
        lines * LINE * work.depth
    }

    fn unhidden(&self) -> f64 {
        let Priced { work, cpu, .. } = *self;
        let (depth, p) = (work.depth, &cpu.prices);
        let in_place = work.packing == Packing::None;
        let mut cycles = 0.0;
        let pitch = work.input_channel as f64 * F32;
        if !work.straight && pitch * depth > cpu.tlb_pages * PAGE {
            cycles += depth * (pitch / PAGE).min(1.0) * p.page;
        }
        // Rows that share sets of L1 push each other's lines out before they are used up.
        if in_place && work.straight {
            let distinct = (64.0 * self.sets).max(1.0);
            let excess = (self.rows / distinct - (cpu.l1_ways as f64 - 2.0)).max(0.0);
            cycles += depth * excess.min(self.rows) * p.alias;
        }
        let lanes = work.isa.lanes();
        if in_place && work.family == Family::Pixels && !work.input_channel.is_multiple_of(lanes) {
            cycles += depth * self.vectors * p.straddle * (lanes as f64 / 16.0);
        }
        // A tile asks for all of its residual at once, a run of lines for each row.
        if work.residual {
            cycles += (1.0 - self.kept) * self.rows * p.residual_row;
        }
        cycles
    }

    /// A price behind L2: that of L3 and that of memory, by where this layer's operands are.
    fn behind(&self, far: f64, memory: f64) -> f64 {
        far + (memory - far) * self.in_memory
    }

    /// Cycles of the part in blocks of so many units.
    pub(super) fn cycles(&self, units: usize) -> f64 {
        let Priced { work, cpu, shares, .. } = *self;
        let p = &cpu.prices;
        let block = (units as f64).min(work.units).min(work.most_units).max(1.0);
        let blocks = (work.units / block).ceil();
        let l1 = cpu.l1 as f64 * shares.l1;
        let l2 = cpu.l2 as f64 * shares.l2;
        let all = block * self.unit_lines;
        let packed = work.packing != Packing::None;

        let panel_again = resident(self.panel + self.unit_lines, l1);
        let sets = if work.straight { 1.0 } else { self.sets };
        let unit_again = resident(all + self.panel, l1 * sets);
        let unit_in_l2 = resident(all + self.panel, l2);
        // From one block to the next every group's weights and pixels go by.
        let panel_in_l2 = match blocks > 1.0 {
            true => {
                let passed = self.panel * work.panels + all + self.output / blocks;
                resident(work.groups * passed, l2)
            }
            false => self.kept,
        };
        let input_in_l2 = if packed { unit_in_l2 } else { self.kept };
        let packed_in_l1 = if packed { resident(all, l1) } else { 0.0 };

        // The first panel of a block meets each unit first, the first unit each panel.
        let first_unit = blocks / work.units;
        let first_panel = 1.0 / work.panels;
        let tile = self.steps / self.count;
        // A tall tile has no loads to spare for prefetches: neither of the weights, if those are
        // the vectors, nor of pixels that are.
        let unasked = self.vectors < 1.5 && self.rows > 23.5;
        let outputs_in_lanes = work.family == Family::Outputs;
        let unasked_line = self.behind(p.unasked_far, p.unasked_memory);
        let line = match unasked && !outputs_in_lanes {
            true => unasked_line,
            false => self.behind(p.line_far, p.line_memory),
        };
        let mut waits = self.unhidden + self.output_waits(block, tile);
        for (of_unit, unit_near, unit_l2) in
            [(first_panel, packed_in_l1, input_in_l2), (1.0 - first_panel, unit_again, unit_in_l2)]
        {
            for (of_panel, panel_near, panel_l2) in
                [(first_unit, 0.0, panel_in_l2), (1.0 - first_unit, panel_again, 1.0)]
            {
                let share = of_unit * of_panel;
                if share <= 0.0 {
                    continue;
                }
                let unit = (1.0 - unit_near) * self.unit_lines;
                let panel = (1.0 - panel_near) * self.panel;
                let near = (unit * unit_l2 + panel * panel_l2) / cpu.l2_bytes;
                let far = (unit * (1.0 - unit_l2) + panel * (1.0 - panel_l2)) * self.far;
                let mut wait = waited(tile, [(near, shares.hidden_l2), (far, shares.hidden_far)]);
                if !work.straight {
                    wait += unit / LINE * (unit_l2 * p.line_l2 + (1.0 - unit_l2) * line);
                }
                if unasked && outputs_in_lanes {
                    wait += panel / LINE * (1.0 - panel_l2) * unasked_line;
                }
                waits += share * wait;
            }
        }
        let panel = panel_in_l2 * p.panel_l2 + (1.0 - panel_in_l2) * p.panel_far;
        let mut cycles =
            self.steps + self.ends + self.count * waits + blocks * (work.panels * panel + p.block);
        if packed {
            cycles += self.packing(packed_in_l1);
        }
        let staged = if work.shuffled { p.shuffled } else { p.staged };
        let wake = if work.threads > 1.0 { cpu.wake } else { 0.0 };
        cycles * work.groups + work.staged * staged + wake + work.shared_lines * p.shared_line
    }

    /// Cycles that a tile waits for its output's lines to be read and written back.
    fn output_waits(&self, block: f64, tile: f64) -> f64 {
        let Priced { work, cpu, shares, kept, .. } = *self;
        let p = &cpu.prices;
        let outputs_in_lanes = work.family == Family::Outputs;
        let lanes = self.vectors * work.isa.lanes() as f64;
        let output = self.output / self.count;
        // Lines that another tile writes too.
        let begun = if work.adjacent {
            if work.output_row.is_multiple_of(16) { 0.0 } else { self.rows }
        } else if outputs_in_lanes {
            0.0
        } else {
            lanes
        };
        let written = output + begun * (LINE - F32);
        // Rows that are written in turns: all of a block until the next panel, else a tile's.
        let rows = match (outputs_in_lanes, work.adjacent) {
            (true, _) if work.panels <= 1.0 => 1.0,
            (true, true) => block * self.rows,
            (true, false) => lanes,
            (false, true) => self.rows,
            (false, false) => block * lanes,
        };
        let scattered = ((rows - p.followed) / p.followed).clamp(0.0, 1.0);
        let far = self.behind(p.write_far, p.write_memory)
            + scattered * self.behind(p.scattered_far, p.scattered_memory);
        let residual = if work.residual { output } else { 0.0 };
        let near = kept * (written * p.write_l2 + residual / cpu.l2_bytes);
        let far = (1.0 - kept) * (written * far + residual * self.far);
        waited(tile, [(near, shares.hidden_write), (far, shares.hidden_write)])
    }

    /// Cycles of packing a group's pixels, of which this share stays in L1.
    fn packing(&self, in_l1: f64) -> f64 {
        let Priced { work, cpu, shares, kept, .. } = *self;
        let p = &cpu.prices;
        let lanes = work.isa.lanes();
        let depth = work.depth;
        let elements = work.packed * depth;
        let piece = work.packed / work.pieces;
        let lines = work.pieces * depth;
        let apart = |pixel: usize| {
            let each = ((piece * pixel as f64 * F32 + LINE - F32) / LINE).min(piece);
            let far = self.behind(p.packed_line_far, p.packed_line_memory);
            lines * each * (kept * p.packed_line_l2 + (1.0 - kept) * far)
        };
        let (busy, fetched) = match work.packing {
            Packing::None => (0.0, 0.0),
            Packing::Rows => (elements / lanes as f64 * p.copy + work.packed * p.pixel, 0.0),
            Packing::Transposed => {
                let pixels = piece.round().max(1.0);
                let blocks = |of: f64| work.pieces * (depth / of).ceil();
                let busy = if lanes == 16 && depth >= 16.0 && pixels >= 16.0 {
                    blocks(16.0) * (pixels / 16.0).ceil() * p.pack16
                } else if depth >= 8.0 && pixels >= 4.0 {
                    let (eights, fours) = ((pixels / 8.0).floor(), (pixels % 8.0 / 4.0).ceil());
                    blocks(8.0) * (eights * p.pack8 + 2.0 * fours * p.pack4)
                } else {
                    elements * p.gather
                };
                (busy, 0.0)
            }
            Packing::Lines => {
                let whole = (piece / lanes as f64).ceil();
                let vectors = if piece >= lanes as f64 { whole } else { piece.min(2.0) };
                (lines * (p.channel + vectors * p.copy), apart(1))
            }
            Packing::EverySecond => {
                (lines * (p.channel + (piece / 8.0).ceil() * p.second), apart(2))
            }
            Packing::Gathered => (lines * p.channel + elements * p.gather, apart(work.input_pixel)),
        };
        let zeros = if work.filled { depth * p.fill } else { 0.0 };
        let near = elements * F32 * (kept + 1.0 - in_l1) / cpu.l2_bytes;
        let far = elements * F32 * (1.0 - kept) * self.far;
        busy + fetched + zeros + waited(busy, [(near, shares.hidden_l2), (far, shares.hidden_far)])
    }
}

/// The share of L1's sets that addresses this many elements apart fall into.
fn sets(pitch: usize) -> f64 {
    if pitch == 0 {
        return 1.0;
    }
    let power = 1usize << pitch.wrapping_mul(size_of::<f32>()).trailing_zeros().min(12);
    (LINE / power as f64).min(1.0)
}
