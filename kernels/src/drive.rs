//! Running a plan: the loops around the register tile.
//!
//! ```text
//! for each block of pixel units              (a unit: one tile's worth of pixels)
//!   for each group of channels
//!     pack those units that need it
//!     for each weight panel of the task       (a panel: outputs of one branch)
//!       for each unit of the block: one tile, and its epilogue if that is a pass of its own
//!   if outputs were staged: copy them, channel by channel in their final order
//! ```
//!
//! Outputs of groups are staged where a tile could not store them side by side: shuffled channels,
//! and on ISAs without masks groups whose outputs do not fill the lanes. The staged rows are still in
//! the nearest caches.
//!
//! The panel is what stays in the nearest cache while the block streams by, so the block is as
//! large as keeps both in L2, and each weight is read once a block. With outputs in lanes a unit
//! is a few pixels and the panel the vectors; with pixels in lanes the other way round.

use crate::branch::Branch;
use crate::memory::with_scratch;
use crate::micro::Line;
use crate::panels::{Packed, Panel};
use crate::pixels::{Even, Pixels, Place, Span, even_parts, vectors_in_place};
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
    /// Packed outputs of one group.
    pub(crate) padded: usize,
    pub(crate) input: &'a [f32],
    pub(crate) destinations: &'a [Destination<'a>],
}

/// A branch and its buffers.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) branch: &'a Branch,
    pub(crate) output: Output,
    pub(crate) residual: Option<&'a [f32]>,
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
pub(crate) struct Unit {
    pub(crate) span: Span,
    /// Where its first pixel is.
    pub(crate) place: Place,
    /// Lanes the pixels take when they lie in lanes, those that only fill the last included.
    pub(crate) width: usize,
    /// Where its packed input starts in scratch; none when it is read in place.
    pub(crate) packed: Option<usize>,
    /// Whether its output is not evenly spaced.
    pub(crate) uneven: bool,
    /// Number of its first pixel in the block.
    pub(crate) row: usize,
}

