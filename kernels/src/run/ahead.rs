//! What a tile prefetches while it computes: data that comes from L3 or memory.
//!
//! The first tile of a panel prefetches weights, some steps ahead. Weights are read at a few bytes a
//! cycle, too slowly for hardware prefetchers to run far enough ahead. The tiles of the first panel
//! prefetch the pixels of the next tile. Pixels are read in as many streams as there are rows, or from
//! another plane at each step, and hardware prefetchers do not follow that.
//!
//! A tile whose weights or pixels are already near prefetches the data that it reads anyway. That costs
//! nothing that can be measured, and the inner loop stays the same.

use crate::cpu::Tuning;
use crate::micro::operands::{Ahead, Form, ROWS};

/// Whether the data of a tile may be far away.
#[derive(Clone, Copy)]
pub(super) struct Nearness {
    /// Whether its weights may come from behind L2, because no tile has read them just before.
    pub(super) fresh_weights: bool,
    /// Whether the next tile's pixels may come from behind L2.
    pub(super) fresh_pixels: bool,
}

/// The prefetches of a tile whose pixels are broadcast. It has `pixels` pixels, `pitch` apart, and its
/// weights lie `width` apart from step to step. The next tile's pixels follow its own.
pub(super) fn of_broadcast_pixels(
    near: Nearness,
    tuning: &Tuning,
    form: Form,
    [pixels, pitch, width]: [usize; 3],
) -> Ahead {
    let lanes = if near.fresh_weights { tuning.ask_steps * width } else { 0 };
    // In rows, each step prefetches so many elements of the next tile's rows that all steps together
    // prefetch all of them. Else the last of the next pixels is prefetched. Its cache line also has the
    // first ones, or this tile's reads reach those.
    let far = if form == ROWS { pixels } else { 2 * pixels - 1 };
    Ahead { lanes, next: if near.fresh_pixels { far.wrapping_mul(pitch) } else { 0 } }
}

/// The prefetches of a tile whose weights are broadcast. Its weights lie `panel` apart from step to
/// step. It has `width` pixels in lanes, each of `element` bytes.
pub(super) fn of_broadcast_weights(
    near: Nearness,
    tuning: &Tuning,
    panel: usize,
    width: usize,
    element: usize,
) -> Ahead {
    // One cache line further than the next tile's first pixels, which may begin within a line.
    let lanes = if near.fresh_pixels { width + 64 / element - 1 } else { 0 };
    Ahead { lanes, next: if near.fresh_weights { tuning.ask_steps * panel } else { 0 } }
}
