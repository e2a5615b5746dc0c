//! The activation: the function that is applied to an output last.

use crate::describe::error::Error;

/// The function applied to an output after bias, products and residual.
///
/// Every kernel, ISA and thread count gives the bits of [`Activation::apply`]. A NaN stays a NaN,
/// and `-0.0` stays `-0.0` under ReLU: each bound is a comparison (`if v < lo { lo } else { v }`).
///
/// The table has errors against the exact function of the same `f32`, in units in the last place
/// (the spacing of `f32` around the exact value). The bound is what is promised. The greatest error
/// is that over all `f32`s but the NaNs.
///
/// | activation | bound | greatest | at | correctly rounded |
/// |---|---:|---:|---:|---:|
/// | none, ReLU, ReLU6, clamp | 0 | 0 | | 100% |
/// | leaky ReLU, PReLU | 0.5 | 0.5 | | 100% |
/// | hard-sigmoid | 1.0 | 1.0000 | −3.5762787e−7 | 97.48% |
/// | hard-swish | 2.0 | 1.8715 | 1.3714979 | 96.33% |
/// | tanh | 2.0 | 1.6523 | 0.5627586 | 99.84% |
/// | sigmoid | 2.5 | 2.4019 | −4.157294 | 97.05% |
/// | GELU | 3.5 | 3.2861 | −2.977501 | 96.20% |
/// | SiLU | 3.5 | 3.3442 | −5.9388933 | 96.03% |
///
/// `cargo run --release -p pointwise --example epilogue_errors -- --all` makes this table and
/// compares the bits of every ISA that the machine has. The figures are of commit ffd95c5, those of
/// the last four rows from the AVX-512 kernel alone (`--fastest`). A test checks the bounds on every
/// ISA: on every 1021st `f32` of either sign, on all `f32`s around the places where the curves bend,
/// and where the greatest errors were found.
///
/// ```
/// use pointwise::{Activation, Layer, convolve};
/// let layer = Layer::new(1, 1, 1, 3).activation(Activation::HardSwish);
/// let output = convolve(&layer, &[-4.0, 1.5, 4.0], &[1.0], None, None)?;
/// assert_eq!(output, [-0.0, 1.125, 4.0]);
/// assert_eq!("n1c1h1w3k1/hardswish".parse::<Layer>()?, layer);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// The value itself.
    None,
    /// `max(v, 0)`.
    Relu,
    /// `min(max(v, 0), 6)`.
    Relu6,
    /// `min(max(v, lo), hi)`; `lo ≤ hi`, neither NaN.
    Clamp {
        /// Lower bound.
        lo: f32,
        /// Upper bound.
        hi: f32,
    },
    /// `v`, or `slope·v` below zero.
    LeakyRelu {
        /// Factor below zero, finite.
        slope: f32,
    },
    /// `v`, or below zero `v` times the slope of its output channel. The slopes are parameters like
    /// the bias: [`Parameters::slopes`](crate::Parameters::slopes).
    Prelu,
    /// `v·min(max(v + 3, 0), 6) / 6`; −0 at and below −3.
    HardSwish,
    /// `min(max(v + 3, 0), 6) / 6`.
    HardSigmoid,
    /// `1 / (1 + e^−v)`.
    Sigmoid,
    /// `v / (1 + e^−v)`, also called swish; −0 at −∞.
    Silu,
    /// `tanh v`.
    Tanh,
    /// `½v·(1 + tanh(√(2/π)·(v + 0.044715·v³)))`, the usual approximation of GELU taken as the
    /// definition; −0 at −∞.
    Gelu,
}

impl Activation {
    /// All activations without parameters, for callers that try each.
    pub const PLAIN: [Activation; 9] = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::HardSwish,
        Activation::HardSigmoid,
        Activation::Sigmoid,
        Activation::Silu,
        Activation::Tanh,
        Activation::Gelu,
    ];

    /// The lower-case name, as [`Layer`](crate::Layer)'s text form writes it; clamp and leaky
    /// ReLU add `=` and their parameters there.
    pub const fn name(&self) -> &'static str {
        match self {
            Activation::None => "none",
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::Clamp { .. } => "clamp",
            Activation::LeakyRelu { .. } => "leaky",
            Activation::Prelu => "prelu",
            Activation::HardSwish => "hardswish",
            Activation::HardSigmoid => "hardsigmoid",
            Activation::Sigmoid => "sigmoid",
            Activation::Silu => "silu",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
        }
    }

    /// Refuses bounds that are NaN or out of order, and slopes that are not finite.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Activation::Clamp { lo, hi } if !matches!(lo.partial_cmp(&hi), Some(o) if o.is_le()) => {
                Err(Error::BadActivation { lo, hi })
            }
            Activation::LeakyRelu { slope } if !slope.is_finite() => {
                Err(Error::BadSlope { output: None, slope })
            }
            _ => Ok(()),
        }
    }

    /// The lower and the upper bound of an activation that does nothing but clamp, infinite where
    /// there is no bound; `None` for other activations.
    pub(crate) const fn bounds(&self) -> Option<(f32, f32)> {
        match *self {
            Activation::None => Some((f32::NEG_INFINITY, f32::INFINITY)),
            Activation::Relu => Some((0.0, f32::INFINITY)),
            Activation::Relu6 => Some((0.0, 6.0)),
            Activation::Clamp { lo, hi } => Some((lo, hi)),
            _ => None,
        }
    }
}
