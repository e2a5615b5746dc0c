//! The operations in single precision that tiles, packing and copies of outputs need of an ISA,
//! beyond pulp's `Simd`.

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

use pulp::bytemuck::{Pod, cast_slice, cast_slice_mut};
use pulp::{NullaryFnOnce, Scalar, Simd};

/// The number of lanes of the longest vector.
const MOST_LANES: usize = 16;

/// What is done to a value before it is stored: the residual is added, then the sum is clamped.
#[derive(Clone, Copy)]
pub(crate) struct ResidualClamp {
    /// The residual, which has the strides of the destination. Null if there is none.
    pub(crate) residual: *const f32,
    pub(crate) lo: f32,
    pub(crate) hi: f32,
}

impl ResidualClamp {
    /// Leaves values as they are.
    pub(crate) const NONE: ResidualClamp =
        ResidualClamp { residual: core::ptr::null(), lo: f32::NEG_INFINITY, hi: f32::INFINITY };

    /// The same for the values from element `at` on.
    #[inline(always)]
    pub(crate) fn at(self, at: usize) -> ResidualClamp {
        let residual =
            if self.residual.is_null() { self.residual } else { self.residual.wrapping_add(at) };
        ResidualClamp { residual, ..self }
    }

    /// Adds the residual's element `at` to a value, and clamps the sum.
    ///
    /// # Safety
    /// Element `at` of the residual is readable, unless the residual is null.
    #[inline(always)]
    pub(crate) unsafe fn apply(self, v: f32, at: usize) -> f32 {
        let v = if self.residual.is_null() {
            v
        } else {
            // SAFETY: by contract.
            v + unsafe { *self.residual.wrapping_add(at) }
        };
        let v = if v < self.lo { self.lo } else { v };
        if v > self.hi { self.hi } else { v }
    }
}

/// A pulp token, which stands for an ISA that the CPU has, with further operations.
///
/// `at_least` and `at_most` treat NaN and −0 as the library promises.
pub(crate) trait Vector: Simd {
    /// The token, without a check whether the CPU has the ISA.
    ///
    /// # Safety
    /// The CPU has the ISA.
    unsafe fn assume_available() -> Self;

    /// Runs `op` with the ISA's instructions enabled. They are enabled only in what is inlined.
    fn call<Op: NullaryFnOnce>(self, op: Op) -> Op::Output;

