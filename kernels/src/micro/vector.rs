//! What a tile needs of an ISA beyond pulp's `Simd`.

use pulp::{NullaryFnOnce, Scalar, Simd};

/// A pulp token with the comparisons whose treatment of NaN and −0 the library promises.
pub(crate) trait Vector: Simd {
    /// The token, without asking the CPU.
    ///
    /// # Safety
    /// The CPU has the ISA.
    unsafe fn assume_available() -> Self;

    /// Runs `op` with the ISA's instructions enabled; `op` must inline.
    fn call<Op: NullaryFnOnce>(self, op: Op) -> Op::Output;

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
    use super::{NullaryFnOnce, Vector};
    use pulp::Simd;
    use pulp::x86::{V3, V4};

    /// `max(lo, v)` and `min(hi, v)` give their second operand when either is NaN or both are
    /// zero, which is the comparison promised, in one instruction.
    macro_rules! x86 {
        ($token:ty) => {
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
    x86!(V3);
    x86!(V4);
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
}
