//! The register tile: the one inner loop that all kernels share.
//!
//! A tile is `M` broadcast values times `V` vectors. Per step of the reduction it does
//!
//! ```text
//! b[0..V]  ← V vector loads                      (one panel row)
//! for i in 0..M:
//!     a ← broadcast of one value                 (one row of the other operand)
//!     for v in 0..V: acc[i][v] ← a·b[v] + acc[i][v]
//! ```
//!
//! and beside prefetches nothing else: `M·V` fused multiply-adds for `M + V` loads. What is
//! broadcast and what lies in lanes is the caller's choice: pixels × outputs, or outputs × pixels.
//! Each accumulator is one chain over the inputs in ascending order, which is what makes the bits
//! the same in every tile, ISA and layout.
//!
//! Where at most half of the last vector's lanes are wanted, that vector is shared by two rows
//! (`HALF`): half the lanes of its accumulator are the one's, half the other's, and it takes one
//! multiply-add for both. 24 outputs then cost one and a half vectors, not two.
//!
//! Departures from the sketch: the `M` values come from `M` rows (`ROWS`: NHWC pixels, a fixed pitch
//! apart, consecutive inputs adjacent), from one packed or channel-major line (`LINE`: adjacent, a
//! step apart) or from planes (`PLANES`: a fixed pitch apart and a step apart, as every second pixel
//! of NCHW is); the finished tile goes out directly when all its lanes are wanted in memory order,
//! else through [`finish`]; and of large tiles one half of the rows ends before the other.
//!
//! Limits: `M·V + V + 1` vectors must fit in the register file (32 on AVX-512 and NEON, 16 on
//! AVX2), and `M·V` must cover latency × pipes of the multiply-add (8 on most cores).

use crate::micro::finish::{self, Offsets};
use crate::micro::vector::Vector;
use core::ops::Range;
use pulp::{NullaryFnOnce, Simd};

/// Operands and destination of one tile. Strides are in elements.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    /// Steps of the reduction.
    pub(crate) depth: usize,
    /// First broadcast value; value `i` of step `s` is `a[i·a_row + s]` in the `ROWS` form,
    /// `a[i + s·a_step]` in the `LINE` form and `a[i·a_row + s·a_step]` in the `PLANES` form.
    pub(crate) a: *const f32,
    /// Between values of a step.
    pub(crate) a_row: usize,
    /// Between steps.
    pub(crate) a_step: usize,
    /// First vector; those of step `s` start at `b[s·b_step]`.
    pub(crate) b: *const f32,
    /// Between steps.
    pub(crate) b_step: usize,
    /// Where the chains start: one value a row if `start_by_row`, else one a lane.
    pub(crate) start: *const f32,
    /// What `start` is indexed by.
    pub(crate) start_by_row: bool,
    /// Element (0, 0) of the result.
    pub(crate) y: *mut f32,
    /// Element (0, 0) of the residual, at the result's strides; null if there is none.
    pub(crate) residual: *const f32,
    /// Between rows of the result.
    pub(crate) y_row: usize,
    /// Where lane `j` of the result lies.
    pub(crate) y_lanes: Offsets,
    /// Lanes that are wanted; the others are padding.
    pub(crate) lanes: usize,
    /// Whether the weights may come from further away than L2: no tile has read them just before.
    pub(crate) fresh_weights: bool,
    /// Whether the next tile's pixels may.
    pub(crate) fresh_pixels: bool,
    /// Values below become `lo`, if it is above −∞.
    pub(crate) lo: f32,
    /// Values above become `hi`, if it is below +∞.
    pub(crate) hi: f32,
}

impl Tile {
    /// Whether all of so many lanes are wanted, adjacent in memory.
    #[inline(always)]
    fn is_whole(&self, lanes: usize) -> bool {
        self.lanes == lanes && matches!(self.y_lanes, Offsets::Adjacent)
    }
}

/// Where the `M` broadcast values of a step lie.
pub(crate) type Form = u8;
/// Each in a row of its own.
pub(crate) const ROWS: Form = 0;
/// Side by side.
pub(crate) const LINE: Form = 1;
/// Apart, and the next step's elsewhere.
pub(crate) const PLANES: Form = 2;

/// Whether two rows share the last vector.
pub(crate) const HALF: bool = true;
/// Whether two rows share the last vector.
pub(crate) const WHOLE: bool = false;

/// Steps that weights are asked for ahead: about a thousand cycles, memory's latency twice over.
const AHEAD: usize = 64;

/// Steps that the halves of a tile's rows do one after the other, so that the stores of one go out
/// during those of the other: of 8 to 48, 24 and 32 were measured to serve best.
const LAST: usize = 24;

