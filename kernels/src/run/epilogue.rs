//! The epilogues that do not fit the register tile: a pass over a finished tile, while it is in
//! L1.
//!
//! Clamps, and a residual that lies like the output, are applied in registers; this is for the
//! curved activations and for residuals with pitches of their own. The functions are those of
//! [`Activation::apply`], compiled once for each ISA, so that the bits are the same.

use crate::describe::activation::Activation;
use crate::micro::isa::Isa;
use crate::micro::vector::Vector;
use crate::reference::curves;
use pulp::NullaryFnOnce;

/// Some channels × evenly spaced pixels of an output, to be finished in place.
pub(crate) struct Pass<T> {
    /// Channel 0 of pixel 0.
    pub(crate) y: *mut T,
    /// Between channels of the output.
    pub(crate) y_channel: usize,
    /// Between its pixels.
    pub(crate) y_pixel: usize,
    /// Channel 0 of pixel 0 of what is added first; null if nothing is.
    pub(crate) residual: *const T,
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
pub(crate) unsafe fn apply(isa: Isa, pass: &Pass<f32>) {
    /// # Safety
    /// As [`apply`], for the ISA of `S`.
    unsafe fn on<S: Vector, const N: usize>(pass: &Pass<f32>) {
        struct Call<'a, const N: usize>(&'a Pass<f32>);
        impl<const N: usize> NullaryFnOnce for Call<'_, N> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                // SAFETY: the contract of `apply`, whose only caller this is.
                unsafe { by_activation::<N>(self.0) }
            }
        }
        // SAFETY: the caller vouches for the ISA.
        let simd = unsafe { S::assume_available() };
        simd.call(Call::<N>(pass));
    }
    // SAFETY: by contract.
    unsafe {
        match isa {
            Isa::Scalar => on::<pulp::Scalar, 1>(pass),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => on::<pulp::aarch64::Neon, 4>(pass),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => on::<pulp::x86::V3, 8>(pass),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => on::<pulp::x86::V4, 16>(pass),
            #[allow(unreachable_patterns)]
            _ => on::<pulp::Scalar, 1>(pass),
        }
    }
}

/// A function of a value and its channel's slope. A trait and not a closure, because only methods
/// can be made to inline: a call would leave the ISA's features behind.
trait Curve {
    fn of(&self, v: f32, slope: f32) -> f32;
}

/// Activations without parameters, as types.
macro_rules! curves {
    ($($name:ident $function:ident;)*) => { $(
        struct $name;
        impl Curve for $name {
            #[inline(always)]
            fn of(&self, v: f32, _: f32) -> f32 {
                curves::$function(v)
            }
        }
    )* };
}

curves! {
    HardSwish hard_swish;
    HardSigmoid hard_sigmoid;
    Sigmoid sigmoid;
    Silu silu;
    Tanh tanh;
    Gelu gelu;
}

/// The slope given with each value.
struct Prelu;

impl Curve for Prelu {
    #[inline(always)]
    fn of(&self, v: f32, slope: f32) -> f32 {
        curves::leaky(v, slope)
    }
}

/// One slope for all.
struct Leaky(f32);

impl Curve for Leaky {
    #[inline(always)]
    fn of(&self, v: f32, _: f32) -> f32 {
        curves::leaky(v, self.0)
    }
}

/// Bounds, infinite where there are none.
struct Bounds(f32, f32);

impl Curve for Bounds {
    #[inline(always)]
    fn of(&self, v: f32, _: f32) -> f32 {
        let v = if v < self.0 { self.0 } else { v };
        if v > self.1 { self.1 } else { v }
    }
}

/// # Safety
/// As [`apply`].
#[inline(always)]
unsafe fn by_activation<const N: usize>(pass: &Pass<f32>) {
    // SAFETY: by contract.
    unsafe {
        match pass.activation {
            Activation::LeakyRelu { slope } => lines::<N>(pass, &Leaky(slope)),
            Activation::Prelu => lines::<N>(pass, &Prelu),
            Activation::HardSwish => lines::<N>(pass, &HardSwish),
            Activation::HardSigmoid => lines::<N>(pass, &HardSigmoid),
            Activation::Sigmoid => lines::<N>(pass, &Sigmoid),
            Activation::Silu => lines::<N>(pass, &Silu),
            Activation::Tanh => lines::<N>(pass, &Tanh),
            Activation::Gelu => lines::<N>(pass, &Gelu),
            Activation::None => lines::<N>(pass, &Bounds(f32::NEG_INFINITY, f32::INFINITY)),
            Activation::Relu => lines::<N>(pass, &Bounds(0.0, f32::INFINITY)),
            Activation::Relu6 => lines::<N>(pass, &Bounds(0.0, 6.0)),
            Activation::Clamp { lo, hi } => lines::<N>(pass, &Bounds(lo, hi)),
        }
    }
}

/// Some elements of the output in a line, and what belongs to them.
struct Strip {
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
/// As [`apply`].
#[inline(always)]
unsafe fn lines<const N: usize>(pass: &Pass<f32>, f: &impl Curve) {
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
            let strip = Strip {
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
            each::<N>(&strip, f);
        }
    }
}

/// Finishes one line, `N` values at a time; the last ones are filled up.
///
/// # Safety
/// As [`apply`], for the elements of the line.
#[inline(always)]
unsafe fn each<const N: usize>(line: &Strip, f: &impl Curve) {
    let adjacent = line.y_step == 1 && (line.residual.is_null() || line.residual_step == 1);
    // Whole vectors in a loop of their own, so that they stay in registers.
    let whole = if adjacent { line.count / N * N } else { 0 };
    let mut slopes = [1.0; N];
    if !line.slopes.is_null() && line.slope_step == 0 && line.count > 0 {
        // SAFETY: the one slope of the line.
        slopes = [unsafe { *line.slopes }; N];
    }
    for at in (0..whole).step_by(N) {
        // SAFETY: elements at..at + N of the line, adjacent.
        unsafe {
            let y = line.y.add(at).cast::<[f32; N]>();
            let mut v = y.read_unaligned();
            if !line.residual.is_null() {
                let residual = line.residual.add(at).cast::<[f32; N]>().read_unaligned();
                for (v, residual) in v.iter_mut().zip(residual) {
                    *v += residual;
                }
            }
            if !line.slopes.is_null() && line.slope_step == 1 {
                slopes = line.slopes.add(at).cast::<[f32; N]>().read_unaligned();
            }
            // Not `array::from_fn`: it may stay a call, outside the ISA's features.
            for (v, slope) in v.iter_mut().zip(&slopes) {
                *v = f.of(*v, *slope);
            }
            y.write_unaligned(v);
        }
    }
    for at in (whole..line.count).step_by(N) {
        let count = N.min(line.count - at);
        let (mut v, mut slopes) = ([0.0; N], slopes);
        // SAFETY: elements at..at + count of the line.
        unsafe {
            for i in 0..count {
                v[i] = *line.y.add((at + i) * line.y_step);
                if !line.residual.is_null() {
                    v[i] += *line.residual.add((at + i) * line.residual_step);
                }
                if !line.slopes.is_null() {
                    slopes[i] = *line.slopes.add((at + i) * line.slope_step);
                }
            }
            for (v, slope) in v.iter_mut().zip(&slopes) {
                *v = f.of(*v, *slope);
            }
            for (i, v) in v[..count].iter().enumerate() {
                *line.y.add((at + i) * line.y_step) = *v;
            }
        }
    }
}
