//! The activations in `f64`, and how far the kernels' are from them.

// The tests and the example that prints the table each use a part of it.
#![allow(dead_code)]

mod rounded;

use pointwise::{
    Activation, Isa, Layer, Layout, PackedWeights, Parameters, Plan, PlanOptions, Pool, kernels,
};
use rayon::prelude::*;

/// Every how manieth `f32` a sample takes: prime, so that all low bits occur.
pub(crate) const SAMPLE: u32 = 1021;

/// The bounds that the documentation of [`Activation`] states, in ulp.
pub(crate) const STATED: [(Activation, f64); 11] = [
    (Activation::Relu, 0.0),
    (Activation::Relu6, 0.0),
    (Activation::Clamp { lo: -0.25, hi: 0.5 }, 0.0),
    (Activation::LeakyRelu { slope: 0.01 }, 0.5),
    (Activation::Prelu, 0.5),
    (Activation::HardSigmoid, 1.0),
    (Activation::HardSwish, 2.0),
    (Activation::Sigmoid, 2.5),
    (Activation::Tanh, 2.0),
    (Activation::Silu, 3.5),
    (Activation::Gelu, 3.5),
];

/// The greatest errors that a sweep over every `f32` found, and where.
pub(crate) const WORST: [(Activation, f32, f64); 6] = [
    (Activation::HardSigmoid, -3.576_278_7e-7, 1.0000),
    (Activation::HardSwish, 1.371_497_9, 1.8715),
    (Activation::Sigmoid, -4.157_294, 2.4019),
    (Activation::Tanh, 0.562_758_6, 1.6523),
    (Activation::Silu, -5.938_893_3, 3.3442),
    (Activation::Gelu, -2.977_501, 3.2861),
];

/// The slope that PReLU is tried with.
const SLOPE: f32 = -0.3;

/// The exact function, as nearly as `f64` and its library functions have it: within
/// [`UNCERTAIN`] of it, a hundred-thousandth of an ulp of `f32`.
pub(crate) fn exact(activation: Activation, v: f64) -> f64 {
    exact_of(activation, v, SLOPE)
}

/// The same where PReLU has another slope than the one that it is tried with.
pub(crate) fn exact_of(activation: Activation, v: f64, slope: f32) -> f64 {
    let sigmoid = |v: f64| {
        let e = (-v.abs()).exp();
        (if v < 0.0 { e } else { 1.0 }) / (1.0 + e)
    };
    let leaky = |slope: f32| if v < 0.0 { f64::from(slope) * v } else { v };
    match activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::Relu6 => v.clamp(0.0, 6.0),
        Activation::Clamp { lo, hi } => v.clamp(f64::from(lo), f64::from(hi)),
        Activation::LeakyRelu { slope } => leaky(slope),
        Activation::Prelu => leaky(slope),
        Activation::HardSigmoid => (v + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSwish if v <= -3.0 => -0.0,
        Activation::HardSwish => v * ((v + 3.0).min(6.0) / 6.0),
        Activation::Sigmoid => sigmoid(v),
        Activation::Silu if v == f64::NEG_INFINITY => -0.0,
        Activation::Silu => v * sigmoid(v),
        Activation::Tanh => v.tanh(),
        Activation::Gelu if v < -100.0 => -0.0,
        Activation::Gelu => {
            // ½(1 + tanh u) = 1 / (1 + e^−2u), without the cancellation.
            let u = (2.0 / core::f64::consts::PI).sqrt() * (v + 0.044715 * v * v * v);
            v * sigmoid(2.0 * u)
        }
        other => panic!("{other:?} has no exact form here"),
    }
}

/// Greatest relative error of [`exact`], generously: the exponent of e^−2u reaches 200, and with
/// it a relative error of 2⁻⁵² in u some 2⁻⁴⁴ of the result.
pub(crate) const UNCERTAIN: f64 = 1.0 / (1u64 << 41) as f64;

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errors {
    /// Greatest distance from the exact value, in ulp of it.
    pub(crate) greatest: f64,
    /// Where.
    pub(crate) at: f32,
    /// Greatest distance from the correctly rounded value, in `f32`s between.
    pub(crate) farthest: u32,
    /// How many are the correctly rounded value.
    pub(crate) rounded_correctly: u64,
    /// How many were tried.
    pub(crate) values: u64,
    /// How many an ISA gave other bits for than the first.
    pub(crate) differ: u64,
}

impl Errors {
    fn and(self, other: Errors) -> Errors {
        // A NaN, which nothing is greater than, must not be lost.
        let worse = other.greatest.is_nan() || other.greatest > self.greatest;
        let (greatest, at) =
            if worse { (other.greatest, other.at) } else { (self.greatest, self.at) };
        Errors {
            greatest,
            at,
            farthest: self.farthest.max(other.farthest),
            rounded_correctly: self.rounded_correctly + other.rounded_correctly,
            values: self.values + other.values,
            differ: self.differ + other.differ,
        }
    }

