//! Running a plan: the loops around the register tile.
//!
//! ```text
//! for each group of channels
//!   for each block of pixel units            (a unit: one tile's worth of pixels)
//!     pack those units that need it
//!     for each weight panel of the task
//!       for each unit of the block: one tile
//! ```
//!
//! The panel is what stays in the nearest cache while the block streams by, so the block is as
//! large as keeps both in L2, and each weight is read once a block. With outputs in lanes a unit
//! is a few pixels and the panel the vectors; with pixels in lanes the other way round.

use crate::environment::DefaultEnvironment;
use crate::memory::with_scratch;
use crate::micro::{Line, Offsets, Tile};
use crate::panels::{Packed, Panel};
use crate::pixels::{Even, Pixels, Span, even_parts};
use crate::{Error, Family, Kernel, Layer, Shape};
use core::ops::Range;

/// How the input reaches the tiles, and how much of it at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Blocking {
    /// Pixel units to a block, 1 to [`Blocking::MOST_UNITS`]. A unit is one tile's pixels.
    pub units: usize,
    /// Whether the input is first copied to a small buffer in the order the kernel reads it,
    /// rather than read in place.
    pub pack: bool,
}

impl Blocking {
    /// The most pixel units a block may have.
    pub const MOST_UNITS: usize = 64;

    /// A blocking of `units` pixel units, packed or in place.
    pub const fn new(units: usize, pack: bool) -> Self {
        Blocking { units, pack }
    }
}

/// One thread's share of a layer: some pixels × some panels, of every group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) pixels: Range<usize>,
    pub(crate) panels: Range<usize>,
}

/// A plan's parts that running needs, with the buffers of one run.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) layer: &'a Layer,
    pub(crate) shape: &'a Shape,
    pub(crate) kernel: &'static Kernel,
    pub(crate) blocking: Blocking,
    pub(crate) pixels: &'a Pixels,
    pub(crate) panels: &'a [Panel],
    pub(crate) packed: &'a Packed,
    pub(crate) input: &'a [f32],
    pub(crate) residual: Option<&'a [f32]>,
    pub(crate) output: Output,
}

/// The output of a run, written by several tasks, each its own elements.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) start: *mut f32,
    pub(crate) len: usize,
}

// SAFETY: tasks write disjoint elements of it, and nobody reads it until all have ended.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// One tile's worth of pixels.
#[derive(Clone, Copy)]
struct Unit {
    span: Span,
    /// Lanes the pixels take when they lie in lanes, those that only fill the last included.
    width: usize,
    /// Where its packed input starts in scratch; none when it is read in place.
    packed: Option<usize>,
    /// Whether its output is not evenly spaced.
    uneven: bool,
}

impl Unit {
    /// What the unused places of a block hold.
    const NONE: Unit = Unit {
        span: Span { first: 0, count: 0, input: 0, output: 0 },
        width: 0,
        packed: None,
        uneven: false,
    };
}

/// Scratch `f32`s that a task of this kernel and blocking needs at most.
pub(crate) fn scratch_len(
    layer: &Layer,
    kernel: &Kernel,
    blocking: Blocking,
) -> Result<usize, Error> {
    let depth = layer.c / layer.groups;
    let unit = match kernel.family() {
        Family::Outputs if !blocking.pack => return Ok(0),
        Family::Outputs => kernel.rows(),
        Family::Pixels => kernel.columns(),
    };
    row_pitch(depth)
        .checked_mul(unit * blocking.units)
        .ok_or(Error::TooLarge { what: "scratch", sizes: vec![depth, unit, blocking.units] })
}

/// Pitch of packed rows of `depth` inputs: an odd number of cache lines, so that the rows of a
/// tile never alias in L1.
fn row_pitch(depth: usize) -> usize {
    (depth.div_ceil(16) | 1) * 16
}

