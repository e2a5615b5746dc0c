//! Whole rows of staged outputs in single precision: copied group by group as they were computed, or
//! with the channels of the groups in turns.

use crate::micro::isa::Isa;
use crate::micro::operands::Clamp;
use crate::micro::vector::{ResidualClamp, Vector, load, store};
use pulp::NullaryFnOnce;

/// Rows of outputs as tiles stored them, and where they go.
#[derive(Clone, Copy)]
pub(crate) struct Staged<T, F> {
    /// First output of group 0 of row 0.
    pub(super) from: *const T,
    /// Between rows, and between groups of a row; whole vectors of a group are readable.
    pub(super) from_row: usize,
    pub(super) from_group: usize,
    /// Where that output goes.
    pub(super) to: *mut T,
    pub(super) to_row: usize,
    /// Between the first outputs of groups; outputs of a group are adjacent. With `shuffle` it is
    /// 1, and they are `groups` apart.
    pub(super) to_group: usize,
    pub(super) rows: usize,
    pub(super) groups: usize,
    /// Outputs of each group.
    pub(super) count: usize,
    pub(super) shuffle: bool,
    /// What is added on the way, at the strides of where the outputs go; null if nothing is.
    pub(super) residual: *const T,
    /// What is done last on the way; nothing if channels are shuffled.
    pub(super) finish: F,
}

/// Copies the rows.
///
/// # Safety
/// The ISA is available; the elements named are readable and writable.
pub(super) unsafe fn copy_rows(isa: Isa, staged: &Staged<f32, Clamp>) {
    // SAFETY: the caller's contract, passed on.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => rows::<pulp::x86::V4>(staged),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => rows::<pulp::x86::V3>(staged),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => rows::<pulp::aarch64::Neon>(staged),
            _ => rows::<pulp::Scalar>(staged),
        }
    }
}

/// # Safety
/// As [`copy_rows`].
unsafe fn rows<S: Vector>(staged: &Staged<f32, Clamp>) {
    struct Call<'a, S>(S, &'a Staged<f32, Clamp>);
    impl<S: Vector> NullaryFnOnce for Call<'_, S> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Call(simd, s) = self;
            let Clamp { lo, hi } = s.finish;
            let end = ResidualClamp { residual: s.residual, lo, hi };
            for row in 0..s.rows {
                // SAFETY: a row of the caller's.
                unsafe {
                    let (from, to) = (s.from.add(row * s.from_row), s.to.add(row * s.to_row));
                    match s.groups {
                        _ if !s.shuffle => copy(from, to, s, end.at(row * s.to_row)),
                        2 => in_turns::<S, 2>(simd, from, to, s),
                        3 => in_turns::<S, 3>(simd, from, to, s),
                        4 => in_turns::<S, 4>(simd, from, to, s),
                        8 => in_turns::<S, 8>(simd, from, to, s),
                        _ => one_by_one(from, to, s),
                    }
                }
            }
        }
    }
    // SAFETY: the caller vouches that the ISA is available.
    let simd = unsafe { S::assume_available() };
    simd.call(Call(simd, staged));
}

/// # Safety
/// As [`copy_rows`], of a row whose residual is `end`'s.
#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, s: &Staged<f32, Clamp>, end: ResidualClamp) {
    for group in 0..s.groups {
        let at = group * s.to_group;
        // SAFETY: the outputs of a group, in both places.
        unsafe {
            let (from, to, end) = (from.add(group * s.from_group), to.add(at), end.at(at));
            let done = pieces::<16>(from, to, 0, s.count, end);
            let done = pieces::<4>(from, to, done, s.count, end);
            pieces::<1>(from, to, done, s.count, end);
        }
    }
}

