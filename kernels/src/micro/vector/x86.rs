//! AVX2 and AVX-512.

use super::{NullaryFnOnce, ResidualClamp, Vector};
use core::arch::x86_64::{__m128, __m128d, __m256, __m256d, __m512};
use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
use core::arch::x86_64::{_mm512_mask_storeu_ps, _mm512_maskz_loadu_ps};
use pulp::Simd;
use pulp::f32x16;
use pulp::x86::{V3, V4};

/// Implements [`Vector`] for a token.
///
/// The instructions for `max(lo, v)` and `min(hi, v)` return their second operand, `v`, when an operand
/// is NaN or both are zero. So one instruction does what `at_least` and `at_most` promise.
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
                end: ResidualClamp,
            ) {
                let avx = self.avx;
                // A vector has four elements of row i and four of row i + 4. The rest of the
                // transpose then moves nothing between 128-bit lanes.
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
                end: ResidualClamp,
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
                // The second load begins at 7 and not at 8, so that it does not read `from[15]`.
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
            fn prefetch(self, at: *const u8) {
                // SAFETY: a prefetch never faults, and every x86-64 CPU has it.
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
        let half = unsafe { from.cast::<__m128d>().read_unaligned() };
        let half = self.avx._mm256_castpd128_pd256(half);
        pulp::cast(self.avx2._mm256_permute4x64_pd::<0x50>(half))
    }

    #[inline(always)]
    fn beside(self, even: Self::f32s, odd: Self::f32s) -> Self::f32s {
        pulp::cast(self.avx._mm256_shuffle_ps::<0x44>(pulp::cast(even), pulp::cast(odd)))
    }

    #[inline(always)]
    fn half(self, v: Self::f32s, second: bool) -> Self::f32s {
        let v = pulp::cast(v);
        pulp::cast(match second {
            false => self.avx2._mm256_permute4x64_pd::<0x08>(v),
            true => self.avx2._mm256_permute4x64_pd::<0x0D>(v),
        })
    }

    #[inline(always)]
    fn interleave(self, a: Self::f32s, b: Self::f32s) -> [Self::f32s; 2] {
        let (a, b): (__m256, __m256) = (pulp::cast(a), pulp::cast(b));
        let avx = self.avx;
        // First the lanes are put in turns within each 128-bit lane. Then the 128-bit lanes are put in
        // order.
        let (low, high) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpackhi_ps(a, b));
        [
            pulp::cast(avx._mm256_permute2f128_ps::<0x20>(low, high)),
            pulp::cast(avx._mm256_permute2f128_ps::<0x31>(low, high)),
        ]
    }
});
x86!(V4, {
    const MASKS: bool = true;

    #[inline(always)]
    unsafe fn load_half(self, from: *const f32) -> Self::f32s {
        // SAFETY: eight elements.
        let half = unsafe { from.cast::<__m256d>().read_unaligned() };
        let (half, twice) =
            (self.avx512f._mm512_castpd256_pd512(half), [0i64, 0, 1, 1, 2, 2, 3, 3]);
        pulp::cast(self.avx512f._mm512_permutexvar_pd(pulp::cast(twice), half))
    }

    #[inline(always)]
    fn beside(self, even: Self::f32s, odd: Self::f32s) -> Self::f32s {
        // This shuffle stays within 128-bit lanes. On Zen 5 a shuffle across them, or a blend, was
        // measured to take the place of a multiply-add.
        pulp::cast(self.avx512f._mm512_shuffle_ps::<0x44>(pulp::cast(even), pulp::cast(odd)))
    }

    #[inline(always)]
    fn half(self, v: Self::f32s, second: bool) -> Self::f32s {
        let twos = if second { [1i64, 3, 5, 7, 1, 3, 5, 7] } else { [0, 2, 4, 6, 0, 2, 4, 6] };
        pulp::cast(self.avx512f._mm512_permutexvar_pd(pulp::cast(twos), pulp::cast(v)))
    }

    #[inline(always)]
    fn interleave(self, a: Self::f32s, b: Self::f32s) -> [Self::f32s; 2] {
        [pick(self, a, TURNS2[0], b), pick(self, a, TURNS2[1], b)]
    }

    #[inline(always)]
    unsafe fn transpose16(
        self,
        from: *const f32,
        from_pitch: usize,
        to: *mut f32,
        to_pitch: usize,
    ) {
        let s = self.avx512f;
        let mut rows = [s._mm512_setzero_ps(); 16];
        for (i, row) in rows.iter_mut().enumerate() {
            // SAFETY: row i of the block.
            *row = unsafe { from.add(i * from_pitch).cast::<__m512>().read_unaligned() };
        }
        // Transpose each 4 × 4 block, within 128-bit lanes: the columns of four rows at a time.
        let mut fours = rows;
        for i in 0..4 {
            let [a, b, c, d] = [rows[4 * i], rows[4 * i + 1], rows[4 * i + 2], rows[4 * i + 3]];
            let (ab, cd) = (s._mm512_unpacklo_ps(a, b), s._mm512_unpacklo_ps(c, d));
            fours[4 * i] = s._mm512_shuffle_ps::<0x44>(ab, cd);
            fours[4 * i + 1] = s._mm512_shuffle_ps::<0xEE>(ab, cd);
            let (ab, cd) = (s._mm512_unpackhi_ps(a, b), s._mm512_unpackhi_ps(c, d));
            fours[4 * i + 2] = s._mm512_shuffle_ps::<0x44>(ab, cd);
            fours[4 * i + 3] = s._mm512_shuffle_ps::<0xEE>(ab, cd);
        }
        // The 128-bit lane q of fours[4·i + j] is column 4·q + j of rows 4·i to 4·i + 3. What remains is
        // to transpose the 128-bit lanes.
        for j in 0..4 {
            let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
            let even = s._mm512_shuffle_f32x4::<0x88>(a, b);
            let odd = s._mm512_shuffle_f32x4::<0xDD>(a, b);
            let (even2, odd2) =
                (s._mm512_shuffle_f32x4::<0x88>(c, d), s._mm512_shuffle_f32x4::<0xDD>(c, d));
            // SAFETY: columns j, 4 + j, 8 + j and 12 + j of the block.
            unsafe {
                let column = |q: usize| to.add((4 * q + j) * to_pitch).cast::<__m512>();
                column(0).write_unaligned(s._mm512_shuffle_f32x4::<0x88>(even, even2));
                column(1).write_unaligned(s._mm512_shuffle_f32x4::<0x88>(odd, odd2));
                column(2).write_unaligned(s._mm512_shuffle_f32x4::<0xDD>(even, even2));
                column(3).write_unaligned(s._mm512_shuffle_f32x4::<0xDD>(odd, odd2));
            }
        }
    }

    #[inline(always)]
    fn interleave3(self, [a, b, c]: [Self::f32s; 3]) -> [Self::f32s; 3] {
        [
            pick(self, pick(self, a, TURNS3[0][0], b), TURNS3[0][1], c),
            pick(self, pick(self, a, TURNS3[1][0], b), TURNS3[1][1], c),
            pick(self, pick(self, a, TURNS3[2][0], b), TURNS3[2][1], c),
        ]
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

/// Lane `i` is lane `from[i]` of `a`, or lane `from[i] − 16` of `b`.
#[inline(always)]
fn pick(simd: V4, a: f32x16, from: [i32; 16], b: f32x16) -> f32x16 {
    let (a, from, b) = (pulp::cast(a), pulp::cast(from), pulp::cast(b));
    pulp::cast(simd.avx512f._mm512_permutex2var_ps(a, from, b))
}

/// Indices for [`pick`] that put the lanes of two vectors in turns.
const TURNS2: [[i32; 16]; 2] = {
    let mut turns = [[0; 16]; 2];
    let mut at = 0;
    while at < 32 {
        turns[at / 16][at % 16] = (at / 2 + at % 2 * 16) as i32;
        at += 1;
    }
    turns
};

/// Indices for [`pick`] that put the lanes of three vectors in turns: those for the first two vectors,
/// then those for the result and the third vector.
const TURNS3: [[[i32; 16]; 2]; 3] = {
    let mut turns = [[[0; 16]; 2]; 3];
    let mut at = 0;
    while at < 48 {
        let (lane, vector) = (at / 3, at % 3);
        let [first, second] = &mut turns[at / 16];
        if vector == 2 {
            second[at % 16] = (16 + lane) as i32;
        } else {
            first[at % 16] = (lane + vector * 16) as i32;
            second[at % 16] = (at % 16) as i32;
        }
        at += 1;
    }
    turns
};
