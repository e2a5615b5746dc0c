//! The epilogues that do not fit the register tile: a pass over a finished tile, while it is in
//! L1.
//!
//! Clamps, and a residual that lies like the output, are applied in registers; this is for the
//! curved activations and for residuals with pitches of their own. The functions are those of
//! [`Activation::apply`], compiled once for each ISA, so that the bits are the same.

use crate::micro::Vector;
use crate::{Activation, Isa, curves};
use pulp::NullaryFnOnce;

/// Some channels × evenly spaced pixels of an output, to be finished in place.
pub(crate) struct Pass {
    /// Channel 0 of pixel 0.
    pub(crate) y: *mut f32,
    /// Between channels of the output.
    pub(crate) y_channel: usize,
    /// Between its pixels.
    pub(crate) y_pixel: usize,
    /// Channel 0 of pixel 0 of what is added first; null if nothing is.
    pub(crate) residual: *const f32,
    /// Between its channels.
    pub(crate) residual_channel: usize,
    /// Between its pixels.
    pub(crate) residual_pixel: usize,
    pub(crate) channels: usize,
    pub(crate) pixels: usize,
    pub(crate) activation: Activation,
    /// One a channel if the activation is PReLU, else null.
    pub(crate) slopes: *const f32,
}

/// Adds the residual and applies the activation.
///
/// # Safety
/// The CPU has the ISA. All the elements that the pass names are writable by this call alone
/// (of the residual, and of the slopes if the activation is PReLU: readable).
pub(crate) unsafe fn finish(isa: Isa, pass: &Pass) {
    /// # Safety
    /// As [`finish`], for the ISA of `S`.
    unsafe fn on<S: Vector>(pass: &Pass) {
        struct Call<'a, S>(&'a Pass, core::marker::PhantomData<S>);
        impl<S: Vector> NullaryFnOnce for Call<'_, S> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                // SAFETY: the contract of `finish`, whose only caller this is.
                unsafe { by_activation::<S>(self.0) }
            }
        }
        // SAFETY: the caller vouches for the ISA.
        let simd = unsafe { S::assume_available() };
        simd.call(Call::<S>(pass, core::marker::PhantomData));
    }
    // SAFETY: by contract.
    unsafe {
        match isa {
            Isa::Scalar => on::<pulp::Scalar>(pass),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => on::<pulp::aarch64::Neon>(pass),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => on::<pulp::x86::V3>(pass),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => on::<pulp::x86::V4>(pass),
            #[allow(unreachable_patterns)]
            _ => on::<pulp::Scalar>(pass),
        }
    }
}

/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn by_activation<S: Vector>(pass: &Pass) {
    // SAFETY: by contract.
    unsafe {
        match pass.activation {
            Activation::LeakyRelu { slope } => lines::<S>(pass, |v, _| curves::leaky(v, slope)),
            Activation::Prelu => lines::<S>(pass, curves::leaky),
            Activation::HardSwish => lines::<S>(pass, |v, _| curves::hard_swish(v)),
            Activation::HardSigmoid => lines::<S>(pass, |v, _| curves::hard_sigmoid(v)),
            Activation::Sigmoid => lines::<S>(pass, |v, _| curves::sigmoid(v)),
            Activation::Silu => lines::<S>(pass, |v, _| curves::silu(v)),
            Activation::Tanh => lines::<S>(pass, |v, _| curves::tanh(v)),
            Activation::Gelu => lines::<S>(pass, |v, _| curves::gelu(v)),
            clamp @ (Activation::None
            | Activation::Relu
            | Activation::Relu6
            | Activation::Clamp { .. }) => lines::<S>(pass, |v, _| clamp.apply(v)),
        }
    }
}

/// Some elements of the output in a line, and what belongs to them.
struct Line {
    y: *mut f32,
    y_step: usize,
    residual: *const f32,
    residual_step: usize,
    slopes: *const f32,
    slope_step: usize,
    count: usize,
}

/// Goes through the pass in lines along whichever of channels and pixels is adjacent.
///
/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn lines<S: Vector>(pass: &Pass, f: impl Fn(f32, f32) -> f32) {
    let along_channels = pass.y_channel == 1 || pass.y_pixel != 1;
    let (outer, count) =
        if along_channels { (pass.pixels, pass.channels) } else { (pass.channels, pass.pixels) };
    let (y_outer, y_step, residual_outer, residual_step) = if along_channels {
        (pass.y_pixel, pass.y_channel, pass.residual_pixel, pass.residual_channel)
    } else {
        (pass.y_channel, pass.y_pixel, pass.residual_channel, pass.residual_pixel)
    };
    for i in 0..outer {
        // SAFETY: the elements of line `i`, which are among those of the pass.
        unsafe {
            let line = Line {
                y: pass.y.add(i * y_outer),
                y_step,
                residual: if pass.residual.is_null() {
                    pass.residual
                } else {
                    pass.residual.add(i * residual_outer)
                },
                residual_step,
                slopes: if pass.slopes.is_null() || along_channels {
                    pass.slopes
                } else {
                    pass.slopes.add(i)
                },
                slope_step: usize::from(along_channels),
                count,
            };
            each::<S>(&line, &f);
        }
    }
}

/// Finishes one line, a vector's worth at a time; the last one is filled up.
///
/// # Safety
/// As [`finish`], for the elements of the line.
#[inline(always)]
unsafe fn each<S: Vector>(line: &Line, f: &impl Fn(f32, f32) -> f32) {
    const MOST: usize = 16;
    let lanes = S::F32_LANES.min(MOST);
    let mut slopes = [1.0; MOST];
    let mut at = 0;
    while at < line.count {
        let count = lanes.min(line.count - at);
        // SAFETY: elements at..at + count of the line.
        unsafe {
            let y = line.y.add(at * line.y_step);
            let mut v = gather::<MOST>(y, line.y_step, count, lanes);
            if !line.residual.is_null() {
                let from = line.residual.add(at * line.residual_step);
                let residual = gather::<MOST>(from, line.residual_step, count, lanes);
                for (v, residual) in v[..lanes].iter_mut().zip(&residual[..lanes]) {
                    *v += residual;
                }
            }
            if !line.slopes.is_null() {
                let from = line.slopes.add(at * line.slope_step);
                slopes = gather::<MOST>(from, line.slope_step, count, lanes);
            }
            for (v, slope) in v[..lanes].iter_mut().zip(&slopes[..lanes]) {
                *v = f(*v, *slope);
            }
            if line.y_step == 1 && count == lanes {
                core::ptr::copy_nonoverlapping(v.as_ptr(), y, lanes);
            } else {
                for (i, v) in v[..count].iter().enumerate() {
                    *y.add(i * line.y_step) = *v;
                }
            }
        }
        at += lanes;
    }
}

/// `count` values a step apart, zeros after them.
///
/// # Safety
/// They are readable; `count ≤ lanes ≤ N`.
#[inline(always)]
unsafe fn gather<const N: usize>(
    from: *const f32,
    step: usize,
    count: usize,
    lanes: usize,
) -> [f32; N] {
    let mut v = [0.0; N];
    // SAFETY: by contract.
    unsafe {
        if step == 1 && count == lanes {
            core::ptr::copy_nonoverlapping(from, v.as_mut_ptr(), lanes);
        } else {
            for (i, v) in v[..count].iter_mut().enumerate() {
                *v = *from.add(i * step);
            }
        }
    }
    v
}
