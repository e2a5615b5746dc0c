//! Bytes per cycle that tiles multiply from L2, the cache behind it and memory, and the latency of
//! memory.

use super::clock::Clock;
use crate::cpu::Cpu;
use crate::cpu::host::last_cache;
use crate::describe::arithmetic::{Dtype, F32};
use crate::describe::error::Error;
use crate::micro::isa::Isa;
use crate::micro::menu::Compiled;
use crate::micro::operands::{Ahead, Clamp, Offsets, ROWS, Store, Tile, TileFn};
use crate::micro::registry::{Kernel, kernels};
use crate::pack::aligned::Aligned;
use core::hint::black_box;

/// The most memory that is used, bytes.
const MOST: usize = 256 << 20;

/// Steps of a tile that streams.
const DEPTH: usize = 256;

/// Loads of a sample of memory's latency.
const HOPS: usize = 2048;

/// Elements of a cache line.
const LINE: usize = 64 / size_of::<f32>();

/// What was measured; nothing where a level cannot be told from its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Streams {
    /// Bytes per cycle from L2.
    pub(crate) l2: Option<f64>,
    /// The same from the cache behind it.
    pub(crate) far: Option<f64>,
    /// The same from memory.
    pub(crate) memory: Option<f64>,
    /// Cycles until a load from memory is answered.
    pub(crate) latency: Option<f64>,
}

/// How much memory is walked over for each level, bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spans {
    l2: Option<usize>,
    far: Option<usize>,
    memory: Option<usize>,
}

impl Spans {
    /// For caches of these sizes; `last` is all of the last one.
    fn of(cpu: &Cpu, last: usize) -> Spans {
        let unit = DEPTH * 4 * 64;
        // Well inside of one level, and several times what the level before holds.
        let between = |most: usize, least: usize| {
            Some(most / unit * unit).filter(|span| *span >= least && *span > 0)
        };
        let behind = last.max(cpu.l3);
        Spans {
            l2: between(cpu.l2 / 2, 2 * cpu.l1),
            far: between((4 * cpu.l2).min(cpu.l3 / 2), 2 * cpu.l2),
            memory: Some(2 * behind.max(8 << 20)).filter(|span| *span <= MOST),
        }
    }
}

/// Measures so many times, of which the shortest counts.
///
/// # Errors
/// [`Error::OutOfMemory`].
pub(super) fn measure(cpu: &Cpu, repeats: usize, clock: &mut Clock) -> Result<Streams, Error> {
    let spans = Spans::of(cpu, last_cache().unwrap_or(0));
    let most = [spans.l2, spans.far, spans.memory].into_iter().flatten().max().unwrap_or(0);
    let Some(walk) = Walk::new(most)? else { return Ok(Streams::default()) };
    let mut walk = walk;
    let mut least = [f64::INFINITY; 3];
    let mut latency = f64::INFINITY;
    for _ in 0..repeats {
        for (least, (span, fresh)) in
            least.iter_mut().zip([(spans.l2, false), (spans.far, true), (spans.memory, true)])
        {
            let Some(bytes) = span else { continue };
            // Once to bring it as near as it will be.
            if bytes < MOST / 8 {
                walk.over(bytes, fresh);
            }
            let cycles = clock.cycles(|| walk.over(bytes, fresh));
            *least = least.min(cycles / bytes as f64);
        }
        if let Some(bytes) = spans.memory {
            let cycles = clock.cycles(|| walk.hop(bytes));
            latency = latency.min(cycles / HOPS as f64);
        }
    }
    let rate = |cycles: f64| Some(1.0 / cycles).filter(|rate| rate.is_finite() && *rate > 0.0);
    Ok(Streams {
        l2: rate(least[0]),
        far: rate(least[1]),
        memory: rate(least[2]),
        latency: Some(latency).filter(|cycles| cycles.is_finite()),
    })
}

/// A tile of one row that takes its vectors from one end of a buffer to the other.
struct Walk {
    function: TileFn<F32>,
    lanes: usize,
    a: Aligned,
    b: Aligned,
    y: Aligned,
    /// Steps that weights are asked for ahead, as runs do on this CPU.
    ask_steps: usize,
    /// Line that the next hop goes from.
    at: usize,
}

