//! What is applied to an output last.

use crate::Error;

/// The function applied to an output after bias, products and residual.
///
/// A NaN stays a NaN under every activation, and `-0.0` stays `-0.0` under ReLU: each bound is
/// a comparison (`if v < lo { lo } else { v }`), in every kernel alike.
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
}

impl Activation {
    /// Refuses bounds that are NaN or out of order.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Activation::Clamp { lo, hi } if !matches!(lo.partial_cmp(&hi), Some(o) if o.is_le()) => {
                Err(Error::BadActivation { lo, hi })
            }
            _ => Ok(()),
        }
    }

    /// The bounds this activation clamps to; infinite where it does not.
    pub(crate) const fn bounds(&self) -> (f32, f32) {
        match *self {
            Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
            Activation::Clamp { lo, hi } => (lo, hi),
        }
    }

    /// The activation of one value, bit for bit what every kernel computes.
    pub fn apply(&self, v: f32) -> f32 {
        let (lo, hi) = self.bounds();
        let v = if v < lo { lo } else { v };
        if v > hi { hi } else { v }
    }
}
