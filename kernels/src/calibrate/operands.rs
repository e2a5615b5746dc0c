//! Tiles to be timed, and the memory that they read and write.

use crate::cpu::Cpu;
use crate::describe::arithmetic::{Dtype, F32};
use crate::describe::error::Error;
use crate::micro::isa::Isa;
use crate::micro::menu::Compiled;
use crate::micro::operands::{
    Ahead, Clamp, Form, LINE, Offsets, PLANES, ROWS, Store, Tile, TileFn,
};
use crate::micro::registry::{Kernel, kernels};
use crate::pack::aligned::Aligned;
use core::hint::black_box;

/// Between the rows that a tile reads: an odd number of cache lines, so that rows never push each
/// other out of L1.
const A_ROW: usize = 208;

/// Between the lanes of a result that is stored across, or between rows that are apart: another page
/// each, and never the same set of L1.
const PLANE: usize = 1040;

/// The most lanes of a tile.
const MOST_LANES: usize = 64;

/// One size of tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    /// A kernel of the tile's ISA that has the size.
    pub(super) kernel: &'static Kernel,
    pub(super) rows: usize,
    pub(super) vectors: usize,
}

impl Size {
    /// Lanes of a row.
    pub(super) fn lanes(&self) -> usize {
        self.vectors * self.kernel.isa().lanes()
    }
}

/// A tile to be timed: its operands stay in L1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) size: Size,
    pub(super) form: Form,
    /// Whether two rows share the last vector.
    pub(super) half: bool,
    pub(super) depth: usize,
    /// How the result goes out; across and scattered, each lane goes to another page.
    pub(super) store: Store,
    /// Lanes that are stored.
    pub(super) wanted: usize,
    /// Whether rows that are stored side by side go to a page each.
    pub(super) apart: bool,
    /// Whether a residual is added.
    pub(super) residual: bool,
}

/// Elements that a job touches of each operand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Reach {
    a: usize,
    b: usize,
    start: usize,
    y: usize,
}

impl Job {
    /// The tile of this size, stored whole.
    pub(super) fn whole(size: Size, form: Form, depth: usize) -> Job {
        let wanted = size.lanes();
        let (half, apart, residual) = (false, false, false);
        Job { size, form, half, depth, store: Store::Whole, wanted, apart, residual }
    }

    /// The function; none if there is no such tile here.
    fn function(&self) -> Option<TileFn<F32>> {
        let Size { kernel, rows, vectors } = self.size;
        let there = kernel.is_available()
            && (!self.half || (kernel.shares_vectors(vectors) && self.form != PLANES))
            && (self.form != PLANES || kernel.reads_planes());
        there.then(|| F32::menu(kernel.isa()).tile(rows, vectors, self.form, self.half))
    }

    /// Pitches of the broadcast operand: between rows, and between steps.
    fn pitches(&self) -> [usize; 2] {
        match self.form {
            ROWS => [A_ROW, 1],
            LINE => [1, self.size.rows],
            // Every second pixel of a plane, which stays the same: other planes would leave L1.
            _ => [2, 0],
        }
    }

    /// Pitch of rows that are stored side by side.
    fn row(&self) -> usize {
        if self.apart { PLANE } else { self.size.lanes() }
    }

    fn reach(&self) -> Reach {
        let (rows, lanes) = (self.size.rows, self.size.lanes());
        let [row, step] = self.pitches();
        let y = match self.store {
            Store::Across | Store::Scattered => (lanes - 1) * PLANE + rows,
            _ => (rows - 1) * self.row() + lanes,
        };
        // The vectors of every step are the same.
        Reach {
            a: (rows - 1) * row + (self.depth - 1) * step + 1,
            b: lanes,
            start: rows.max(lanes),
            y,
        }
    }
}

/// Memory for jobs.
pub(super) struct Operands {
    a: Aligned,
    b: Aligned,
    start: Aligned,
    y: Aligned,
    residual: Aligned,
    /// Where each lane of a scattered result goes.
    table: [usize; MOST_LANES],
    /// Steps at the end of a tile that are done for half of its rows first, as runs do on this CPU.
    staggered: usize,
}