/// Elements that one prefetch brings, on the CPUs that have one here.
pub(crate) const CACHE_LINE: usize = 64 / size_of::<f32>();

/// Computes one tile.
///
/// # Safety
/// The ISA behind it is available. With `M`, `V` those of the function, `L` the ISA's lanes:
/// all values that the form reads of `a` and all `V·L` of each step of `b` are readable, `start`
/// holds `M` or `V·L` values, every element `(i < M, j < lanes)` of `y` is writable by this call
/// alone, of `residual` readable, and `1 ≤ lanes ≤ V·L`. A `HALF` tile computes the first
/// `V·L − L/2` lanes only: what it stores beyond is unspecified.
pub(crate) type TileFn = unsafe fn(&Tile);

/// The tile function of one ISA, size and form.
///
/// # Safety
/// As [`TileFn`] says.
pub(crate) unsafe fn tile<
    S: Vector,
    const M: usize,
    const V: usize,
    const FORM: Form,
    const SHARED: bool,
>(
    t: &Tile,
) {
    struct Call<'a, S, const M: usize, const V: usize, const FORM: Form, const SHARED: bool>(
        S,
        &'a Tile,
    );
    impl<S: Vector, const M: usize, const V: usize, const FORM: Form, const SHARED: bool>
        NullaryFnOnce for Call<'_, S, M, V, FORM, SHARED>
    {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            // SAFETY: the caller of `tile` vouches for the pointers, and `S` exists.
            unsafe { compute::<S, M, V, FORM, SHARED>(self.0, self.1) }
        }
    }
    // SAFETY: the caller vouches that the ISA is available.
    let simd = unsafe { S::assume_available() };
    simd.call(Call::<S, M, V, FORM, SHARED>(simd, t));
}

/// # Safety
/// As [`TileFn`] says.
#[inline(always)]
unsafe fn compute<
    S: Vector,
    const M: usize,
    const V: usize,
    const FORM: Form,
    const SHARED: bool,
>(
    simd: S,
    t: &Tile,
) {
    let lanes = S::F32_LANES;
    // Vectors that each row has for itself; one more is shared.
    let own = V - usize::from(SHARED);
    if !t.residual.is_null() {
        prefetch_residual::<S, M, V>(simd, t);
    }
    let mut acc = [[simd.splat_f32s(0.0); V]; M];
    // What rows 2·i and 2·i + 1 share.
    let mut pairs = [simd.splat_f32s(0.0); M];
    // SAFETY: `start` holds M values by row, else V·L; the loops stay within both.
    unsafe {
        if t.start_by_row {
            for (i, row) in acc.iter_mut().enumerate() {
                let start = simd.splat_f32s(*t.start.add(i));
                *row = [start; V];
                if SHARED {
                    let pair = &mut pairs[i / 2];
                    *pair = if i % 2 == 0 { start } else { simd.beside(*pair, start) };
                }
            }
        } else {
            for v in 0..V {
                let start = vector::<S>(simd, t.start.add(v * lanes), v == own);
                for row in &mut acc {
                    row[v] = start;
                }
                if SHARED {
                    pairs = [start; M];
                }
            }
        }
    }
    // What comes from L3 or memory is asked for before it is wanted: weights some steps ahead, for
    // they stream by at a few bytes a cycle, too slowly for hardware prefetchers to run far enough
    // ahead; and pixels a tile ahead, for they are read in as many streams as there are rows, or
    // each step a plane from the last, where none follows. The next tile's lie after these, or
    // beside them. A tile that finds either near asks for what it reads now, which costs nothing
    // that shows.
    let weights = if t.fresh_weights { AHEAD } else { 0 };
    let pixels = usize::from(t.fresh_pixels);
    let next_vectors =
        if t.start_by_row { pixels * (V * lanes + CACHE_LINE - 1) } else { weights * t.b_step };
    let (next, next_step) = match (FORM, t.start_by_row) {
        (ROWS, _) => (t.a.wrapping_add((pixels * M).wrapping_mul(t.a_row)), M),
        (LINE, true) => (t.a.wrapping_add(weights * t.a_step), t.a_step),
        // The cache line of the last of the next `M` also has the first, or these reach it.
        (LINE, false) => (t.a.wrapping_add(pixels * (2 * M - 1)), t.a_step),
        _ => (t.a.wrapping_add((pixels * (2 * M - 1)).wrapping_mul(t.a_row)), t.a_step),
    };
    // A tall tile of one vector's width loads about as often as it multiplies: none to spare.
    let tall = const { V == 1 && M >= 24 };
    let ahead = (!tall).then_some(Ahead { vectors: next_vectors, step: next_step });
    let mut at = Step { a: t.a, b: t.b, next };
    // Stores that all wait for the last step hold up the multiply-adds behind them: on Zen 5, those
    // of 512 bits by about a cycle each. So the last steps are done for half of the rows first, and
    // what these come to goes out while the others are at it.
    let large = const { S::F32_LANES == 16 && !SHARED && M * V >= 24 };
    let halves = large && t.is_whole(V * lanes);
    let split = const { M.div_ceil(2) };
    let last = if halves { t.depth.min(LAST) } else { 0 };
    for _ in last..t.depth {
        // SAFETY: by contract, as for the steps below.
        unsafe { at.run::<S, M, V, FORM, SHARED>(simd, t, 0..M, &mut acc, &mut pairs, ahead) };
    }
    if halves {
        let mut again = at;
        for _ in 0..last {
            // SAFETY: as above.
            unsafe {
                at.run::<S, M, V, FORM, SHARED>(simd, t, 0..split, &mut acc, &mut pairs, ahead)
            };
        }
        // SAFETY: all V·L elements of these rows are the caller's, lanes adjacent.
        unsafe { store_whole(simd, &mut acc, 0..split, t) };
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
            (first[own], second[own]) = (simd.half(*pair, false), simd.half(*pair, true));
        }
        if let [row] = last {
            row[own] = simd.half(pairs[M / 2], false);
        }
    }
    if t.is_whole(V * lanes) {
        let rest = if large { split..M } else { 0..M };
        // SAFETY: all V·L elements of these rows are the caller's, lanes adjacent.
        unsafe { store_whole(simd, &mut acc, rest, t) };
    } else if S::MASKS && matches!(t.y_lanes, Offsets::Adjacent) {
        // SAFETY: the M × `lanes` elements are the caller's, lanes adjacent.
        unsafe { store_masked(simd, &acc, t) };
    } else {
        // A copy, so that the accumulators themselves are never indexed and stay in registers.
        let spilled = acc;
        // SAFETY: as above; `finish` keeps to `t.lanes` of them.
        unsafe { finish::finish::<S>(spilled.as_flattened(), V, t) };
    }
}