impl Walk {
    /// With a buffer of so many bytes; none if this CPU has no vectors.
    fn new(bytes: usize) -> Result<Option<Walk>, Error> {
        let runs = |kernel: &&Kernel| {
            let single = kernel.dtype() == Dtype::F32;
            single && kernel.is_available() && kernel.isa() != Isa::Scalar
        };
        // One row loads most for each multiplication.
        let widest = kernels().iter().filter(runs).max_by_key(|kernel| kernel.columns());
        let Some(kernel) = widest else { return Ok(None) };
        let lanes = kernel.columns();
        Ok(Some(Walk {
            function: F32::menu(kernel.isa()).tile(1, kernel.vectors(), ROWS, false),
            lanes,
            a: Aligned::zeroed::<f32>(DEPTH)?,
            b: Aligned::zeroed::<f32>(bytes / size_of::<f32>())?,
            y: Aligned::zeroed::<f32>(2 * lanes)?,
            ask_steps: Cpu::host().tuning.ask_steps,
            at: 0,
        }))
    }

    /// Multiplies the first so many bytes of the buffer, asking ahead as layers do for what is
    /// `fresh`.
    fn over(&mut self, bytes: usize, fresh: bool) {
        let (start, y) = self.y.values_mut::<f32>().split_at_mut(self.lanes);
        let (a, all) = (self.a.values::<f32>(), self.b.values::<f32>());
        let all = &all[..all.len().min(bytes / size_of::<f32>())];
        for piece in all.chunks_exact(DEPTH * self.lanes) {
            let tile = Tile {
                depth: DEPTH,
                a: a.as_ptr(),
                a_row: DEPTH,
                a_step: 1,
                b: piece.as_ptr(),
                b_step: self.lanes,
                start: start.as_ptr(),
                start_by_row: false,
                y: y.as_mut_ptr(),
                residual: core::ptr::null(),
                y_row: self.lanes,
                y_lanes: Offsets::Adjacent,
                lanes: self.lanes,
                store: Store::Whole,
                finish: Clamp::NONE,
                ahead: Ahead {
                    lanes: if fresh { self.ask_steps * self.lanes } else { 0 },
                    next: 0,
                },
                staggered: 0,
            };
            // SAFETY: the kernel is available. The one row of `a` has `DEPTH` values, `piece` as
            // many times `lanes`, and `start` and `y` are `lanes` values each.
            unsafe { (self.function)(black_box(&tile)) };
        }
    }

    /// Loads lines of the first quarter of so many bytes in no order, each address from the value
    /// before. A walk over all of them has pushed those lines out of every cache.
    fn hop(&mut self, bytes: usize) {
        let all = self.b.values::<f32>();
        let lines = (all.len().min(bytes / size_of::<f32>()) / 4 / LINE).max(1);
        // A power of two, so that the generator below (Knuth, The Art of Computer Programming,
        // 3.2.1.2) goes to every line once before it comes to one again.
        let mask = (1usize << lines.ilog2()) - 1;
        let mut at = black_box(self.at) & mask;
        for _ in 0..HOPS {
            let value = all.get(at * LINE).map_or(0, |value| value.to_bits() as usize);
            at = next(at, value, mask);
        }
        self.at = black_box(at);
    }
}

/// The line after `at` among the first `mask + 1`; `value` is 0.
fn next(at: usize, value: usize, mask: usize) -> usize {
    at.wrapping_mul(0x9E37_79B5).wrapping_add(0x7F4A_7C15).wrapping_add(value) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_lie_inside_of_their_level() {
        for name in Cpu::names() {
            let cpu = Cpu::named(name).unwrap();
            for last in [0, 16 << 20, 96 << 20, 1 << 30] {
                let Spans { l2, far, memory } = Spans::of(&cpu, last);
                assert!(l2.is_none_or(|it| it >= 2 * cpu.l1 && it <= cpu.l2 / 2), "{name}");
                assert!(far.is_none_or(|it| it >= 2 * cpu.l2 && it <= cpu.l3 / 2), "{name}");
                let behind = last.max(cpu.l3);
                assert!(memory.is_none_or(|it| it >= 2 * behind && it <= MOST), "{name}");
            }
        }
        let zen4 = Spans::of(&Cpu::named("zen4").unwrap(), 32 << 20);
        let sizes = [Some(512 << 10), Some(4 << 20), Some(64 << 20)];
        assert_eq!([zen4.l2, zen4.far, zen4.memory], sizes);
    }

    #[test]
    fn hops_reach_every_line() {
        let mut seen = vec![false; 1 << 12];
        let mut at = 5;
        for _ in 0..seen.len() {
            at = next(at, 0, seen.len() - 1);
            seen[at] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn a_walk_ends_with_its_buffer() {
        let Some(mut walk) = Walk::new(1 << 20).unwrap() else { return };
        // More than there is, and less than one piece.
        walk.over(1 << 30, true);
        walk.over(1, false);
        walk.hop(1 << 30);
        walk.hop(0);
    }
}
