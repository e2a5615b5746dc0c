//! Finishing a tile that cannot be stored as it stands: lanes that are padding, or a result that
//! lies across the lanes.

use super::{Tile, Vector, load, store};
use pulp::NullaryFnOnce;

/// Where the lanes of a tile's result lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Offsets {
    /// Lane `j` at `j`.
    Adjacent,
    /// Lane `j` at `j` times this; the rows of the tile are then adjacent.
    Every(usize),
    /// Lane `j` at the `j`-th of these; as many as the tile has lanes wanted.
    Table(*const usize),
}

/// Residual, clamp and store of the first `t.lanes` lanes of each row of `acc`, which is row by
/// row of `vectors` vectors.
///
/// # Safety
/// The ISA is available. Those elements are writable at `t.y` and readable at a non-null
/// `t.residual`. A table has `t.lanes` entries.
#[inline(never)]
pub(super) unsafe fn finish<S: Vector>(acc: &[S::f32s], vectors: usize, t: &Tile) {
    struct Call<'a, S: Vector>(S, &'a [f32], usize, &'a Tile);
    impl<S: Vector> NullaryFnOnce for Call<'_, S> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Call(simd, acc, pitch, t) = self;
            // SAFETY: the contract of `finish`, whose only caller of this is.
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
/// As [`finish`].
#[inline(always)]
unsafe fn adjacent<S: Vector>(simd: S, acc: &[f32], pitch: usize, t: &Tile) {
    let lanes = S::F32_LANES;
    let whole = t.lanes / lanes * lanes;
    let (lo, hi) = (simd.splat_f32s(t.lo), simd.splat_f32s(t.hi));
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
            unsafe { put(row[j], at + j, t) };
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
/// As [`finish`].
#[inline(always)]
unsafe fn transposed<S: Vector>(simd: S, acc: &[f32], pitch: usize, step: usize, t: &Tile) {
    let rows = acc.len() / pitch;
    let mut lane = [0.0f32; 8 * 32];
    debug_assert!(rows <= 32);
    for j in (0..t.lanes).step_by(8) {
        let wanted = (t.lanes - j).min(8);
        if rows >= 8 && j + 8 <= pitch {
            for i in blocks::<8>(rows) {
                let (from, to) = (acc[i * pitch + j..].as_ptr(), lane[i..].as_mut_ptr());
                // SAFETY: rows i..i + 8 and lanes j..j + 8 of the tile; 8 lines of 32.
                unsafe { simd.transpose8(from, pitch, to, 32) };
            }
        } else {
            for (i, half) in blocks::<4>(rows).flat_map(|i| [(i, 0), (i, 4)]) {
                if j + half + 4 <= pitch {
                    let from = acc[i * pitch + j + half..].as_ptr();
                    let to = lane[half * 32 + i..].as_mut_ptr();
                    // SAFETY: four rows and lanes of the tile; four lines of 32.
                    unsafe { simd.transpose4(from, pitch, to, 32) };
                }
            }
        }
        for (k, line) in lane.chunks_exact(32).take(wanted).enumerate() {
            let at = (j + k) * step;
            if rows >= 8 {
                for i in blocks::<8>(rows) {
                    // SAFETY: elements (i..i + 8, j + k), wanted.
                    unsafe { put_all::<8>(&line[i..], at + i, t) };
                }
            } else {
                for i in blocks::<4>(rows) {
                    // SAFETY: elements (i..i + 4, j + k), wanted.
                    unsafe { put_all::<4>(&line[i..], at + i, t) };
                }
            }
        }
    }
}

/// Starts of blocks of `N` that cover `0..len`, the last one moved back to end at `len`.
#[inline(always)]
fn blocks<const N: usize>(len: usize) -> impl Iterator<Item = usize> {
    (0..len.div_ceil(N)).map(move |block| (block * N).min(len - N))
}

/// # Safety
/// Elements `at..at + N` are writable at `t.y` and readable at a non-null `t.residual`.
#[inline(always)]
unsafe fn put_all<const N: usize>(values: &[f32], at: usize, t: &Tile) {
    let mut v = [0.0; N];
    v.copy_from_slice(&values[..N]);
    // SAFETY: by contract.
    unsafe {
        if !t.residual.is_null() {
            let residual = t.residual.add(at).cast::<[f32; N]>().read_unaligned();
            for (v, residual) in v.iter_mut().zip(residual) {
                *v += residual;
            }
        }
        for v in &mut v {
            *v = if *v < t.lo { t.lo } else { *v };
            *v = if *v > t.hi { t.hi } else { *v };
        }
        t.y.add(at).cast::<[f32; N]>().write_unaligned(v);
    }
}

/// Lanes apart from one another: one element after another, the rows of a lane together since
/// those are adjacent when the result is transposed.
///
/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn across(acc: &[f32], pitch: usize, t: &Tile, offset: impl Fn(usize) -> usize) {
    for j in 0..t.lanes {
        let lane = offset(j);
        for (i, row) in acc.chunks_exact(pitch).enumerate() {
            // SAFETY: element (i, j), wanted.
            unsafe { put(row[j], lane + i * t.y_row, t) };
        }
    }
}

/// # Safety
/// Element `at` is writable at `t.y` and readable at a non-null `t.residual`.
#[inline(always)]
unsafe fn put(v: f32, at: usize, t: &Tile) {
    // SAFETY: by contract.
    unsafe {
        let v = if t.residual.is_null() { v } else { v + *t.residual.add(at) };
        let v = if v < t.lo { t.lo } else { v };
        *t.y.add(at) = if v > t.hi { t.hi } else { v };
    }
}