/// Where a step of the reduction reads.
#[derive(Clone, Copy)]
struct Step {
    a: *const f32,
    b: *const f32,
    /// What is asked for ahead of `a`.
    next: *const f32,
}

/// How far ahead memory is asked for, in elements.
#[derive(Clone, Copy)]
struct Ahead {
    /// From the vectors that are read.
    vectors: usize,
    /// From step to step.
    step: usize,
}

impl Step {
    /// Does it for some rows, and goes on to the next.
    ///
    /// # Safety
    /// As [`TileFn`] says, for a step that the tile has.
    #[inline(always)]
    unsafe fn run<
        S: Vector,
        const M: usize,
        const V: usize,
        const FORM: Form,
        const SHARED: bool,
    >(
        &mut self,
        simd: S,
        t: &Tile,
        rows: Range<usize>,
        acc: &mut [[S::f32s; V]; M],
        pairs: &mut [S::f32s; M],
        ahead: Option<Ahead>,
    ) {
        let lanes = S::F32_LANES;
        let own = V - usize::from(SHARED);
        let mut vectors = [simd.splat_f32s(0.0); V];
        for (v, loaded) in vectors.iter_mut().enumerate() {
            // SAFETY: within the V·L readable elements of this step.
            *loaded = unsafe { vector::<S>(simd, self.b.add(v * lanes), v == own) };
            if let Some(ahead) = ahead
                && (v * lanes).is_multiple_of(CACHE_LINE)
            {
                simd.prefetch(self.b.wrapping_add(ahead.vectors + v * lanes));
            }
        }
        if let Some(ahead) = ahead {
            simd.prefetch(self.next);
            self.next = self.next.wrapping_add(ahead.step);
        }
        let mut even = simd.splat_f32s(0.0);
        for i in rows {
            // SAFETY: value `i` of this step, readable by contract.
            let value = unsafe { *self.a.add(if FORM == LINE { i } else { i * t.a_row }) };
            let value = simd.splat_f32s(value);
            for (sum, vector) in acc[i][..own].iter_mut().zip(&vectors) {
                *sum = simd.mul_add_f32s(value, *vector, *sum);
            }
            if SHARED {
                if i % 2 == 0 {
                    even = value;
                }
                if i % 2 == 1 || i + 1 == M {
                    let both = simd.beside(even, value);
                    pairs[i / 2] = simd.mul_add_f32s(both, vectors[own], pairs[i / 2]);
                }
            }
        }
        // Past the last step these may leave the buffers, so they are moved without a claim to
        // stay inside; they are not read again.
        self.a = self.a.wrapping_add(if FORM == ROWS { 1 } else { t.a_step });
        self.b = self.b.wrapping_add(t.b_step);
    }
}