impl Operands {
    /// Enough for each of the jobs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn of(jobs: impl Iterator<Item = Job>) -> Result<Self, Error> {
        let most = jobs.map(|job| job.reach()).fold(Reach::default(), |most, it| Reach {
            a: most.a.max(it.a),
            b: most.b.max(it.b),
            start: most.start.max(it.start),
            y: most.y.max(it.y),
        });
        let filled = |len, value| {
            let mut values = Aligned::zeroed::<f32>(len)?;
            values.values_mut::<f32>().fill(value);
            Ok(values)
        };
        Ok(Operands {
            a: filled(most.a, 0.5)?,
            b: filled(most.b, 0.25)?,
            start: filled(most.start, 0.0)?,
            y: filled(most.y, 0.0)?,
            residual: filled(most.y, 0.0)?,
            table: core::array::from_fn(|lane| lane * PLANE),
            staggered: Cpu::host().tuning.stagger_steps,
        })
    }

    /// Computes the tile so many times; nothing if there is no such tile or it needs more memory
    /// than there is.
    pub(super) fn run(&mut self, job: &Job, calls: usize) {
        let Reach { a, b, start, y } = job.reach();
        let (from, lanes) = (self.a.values::<f32>(), self.b.values::<f32>());
        let (starts, to) = (self.start.values::<f32>(), self.y.values_mut::<f32>());
        let residual = self.residual.values::<f32>();
        // A tile that is stored whole stores all lanes.
        let lanes_fit = match job.store {
            Store::Whole => job.wanted == job.size.lanes(),
            Store::Masked | Store::Partial | Store::Across | Store::Scattered => {
                (1..=job.size.lanes().min(MOST_LANES)).contains(&job.wanted)
            }
        };
        let within = a <= from.len() && b <= lanes.len() && start <= starts.len() && y <= to.len();
        let within = within && y <= residual.len();
        let Some(function) = job.function().filter(|_| lanes_fit && within) else { return };
        let [a_row, a_step] = job.pitches();
        let (y_row, y_lanes) = match job.store {
            Store::Across => (1, Offsets::Every(PLANE)),
            Store::Scattered => (1, Offsets::Table(self.table.as_ptr())),
            _ => (job.row(), Offsets::Adjacent),
        };
        let tile = Tile {
            depth: job.depth,
            a: from.as_ptr(),
            a_row,
            a_step,
            b: lanes.as_ptr(),
            b_step: 0,
            start: starts.as_ptr(),
            // Weights are broadcast from lines, pixels from rows and planes.
            start_by_row: job.form == LINE,
            y: to.as_mut_ptr(),
            residual: if job.residual { residual.as_ptr() } else { core::ptr::null() },
            y_row,
            y_lanes,
            lanes: job.wanted,
            store: job.store,
            finish: Clamp { lo: 0.0, hi: f32::INFINITY },
            // Everything is near: a tile then asks for what it reads.
            ahead: Ahead { lanes: 0, next: 0 },
            staggered: self.staggered,
        };
        for _ in 0..calls {
            // SAFETY: the kernel is available, and the function is one of its ISA and this size. Of
            // `a` it reads up to element (rows − 1)·a_row + (depth − 1)·a_step, of `b` the lanes of
            // one step, of `start` as many values as rows or lanes. Of `y` it writes, and of a
            // residual reads, up to the last row's last lane. That is what `reach` counts, which was
            // compared with the buffers' lengths above; the table has an entry for each lane. The
            // buffers are borrowed for this call alone.
            unsafe { function(black_box(&tile)) };
        }
    }
}

/// Every size of tile of the single-precision kernels that this CPU runs, each once, the scalar ones
/// left out.
pub(super) fn sizes() -> Vec<Size> {
    let mut sizes: Vec<Size> = Vec::new();
    for kernel in kernels() {
        let single = kernel.dtype() == Dtype::F32;
        if !single || !kernel.is_available() || kernel.isa() == Isa::Scalar {
            continue;
        }
        for vectors in 1..=kernel.vectors() {
            for rows in 1..=kernel.rows() {
                let same = |it: &Size| {
                    (it.kernel.isa(), it.rows, it.vectors) == (kernel.isa(), rows, vectors)
                };
                if !sizes.iter().any(same) {
                    sizes.push(Size { kernel, rows, vectors });
                }
            }
        }
    }
    sizes
}

/// The forms of the broadcast operand that tiles of an ISA have.
pub(super) fn forms(kernel: &Kernel) -> &'static [Form] {
    if kernel.reads_planes() { &[ROWS, LINE, PLANES] } else { &[ROWS, LINE] }
}

#[cfg(test)]
mod tests {
    use super::super::prices;
    use super::super::rounds::Work;
    use super::*;

    #[test]
    fn what_is_timed_is_the_whole_tile_and_what_is_stored_is_as_the_job_says() {
        let tiles = prices::work().into_iter().filter_map(|work| match work {
            Work::Tile(job) => Some(job),
            Work::Pack(_) => None,
        });
        let jobs: Vec<Job> = tiles.collect();
        let mut operands = Operands::of(jobs.iter().copied()).unwrap();
        for job in &jobs {
            operands.y.values_mut::<f32>().fill(-1.0);
            operands.residual.values_mut::<f32>().fill(7.0);
            operands.run(job, 1);
            let residual = if job.residual { 7.0 } else { 0.0 };
            let expected = job.depth as f32 * 0.125 + residual;
            let lanes = job.size.lanes();
            let written = |i: usize, j: usize| match job.store {
                Store::Across | Store::Scattered => operands.y.values::<f32>()[j * PLANE + i],
                _ => operands.y.values::<f32>()[i * job.row() + j],
            };
            for i in 0..job.size.rows {
                for j in 0..lanes {
                    let due = if j < job.wanted { expected } else { -1.0 };
                    assert_eq!(written(i, j), due, "{job:?} {i} {j}");
                }
            }
        }
    }

    #[test]
    fn a_job_that_the_memory_is_too_small_for_is_not_run() {
        let Some(size) = sizes().pop() else { return };
        let job = Job::whole(size, ROWS, 8);
        let mut operands = Operands::of(std::iter::once(job)).unwrap();
        operands.y.values_mut::<f32>().fill(-1.0);
        operands.run(&Job { depth: 4096, ..job }, 1);
        operands.run(&Job { apart: true, ..job }, 1);
        for store in [Store::Across, Store::Scattered] {
            operands.run(&Job { store, ..job }, 1);
        }
        // Fewer lanes than a whole store writes, and more than there are.
        operands.run(&Job { wanted: 1, ..job }, 1);
        operands.run(&Job { store: Store::Masked, wanted: size.lanes() + 1, ..job }, 1);
        assert!(operands.y.values::<f32>().iter().all(|y| *y == -1.0));
    }
}
