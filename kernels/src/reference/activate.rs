//! The activations as functions of one value.

use crate::describe::activation::Activation;
use crate::reference::curves;

impl Activation {
    /// The activation of one value. Every kernel computes these bits. PReLU has its slopes from the
    /// layer's parameters; here its slope is 1, and
    /// [`apply_with_slope`](Activation::apply_with_slope) takes another slope.
    #[inline]
    pub fn apply(&self, v: f32) -> f32 {
        self.apply_with_slope(v, 1.0)
    }

    /// The activation of one value of a channel whose PReLU slope is `slope`. Other activations
    /// ignore `slope`.
    #[inline]
    pub fn apply_with_slope(&self, v: f32, slope: f32) -> f32 {
        match *self {
            Activation::LeakyRelu { slope } => curves::leaky(v, slope),
            Activation::Prelu => curves::leaky(v, slope),
            Activation::HardSwish => curves::hard_swish(v),
            Activation::HardSigmoid => curves::hard_sigmoid(v),
            Activation::Sigmoid => curves::sigmoid(v),
            Activation::Silu => curves::silu(v),
            Activation::Tanh => curves::tanh(v),
            Activation::Gelu => curves::gelu(v),
            Activation::None | Activation::Relu | Activation::Relu6 | Activation::Clamp { .. } => {
                let (lo, hi) = self.bounds().unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
                let v = if v < lo { lo } else { v };
                if v > hi { hi } else { v }
            }
        }
    }
}
