//! Single precision: how a step multiplies, how sums are finished and stored, and which tiles are
//! compiled.

use crate::describe::arithmetic::F32;
use crate::micro::dot::{Dot, End};
use crate::micro::isa::Isa;
use crate::micro::menu::{Compiled, Menu, menu};
use crate::micro::operands::{Clamp, Tile, Tiled};
use crate::micro::spill;
use crate::micro::vector::{Vector, load, store};
use core::ops::Range;

impl Tiled for F32 {
    type Broadcast = f32;
    type Lane = f32;
    type Sum = f32;
    type Output = f32;
    const DEPTH: usize = 1;
    type Finish = Clamp;
}

impl Compiled for F32 {
    fn menu(isa: Isa) -> &'static Menu<F32> {
        match isa {
            Isa::Scalar => &SCALAR,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => &NEON,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &AVX2,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &AVX512,
            #[allow(unreachable_patterns)]
            _ => &NONE,
        }
    }
}

static NONE: Menu<F32> = Menu::NONE;

static SCALAR: Menu<F32> = menu!(pulp::Scalar, 1, F32, {
    1: 1 2 3 4;
    2: 1 2 3 4;
    3: 1 2 3 4;
    4: 1 2 3 4;
});

#[cfg(target_arch = "x86_64")]
static AVX2: Menu<F32> = menu!(pulp::x86::V3, 8, F32, {
    1: 1 2 3 4 5 6 7 8 9 10 11 12;
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
}, shared: {
    2: 1 2 3 4 5 6;
    3: 1 2 3 4;
});

#[cfg(target_arch = "x86_64")]
static AVX512: Menu<F32> = menu!(pulp::x86::V4, 16, F32, {
    1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28;
    2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    3: 1 2 3 4 5 6 7 8 9;
    4: 1 2 3 4 5 6;
}, shared: {
    2: 1 2 3 4 5 6 7 8 9 10 11 12 13 14;
    3: 1 2 3 4 5 6 7 8 9;
    4: 1 2 3 4 5 6;
});

#[cfg(target_arch = "aarch64")]
static NEON: Menu<F32> = menu!(pulp::aarch64::Neon, 4, F32, {
    1: 1 2 3 4 5 6 7 8;
    2: 1 2 3 4 5 6 7 8;
    3: 1 2 3 4 5 6 7 8;
    4: 1 2 3 4 5 6;
});

impl<S: Vector> Dot<F32> for S {
    type Sums = S::f32s;
    type Lanes = S::f32s;
    type Value = S::f32s;
    const LANES: usize = S::F32_LANES;

    #[inline(always)]
    fn splat(self, start: f32) -> S::f32s {
        self.splat_f32s(start)
    }

    #[inline(always)]
    unsafe fn sums(self, from: *const f32) -> S::f32s {
        // SAFETY: by contract.
        unsafe { load::<S>(from) }
    }

    #[inline(always)]
    unsafe fn shared_sums(self, from: *const f32) -> S::f32s {
        // SAFETY: by contract.
        unsafe { self.load_half(from) }
    }

    #[inline(always)]
    fn no_lanes(self) -> S::f32s {
        self.splat_f32s(0.0)
    }

    #[inline(always)]
    fn no_value(self) -> S::f32s {
        self.splat_f32s(0.0)
    }

    #[inline(always)]
    unsafe fn lanes(self, from: *const f32) -> S::f32s {
        // SAFETY: by contract.
        unsafe { load::<S>(from) }
    }

    #[inline(always)]
    unsafe fn shared_lanes(self, from: *const f32) -> S::f32s {
        // SAFETY: by contract.
        unsafe { self.load_half(from) }
    }

    #[inline(always)]
    unsafe fn broadcast(self, from: *const f32) -> S::f32s {
        // SAFETY: by contract.
        self.splat_f32s(unsafe { *from })
    }

    #[inline(always)]
    fn dot(self, value: S::f32s, lanes: S::f32s, sums: S::f32s) -> S::f32s {
        self.mul_add_f32s(value, lanes, sums)
    }

    #[inline(always)]
    fn values_beside(self, even: S::f32s, odd: S::f32s) -> S::f32s {
        Vector::beside(self, even, odd)
    }

    #[inline(always)]
    fn sums_beside(self, even: S::f32s, odd: S::f32s) -> S::f32s {
        Vector::beside(self, even, odd)
    }

    #[inline(always)]
    fn own_sums(self, sums: S::f32s, second: bool) -> S::f32s {
        Vector::half(self, sums, second)
    }
}

impl<S: Vector> End<F32> for S {
    #[inline(always)]
    unsafe fn store_whole<const M: usize, const V: usize>(
        self,
        acc: &mut [[S::f32s; V]; M],
        rows: Range<usize>,
        t: &Tile<F32>,
    ) {
        let lanes = S::F32_LANES;
        if !t.residual.is_null() {
            for i in rows.clone() {
                for (v, sum) in acc[i].iter_mut().enumerate() {
                    // SAFETY: element (i, v·L) of the residual and the L − 1 after it.
                    let residual = unsafe { load::<S>(t.residual.add(i * t.y_row + v * lanes)) };
                    *sum = self.add_f32s(*sum, residual);
                }
            }
        }
        if t.finish.lo > f32::NEG_INFINITY {
            let lo = self.splat_f32s(t.finish.lo);
            for sum in acc[rows.clone()].as_flattened_mut() {
                *sum = self.at_least(*sum, lo);
            }
        }
        if t.finish.hi < f32::INFINITY {
            let hi = self.splat_f32s(t.finish.hi);
            for sum in acc[rows.clone()].as_flattened_mut() {
                *sum = self.at_most(*sum, hi);
            }
        }
        for i in rows {
            for (v, sum) in acc[i].iter().enumerate() {
                // SAFETY: element (i, v·L) of the result and the L − 1 after it.
                unsafe { store::<S>(t.y.add(i * t.y_row + v * lanes), *sum) };
            }
        }
    }

    #[inline(always)]
    unsafe fn store_masked<const M: usize, const V: usize>(
        self,
        acc: &[[S::f32s; V]; M],
        t: &Tile<F32>,
    ) {
        let lanes = S::F32_LANES;
        let (lo, hi) = (self.splat_f32s(t.finish.lo), self.splat_f32s(t.finish.hi));
        for (i, row) in acc.iter().enumerate() {
            for (v, sum) in row.iter().enumerate() {
                let (at, wanted) = (i * t.y_row + v * lanes, t.lanes.saturating_sub(v * lanes));
                let wanted = wanted.min(lanes);
                let mut sum = *sum;
                // SAFETY: the `wanted` elements from (i, v·L) on. If `wanted` is 0, no element is
                // accessed, and the address may lie anywhere.
                unsafe {
                    if !t.residual.is_null() {
                        let residual = self.load_first(t.residual.wrapping_add(at), wanted);
                        sum = self.add_f32s(sum, residual);
                    }
                    let sum = self.at_most(self.at_least(sum, lo), hi);
                    self.store_first(t.y.wrapping_add(at), sum, wanted);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn store_spilled(sums: &[S::f32s], vectors: usize, t: &Tile<F32>) {
        // SAFETY: by contract.
        unsafe { spill::store_spilled::<S>(sums, vectors, t) }
    }
}
