//! The register tile: the one inner loop that all kernels share.
//!
//! A tile multiplies `M` broadcast values with `V` vectors. One step of the reduction is
//!
//! ```text
//! b[0..V]  ← V vector loads
//! for i in 0..M:
//!     a ← broadcast of value i
//!     for v in 0..V: acc[i][v] ← a·b[v] + acc[i][v]
//! ```
//!
//! A step has `M·V` multiply-adds for `M + V` loads, and beside them only prefetches. The caller
//! chooses what is broadcast and what lies in lanes: pixels and outputs, or outputs and pixels. Each
//! accumulator is one chain over the inputs in ascending order, so the bits are the same in every
//! tile, ISA and layout.
//!
//! The tile departs from the sketch in four ways.
//!
//! - The `M` values lie in one of three forms. In `ROWS` they lie a fixed pitch apart, and those of
//!   the next step follow each of them (NHWC pixels). In `LINE` they lie side by side, and those of
//!   the next step lie a fixed pitch further (packed pixels and packed weights). In `PLANES` both
//!   pitches are free (every second pixel of NCHW).
//! - Two rows may share the last vector (`SHARED`), if at most half of its lanes hold results. Half
//!   of the shared accumulator's lanes belong to one row and half to the other. One multiply-add
//!   serves both rows, so that 24 outputs cost one and a half vectors of 16 instead of two.
//! - The tile prefetches what the caller names (`ASKS`, [`Ahead`]).
//! - The last steps may be done for the first rows, and then for the others (`STAGGERS`). The first
//!   rows are stored while the others multiply. If all stores waited for the last step, they would
//!   hold up the multiply-adds behind them.
//!
//! Limits: `M·V + V + 1` vectors must fit in the register file (32 on AVX-512 and NEON, 16 on
//! AVX2), and `M·V` must cover latency × pipes of the multiply-add (8 on most cores).

use crate::describe::arithmetic::Element;
use crate::micro::dot::{Dot, End};
use crate::micro::operands::{Ahead, Form, LINE, Offsets, ROWS, Store, Tile, Tiled};
use core::ops::Range;
use pulp::NullaryFnOnce;

/// The bytes that one prefetch brings, on the CPUs for which prefetches are compiled.
const CACHE_LINE: usize = 64;

/// The tile function of an ISA, an element type, a size and a form.
///
/// # Safety
/// As [`TileFn`](crate::micro::operands::TileFn) says.
pub(crate) unsafe fn tile<
    S: End<T>,
    T: Tiled,
    const M: usize,
    const V: usize,
    const FORM: Form,
    const SHARED: bool,
    const ASKS: bool,
    const STAGGERS: bool,
>(
    t: &Tile<T>,
) {
    struct Call<
        'a,
        S,
        T: Tiled,
        const M: usize,
        const V: usize,
        const FORM: Form,
        const SHARED: bool,
        const ASKS: bool,
        const STAGGERS: bool,
    >(S, &'a Tile<T>);
    impl<
        S: End<T>,
        T: Tiled,
        const M: usize,
        const V: usize,
        const FORM: Form,
        const SHARED: bool,
        const ASKS: bool,
        const STAGGERS: bool,
    > NullaryFnOnce for Call<'_, S, T, M, V, FORM, SHARED, ASKS, STAGGERS>
    {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            // SAFETY: the caller of `tile` vouches for the pointers, and `S` exists.
            unsafe { compute::<S, T, M, V, FORM, SHARED, ASKS, STAGGERS>(self.0, self.1) }
        }
    }
    // SAFETY: the caller vouches that the ISA is available.
    let simd = unsafe { S::assume_available() };
    simd.call(Call::<S, T, M, V, FORM, SHARED, ASKS, STAGGERS>(simd, t));
}