/// Copies elements `first..count` as far as pieces of `N` go; returns where that is.
///
/// # Safety
/// Those elements are readable and writable, and of a residual readable.
#[inline(always)]
unsafe fn pieces<const N: usize>(
    from: *const f32,
    to: *mut f32,
    first: usize,
    count: usize,
    end: ResidualClamp,
) -> usize {
    let mut at = first;
    while at + N <= count {
        // SAFETY: a piece of the caller's elements.
        unsafe {
            let mut v = from.add(at).cast::<[f32; N]>().read_unaligned();
            if !end.residual.is_null() {
                let residual = end.residual.add(at).cast::<[f32; N]>().read_unaligned();
                for (v, residual) in v.iter_mut().zip(&residual) {
                    *v += residual;
                }
            }
            for v in &mut v {
                *v = if *v < end.lo { end.lo } else { *v };
                *v = if *v > end.hi { end.hi } else { *v };
            }
            to.add(at).cast::<[f32; N]>().write_unaligned(v);
        }
        at += N;
    }
    at
}

/// The outputs of `G` groups in turns, a vector of each at a time. The last vectors are read whole,
/// which staged rows have room for, and stored as far as there are outputs.
///
/// # Safety
/// As [`copy_rows`], of a row of `G` groups.
#[inline(always)]
unsafe fn in_turns<S: Vector, const G: usize>(
    simd: S,
    from: *const f32,
    to: *mut f32,
    s: &Staged<f32, Clamp>,
) {
    let lanes = S::F32_LANES;
    for at in (0..s.count).step_by(lanes) {
        let mut vectors = [simd.splat_f32s(0.0); G];
        for (group, vector) in vectors.iter_mut().enumerate() {
            // SAFETY: a vector of the group's outputs, or of what fills the row after them.
            *vector = unsafe { load::<S>(from.add(group * s.from_group + at)) };
        }
        woven(simd, &mut vectors);
        let count = lanes.min(s.count - at) * G;
        for (i, vector) in vectors.iter().copied().enumerate() {
            let (first, wanted) = (i * lanes, count.saturating_sub(i * lanes));
            // SAFETY: places of these outputs.
            unsafe {
                let to = to.add(at * G + first);
                match wanted {
                    0 => {}
                    _ if wanted >= lanes => store::<S>(to, vector),
                    _ => simd.store_first(to, vector, wanted),
                }
            }
        }
    }
}

/// Puts the lanes of 2, 3, 4 or 8 vectors in turns. (No slices, recursion or closures, which would
/// stay calls, outside the ISA's features.)
#[inline(always)]
fn woven<S: Vector, const G: usize>(simd: S, v: &mut [S::f32s; G]) {
    match G {
        2 => {
            let [a, b] = simd.interleave(v[0], v[1]);
            (v[0], v[1]) = (a, b);
        }
        3 => {
            let [a, b, c] = simd.interleave3([v[0], v[1], v[2]]);
            (v[0], v[1], v[2]) = (a, b, c);
        }
        4 => {
            let [a, b, c, d] = woven4(simd, [v[0], v[1], v[2], v[3]]);
            (v[0], v[1], v[2], v[3]) = (a, b, c, d);
        }
        8 => {
            let even = woven4(simd, [v[0], v[2], v[4], v[6]]);
            let odd = woven4(simd, [v[1], v[3], v[5], v[7]]);
            for i in 0..4 {
                let [a, b] = simd.interleave(even[i], odd[i]);
                (v[2 * i], v[2 * i + 1]) = (a, b);
            }
        }
        _ => {}
    }
}

/// Four vectors in turns: two pairs in turns.
#[inline(always)]
fn woven4<S: Vector>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    let ([a, c], [b, d]) = (simd.interleave(a, c), simd.interleave(b, d));
    let ([a, b], [c, d]) = (simd.interleave(a, b), simd.interleave(c, d));
    [a, b, c, d]
}

/// Any number of groups.
///
/// # Safety
/// As [`copy_rows`], of a row.
#[inline(always)]
unsafe fn one_by_one(from: *const f32, to: *mut f32, s: &Staged<f32, Clamp>) {
    for at in 0..s.count {
        for group in 0..s.groups {
            // SAFETY: an output and its place.
            unsafe { *to.add(at * s.groups + group) = *from.add(group * s.from_group + at) };
        }
    }
}
