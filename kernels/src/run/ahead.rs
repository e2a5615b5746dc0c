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
use crate::micro::operands::{Ahead, Form, ROWS, Tiled};

/// Whether the data of a tile may be far away.
#[derive(Clone, Copy)]
pub(super) struct Nearness {
    /// Whether its weights may come from behind L2, because no tile has read them just before.
    pub(super) fresh_weights: bool,
    /// Whether the next tile's pixels may come from behind L2.
    pub(super) fresh_pixels: bool,
}

/// The prefetches of a tile whose pixels are broadcast. It has `m` pixels from `x` on, `pixel` apart.
/// The next tile's pixels begin at `next`. From step to step, pixels lie `x_step` apart if they do not
/// lie in rows, and weights lie `b_step` apart.
pub(super) fn of_broadcast_pixels<T: Tiled>(
    near: Nearness,
    tuning: &Tuning,
    form: Form,
    x: *const T::Broadcast,
    next: *const T::Broadcast,
    [m, pixel, x_step, b_step]: [usize; 4],
) -> Ahead<T> {
    let lanes = if near.fresh_weights { tuning.ask_steps * b_step } else { 0 };
    let from = if near.fresh_pixels { next } else { x };
    if form == ROWS {
        // The rows of the next tile's pixels lie one after another. Each step prefetches `m` elements of
        // them, so that all steps together prefetch all rows.
        return Ahead { lanes, next: from, step: m };
    }
    // The last of the next pixels is prefetched. Its cache line also has the first ones, or this tile's
    // reads reach those.
    let last = if near.fresh_pixels { (m - 1).wrapping_mul(pixel) } else { 0 };
    Ahead { lanes, next: from.wrapping_add(last), step: x_step }
}

/// The prefetches of a tile whose weights are broadcast. Its weights begin at `a` and lie `a_step` apart
/// from step to step. It has `width` pixels in lanes.
pub(super) fn of_broadcast_weights<T: Tiled>(
    near: Nearness,
    tuning: &Tuning,
    a: *const T::Broadcast,
    a_step: usize,
    width: usize,
) -> Ahead<T> {
    // The distance is to the last element of a further cache line, because the next tile's first pixel
    // may lie in the middle of one.
    let line = 64 / size_of::<T::Lane>();
    let lanes = if near.fresh_pixels { width + line - 1 } else { 0 };
    let weights = if near.fresh_weights { tuning.ask_steps * a_step } else { 0 };
    Ahead { lanes, next: a.wrapping_add(weights), step: a_step }
}