/// # Safety
/// As [`TileFn`](crate::micro::operands::TileFn) says.
#[inline(always)]
unsafe fn compute<
    S: End<T>,
    T: Tiled,
    const M: usize,
    const V: usize,
    const FORM: Form,
    const SHARED: bool,
    const ASKS: bool,
    const STAGGERS: bool,
>(
    simd: S,
    t: &Tile<T>,
) {
    let lanes = <S as Dot<T>>::LANES;
    // The number of vectors that a row does not share.
    let own = V - usize::from(SHARED);
    if !t.residual.is_null() {
        prefetch_residual::<S, T, M, V>(simd, t);
    }
    let mut acc = [[simd.splat(T::Sum::ZERO); V]; M];
    // The vectors that rows 2·i and 2·i + 1 share.
    let mut pairs = [simd.splat(T::Sum::ZERO); M];
    // SAFETY: `start` holds M values by row, else V·L; the loops stay within both.
    unsafe {
        if t.start_by_row {
            for (i, row) in acc.iter_mut().enumerate() {
                let start = simd.splat(*t.start.add(i));
                *row = [start; V];
                if SHARED {
                    let pair = &mut pairs[i / 2];
                    *pair = if i % 2 == 0 { start } else { simd.sums_beside(*pair, start) };
                }
            }
        } else {
            for v in 0..V {
                let from = t.start.add(v * lanes);
                let start =
                    if SHARED && v == own { simd.shared_sums(from) } else { simd.sums(from) };
                for row in &mut acc {
                    row[v] = start;
                }
                if SHARED {
                    pairs = [start; M];
                }
            }
        }
    }
    let mut at = Step { a: t.a, b: t.b, next: t.a.wrapping_add(t.ahead.next) };
    let ahead = ASKS.then_some(t.ahead);
    let staggered = STAGGERS && t.store == Store::Whole;
    let split = const { M.div_ceil(2) };
    let last = if staggered { t.depth.min(t.staggered) } else { 0 };
    for _ in last..t.depth {
        // SAFETY: by contract, as for the steps below.
        unsafe { at.run::<S, M, V, FORM, SHARED>(simd, t, 0..M, &mut acc, &mut pairs, ahead) };
    }
    if staggered {
        let mut again = at;
        for _ in 0..last {
            // SAFETY: as above.
            unsafe {
                at.run::<S, M, V, FORM, SHARED>(simd, t, 0..split, &mut acc, &mut pairs, ahead)
            };
        }
        // SAFETY: all V·L elements of these rows are the caller's, lanes adjacent.
        unsafe { simd.store_whole(&mut acc, 0..split, t) };
        for _ in 0..last {
            // SAFETY: as above.
            unsafe {
                again.run::<S, M, V, FORM, SHARED>(simd, t, split..M, &mut acc, &mut pairs, None)
            };
        }
    }
    if SHARED {
        let (twos, last) = acc.as_chunks_mut::<2>();
        for ([first, second], pair) in twos.iter_mut().zip(&pairs) {
            (first[own], second[own]) = (simd.own_sums(*pair, false), simd.own_sums(*pair, true));
        }
        if let [row] = last {
            row[own] = simd.own_sums(pairs[M / 2], false);
        }
    }
    match t.store {
        Store::Whole => {
            let rest = if STAGGERS { split..M } else { 0..M };
            // SAFETY: all V·L elements of these rows are the caller's, lanes adjacent.
            unsafe { simd.store_whole(&mut acc, rest, t) };
        }
        // SAFETY: the M × `lanes` elements are the caller's, lanes adjacent.
        Store::Masked if S::MASKS => unsafe { simd.store_masked(&acc, t) },
        _ => {
            // The copy is indexed in memory. The accumulators themselves then stay in registers.
            let spilled = acc;
            // SAFETY: the first `t.lanes` lanes of each row are the caller's, at `t.y_lanes`.
            unsafe { S::store_spilled(spilled.as_flattened(), V, t) };
        }
    }
}

