//! Copying rows of staged outputs in single precision: group after group, or, for shuffled channels,
//! with the channels of the groups in turns.

use crate::micro::isa::Isa;
use crate::micro::operands::Clamp;
use crate::micro::vector::{ResidualClamp, Vector, load, store};
use pulp::NullaryFnOnce;

/// Staged rows of outputs, and their destination.
#[derive(Clone, Copy)]
pub(crate) struct Staged<T, F> {
    /// The first output of group 0 of row 0.
    pub(super) from: *const T,
    /// The pitches between rows and between the groups of a row. The last vector of a group can be read
    /// whole.
    pub(super) from_row: usize,
    pub(super) from_group: usize,
    /// The destination of that output.
    pub(super) to: *mut T,
    pub(super) to_row: usize,
    /// The pitch between the first outputs of groups. The outputs of a group lie side by side. With
    /// `shuffle` this pitch is 1, and the outputs of a group lie `groups` apart.
    pub(super) to_group: usize,
    pub(super) rows: usize,
    pub(super) groups: usize,
    /// The number of outputs of each group.
    pub(super) count: usize,
    pub(super) shuffle: bool,
    /// The residual, which has the strides of the destination. Null if none is added.
    pub(super) residual: *const T,
    /// What is done to each output after the residual was added. It is nothing if channels are shuffled.
    pub(super) finish: F,
}

/// Copies the rows.
///
/// # Safety
/// The ISA is available. The staged outputs and the residuals are readable, and the destination is
/// writable.
pub(super) unsafe fn copy_rows(isa: Isa, staged: &Staged<f32, Clamp>) {
    // SAFETY: by contract.
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

/// Copies the rows with the instructions of one ISA.
///
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
                // SAFETY: one of the caller's rows.
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

/// Copies a row group after group. `end` has the row's residual.
///
/// # Safety
/// As [`copy_rows`], for one row.
#[inline(always)]
unsafe fn copy(from: *const f32, to: *mut f32, s: &Staged<f32, Clamp>, end: ResidualClamp) {
    for group in 0..s.groups {
        let at = group * s.to_group;
        // SAFETY: the outputs of a group, and their destination.
        unsafe {
            let (from, to, end) = (from.add(group * s.from_group), to.add(at), end.at(at));
            let done = pieces::<16>(from, to, 0, s.count, end);
            let done = pieces::<4>(from, to, done, s.count, end);
            pieces::<1>(from, to, done, s.count, end);
        }
    }
}

/// Copies elements from `first` on in pieces of `N`, as long as a whole piece is left before `count`.
/// Returns the place of the first element that was not copied.
///
/// # Safety
/// Those elements and their residuals are readable, and their destinations are writable.
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

/// Copies a row with the outputs of its `G` groups in turns, one vector of each group at a time. The last
/// vector of a group is read whole, because staged rows have room for it. Only outputs are stored.
///
/// # Safety
/// As [`copy_rows`], for one row of `G` groups.
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
            // SAFETY: a vector of the group's outputs and of the padding behind them.
            *vector = unsafe { load::<S>(from.add(group * s.from_group + at)) };
        }
        woven(simd, &mut vectors);
        let count = lanes.min(s.count - at) * G;
        for (i, vector) in vectors.iter().copied().enumerate() {
            let (first, wanted) = (i * lanes, count.saturating_sub(i * lanes));
            // SAFETY: the destinations of these outputs.
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

/// Puts the lanes of 2, 3, 4 or 8 vectors in turns. There are no slices, recursion or closures here: they
/// may not inline, and would then not use the ISA's instructions.
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

/// Puts the lanes of four vectors in turns: first those of two pairs, then those of the results.
#[inline(always)]
fn woven4<S: Vector>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    let ([a, c], [b, d]) = (simd.interleave(a, c), simd.interleave(b, d));
    let ([a, b], [c, d]) = (simd.interleave(a, b), simd.interleave(c, d));
    [a, b, c, d]
}

/// Copies a row with the outputs of any number of groups in turns.
///
/// # Safety
/// As [`copy_rows`], for one row.
#[inline(always)]
unsafe fn one_by_one(from: *const f32, to: *mut f32, s: &Staged<f32, Clamp>) {
    for at in 0..s.count {
        for group in 0..s.groups {
            // SAFETY: an output and its destination.
            unsafe { *to.add(at * s.groups + group) = *from.add(group * s.from_group + at) };
        }
    }
}
