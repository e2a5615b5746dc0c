//! What a tile needs of an ISA beyond pulp's `Simd`.

use pulp::{NullaryFnOnce, Scalar, Simd};

/// Lanes of the longest vector.
const MOST_LANES: usize = 16;

/// What is done to a value on its way out: residual added, then clamped.
#[derive(Clone, Copy)]
pub(crate) struct End {
    /// The residual, at the strides of where the values go; null if there is none.
    pub(crate) residual: *const f32,
    pub(crate) lo: f32,
    pub(crate) hi: f32,
}

impl End {
    /// The value as it is.
    pub(crate) const NONE: End =
        End { residual: core::ptr::null(), lo: f32::NEG_INFINITY, hi: f32::INFINITY };

    /// The same for the values `at` elements on.
    #[inline(always)]
    pub(crate) fn at(self, at: usize) -> End {
        let residual =
            if self.residual.is_null() { self.residual } else { self.residual.wrapping_add(at) };
        End { residual, ..self }
    }

    /// # Safety
    /// A residual is readable `at` elements on.
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

/// A pulp token with the comparisons whose treatment of NaN and −0 the library promises.
pub(crate) trait Vector: Simd {
    /// The token, without asking the CPU.
    ///
    /// # Safety
    /// The CPU has the ISA.
    unsafe fn assume_available() -> Self;

    /// Runs `op` with the ISA's instructions enabled; `op` must inline.
    fn call<Op: NullaryFnOnce>(self, op: Op) -> Op::Output;

