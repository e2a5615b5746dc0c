//! Storing a tile that cannot be stored as it stands: lanes that are padding, or a result that
//! lies across the lanes. The sums go through memory.

use crate::describe::arithmetic::F32;
use crate::micro::operands::{Offsets, Tile};
use crate::micro::vector::{ResidualClamp, Vector, load, store};
use pulp::NullaryFnOnce;

impl Tile<F32> {
    /// What every value of the tile goes through last.
    fn residual_clamp(&self) -> ResidualClamp {
        ResidualClamp { residual: self.residual, lo: self.finish.lo, hi: self.finish.hi }
    }
}

/// Residual, clamp and store of the first `t.lanes` lanes of each row of `acc`, which is row by
/// row of `vectors` vectors.
///
/// # Safety
/// The ISA is available. Those elements are writable at `t.y` and readable at a non-null
/// `t.residual`. A table has `t.lanes` entries.
#[inline(never)]
pub(super) unsafe fn store_spilled<S: Vector>(acc: &[S::f32s], vectors: usize, t: &Tile<F32>) {
    struct Call<'a, S: Vector>(S, &'a [f32], usize, &'a Tile<F32>);
    impl<S: Vector> NullaryFnOnce for Call<'_, S> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Call(simd, acc, pitch, t) = self;
            // SAFETY: the contract of `store_spilled`, whose only caller of this is.
            unsafe {
                match t.y_lanes {
                    Offsets::Adjacent => adjacent(simd, acc, pitch, t),
                    Offsets::Every(step)
                        if t.y_row == 1 && pitch.is_multiple_of(4) && acc.len() >= 4 * pitch =>
                    {
                        transposed(simd, acc, pitch, step, t);
                    }
                    Offsets::Every(step) => across(acc, pitch, t, |j| j * step),
                    Offsets::Table(table) => across(acc, pitch, t, |j| *table.add(j)),
                }
            }
        }
    }
    // SAFETY: plain old data: any bytes of it are floats.
    let floats = unsafe {
        core::slice::from_raw_parts(acc.as_ptr().cast::<f32>(), acc.len() * S::F32_LANES)
    };
    // SAFETY: the caller vouches that the ISA is available.
    let simd = unsafe { S::assume_available() };
    simd.call(Call(simd, floats, vectors * S::F32_LANES, t));
}

/// Lanes adjacent, the last vector of a row in part.
///
/// # Safety
/// As [`store_spilled`].
#[inline(always)]
unsafe fn adjacent<S: Vector>(simd: S, acc: &[f32], pitch: usize, t: &Tile<F32>) {
    let lanes = S::F32_LANES;
    let whole = t.lanes / lanes * lanes;
    let (lo, hi) = (simd.splat_f32s(t.finish.lo), simd.splat_f32s(t.finish.hi));
    for (i, row) in acc.chunks_exact(pitch).enumerate() {
        let at = i * t.y_row;
        let mut j = 0;
        while j < whole {
            // SAFETY: elements j..j + L of row i, all wanted.
            unsafe {
                let mut v = load::<S>(row.as_ptr().add(j));
                if !t.residual.is_null() {
                    v = simd.add_f32s(v, load::<S>(t.residual.add(at + j)));
                }
                store::<S>(t.y.add(at + j), simd.at_most(simd.at_least(v, lo), hi));
            }
            j += lanes;
        }
        while j < t.lanes {
            // SAFETY: element j of row i, wanted.
            unsafe { *t.y.add(at + j) = t.residual_clamp().apply(row[j], at + j) };
            j += 1;
        }
    }
}

/// Lanes apart from one another, the rows of each adjacent: at least four of them.
///
/// Whole blocks are transposed, the last one of each direction overlapping the one before where
/// the sizes are not multiples: what is computed twice has the same bits.
///
/// # Safety
/// As [`store_spilled`].
#[inline(always)]
unsafe fn transposed<S: Vector>(simd: S, acc: &[f32], pitch: usize, step: usize, t: &Tile<F32>) {
    let rows = acc.len() / pitch;
    let end = t.residual_clamp();
    let (eights, fours) =
        if rows >= 8 { (t.lanes / 8 * 8, t.lanes / 4 * 4) } else { (0, t.lanes / 4 * 4) };
    for j in (0..eights).step_by(8) {
        for i in blocks::<8>(rows) {
            let (from, at) = (acc[i * pitch + j..].as_ptr(), j * step + i);
            // SAFETY: rows i..i + 8 and lanes j..j + 8 of the tile, wanted.
            unsafe { simd.transpose8(from, pitch, t.y.add(at), step, end.at(at)) };
        }
    }
    for j in (eights..fours).step_by(4) {
        for i in blocks::<4>(rows) {
            let (from, at) = (acc[i * pitch + j..].as_ptr(), j * step + i);
            // SAFETY: rows i..i + 4 and lanes j..j + 4 of the tile, wanted.
            unsafe { simd.transpose4(from, pitch, t.y.add(at), step, end.at(at)) };
        }
    }
    for j in fours..t.lanes {
        for i in 0..rows {
            let at = j * step + i;
            // SAFETY: element (i, j), wanted.
            unsafe { *t.y.add(at) = end.apply(acc[i * pitch + j], at) };
        }
    }
}

/// Starts of blocks of `N` that cover `0..len`, the last one moved back to end at `len`.
#[inline(always)]
fn blocks<const N: usize>(len: usize) -> impl Iterator<Item = usize> {
    (0..len.div_ceil(N)).map(move |block| (block * N).min(len - N))
}

/// Lanes apart from one another: one element after another, the rows of a lane together since
/// those are adjacent when the result is transposed.
///
/// # Safety
/// As [`store_spilled`].
#[inline(always)]
unsafe fn across(acc: &[f32], pitch: usize, t: &Tile<F32>, offset: impl Fn(usize) -> usize) {
    for j in 0..t.lanes {
        let lane = offset(j);
        for (i, row) in acc.chunks_exact(pitch).enumerate() {
            // SAFETY: element (i, j), wanted.
            unsafe {
                // A table's offsets may lie below its first, as numbers that wrap around.
                let at = lane.wrapping_add(i * t.y_row);
                *t.y.wrapping_add(at) = t.residual_clamp().apply(row[j], at);
            }
        }
    }
}
