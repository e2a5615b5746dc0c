//! The activations in `f64`, and how far the library's are from them.

use pointwise::Activation;

/// Every how manieth `f32` a sample takes: prime, so that all low bits occur.
pub(crate) const SAMPLE: u32 = 1021;

/// The bounds that the documentation of [`Activation`] states, in ulp.
pub(crate) const STATED: [(Activation, f64); 10] = [
    (Activation::Relu, 0.0),
    (Activation::Relu6, 0.0),
    (Activation::Clamp { lo: -0.25, hi: 0.5 }, 0.0),
    (Activation::LeakyRelu { slope: 0.01 }, 0.5),
    (Activation::HardSigmoid, 1.0),
    (Activation::HardSwish, 2.0),
    (Activation::Sigmoid, 2.5),
    (Activation::Tanh, 2.0),
    (Activation::Silu, 3.0),
    (Activation::Gelu, 3.0),
];

/// The exact function, as nearly as `f64` and its library functions have it: errors around
/// 2⁻⁵⁰, a hundred-millionth of an ulp of `f32`.
pub(crate) fn exact(activation: Activation, v: f64) -> f64 {
    let sigmoid =
        |v: f64| if v < 0.0 { v.exp() / (1.0 + v.exp()) } else { 1.0 / (1.0 + (-v).exp()) };
    match activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::Relu6 => v.clamp(0.0, 6.0),
        Activation::Clamp { lo, hi } => v.clamp(f64::from(lo), f64::from(hi)),
        Activation::LeakyRelu { slope } => {
            if v < 0.0 {
                f64::from(slope) * v
            } else {
                v
            }
        }
        Activation::HardSigmoid => (v + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSwish => {
            if v <= -3.0 {
                -0.0
            } else {
                v * ((v + 3.0).min(6.0) / 6.0)
            }
        }
        Activation::Sigmoid => sigmoid(v),
        Activation::Silu => {
            if v == f64::NEG_INFINITY {
                -0.0
            } else {
                v * sigmoid(v)
            }
        }
        Activation::Tanh => v.tanh(),
        Activation::Gelu => {
            // ½(1 + tanh u) = 1 / (1 + e^−2u), without the cancellation.
            let u = (2.0 / core::f64::consts::PI).sqrt() * (v + 0.044715 * v * v * v);
            if v < -100.0 { -0.0 } else { v * sigmoid(2.0 * u) }
        }
        other => panic!("{other:?} has no exact form here"),
    }
}

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    /// Greatest distance from the exact value, in ulp of its `f32` neighbours.
    pub(crate) greatest: f64,
    /// Where.
    pub(crate) at: f32,
    /// Greatest distance from the correctly rounded value, in `f32`s between.
    pub(crate) farthest: u32,
    /// How many are the correctly rounded value.
    pub(crate) rounded_correctly: u64,
    /// How many were tried.
    pub(crate) values: u64,
}

/// Every `step`-th `f32` but the NaNs.
pub(crate) fn errors(activation: Activation, step: u32) -> Errors {
    let mut found = Errors::default();
    for sign in [0, 1 << 31] {
        for bits in
            (0..=f32::INFINITY.to_bits()).step_by(step as usize).chain([f32::INFINITY.to_bits()])
        {
            let v = f32::from_bits(bits | sign);
            let got = activation.apply(v);
            let want = exact(activation, f64::from(v));
            let rounded = want as f32;
            let error = if got == rounded && got.is_infinite() {
                0.0
            } else {
                (f64::from(got) - want).abs() / ulp(rounded)
            };
            if error.is_nan() || error > found.greatest {
                (found.greatest, found.at) = (error, v);
            }
            let apart = ordered(got).abs_diff(ordered(rounded));
            found.farthest = found.farthest.max(apart);
            found.rounded_correctly += u64::from(apart == 0);
            found.values += 1;
        }
    }
    found
}

/// The spacing of `f32` at `v`.
fn ulp(v: f32) -> f64 {
    let exponent = (v.to_bits() >> 23 & 0xFF).clamp(1, 254) as i32;
    f64::from(exponent - 150).exp2()
}

/// Numbers `f32` in ascending order, both zeros alike.
fn ordered(v: f32) -> i32 {
    let bits = v.to_bits() as i32;
    if bits < 0 { i32::MIN.wrapping_sub(bits) } else { bits }
}
