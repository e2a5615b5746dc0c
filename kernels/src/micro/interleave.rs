//! Whole rows of staged outputs on their way to memory: group by group as they were computed, or
//! with the channels of the groups in turns.

use super::Vector;
use super::vector::End;
use crate::Isa;
use pulp::NullaryFnOnce;

/// Rows of outputs as tiles stored them, and where they go.
#[derive(Clone, Copy)]
pub(crate) struct Staged {
    /// First output of group 0 of row 0.
    pub(crate) from: *const f32,
    /// Between rows, and between groups of a row.
    pub(crate) from_row: usize,
    pub(crate) from_group: usize,
    /// Where that output goes.
    pub(crate) to: *mut f32,
    pub(crate) to_row: usize,
    /// Between the first outputs of groups; outputs of a group are adjacent. With `shuffle` it is
    /// 1, and they are `groups` apart.
    pub(crate) to_group: usize,
    pub(crate) rows: usize,
    pub(crate) groups: usize,
    /// Outputs of each group.
    pub(crate) count: usize,
    pub(crate) shuffle: bool,
    /// What is done on the way; nothing if channels are shuffled.
    pub(crate) end: End,
}

/// Copies the rows.
///
/// # Safety
/// The ISA is available; the elements named are readable and writable.
pub(crate) unsafe fn unstage(isa: Isa, staged: &Staged) {
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
/// As [`unstage`].
unsafe fn rows<S: Vector>(staged: &Staged) {
    struct Call<'a, S>(S, &'a Staged);
    impl<S: Vector> NullaryFnOnce for Call<'_, S> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            let Call(simd, s) = self;
            for row in 0..s.rows {
                // SAFETY: a row of the caller's.
                unsafe {
                    let (from, to) = (s.from.add(row * s.from_row), s.to.add(row * s.to_row));
                    match s.groups {
                        _ if !s.shuffle => copy(from, to, s, s.end.at(row * s.to_row)),
                        2 => in_turns::<2>(from, to, s),
                        3 => in_turns::<3>(from, to, s),
                        4 => transposed::<S, 4>(simd, from, to, s),
                        8 => transposed::<S, 8>(simd, from, to, s),
                        _ => one_by_one(from, to, s, 0),
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
/// As [`unstage`], of a row whose residual is `end`'s.
#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, s: &Staged, end: End) {
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
    end: End,
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

/// Few groups: `G` streams in, one out, which the compiler puts in lanes.
///
/// # Safety
/// As [`unstage`], of a row of `G` groups.
#[inline(always)]
unsafe fn in_turns<const G: usize>(from: *const f32, to: *mut f32, s: &Staged) {
    const LANES: usize = 16;
    let whole = s.count / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let (mut groups, mut turns) = ([[0.0f32; LANES]; G], [[0.0f32; G]; LANES]);
        // SAFETY: elements at..at + LANES of each group, and their places.
        unsafe {
            for (group, values) in groups.iter_mut().enumerate() {
                let from = from.add(group * s.from_group + at);
                *values = from.cast::<[f32; LANES]>().read_unaligned();
            }
            for (lane, turn) in turns.iter_mut().enumerate() {
                for (value, values) in turn.iter_mut().zip(&groups) {
                    *value = values[lane];
                }
            }
            to.add(at * G).cast::<[[f32; G]; LANES]>().write_unaligned(turns);
        }
    }
    // SAFETY: what is left of the row.
    unsafe { one_by_one(from, to, s, whole) };
}

/// Four or eight groups: a transpose in registers.
///
/// # Safety
/// As [`unstage`], of a row of `G` groups.
#[inline(always)]
unsafe fn transposed<S: Vector, const G: usize>(
    simd: S,
    from: *const f32,
    to: *mut f32,
    s: &Staged,
) {
    let whole = s.count / G * G;
    for at in (0..whole).step_by(G) {
        // SAFETY: elements at..at + G of each group, and their places.
        unsafe {
            let (from, to) = (from.add(at), to.add(at * G));
            match G {
                4 => simd.transpose4(from, s.from_group, to, 4, End::NONE),
                _ => simd.transpose8(from, s.from_group, to, 8, End::NONE),
            }
        }
    }
    // SAFETY: what is left of the row.
    unsafe { one_by_one(from, to, s, whole) };
}

/// The outputs of each group from `first` on.
///
/// # Safety
/// As [`unstage`], of a row.
#[inline(always)]
unsafe fn one_by_one(from: *const f32, to: *mut f32, s: &Staged, first: usize) {
    for at in first..s.count {
        for group in 0..s.groups {
            // SAFETY: an output and its place.
            unsafe { *to.add(at * s.groups + group) = *from.add(group * s.from_group + at) };
        }
    }
}
