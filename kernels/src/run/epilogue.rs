//! The pass: the epilogue of a tile that has been stored, while the tile is in L1.
//!
//! A tile itself clamps its results and adds a residual that has the output's pitches. The pass is for
//! the other activations, and for residuals with other pitches. Its functions are those of
//! [`Activation::apply`], compiled for each ISA, so that the bits are the same.

use crate::describe::activation::Activation;
use crate::micro::isa::Isa;
use crate::micro::vector::Vector;
use crate::reference::curves;
use pulp::NullaryFnOnce;

/// Some channels × evenly spaced pixels of a stored output, to which the residual is added and the
/// activation is applied in place.
pub(crate) struct Pass<T> {
    /// Channel 0 of pixel 0 of the output.
    pub(crate) y: *mut T,
    /// The pitch between channels of the output.
    pub(crate) y_channel: usize,
    /// The pitch between pixels of the output.
    pub(crate) y_pixel: usize,
    /// Channel 0 of pixel 0 of the residual. Null if none is added.
    pub(crate) residual: *const T,
    /// The pitch between channels of the residual.
    pub(crate) residual_channel: usize,
    /// The pitch between pixels of the residual.
    pub(crate) residual_pixel: usize,
    pub(crate) channels: usize,
    pub(crate) pixels: usize,
    pub(crate) activation: Activation,
    /// A slope for each channel if the activation is PReLU. Else null.
    pub(crate) slopes: *const f32,
}

/// Adds the residual and applies the activation.
///
/// # Safety
/// The CPU has the ISA. The elements of the output that the pass names are writable, by this call alone.
/// Those of the residual, and of the slopes if the activation is PReLU, are readable.
pub(crate) unsafe fn apply(isa: Isa, pass: &Pass<f32>) {
    /// # Safety
    /// As [`apply`], for the ISA of `S`.
    unsafe fn on<S: Vector, const N: usize>(pass: &Pass<f32>) {
        struct Call<'a, const N: usize>(&'a Pass<f32>);
        impl<const N: usize> NullaryFnOnce for Call<'_, N> {
            type Output = ();
            #[inline(always)]
            fn call(self) {
                // SAFETY: by the contract of `apply`, which alone makes this call.
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

/// A function of a value and its channel's slope. It is a trait and not a closure, because a closure
/// cannot be forced to inline. A call that is not inlined would not use the ISA's instructions.
trait Curve {
    fn of(&self, v: f32, slope: f32) -> f32;
}

/// Makes a type of each activation without parameters.
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

/// PReLU: each value has a slope of its own.
struct Prelu;

impl Curve for Prelu {
    #[inline(always)]
    fn of(&self, v: f32, slope: f32) -> f32 {
        curves::leaky(v, slope)
    }
}

/// Leaky ReLU: all values have one slope.
struct Leaky(f32);

impl Curve for Leaky {
    #[inline(always)]
    fn of(&self, v: f32, _: f32) -> f32 {
        curves::leaky(v, self.0)
    }
}

/// A clamp. A bound that is not there is infinite.
struct Bounds(f32, f32);

impl Curve for Bounds {
    #[inline(always)]
    fn of(&self, v: f32, _: f32) -> f32 {
        let v = if v < self.0 { self.0 } else { v };
        if v > self.1 { self.1 } else { v }
    }
}

/// Does the pass with the function of its activation.
///
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

/// Elements of the output that lie evenly spaced, with their residuals and slopes.
struct Strip {
    y: *mut f32,
    y_step: usize,
    residual: *const f32,
    residual_step: usize,
    slopes: *const f32,
    slope_step: usize,
    count: usize,
}

/// Does the pass strip by strip. A strip goes along the channels of a pixel or along the pixels of a
/// channel, whichever lie side by side.
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
        // SAFETY: the elements of strip `i`, which are among those of the pass.
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

/// Adds the residual and applies the activation to a strip, `N` values at a time. The last values are
/// padded to `N`.
///
/// # Safety
/// As [`apply`], for the elements of the strip.
#[inline(always)]
unsafe fn each<const N: usize>(line: &Strip, f: &impl Curve) {
    let adjacent = line.y_step == 1 && (line.residual.is_null() || line.residual_step == 1);
    // Whole vectors have a loop of their own, so that they stay in registers.
    let whole = if adjacent { line.count / N * N } else { 0 };
    let mut slopes = [1.0; N];
    if !line.slopes.is_null() && line.slope_step == 0 && line.count > 0 {
        // SAFETY: the one slope of the strip.
        slopes = [unsafe { *line.slopes }; N];
    }
    for at in (0..whole).step_by(N) {
        // SAFETY: elements at..at + N of the strip, which lie side by side.
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
            // A loop and not `array::from_fn`, which may not inline and would then not use the ISA's
            // instructions.
            for (v, slope) in v.iter_mut().zip(&slopes) {
                *v = f.of(*v, *slope);
            }
            y.write_unaligned(v);
        }
    }
    for at in (whole..line.count).step_by(N) {
        let count = N.min(line.count - at);
        let (mut v, mut slopes) = ([0.0; N], slopes);
        // SAFETY: elements at..at + count of the strip.
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