    /// `to[j·to_pitch + i] = end(from[i·from_pitch + j])` for `i`, `j` below 8.
    ///
    /// # Safety
    /// Those elements of `from` are readable, and those of `to` are writable. The residual of `end`, if
    /// it has one, is readable at the same places as `to`.
    #[inline(always)]
    unsafe fn transpose8(
        self,
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
        end: ResidualClamp,
    ) {
        for (i, j) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
            let at = j * to_pitch + i;
            // SAFETY: a quarter of the caller's block.
            unsafe {
                let from = from.add(i * from_pitch + j);
                self.transpose4(from, from_pitch, to.add(at), to_pitch, end.at(at));
            }
        }
    }

    /// The same for `i`, `j` below 4.
    ///
    /// # Safety
    /// As [`transpose8`](Vector::transpose8).
    #[inline(always)]
    unsafe fn transpose4(
        self,
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
        end: ResidualClamp,
    ) {
        for i in 0..4 {
            for j in 0..4 {
                let at = j * to_pitch + i;
                // SAFETY: an element of the caller's block.
                unsafe { *to.add(at) = end.apply(*from.add(i * from_pitch + j), at) };
            }
        }
    }

    /// The same for `i`, `j` below 16, without an `end`.
    ///
    /// # Safety
    /// Those elements are readable and writable.
    #[inline(always)]
    unsafe fn transpose16(
        self,
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        for (i, j) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
            // SAFETY: a quarter of the caller's block.
            unsafe {
                let (from, to) = (from.add(i * from_pitch + j), to.add(j * to_pitch + i));
                self.transpose8(from, from_pitch, to, to_pitch, ResidualClamp::NONE);
            }
        }
    }

    /// `to[i] = from[2·i]` for `i` below 8; reads `from[..15]`.
    ///
    /// # Safety
    /// Those elements are readable and writable.
    #[inline(always)]
    unsafe fn every_second8(self, from: *const f32, to: *mut f32) {
        // SAFETY: halves of the caller's 15 and 8 elements.
        unsafe {
            self.every_second4(from, to);
            self.every_second4(from.add(8), to.add(4));
        }
    }

    /// `to[i] = from[2·i]` for `i` below 4; reads `from[..7]`.
    ///
    /// # Safety
    /// Those elements are readable and writable.
    #[inline(always)]
    unsafe fn every_second4(self, from: *const f32, to: *mut f32) {
        for i in 0..4 {
            // SAFETY: one of the caller's elements.
            unsafe { *to.add(i) = *from.add(2 * i) };
        }
    }

    /// Prefetches the cache line at an address. Any address is allowed.
    #[inline(always)]
    fn prefetch(self, _at: *const u8) {}

    /// Whether [`load_first`](Vector::load_first) and [`store_first`](Vector::store_first) are one
    /// instruction each.
    const MASKS: bool = false;

    /// Loads the first `count` lanes of a vector. The other lanes are zero.
    ///
    /// # Safety
    /// Those elements are readable, and `count` is at most the number of lanes.
    #[inline(always)]
    unsafe fn load_first(self, from: *const f32, count: usize) -> Self::f32s {
        let mut lanes = [0.0; MOST_LANES];
        // SAFETY: by contract; the array is as long as the longest vector.
        unsafe {
            core::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            lanes.as_ptr().cast::<Self::f32s>().read_unaligned()
        }
    }

    /// Writes the first `count` lanes of a vector to `to`.
    ///
    /// # Safety
    /// Those elements are writable, and `count` is at most the number of lanes.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, v: Self::f32s, count: usize) {
        // SAFETY: by contract; a vector is its lanes.
        unsafe { core::ptr::copy_nonoverlapping((&raw const v).cast::<f32>(), to, count) };
    }

    /// Loads half a vector's elements for two rows that share a vector: every pair of elements comes
    /// twice, as in `0 1 0 1 2 3 2 3 …`. ISAs without tiles that share a vector need not implement
    /// this, [`beside`](Vector::beside) and [`half`](Vector::half).
    ///
    /// # Safety
    /// Half as many elements as there are lanes are readable at `from`.
    #[inline(always)]
    unsafe fn load_half(self, _from: *const f32) -> Self::f32s {
        self.splat_f32s(0.0)
    }

    /// Two lanes of `even`, then two of `odd`, and so on. All lanes of `even` are equal, and so are all
    /// lanes of `odd`.
    #[inline(always)]
    fn beside(self, even: Self::f32s, _odd: Self::f32s) -> Self::f32s {
        even
    }

    /// The first two of every four lanes, moved to the low half of the vector. If `second`, the other
    /// two of every four.
    #[inline(always)]
    fn half(self, v: Self::f32s, _second: bool) -> Self::f32s {
        v
    }

    /// The lanes of two vectors in turns, `a0 b0 a1 b1 …`, as two vectors.
    #[inline(always)]
    fn interleave(self, a: Self::f32s, b: Self::f32s) -> [Self::f32s; 2] {
        in_turns([a, b])
    }

    /// The lanes of three vectors in turns, as three vectors.
    #[inline(always)]
    fn interleave3(self, vectors: [Self::f32s; 3]) -> [Self::f32s; 3] {
        in_turns(vectors)
    }

    /// `if v < lo { lo } else { v }` in each lane, so that a NaN stays a NaN.
    #[inline(always)]
    fn at_least(self, v: Self::f32s, lo: Self::f32s) -> Self::f32s {
        self.select_f32s(self.less_than_f32s(v, lo), lo, v)
    }

    /// `if v > hi { hi } else { v }` in each lane, so that a NaN stays a NaN.
    #[inline(always)]
    fn at_most(self, v: Self::f32s, hi: Self::f32s) -> Self::f32s {
        self.select_f32s(self.less_than_f32s(hi, v), hi, v)
    }
}

/// The lanes of `G` vectors in turns, through memory.
#[inline(always)]
fn in_turns<V: Pod, const G: usize>(vectors: [V; G]) -> [V; G] {
    let mut to = vectors;
    let (from, into) = (cast_slice::<V, f32>(&vectors), cast_slice_mut::<V, f32>(&mut to));
    let lanes = from.len() / G;
    for lane in 0..lanes {
        for group in 0..G {
            into[lane * G + group] = from[group * lanes + lane];
        }
    }
    to
}

impl Vector for Scalar {
    unsafe fn assume_available() -> Self {
        Scalar::new()
    }

    #[inline(always)]
    fn call<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
        op.call()
    }
}

/// Loads a vector.
///
/// # Safety
/// One vector is readable at `from`.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: by contract; `f32s` is plain old data of as many `f32` as the vector has lanes.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// Stores a vector.
///
/// # Safety
/// One vector is writable at `to`.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd>(to: *mut f32, value: S::f32s) {
    // SAFETY: by contract.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}