/// The places that a step of the reduction reads.
struct Step<T: Tiled> {
    a: *const T::Broadcast,
    b: *const T::Lane,
    /// The broadcast values that the step prefetches in the `ROWS` form.
    next: *const T::Broadcast,
}

impl<T: Tiled> Clone for Step<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Tiled> Copy for Step<T> {}

impl<T: Tiled> Step<T> {
    /// Does the step for some rows, and moves on to the next step.
    ///
    /// # Safety
    /// As [`TileFn`](crate::micro::operands::TileFn) says, for one of the tile's steps.
    #[inline(always)]
    unsafe fn run<
        S: Dot<T>,
        const M: usize,
        const V: usize,
        const FORM: Form,
        const SHARED: bool,
    >(
        &mut self,
        simd: S,
        t: &Tile<T>,
        rows: Range<usize>,
        acc: &mut [[S::Sums; V]; M],
        pairs: &mut [S::Sums; M],
        ahead: Option<Ahead>,
    ) {
        // The number of elements in a vector of the operand that lies in lanes.
        let lanes = <S as Dot<T>>::LANES * T::DEPTH;
        let own = V - usize::from(SHARED);
        let mut vectors = [simd.no_lanes(); V];
        for (v, loaded) in vectors.iter_mut().enumerate() {
            // SAFETY: vector `v` of this step, or its first half.
            *loaded = unsafe {
                let from = self.b.add(v * lanes);
                if SHARED && v == own { simd.shared_lanes(from) } else { simd.lanes(from) }
            };
            if let Some(ahead) = ahead
                && (v * lanes * size_of::<T::Lane>()).is_multiple_of(CACHE_LINE)
            {
                simd.prefetch(self.b.wrapping_add(ahead.lanes + v * lanes).cast());
            }
        }
        if let Some(ahead) = ahead {
            if FORM == ROWS {
                simd.prefetch(self.next.cast());
                self.next = self.next.wrapping_add(M * T::DEPTH);
            } else {
                simd.prefetch(self.a.wrapping_add(ahead.next).cast());
            }
        }
        let mut even = simd.no_value();
        for i in rows {
            let at = if FORM == LINE { i * T::DEPTH } else { i * t.a_row };
            // SAFETY: value `i` of this step, readable by contract.
            let value = unsafe { simd.broadcast(self.a.add(at)) };
            for (sum, vector) in acc[i][..own].iter_mut().zip(&vectors) {
                *sum = simd.dot(value, *vector, *sum);
            }
            if SHARED {
                if i % 2 == 0 {
                    even = value;
                }
                if i % 2 == 1 || i + 1 == M {
                    let both = simd.values_beside(even, value);
                    pairs[i / 2] = simd.dot(both, vectors[own], pairs[i / 2]);
                }
            }
        }
        // After the last step these pointers may lie outside the buffers. Nothing is read there, and
        // `wrapping_add` does not require that they stay inside.
        self.a = self.a.wrapping_add(if FORM == ROWS { T::DEPTH } else { t.a_step });
        self.b = self.b.wrapping_add(t.b_step);
    }
}

/// Prefetches the tile's residual, which is read after the reduction. It may come from L3 or memory,
/// and no hardware prefetcher expects it, because it lies far from everything that was read before.
#[inline(always)]
fn prefetch_residual<S: Dot<T>, T: Tiled, const M: usize, const V: usize>(simd: S, t: &Tile<T>) {
    let line = CACHE_LINE / size_of::<T::Output>();
    match t.y_lanes {
        Offsets::Adjacent => {
            for i in 0..M {
                for j in (0..V * <S as Dot<T>>::LANES).step_by(line) {
                    simd.prefetch(t.residual.wrapping_add(i * t.y_row + j).cast());
                }
            }
        }
        Offsets::Every(step) => {
            for j in 0..t.lanes {
                simd.prefetch(t.residual.wrapping_add(j * step).cast());
            }
        }
        Offsets::Table(_) => {}
    }
}
