//! The parameters of a layer: weights, bias and slopes.

use crate::describe::activation::Activation;
use crate::describe::arithmetic::{Arithmetic, F32};
use crate::describe::buffer::{expect_len, expect_optional};
use crate::describe::error::Error;
use crate::describe::layer::Layer;

/// The trained values of a layer, for [`Plan::pack_parameters`](crate::Plan::pack_parameters).
///
/// ```
/// use pointwise::{Activation, Layer, Parameters, Plan, PlanOptions, Pool};
/// let layer = Layer::new(1, 2, 1, 1).activation(Activation::Prelu);
/// let plan = Plan::new(&layer, &PlanOptions::new())?;
/// let packed = plan.pack_parameters(&Parameters::new(&[1.0, 1.0]).slopes(&[0.5, 0.25]))?;
/// let mut output = [0.0; 2];
/// plan.run(&packed, &[-4.0], None, &mut output, Pool::Serial)?;
/// assert_eq!(output, [-2.0, -1.0]);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Parameters<'a, A: Arithmetic = F32> {
    /// The weights, `[k][c / groups]`.
    pub weights: &'a [A::Weight],
    /// The bias, `k` values, if the layer has one.
    pub bias: Option<&'a [A::Sum]>,
    /// The slopes, `k` finite values, if the layer's activation is PReLU.
    pub slopes: Option<&'a [f32]>,
}

impl<'a> Parameters<'a> {
    /// Weights alone.
    pub const fn new(weights: &'a [f32]) -> Self {
        Parameters { weights, bias: None, slopes: None }
    }
}

impl<'a, A: Arithmetic> Parameters<'a, A> {
    /// Weights alone, of any element type.
    pub const fn typed(weights: &'a [A::Weight]) -> Self {
        Parameters { weights, bias: None, slopes: None }
    }

    /// Adds the bias.
    #[must_use]
    pub const fn bias(mut self, bias: &'a [A::Sum]) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Adds the slopes of PReLU.
    #[must_use]
    pub const fn slopes(mut self, slopes: &'a [f32]) -> Self {
        self.slopes = Some(slopes);
        self
    }

    /// Refuses what does not fit the layer.
    pub(crate) fn check(&self, layer: &Layer, weights_len: usize) -> Result<(), Error> {
        expect_len("weights", self.weights.len(), weights_len)?;
        expect_optional("bias", self.bias, layer.bias, layer.k)?;
        expect_optional("slopes", self.slopes, layer.activation == Activation::Prelu, layer.k)?;
        let slopes = self.slopes.unwrap_or_default();
        match slopes.iter().position(|slope| !slope.is_finite()) {
            Some(k) => Err(Error::BadSlope { output: Some(k), slope: slopes[k] }),
            None => Ok(()),
        }
    }
}
