//! Pieces of packing to be timed: the library's own, on inputs that lie as layers' do.

use crate::describe::arithmetic::F32;
use crate::describe::error::Error;
use crate::micro::registry::Kernel;
use crate::pack::aligned::Aligned;
use crate::pack::line::{PacksLines, PixelLine};
use core::hint::black_box;

/// Between channels, or between pixels, of what is packed: an odd number of cache lines.
const PITCH: usize = 208;

/// How an input is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Pixels that are adjacent: lines of them are copied.
    Copy,
    /// Channels that are adjacent: blocks are transposed.
    Transpose,
    /// Every second pixel of a line.
    Second,
    /// Pixels further apart, one by one.
    Gather,
    /// Rows of adjacent channels, a pixel each, as they are.
    Rows,
}

/// Some pixels to be packed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pack {
    /// A kernel of the ISA whose packing is timed.
    pub(super) kernel: &'static Kernel,
    pub(super) way: Way,
    /// Channels.
    pub(super) depth: usize,
    /// Pixels.
    pub(super) count: usize,
}

impl Pack {
    /// Pitches of the input: between channels, and between pixels.
    fn pitches(&self) -> [usize; 2] {
        match self.way {
            Way::Copy => [PITCH, 1],
            Way::Transpose | Way::Rows => [1, PITCH.max(self.depth)],
            Way::Second => [PITCH, 2],
            Way::Gather => [PITCH, 3],
        }
    }

    /// Elements that the input spans.
    fn input(&self) -> usize {
        let [channel, pixel] = self.pitches();
        (self.depth - 1) * channel + (self.count - 1) * pixel + 1
    }
}

/// Memory to pack from and to.
pub(super) struct Buffers {
    from: Aligned,
    to: Aligned,
}

impl Buffers {
    /// Enough for each of the packs.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub(super) fn of(packs: impl Iterator<Item = Pack> + Clone) -> Result<Self, Error> {
        let from = packs.clone().map(|pack| pack.input()).max().unwrap_or(0);
        let to = packs.map(|pack| pack.depth * pack.count).max().unwrap_or(0);
        Ok(Buffers { from: Aligned::zeroed::<f32>(from)?, to: Aligned::zeroed::<f32>(to)? })
    }

    /// Packs so many times; nothing if the buffers are too small.
    pub(super) fn run(&mut self, pack: &Pack, calls: usize) {
        let Pack { kernel, depth, count, .. } = *pack;
        let [channel, pixel] = pack.pitches();
        let Some(from) = self.from.values().get(..pack.input()) else { return };
        let Some(to) = self.to.values_mut().get_mut(..depth * count) else { return };
        if !kernel.is_available() {
            return;
        }
        if pack.way == Way::Rows {
            for _ in 0..calls {
                for (row, to) in black_box(from).chunks(pixel).zip(to.chunks_exact_mut(depth)) {
                    to.copy_from_slice(&row[..depth]);
                }
            }
            return;
        }
        let line = PixelLine { from, channel, pixel, depth, count, width: count };
        for _ in 0..calls {
            // SAFETY: the kernel is available, so the CPU has its ISA; the slices say how far the
            // function may go.
            unsafe { F32::pack_line(kernel.isa(), black_box(&line), to) };
        }
    }
}