impl Unit {
    /// What the unused places of a block hold.
    const NONE: Unit = Unit {
        span: Span { first: 0, count: 0, input: 0 },
        place: Place { image: 0, row: 0, column: 0 },
        width: 0,
        packed: None,
        uneven: false,
        row: 0,
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
    row_pitch(depth).checked_mul(unit * blocking.units).ok_or_else(|| Error::TooLarge {
        what: "scratch",
        sizes: vec![depth, unit, blocking.units],
    })
}

/// Pitch of packed rows of `depth` inputs: an odd number of cache lines, so that the rows of a
/// tile never alias in L1.
pub(crate) fn row_pitch(depth: usize) -> usize {
    (depth.div_ceil(16) | 1) * 16
}

/// Staged outputs of a block, at most, unless one unit has more: a quarter of a small L2. (Of less,
/// which would stay in L1, each weight panel meets too few units.)
const STAGED: usize = (64 << 10) / size_of::<f32>();

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
        let packed = scratch_len(self.layer, self.kernel, self.blocking)?.next_multiple_of(16);
        let staged =
            self.staged_row().unwrap_or(0).saturating_mul(self.units() * self.kernel.rows());
        let len = packed
            .checked_add(staged)
            .ok_or_else(|| Error::TooLarge { what: "scratch", sizes: vec![packed, staged] })?;
        with_scratch(len, |scratch| {
            let (scratch, stage) = scratch.split_at_mut(packed);
            // SAFETY: by contract.
            unsafe {
                self.clear_averages(task);
                self.blocks(task, scratch, stage);
                self.divide_averages(task);
            }
        })
    }

    /// Length of a pixel's staged outputs; none where tiles store them in their places.
    fn staged_row(&self) -> Option<usize> {
        let [Destination { branch, .. }] = self.destinations else { return None };
        let groups = self.layer.groups;
        let adjacent = branch.output.at.channel == if branch.layer.shuffle { groups } else { 1 };
        let ragged = self.padded != branch.layer.k / groups;
        (groups > 1
            && adjacent
            // Under a mask a tile stores the lanes it has as fast as whole vectors.
            && (branch.layer.shuffle || (ragged && !self.kernel.has_masks()))
            && self.kernel.family() == Family::Outputs
            // A residual is added while the rows are copied, which then ends with the clamp.
            && (branch.residual.is_none() || (!branch.layer.shuffle && !branch.needs_pass()))
            && !branch.layer.average)
            .then(|| self.padded.saturating_mul(groups))
    }

    /// Units of a block: with staged outputs no more than keep these in L1.
    fn units(&self) -> usize {
        let most = match self.staged_row() {
            Some(row) => (STAGED / row.saturating_mul(self.kernel.rows()).max(1)).max(1),
            None => Blocking::MOST_UNITS,
        };
        self.blocking.units.min(most)
    }

    /// Cuts the task's pixels into units and these into blocks.
    ///
    /// # Safety
    /// As [`Run::task`].
    unsafe fn blocks(&self, task: &Task, scratch: &mut [f32], stage: &mut [f32]) {
        let units = self.units();
        let mut block =
            Block { units: [Unit::NONE; Blocking::MOST_UNITS], len: 0, scratch: 0, rows: 0 };
        let mut add =
            |span: Span, width: usize, packed: bool, uneven: bool, scratch: &mut [f32]| {
                let (place, packed) = (self.pixels.place(span.first), packed.then_some(0));
                block.add(Unit { span, place, width, packed, uneven, row: 0 }, self);
                if block.len == units {
                    // SAFETY: by contract.
                    unsafe { self.block(task, &mut block, scratch, stage) };
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
                        add(span, count, self.blocking.pack, false, scratch);
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
                let whole = Span { first: from, count: to - from, input: 0 };
                let even = if in_place { Even::Both } else { Even::Output };
                let spans = (!across).then(|| self.pixels.spans(from, to, even));
                // A pixel that two tiles compute would be in an average twice.
                let averages = self.destinations.iter().any(|to| to.branch.layer.average);
                let most = self.kernel.vectors();
                for span in spans.into_iter().flatten().chain(across.then_some(whole)) {
                    let mut rest = span;
                    let (vectors, left) = match in_place {
                        true if averages => (span.count / lanes, span.count % lanes),
                        true => vectors_in_place(span.count, lanes, most),
                        false => (span.count.div_ceil(lanes), 0),
                    };
                    for vectors in even_parts(vectors, most) {
                        let width = vectors * lanes;
                        if in_place && width > rest.count {
                            // The last.
                            add(rest.begun_sooner(width), width, false, false, scratch);
                            break;
                        }
                        let count = width.min(rest.count);
                        let span = self.split(&mut rest, count);
                        let uneven = across && span.first % run + span.count > run;
                        add(span, width, !in_place, uneven, scratch);
                    }
                    if left > 0 && span.count >= lanes && !averages {
                        add(rest.begun_sooner(lanes), lanes, false, false, scratch);
                    } else if left > 0 {
                        // A vector's worth read in place could reach past the buffer's end.
                        add(rest, lanes, true, false, scratch);
                    }
                }
            }
        }
        if block.len > 0 {
            // SAFETY: by contract.
            unsafe { self.block(task, &mut block, scratch, stage) };
        }
    }

    /// Splits the first `count` pixels off `rest`.
    fn split(&self, rest: &mut Span, count: usize) -> Span {
        let first = Span { count, ..*rest };
        rest.first += count;
        rest.count -= count;
        rest.input = rest.input.wrapping_add(count.wrapping_mul(self.pixels.input.pixel));
        first
    }

    /// Packs what needs it and runs every tile of a block, which is then empty.
    ///
    /// # Safety
    /// As [`Run::task`].
    unsafe fn block(&self, task: &Task, block: &mut Block, scratch: &mut [f32], stage: &mut [f32]) {
        let staged = self.staged_row().map(|row| (stage.as_mut_ptr(), row));
        for group in 0..self.layer.groups {
            let input = group * self.packed.packing.depth() * self.pixels.input.channel;
            let units = &block.units[..block.len];
            for unit in units {
                if let Some(at) = unit.packed {
                    let to = &mut scratch[at..][..self.packed_len(unit)];
                    if self.in_rows() {
                        self.pack_rows(unit, input, to);
                    } else {
                        self.pack_line(unit, input, to);
                    }
                }
            }
            for (index, panel) in self.panels[task.panels.clone()].iter().enumerate() {
                // SAFETY: by contract.
                unsafe { self.tiles(group, panel, index == 0, units, scratch, staged) };
            }
        }
        if let Some((from, from_row)) = staged {
            // SAFETY: by contract; the tiles have just filled those rows.
            unsafe { self.unstage(task, &block.units[..block.len], from, from_row) };
        }
        block.len = 0;
        block.rows = 0;
        block.scratch = 0;
    }

    /// Whether the kernel reads pixels as rows of adjacent inputs, packed or not.
    pub(crate) fn in_rows(&self) -> bool {
        self.kernel.family() == Family::Outputs && self.pixels.input.channel == 1
    }

    /// Scratch that a unit's packed input takes.
    fn packed_len(&self, unit: &Unit) -> usize {
        let depth = self.packed.packing.depth();
        if self.in_rows() { unit.span.count * row_pitch(depth) } else { unit.width * depth }
    }

    /// Copies pixels whose inputs are adjacent: one row each, [`row_pitch`] apart.
    fn pack_rows(&self, unit: &Unit, input: usize, to: &mut [f32]) {
        let depth = self.packed.packing.depth();
        for (i, row) in to.chunks_exact_mut(row_pitch(depth)).enumerate() {
            let at = input + self.pixels.input.at(self.pixels.place(unit.span.first + i));
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
}

/// The units of a block, and how much scratch their packed inputs take.
struct Block {
    units: [Unit; Blocking::MOST_UNITS],
    len: usize,
    scratch: usize,
    rows: usize,
}

impl Block {
    fn add(&mut self, mut unit: Unit, run: &Run<'_>) {
        if let Some(at) = &mut unit.packed {
            *at = self.scratch;
            self.scratch += run.packed_len(&unit).next_multiple_of(16);
        }
        unit.row = self.rows;
        self.rows += unit.span.count;
        self.units[self.len] = unit;
        self.len += 1;
    }
}
