//! What a tile asks the caches for while it computes: what comes from L3 or memory, before it is
//! wanted.
//!
//! Weights are asked for some steps ahead by the first tile of a panel: they stream by at a few
//! bytes a cycle, too slowly for hardware prefetchers to run far enough ahead. Pixels are asked for
//! a tile ahead by the first panel: they are read in as many streams as there are rows, or each step
//! in a plane of its own. A tile whose operands are near asks for what it reads now, which costs
//! nothing that can be measured.

use crate::cpu::Tuning;
use crate::micro::operands::{Ahead, Form, ROWS};

/// What is known of a tile's operands when the tile is about to run.
#[derive(Clone, Copy)]
pub(super) struct Nearness {
    /// Whether its weights may come from further away than L2: no tile has read them just before.
    pub(super) fresh_weights: bool,
    /// Whether the next tile's pixels may.
    pub(super) fresh_pixels: bool,
}

/// For a tile whose pixels are broadcast: `pixels` of them, `pitch` apart, and weights `width` apart
/// from step to step. The next tile's pixels follow the tile's own.
pub(super) fn of_broadcast_pixels(
    near: Nearness,
    tuning: &Tuning,
    form: Form,
    [pixels, pitch, width]: [usize; 3],
) -> Ahead {
    let lanes = if near.fresh_weights { tuning.ask_steps * width } else { 0 };
    // Where the next pixels do not lie in rows, the cache line of the last of them also has the
    // first, or those before it reach the first.
    let far = if form == ROWS { pixels } else { 2 * pixels - 1 };
    Ahead { lanes, next: if near.fresh_pixels { far.wrapping_mul(pitch) } else { 0 } }
}

/// For a tile whose weights are broadcast, `panel` of them apart from step to step, and `width`
/// elements of pixels in lanes.
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
