//! Storing tiles of single precision whose vectors cannot be stored as they are: some lanes are
//! padding, or the lanes do not lie side by side in the result. The sums are first written to memory
//! (spilled).

use crate::describe::arithmetic::F32;
use crate::micro::operands::{Offsets, Tile};
use crate::micro::vector::{ResidualClamp, Vector, load, store};
use pulp::NullaryFnOnce;

impl Tile<F32> {
    /// What is done to every value of the tile before it is stored.
    fn residual_clamp(&self) -> ResidualClamp {
        ResidualClamp { residual: self.residual, lo: self.finish.lo, hi: self.finish.hi }
    }
}

/// Adds the residual to the first `t.lanes` lanes of each row of `acc`, clamps them, and stores them.
/// `acc` has the rows one after another, of `vectors` vectors each.
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
            // SAFETY: by the contract of `store_spilled`, which alone makes this call.
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

/// Stores lanes side by side: the whole vectors of a row, then the lanes of its last vector that are
/// stored.
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
            // SAFETY: elements j..j + L of row i, all of which are stored.
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
            // SAFETY: element j of row i, which is stored.
            unsafe { *t.y.add(at + j) = t.residual_clamp().apply(row[j], at + j) };
            j += 1;
        }
    }
}

/// Stores lanes that lie `step` apart. The rows of a lane lie side by side, and there are at least
/// four rows.
///
/// Blocks of 8 × 8 or 4 × 4 are transposed. If the rows are not a multiple of a block, the last block
/// overlaps the one before it. The rows in both are stored twice, with the same bits.
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
            // SAFETY: rows i..i + 8 and lanes j..j + 8 of the tile, all of which are stored.
            unsafe { simd.transpose8(from, pitch, t.y.add(at), step, end.at(at)) };
        }
    }
    for j in (eights..fours).step_by(4) {
        for i in blocks::<4>(rows) {
            let (from, at) = (acc[i * pitch + j..].as_ptr(), j * step + i);
            // SAFETY: rows i..i + 4 and lanes j..j + 4 of the tile, all of which are stored.
            unsafe { simd.transpose4(from, pitch, t.y.add(at), step, end.at(at)) };
        }
    }
    for j in fours..t.lanes {
        for i in 0..rows {
            let at = j * step + i;
            // SAFETY: element (i, j), which is stored.
            unsafe { *t.y.add(at) = end.apply(acc[i * pitch + j], at) };
        }
    }
}

/// The starts of blocks of `N` that cover `0..len`. The last block ends at `len`, so that it may
/// overlap the one before it.
#[inline(always)]
fn blocks<const N: usize>(len: usize) -> impl Iterator<Item = usize> {
    (0..len.div_ceil(N)).map(move |block| (block * N).min(len - N))
}

/// Stores lanes that lie apart, one element after another. The inner loop is over the rows of a lane,
/// because these lie side by side in a transposed result.
///
/// # Safety
/// As [`store_spilled`].
#[inline(always)]
unsafe fn across(acc: &[f32], pitch: usize, t: &Tile<F32>, offset: impl Fn(usize) -> usize) {
    for j in 0..t.lanes {
        let lane = offset(j);
        for (i, row) in acc.chunks_exact(pitch).enumerate() {
            // SAFETY: element (i, j), which is stored.
            unsafe {
                // An offset of a table is a wrapped-around number if it lies below the first lane's.
                let at = lane.wrapping_add(i * t.y_row);
                *t.y.wrapping_add(at) = t.residual_clamp().apply(row[j], at);
            }
        }
    }
}