    fn add(&mut self, activation: Activation, v: f32, got: f32) {
        let want = exact(activation, f64::from(v));
        let rounded = rounded::rounded(activation, v, want);
        let error = if got == rounded && got.is_infinite() {
            0.0
        } else {
            (f64::from(got) - want).abs() / ulp(want)
        };
        if error.is_nan() || error > self.greatest {
            (self.greatest, self.at) = (error, v);
        }
        let apart = ordered(got).abs_diff(ordered(rounded));
        self.farthest = self.farthest.max(apart);
        self.rounded_correctly += u64::from(apart == 0);
        self.values += 1;
    }
}

/// An activation as the kernels of each ISA of this machine compute it: a layer of one channel
/// whose weight is 1 and whose bias is −0, which leaves every value as it is.
pub(crate) struct Kernels {
    activation: Activation,
    plans: Vec<(Plan, PackedWeights)>,
}

/// Values of a run.
const WIDTH: usize = 4096;

impl Kernels {
    /// For at most so many of the ISAs that this machine has, the widest first.
    pub(crate) fn new(activation: Activation, isas: usize) -> Kernels {
        let layer =
            Layer::new(1, 1, 1, WIDTH).layout(Layout::Nchw).bias(true).activation(activation);
        let mut parameters = Parameters::new(&[1.0]).bias(&[-0.0]);
        if activation == Activation::Prelu {
            parameters = parameters.slopes(&[SLOPE]);
        }
        let available = Isa::ALL.iter().rev().filter_map(|isa| {
            kernels().iter().find(|kernel| kernel.isa() == *isa && kernel.is_available())
        });
        let plans = available.take(isas).map(|kernel| {
            // Also where the environment sets a cap.
            let options = PlanOptions::new().kernel(kernel.name()).isa(kernel.isa());
            let plan = Plan::new(&layer, &options);
            let plan = plan.expect("a layer of one channel");
            let packed = plan.pack_parameters(&parameters).expect("one weight and bias");
            (plan, packed)
        });
        Kernels { activation, plans: plans.collect() }
    }

    /// Names of the kernels.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.plans.iter().map(|(plan, _)| plan.kernel().name())
    }

    /// Tries some values, at most as many as a run has.
    pub(crate) fn errors(&self, values: &[f32]) -> Errors {
        let mut input = [0.0; WIDTH];
        input[..values.len()].copy_from_slice(values);
        let mut found = Errors::default();
        let mut first = [f32::NAN; WIDTH];
        for (index, (plan, packed)) in self.plans.iter().enumerate() {
            let mut output = [f32::NAN; WIDTH];
            plan.run(packed, &input, None, &mut output, Pool::Serial).expect("slices of WIDTH");
            if index == 0 {
                first = output;
            }
            let pairs = output[..values.len()].iter().zip(&first);
            found.differ += pairs.filter(|(a, b)| a.to_bits() != b.to_bits()).count() as u64;
        }
        for (v, got) in values.iter().zip(&first) {
            found.add(self.activation, *v, *got);
        }
        found
    }

    /// Every `step`-th `f32` of either sign but the NaNs, and the infinities.
    pub(crate) fn sweep(&self, step: u32) -> Errors {
        let count = f32::INFINITY.to_bits().div_ceil(step);
        let piece = |start: u32| {
            let mut found = Errors::default();
            for sign in [0, 1 << 31] {
                let bits = (start..count.min(start + WIDTH as u32)).map(|i| i * step);
                let values: Vec<f32> = bits.map(|bits| f32::from_bits(bits | sign)).collect();
                found = found.and(self.errors(&values));
            }
            found
        };
        let pieces = (0..count.div_ceil(WIDTH as u32)).into_par_iter();
        let found = pieces.map(|i| piece(i * WIDTH as u32)).reduce(Errors::default, Errors::and);
        found.and(self.errors(&[f32::INFINITY, f32::NEG_INFINITY]))
    }
}

/// The spacing of `f32` around a value: that of the binade it is in.
pub(crate) fn ulp(v: f64) -> f64 {
    let exponent = (v.to_bits() >> 52 & 0x7FF).clamp(1023 - 126, 1023 + 127);
    f64::from_bits((exponent - 23) << 52)
}

/// Numbers `f32` in ascending order, both zeros alike.
fn ordered(v: f32) -> i32 {
    let bits = v.to_bits() as i32;
    if bits < 0 { i32::MIN.wrapping_sub(bits) } else { bits }
}