/// Asks for the tile's residual, which is wanted when the reduction is over: it comes from as far
/// as L3 or memory, and is read nowhere near the reads before it.
#[inline(always)]
fn prefetch_residual<S: Vector, const M: usize, const V: usize>(simd: S, t: &Tile) {
    match t.y_lanes {
        Offsets::Adjacent => {
            for i in 0..M {
                for j in (0..V * S::F32_LANES).step_by(CACHE_LINE) {
                    simd.prefetch(t.residual.wrapping_add(i * t.y_row + j));
                }
            }
        }
        Offsets::Every(step) => {
            for j in 0..t.lanes {
                simd.prefetch(t.residual.wrapping_add(j * step));
            }
        }
        Offsets::Table(_) => {}
    }
}

/// Residual, clamp and store of some rows of a tile whose lanes are all wanted and adjacent in
/// memory.
///
/// # Safety
/// Those rows of `V·L` elements at `t.y` are writable, and readable at a non-null `t.residual`.
#[inline(always)]
unsafe fn store_whole<S: Vector, const M: usize, const V: usize>(
    simd: S,
    acc: &mut [[S::f32s; V]; M],
    rows: Range<usize>,
    t: &Tile,
) {
    let lanes = S::F32_LANES;
    if !t.residual.is_null() {
        for i in rows.clone() {
            for (v, sum) in acc[i].iter_mut().enumerate() {
                // SAFETY: element (i, v·L) of the residual and the L − 1 after it.
                let residual = unsafe { load::<S>(t.residual.add(i * t.y_row + v * lanes)) };
                *sum = simd.add_f32s(*sum, residual);
            }
        }
    }
    if t.lo > f32::NEG_INFINITY {
        let lo = simd.splat_f32s(t.lo);
        for sum in acc[rows.clone()].as_flattened_mut() {
            *sum = simd.at_least(*sum, lo);
        }
    }
    if t.hi < f32::INFINITY {
        let hi = simd.splat_f32s(t.hi);
        for sum in acc[rows.clone()].as_flattened_mut() {
            *sum = simd.at_most(*sum, hi);
        }
    }
    for i in rows {
        for (v, sum) in acc[i].iter().enumerate() {
            // SAFETY: element (i, v·L) of the result and the L − 1 after it.
            unsafe { store::<S>(t.y.add(i * t.y_row + v * lanes), *sum) };
        }
    }
}

/// The same of a tile of whose lanes only the first `t.lanes` are wanted.
///
/// # Safety
/// `M` rows of `t.lanes` elements at `t.y` are writable, and readable at a non-null `t.residual`.
#[inline(always)]
unsafe fn store_masked<S: Vector, const M: usize, const V: usize>(
    simd: S,
    acc: &[[S::f32s; V]; M],
    t: &Tile,
) {
    let lanes = S::F32_LANES;
    let (lo, hi) = (simd.splat_f32s(t.lo), simd.splat_f32s(t.hi));
    for (i, row) in acc.iter().enumerate() {
        for (v, sum) in row.iter().enumerate() {
            let (at, wanted) = (i * t.y_row + v * lanes, t.lanes.saturating_sub(v * lanes));
            let wanted = wanted.min(lanes);
            let mut sum = *sum;
            // SAFETY: `wanted` elements from (i, v·L) on; none are accessed where that is 0, and
            // there the address may lie anywhere.
            unsafe {
                if !t.residual.is_null() {
                    let residual = simd.load_first(t.residual.wrapping_add(at), wanted);
                    sum = simd.add_f32s(sum, residual);
                }
                let sum = simd.at_most(simd.at_least(sum, lo), hi);
                simd.store_first(t.y.wrapping_add(at), sum, wanted);
            }
        }
    }
}

/// One vector, or half of one for two rows.
///
/// # Safety
/// So much is readable at `from`.
#[inline(always)]
unsafe fn vector<S: Vector>(simd: S, from: *const f32, half: bool) -> S::f32s {
    // SAFETY: by contract.
    unsafe { if half { simd.load_half(from) } else { load::<S>(from) } }
}

/// # Safety
/// One vector is readable at `from`.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: by contract; `f32s` is plain old data of as many `f32` as the vector has lanes.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// # Safety
/// One vector is writable at `to`.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd>(to: *mut f32, value: S::f32s) {
    // SAFETY: by contract.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}