    /// `to[j·to_pitch + i] = end(from[i·from_pitch + j])` for `i`, `j` below 8.
    ///
    /// # Safety
    /// Those elements are readable and writable, and the residual that `end` has is readable at
    /// the places written.
    #[inline(always)]
    unsafe fn transpose8(
        self,
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
        end: End,
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
        end: End,
    ) {
        for i in 0..4 {
            for j in 0..4 {
                let at = j * to_pitch + i;
                // SAFETY: an element of the caller's block.
                unsafe { *to.add(at) = end.apply(*from.add(i * from_pitch + j), at) };
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

    /// Says that the cache line at an address, which may be any, will soon be read.
    #[inline(always)]
    fn prefetch(self, _at: *const f32) {}

    /// Whether [`load_first`](Vector::load_first) and [`store_first`](Vector::store_first) are one
    /// instruction each.
    const MASKS: bool = false;

    /// The first `count` lanes of a vector at `from`, the others zero.
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

    /// Half a vector's elements in the low and again in the high half of one. This and the other
    /// operations on halves are there for ISAs that register such tiles.
    ///
    /// # Safety
    /// Half as many elements as there are lanes are readable at `from`.
    #[inline(always)]
    unsafe fn load_half(self, _from: *const f32) -> Self::f32s {
        self.splat_f32s(0.0)
    }

    /// The low half of `low` beside the high half of `high`.
    #[inline(always)]
    fn beside(self, low: Self::f32s, _high: Self::f32s) -> Self::f32s {
        low
    }

    /// The high half in the place of the low one.
    #[inline(always)]
    fn high_half(self, v: Self::f32s) -> Self::f32s {
        v
    }

    /// `if v < lo { lo } else { v }` in each lane.
    #[inline(always)]
    fn at_least(self, v: Self::f32s, lo: Self::f32s) -> Self::f32s {
        self.select_f32s(self.less_than_f32s(v, lo), lo, v)
    }

    /// `if v > hi { hi } else { v }` in each lane.
    #[inline(always)]
    fn at_most(self, v: Self::f32s, hi: Self::f32s) -> Self::f32s {
        self.select_f32s(self.less_than_f32s(hi, v), hi, v)
    }
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{End, NullaryFnOnce, Vector};
    use core::arch::x86_64::{__m128, __m256, __m256d};
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    use core::arch::x86_64::{_mm512_broadcast_f32x8, _mm512_mask_blend_ps, _mm512_shuffle_f32x4};
    use core::arch::x86_64::{_mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
    use pulp::Simd;
    use pulp::x86::{V3, V4};

    /// `max(lo, v)` and `min(hi, v)` give their second operand when either is NaN or both are
    /// zero, which is the comparison promised, in one instruction.
    macro_rules! x86 {
        ($token:ty, { $($more:tt)* }) => {
            impl Vector for $token {
                unsafe fn assume_available() -> Self {
                    // SAFETY: the caller vouches for the ISA.
                    unsafe { <$token>::new_unchecked() }
                }

                #[inline(always)]
                fn call<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
                    self.vectorize(op)
                }

                #[inline(always)]
                unsafe fn transpose8(
                    self,
                    from: *const f32,
                    from_pitch: usize,
                    to: *mut f32,
                    to_pitch: usize,
                    end: End,
                ) {
                    let avx = self.avx;
                    // Halves of rows i and i + 4 side by side, so that what is left to do stays
                    // within 128-bit lanes.
                    let halves = |i: usize, j: usize| {
                        // SAFETY: four elements each of rows i and i + 4 of the block.
                        unsafe {
                            let low = from.add(i * from_pitch + j).cast::<__m128>();
                            let high = from.add((i + 4) * from_pitch + j).cast::<__m128>();
                            let low = avx._mm256_castps128_ps256(low.read_unaligned());
                            avx._mm256_insertf128_ps::<1>(low, high.read_unaligned())
                        }
                    };
                    for j in [0, 4] {
                        let (a, b, c, d) = (halves(0, j), halves(1, j), halves(2, j), halves(3, j));
                        let ab = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
                        let cd = (avx._mm256_unpacklo_ps(c, d), avx._mm256_unpackhi_ps(c, d));
                        let columns = [
                            avx._mm256_shuffle_ps::<0x44>(ab.0, cd.0),
                            avx._mm256_shuffle_ps::<0xEE>(ab.0, cd.0),
                            avx._mm256_shuffle_ps::<0x44>(ab.1, cd.1),
                            avx._mm256_shuffle_ps::<0xEE>(ab.1, cd.1),
                        ];
                        for (i, column) in columns.into_iter().enumerate() {
                            let at = (j + i) * to_pitch;
                            let mut v = column;
                            // SAFETY: eight elements of column j + i of the block.
                            unsafe {
                                if !end.residual.is_null() {
                                    let residual = end.residual.add(at).cast::<__m256>();
                                    v = avx._mm256_add_ps(v, residual.read_unaligned());
                                }
                                v = avx._mm256_max_ps(avx._mm256_set1_ps(end.lo), v);
                                v = avx._mm256_min_ps(avx._mm256_set1_ps(end.hi), v);
                                to.add(at).cast::<__m256>().write_unaligned(v);
                            }
                        }
                    }
                }

                #[inline(always)]
                unsafe fn transpose4(
                    self,
                    from: *const f32,
                    from_pitch: usize,
                    to: *mut f32,
                    to_pitch: usize,
                    end: End,
                ) {
                    let sse = self.sse;
                    // SAFETY: four elements of row i of the block.
                    let row = |i: usize| unsafe {
                        from.add(i * from_pitch).cast::<__m128>().read_unaligned()
                    };
                    let (a, b, c, d) = (row(0), row(1), row(2), row(3));
                    let ab = (sse._mm_unpacklo_ps(a, b), sse._mm_unpackhi_ps(a, b));
                    let cd = (sse._mm_unpacklo_ps(c, d), sse._mm_unpackhi_ps(c, d));
                    let columns = [
                        sse._mm_movelh_ps(ab.0, cd.0),
                        sse._mm_movehl_ps(cd.0, ab.0),
                        sse._mm_movelh_ps(ab.1, cd.1),
                        sse._mm_movehl_ps(cd.1, ab.1),
                    ];
                    for (i, column) in columns.into_iter().enumerate() {
                        let at = i * to_pitch;
                        let mut v = column;
                        // SAFETY: four elements of column i of the block.
                        unsafe {
                            if !end.residual.is_null() {
                                let residual = end.residual.add(at).cast::<__m128>();
                                v = sse._mm_add_ps(v, residual.read_unaligned());
                            }
                            v = sse._mm_max_ps(sse._mm_set1_ps(end.lo), v);
                            v = sse._mm_min_ps(sse._mm_set1_ps(end.hi), v);
                            to.add(at).cast::<__m128>().write_unaligned(v);
                        }
                    }
                }

                #[inline(always)]
                unsafe fn every_second8(self, from: *const f32, to: *mut f32) {
                    // The second load starts one early, so that neither reads past `from[14]`.
                    // SAFETY: from[..8] and from[7..15] are the caller's 15.
                    let (a, b) = unsafe {
                        (
                            from.cast::<__m256>().read_unaligned(),
                            from.add(7).cast::<__m256>().read_unaligned(),
                        )
                    };
                    let picked = self.avx._mm256_shuffle_ps::<0xD8>(a, b);
                    let picked =
                        self.avx2._mm256_permute4x64_pd::<0xD8>(self.avx._mm256_castps_pd(picked));
                    // SAFETY: the caller's 8.
                    unsafe { to.cast::<__m256d>().write_unaligned(picked) };
                }

                #[inline(always)]
                unsafe fn every_second4(self, from: *const f32, to: *mut f32) {
                    // SAFETY: from[..4] and from[3..7] are the caller's 7.
                    let (a, b) = unsafe {
                        (
                            from.cast::<__m128>().read_unaligned(),
                            from.add(3).cast::<__m128>().read_unaligned(),
                        )
                    };
                    let picked = self.sse._mm_shuffle_ps::<0xD8>(a, b);
                    // SAFETY: the caller's 4.
                    unsafe { to.cast::<__m128>().write_unaligned(picked) };
                }

                #[inline(always)]
                fn prefetch(self, at: *const f32) {
                    // SAFETY: a hint, which never faults; every x86-64 CPU has it.
                    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
                }

                $($more)*

                #[inline(always)]
                fn at_least(self, v: Self::f32s, lo: Self::f32s) -> Self::f32s {
                    self.max_f32s(lo, v)
                }

                #[inline(always)]
                fn at_most(self, v: Self::f32s, hi: Self::f32s) -> Self::f32s {
                    self.min_f32s(hi, v)
                }
            }
        };
    }
    x86!(V3, {
        #[inline(always)]
        unsafe fn load_half(self, from: *const f32) -> Self::f32s {
            // SAFETY: four elements.
            let half = unsafe { from.cast::<__m128>().read_unaligned() };
            pulp::cast(self.avx._mm256_broadcast_ps(&half))
        }

        #[inline(always)]
        fn beside(self, low: Self::f32s, high: Self::f32s) -> Self::f32s {
            pulp::cast(self.avx._mm256_blend_ps::<0xF0>(pulp::cast(low), pulp::cast(high)))
        }

        #[inline(always)]
        fn high_half(self, v: Self::f32s) -> Self::f32s {
            pulp::cast(self.avx._mm256_permute2f128_ps::<0x11>(pulp::cast(v), pulp::cast(v)))
        }
    });
    x86!(V4, {
        const MASKS: bool = true;

        #[inline(always)]
        unsafe fn load_half(self, from: *const f32) -> Self::f32s {
            // SAFETY: eight elements.
            let half = unsafe { from.cast::<__m256>().read_unaligned() };
            // SAFETY: the token says that AVX-512 is there.
            unsafe { pulp::cast(_mm512_broadcast_f32x8(half)) }
        }

        #[inline(always)]
        fn beside(self, low: Self::f32s, high: Self::f32s) -> Self::f32s {
            // SAFETY: as above.
            unsafe { pulp::cast(_mm512_mask_blend_ps(0xFF00, pulp::cast(low), pulp::cast(high))) }
        }

        #[inline(always)]
        fn high_half(self, v: Self::f32s) -> Self::f32s {
            let v = pulp::cast(v);
            // SAFETY: as above.
            unsafe { pulp::cast(_mm512_shuffle_f32x4::<0xEE>(v, v)) }
        }

        #[inline(always)]
        unsafe fn load_first(self, from: *const f32, count: usize) -> Self::f32s {
            // SAFETY: the token says that AVX-512 is there; lanes that the mask leaves out are
            // not read.
            unsafe { pulp::cast(_mm512_maskz_loadu_ps(first(count), from)) }
        }

        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, v: Self::f32s, count: usize) {
            // SAFETY: as above; lanes that the mask leaves out are not written.
            unsafe { _mm512_mask_storeu_ps(to, first(count), pulp::cast(v)) };
        }
    });

    /// The mask of the first `count` of 16 lanes.
    #[inline(always)]
    fn first(count: usize) -> u16 {
        ((1u32 << count) - 1) as u16
    }
}

#[cfg(target_arch = "aarch64")]
impl Vector for pulp::aarch64::Neon {
    unsafe fn assume_available() -> Self {
        // SAFETY: the caller vouches for the ISA.
        unsafe { Self::new_unchecked() }
    }

    #[inline(always)]
    fn call<Op: NullaryFnOnce>(self, op: Op) -> Op::Output {
        self.vectorize(op)
    }

    #[inline(always)]
    unsafe fn transpose4(
        self,
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
        end: End,
    ) {
        use core::arch::aarch64::{vaddq_f32, vbslq_f32, vcgtq_f32, vcltq_f32, vdupq_n_f32};
        use core::arch::aarch64::{
            vcombine_f32, vget_high_f32, vget_low_f32, vld1q_f32, vst1q_f32,
        };
        use core::arch::aarch64::{vtrn1q_f32, vtrn2q_f32};
        // SAFETY: NEON is there, and the accesses are the 16 elements of the caller's block.
        unsafe {
            let row = |i: usize| vld1q_f32(from.add(i * from_pitch));
            let (a, b, c, d) = (row(0), row(1), row(2), row(3));
            let (ab, cd) =
                ((vtrn1q_f32(a, b), vtrn2q_f32(a, b)), (vtrn1q_f32(c, d), vtrn2q_f32(c, d)));
            let columns = [
                vcombine_f32(vget_low_f32(ab.0), vget_low_f32(cd.0)),
                vcombine_f32(vget_low_f32(ab.1), vget_low_f32(cd.1)),
                vcombine_f32(vget_high_f32(ab.0), vget_high_f32(cd.0)),
                vcombine_f32(vget_high_f32(ab.1), vget_high_f32(cd.1)),
            ];
            for (i, column) in columns.into_iter().enumerate() {
                let at = i * to_pitch;
                let mut v = column;
                if !end.residual.is_null() {
                    v = vaddq_f32(v, vld1q_f32(end.residual.add(at)));
                }
                let (lo, hi) = (vdupq_n_f32(end.lo), vdupq_n_f32(end.hi));
                v = vbslq_f32(vcltq_f32(v, lo), lo, v);
                v = vbslq_f32(vcgtq_f32(v, hi), hi, v);
                vst1q_f32(to.add(at), v);
            }
        }
    }
}