impl Run<'_> {
    /// Runs one task.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when this thread's scratch cannot be had.
    ///
    /// # Safety
    /// The buffers have the lengths of `shape`, `packed` was packed for this layer and kernel,
    /// the CPU runs the kernel, and no other task that runs meanwhile shares a pixel and a panel
    /// with this one.
    pub(crate) unsafe fn task(&self, task: &Task) -> Result<(), Error> {
        let _environment = DefaultEnvironment::enter();
        let len = scratch_len(self.layer, self.kernel, self.blocking)?;
        with_scratch(len, |scratch| {
            for group in 0..self.layer.groups {
                // SAFETY: by contract.
                unsafe { self.group(group, task, scratch) };
            }
        })
    }

    /// # Safety
    /// As [`Run::task`].
    unsafe fn group(&self, group: usize, task: &Task, scratch: &mut [f32]) {
        let mut block = Block { units: [Unit::NONE; Blocking::MOST_UNITS], len: 0, scratch: 0 };
        let mut add = |unit: Unit, scratch: &mut [f32]| {
            block.add(unit, self);
            if block.len == self.blocking.units {
                // SAFETY: by contract.
                unsafe { self.block(group, task, &mut block, scratch) };
            }
        };
        let (from, to) = (task.pixels.start, task.pixels.end);
        match self.kernel.family() {
            Family::Outputs => {
                let even = if self.blocking.pack { Even::Output } else { Even::Both };
                for span in self.pixels.spans(from, to, even) {
                    let mut rest = span;
                    for count in even_parts(span.count, self.kernel.rows()) {
                        let span = self.split(&mut rest, count);
                        let packed = self.blocking.pack.then_some(0);
                        add(Unit { span, width: count, packed, uneven: false }, scratch);
                    }
                }
            }
            Family::Pixels => {
                let lanes = self.kernel.isa().lanes();
                let in_place = !self.blocking.pack && self.pixels.input.pixel == 1;
                // Short runs are packed across their ends: a vector of 49 pixels' tails costs
                // more than storing it in pieces.
                let run = self.pixels.run(Even::Output);
                let across = !in_place && run < 8 * lanes;
                let whole = Span { first: from, count: to - from, input: 0, output: 0 };
                let even = if in_place { Even::Both } else { Even::Output };
                let spans = (!across).then(|| self.pixels.spans(from, to, even));
                for span in spans.into_iter().flatten().chain(across.then_some(whole)) {
                    let mut rest = span;
                    let vectors =
                        if in_place { span.count / lanes } else { span.count.div_ceil(lanes) };
                    for vectors in even_parts(vectors, self.kernel.vectors()) {
                        let width = vectors * lanes;
                        let count = width.min(rest.count);
                        let mut span = self.split(&mut rest, count);
                        let uneven = across && span.first % run + span.count > run;
                        if across {
                            span.output = self.pixels.at(span.first).1;
                        }
                        let packed = (!in_place).then_some(0);
                        add(Unit { span, width, packed, uneven }, scratch);
                    }
                    if rest.count > 0 {
                        // A vector's worth read in place could reach past the buffer's end.
                        let unit =
                            Unit { span: rest, width: lanes, packed: Some(0), uneven: false };
                        add(unit, scratch);
                    }
                }
            }
        }
        if block.len > 0 {
            // SAFETY: by contract.
            unsafe { self.block(group, task, &mut block, scratch) };
        }
    }

    /// Splits the first `count` pixels off `rest`.
    fn split(&self, rest: &mut Span, count: usize) -> Span {
        let first = Span { count, ..*rest };
        rest.first += count;
        rest.count -= count;
        rest.input += count * self.pixels.input.pixel;
        rest.output += count * self.pixels.output.pixel;
        first
    }

    /// Packs what needs it and runs every tile of a block, which is then empty.
    ///
    /// # Safety
    /// As [`Run::task`].
    unsafe fn block(&self, group: usize, task: &Task, block: &mut Block, scratch: &mut [f32]) {
        let packing = &self.packed.packing;
        let (depth, padded) = (packing.depth(), packing.padded());
        let outputs = self.layer.k / self.layer.groups;
        let input = group * depth * self.pixels.input.channel;
        let output = group * outputs * self.pixels.output.channel;
        let in_rows = self.kernel.family() == Family::Outputs && self.pixels.input.channel == 1;
        let units = &block.units[..block.len];
        for unit in units {
            if let Some(at) = unit.packed {
                let to = &mut scratch[at..][..self.packed_len(unit)];
                if in_rows {
                    self.pack_rows(unit, input, to);
                } else {
                    self.pack_line(unit, input, to);
                }
            }
        }
        let (lo, hi) = self.layer.activation.bounds();
        let lanes = self.kernel.isa().lanes();
        for panel in &self.panels[task.panels.clone()] {
            let weights = &self.packed.weights.values()[(group * padded + panel.first) * depth..];
            let start = &self.packed.starts.values()[group * padded + panel.first..];
            for unit in units {
                let (x, step) = match unit.packed {
                    Some(at) if in_rows => (scratch[at..].as_ptr(), row_pitch(depth)),
                    Some(at) => (scratch[at..].as_ptr(), unit.width),
                    None if in_rows => {
                        (self.input[input + unit.span.input..].as_ptr(), self.pixels.input.pixel)
                    }
                    None => {
                        (self.input[input + unit.span.input..].as_ptr(), self.pixels.input.channel)
                    }
                };
                let y = output + panel.first * self.pixels.output.channel;
                let mut table = [0; 64];
                let (tile, at) = match self.kernel.family() {
                    Family::Outputs => {
                        let lanes = if self.pixels.output.channel == 1 {
                            Offsets::Adjacent
                        } else {
                            Offsets::Every(self.pixels.output.channel)
                        };
                        let tile = Tile {
                            depth,
                            a: x,
                            a_stride: step,
                            b: weights.as_ptr(),
                            b_step: panel.width,
                            start: start.as_ptr(),
                            start_by_row: false,
                            y: core::ptr::null_mut(),
                            residual: core::ptr::null(),
                            y_row: self.pixels.output.pixel,
                            y_lanes: lanes,
                            lanes: panel.count,
                            lo,
                            hi,
                        };
                        (tile, y + unit.span.output)
                    }
                    Family::Pixels => {
                        let (lanes, at) = if unit.uneven {
                            for (i, offset) in table[..unit.span.count].iter_mut().enumerate() {
                                *offset = self.pixels.at(unit.span.first + i).1;
                            }
                            (Offsets::Table(table.as_ptr()), y)
                        } else if self.pixels.output.pixel == 1 {
                            (Offsets::Adjacent, y + unit.span.output)
                        } else {
                            (Offsets::Every(self.pixels.output.pixel), y + unit.span.output)
                        };
                        let tile = Tile {
                            depth,
                            a: weights.as_ptr(),
                            a_stride: panel.width,
                            b: x,
                            b_step: step,
                            start: start.as_ptr(),
                            start_by_row: true,
                            y: core::ptr::null_mut(),
                            residual: core::ptr::null(),
                            y_row: self.pixels.output.channel,
                            y_lanes: lanes,
                            lanes: unit.span.count,
                            lo,
                            hi,
                        };
                        (tile, at)
                    }
                };
                debug_assert!(at < self.output.len);
                let (rows, vectors) = match self.kernel.family() {
                    Family::Outputs => (unit.span.count, panel.width / lanes),
                    Family::Pixels => (panel.width, unit.width / lanes),
                };
                // SAFETY: `at` is an element of the output, and of the residual, which has the
                // same shape. The spans and panels lie inside the tensors by construction, so
                // every element that the tile addresses does; packed operands are whole panels.
                unsafe {
                    let tile = Tile {
                        y: self.output.start.add(at),
                        residual: self.residual.map_or(core::ptr::null(), |r| r.as_ptr().add(at)),
                        ..tile
                    };
                    self.kernel.tile(rows, vectors, in_rows)(&tile);
                }
            }
        }
        block.len = 0;
        block.scratch = 0;
    }

    /// Scratch that a unit's packed input takes.
    fn packed_len(&self, unit: &Unit) -> usize {
        let depth = self.packed.packing.depth();
        if self.kernel.family() == Family::Outputs && self.pixels.input.channel == 1 {
            unit.span.count * row_pitch(depth)
        } else {
            unit.width * depth
        }
    }

    /// Copies pixels whose inputs are adjacent: one row each, [`row_pitch`] apart.
    fn pack_rows(&self, unit: &Unit, input: usize, to: &mut [f32]) {
        let depth = self.packed.packing.depth();
        for (i, row) in to.chunks_exact_mut(row_pitch(depth)).enumerate() {
            let at = input + self.pixels.at(unit.span.first + i).0;
            row[..depth].copy_from_slice(&self.input[at..][..depth]);
        }
    }

    /// Copies pixels to `[c][width]`, zeros filling the lanes past the last.
    fn pack_line(&self, unit: &Unit, input: usize, to: &mut [f32]) {
        let mut done = 0;
        // Evenly spaced pieces of the unit.
        for span in
            self.pixels.spans(unit.span.first, unit.span.first + unit.span.count, Even::Both)
        {
            let line = Line {
                from: &self.input[input + span.input..],
                channel: self.pixels.input.channel,
                pixel: self.pixels.input.pixel,
                depth: self.packed.packing.depth(),
                count: span.count,
                width: unit.width,
            };
            // SAFETY: the plan checked that the CPU runs this kernel's ISA.
            unsafe { self.kernel.pack_line()(&line, &mut to[done..]) };
            done += span.count;
        }
        if done < unit.width {
            for line in to.chunks_exact_mut(unit.width) {
                line[done..].fill(0.0);
            }
        }
    }

    /// Writes the outputs whose windows lie in the padding, of rows `first`, `first + step`, …:
    /// activation of bias plus residual.
    ///
    /// # Safety
    /// As [`Run::task`], of the border pixels of those rows.
    pub(crate) unsafe fn border(&self, first: usize, step: usize) {
        let Shape { oh, ow, rows, columns, .. } = *self.shape;
        let packing = &self.packed.packing;
        let outputs = self.layer.k / self.layer.groups;
        let Pixels { output, .. } = self.pixels;
        // The window's first pixel is at `base`; the tensor's is that many rows and columns back.
        let origin = output.base - rows.start * output.row - columns.start * output.pixel;
        for line in (first..self.layer.n * oh).step_by(step) {
            let (image, y) = (line / oh, line % oh);
            let inside = (rows.start..rows.end).contains(&y);
            for x in 0..ow {
                if inside && (columns.start..columns.end).contains(&x) {
                    continue;
                }
                let pixel = origin + image * output.image + y * output.row + x * output.pixel;
                for k in 0..self.layer.k {
                    let at = pixel + k * output.channel;
                    let start = k / outputs * packing.padded() + k % outputs;
                    let mut v = self.packed.starts.values()[start];
                    if let Some(residual) = self.residual {
                        v += residual[at];
                    }
                    debug_assert!(at < self.output.len);
                    // SAFETY: an element of the output, of a row that is this task's alone.
                    unsafe { *self.output.start.add(at) = self.layer.activation.apply(v) };
                }
            }
        }
    }
}

/// The units of a block, and how much scratch their packed inputs take.
struct Block {
    units: [Unit; Blocking::MOST_UNITS],
    len: usize,
    scratch: usize,
}

impl Block {
    fn add(&mut self, mut unit: Unit, run: &Run<'_>) {
        if let Some(at) = &mut unit.packed {
            *at = self.scratch;
            self.scratch += run.packed_len(&unit).next_multiple_of(16);
        }
        self.units[self.len] = unit;
        self.len += 1;
    }
}
