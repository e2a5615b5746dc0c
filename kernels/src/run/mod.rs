//! Running a plan: the loops around the register tile.
//!
//! ```text
//! for each block of pixel units
//!   for each group of channels
//!     pack those units that need it
//!     for each weight panel of the task
//!       for each unit of the block: one tile, and a pass over it if the epilogue needs one
//!   if outputs were staged: copy whole rows of them to the output, in the final order of channels
//! ```
//!
//! A panel stays in the nearest cache while all units of the block are multiplied with it. The block
//! is as large as panel and block together fit in L2, so that each weight is read from further away
//! only once a block. Staged outputs are still in the nearest caches when they are copied.
//!
//! The room `cut` computes what the units and panels are, and what kind of tile they make. This room
//! imports `describe`, `reference`, `micro`, `cut` and `pack`, and from `cpu` the settings of tiles
//! that differ between CPUs. It knows nothing of cycles.

mod ahead;
mod averages;
mod block;
mod border;
mod epilogue;
pub(crate) mod executed;
mod panel;
pub(crate) mod pool;
mod rows;
mod scratch;
#[cfg(test)]
pub(crate) mod trace;
mod unstage;

use crate::cpu::Tuning;
use crate::cut::Cut;
use crate::cut::outlet::Outlet;
use crate::cut::panels::Panel;
use crate::cut::split::Task;
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Shape};
use crate::micro::registry::Family;
use crate::pack::pixels::{pack_unit, packed_len, row_pitch};
use crate::pack::weights::Packed;
use block::{Block, Placed};
use executed::Executed;
use scratch::with_scratch;

/// What a run needs of its plan, and the buffers of the run.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, A: Executed> {
    pub(crate) layer: &'a Layer,
    pub(crate) shape: &'a Shape,
    pub(crate) cut: Cut<'a>,
    /// The panels of each group.
    pub(crate) panels: &'a [Panel],
    pub(crate) tuning: Tuning,
    pub(crate) packed: &'a Packed,
    pub(crate) input: &'a [A::Input],
    pub(crate) destinations: &'a [Destination<'a, A>],
}

/// An outlet and its buffers.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a, A: Executed> {
    pub(crate) outlet: &'a Outlet,
    pub(crate) output: Output<A::Output>,
    pub(crate) residual: Option<&'a [A::Output]>,
}

/// An output buffer of a run. Several tasks write to it, each to elements of its own.
#[derive(Clone, Copy)]
pub(crate) struct Output<T> {
    pub(crate) start: *mut T,
    pub(crate) len: usize,
}

// SAFETY: tasks write to disjoint elements, and nobody reads the buffer until all tasks have ended.
unsafe impl<T: Send> Send for Output<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Output<T> {}

/// Where the staged outputs of a task lie.
#[derive(Clone, Copy)]
struct Stage<T> {
    start: *mut T,
    /// The number of elements of a pixel.
    row: usize,
}

impl<A: Executed> Run<'_, A> {
    /// Runs one task.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] when this thread's scratch cannot be allocated.
    ///
    /// # Safety
    /// The buffers have the lengths of `shape`. `packed` was packed for this layer and kernel. The CPU
    /// can run the kernel. No other task that runs at the same time has both a pixel and a panel in
    /// common with this one.
    pub(crate) unsafe fn task(&self, task: &Task) -> Result<(), Error> {
        let packed = scratch_len(&self.cut)?.next_multiple_of(16);
        let staged = self.cut.staged_row().unwrap_or(0);
        let staged = staged.saturating_mul(self.cut.units_of_block() * self.cut.kernel.rows());
        let bytes = |len: usize, size: usize| len.checked_mul(size)?.checked_next_multiple_of(64);
        let bytes = bytes(packed, size_of::<A::Input>())
            .zip(bytes(staged, size_of::<A::Output>()))
            .and_then(|(packed, staged)| packed.checked_add(staged))
            .ok_or_else(|| Error::TooLarge { what: "scratch", sizes: vec![packed, staged] })?;
        with_scratch(bytes, |scratch| {
            let (scratch, stage) = scratch.parts_mut(packed);
            // SAFETY: by contract.
            unsafe {
                self.clear_averages(task);
                self.blocks(task, scratch, stage);
                self.divide_averages(task);
            }
        })
    }

    /// Collects the task's units in blocks, and runs the blocks.
    ///
    /// # Safety
    /// As [`Run::task`].
    unsafe fn blocks(&self, task: &Task, scratch: &mut [A::Input], stage: &mut [A::Output]) {
        let most = self.cut.units_of_block();
        let mut block = Block::new();
        self.cut.for_each_unit(task.pixels.clone(), |unit| {
            let packed = if unit.shape.packed { packed_len(&self.cut, &unit) } else { 0 };
            block.push(unit, packed);
            if block.units().len() == most {
                // SAFETY: by contract.
                unsafe { self.block(task, &block, scratch, stage) };
                block.clear();
            }
        });
        if !block.units().is_empty() {
            // SAFETY: by contract.
            unsafe { self.block(task, &block, scratch, stage) };
        }
    }

    /// Packs the units of a block that need it, and runs every tile of the block.
    ///
    /// # Safety
    /// As [`Run::task`].
    unsafe fn block(
        &self,
        task: &Task,
        block: &Block,
        scratch: &mut [A::Input],
        stage: &mut [A::Output],
    ) {
        let staged = self.cut.staged_row().map(|row| Stage { start: stage.as_mut_ptr(), row });
        let units = block.units();
        for group in 0..self.layer.groups {
            let input = group * self.cut.depth() * self.cut.pixels.input.channel;
            for Placed { unit, at, .. } in units.iter().filter(|placed| placed.unit.shape.packed) {
                let to = &mut scratch[*at..][..packed_len(&self.cut, unit)];
                // SAFETY: the plan checked that the CPU runs this kernel's ISA.
                unsafe { pack_unit::<A>(&self.cut, unit, self.input, input, to) };
            }
            for (index, panel) in self.panels[task.panels.clone()].iter().enumerate() {
                // SAFETY: by contract.
                unsafe { self.tiles(group, panel, index == 0, units, scratch, staged) };
            }
        }
        if let Some(stage) = staged {
            // SAFETY: by contract; the tiles have just filled those rows.
            unsafe { self.unstage(task, units, stage) };
        }
    }
}

/// The most scratch elements that a task needs for packed pixels.
pub(crate) fn scratch_len(cut: &Cut<'_>) -> Result<usize, Error> {
    let (depth, units) = (cut.depth(), cut.blocking.units);
    let unit = match cut.kernel.family() {
        Family::Outputs if !cut.blocking.pack => return Ok(0),
        Family::Outputs => cut.kernel.rows(),
        Family::Pixels => cut.kernel.columns(),
    };
    row_pitch(depth)
        .checked_mul(unit * units)
        .ok_or_else(|| Error::TooLarge { what: "scratch", sizes: vec![depth, unit, units] })
}
