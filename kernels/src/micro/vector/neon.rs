//! NEON.

use super::{ResidualClamp, Vector};
use pulp::NullaryFnOnce;

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
        end: ResidualClamp,
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
