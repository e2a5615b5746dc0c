//! What a tile asks the caches for while it computes: what comes from L3 or memory, before it is
//! wanted.
//!
//! Weights are asked for some steps ahead by the first tile of a panel: they stream by at a few
//! bytes a cycle, too slowly for hardware prefetchers to run far enough ahead. Pixels are asked for
//! a tile ahead by the first panel: they are read in as many streams as there are rows, or each step
//! in a plane of its own. A tile that finds either near asks for what it reads now, which costs
//! nothing that can be measured.

use crate::cpu::Tuning;
use crate::micro::operands::{Ahead, Form, ROWS, Tiled};

/// What is known of a tile when it is about to run.
#[derive(Clone, Copy)]
pub(super) struct Nearness {
    /// Whether its weights may come from further away than L2: no tile has read them just before.
    pub(super) fresh_weights: bool,
    /// Whether the next tile's pixels may.
    pub(super) fresh_pixels: bool,
}

/// For a tile whose pixels are broadcast: `m` pixels from `x` on, `pixel` apart, the next tile's from
/// `next` on; weights `b_step` apart from step to step; `next_step` between the steps of the pixels
/// where these do not lie in rows.
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
        // The rows follow one another, so each step asks for as much of them as it has pixels.
        return Ahead { lanes, next: from, step: m };
    }
    // The cache line of the last of the next pixels also has the first, or these reach it.
    let last = if near.fresh_pixels { (m - 1).wrapping_mul(pixel) } else { 0 };
    Ahead { lanes, next: from.wrapping_add(last), step: x_step }
}

/// For a tile whose weights are broadcast: weights from `a` on, `a_step` apart from step to step;
/// pixels in lanes, `width` of them.
pub(super) fn of_broadcast_weights<T: Tiled>(
    near: Nearness,
    tuning: &Tuning,
    a: *const T::Broadcast,
    a_step: usize,
    width: usize,
) -> Ahead<T> {
    // One cache line further than the next tile's first pixels, which may begin within a line.
    let line = 64 / size_of::<T::Lane>();
    let lanes = if near.fresh_pixels { width + line - 1 } else { 0 };
    let weights = if near.fresh_weights { tuning.ask_steps * a_step } else { 0 };
    Ahead { lanes, next: a.wrapping_add(weights), step: a_step }
}
