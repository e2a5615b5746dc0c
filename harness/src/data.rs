//! Inputs, weights, biases and residuals for a layer, the same for every contender.

use crate::contender::Case;
use pointwise::{Error, Isa, Layer};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fmt;

/// What kind of values a layer is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// Uniform in [−1, 1): what is timed.
    Random,
    /// Small whole numbers, whose sums are exact in `f32` in whatever order they are taken
    /// (oneDNN's benchdnn fills this way), so that even a GEMM must match exactly.
    Integers,
    /// Subnormals, infinities, signed zeros, NaN and magnitudes from 2⁻¹⁴⁹ to 2¹²⁷ among plain
    /// values: what a kernel that flushes, reassociates or multiplies padding gets wrong.
    Special,
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fill::Random => "random",
            Fill::Integers => "integer",
            Fill::Special => "special",
        })
    }
}

/// A layer with its tensors.
#[derive(Clone, Debug)]
pub struct Data {
    /// The layer.
    pub layer: Layer,
    /// What kind of values these are.
    pub fill: Fill,
    /// The seed they were drawn with.
    pub seed: u64,
    /// In the layer's layout.
    pub input: Vec<f32>,
    /// `[k][c / groups]`.
    pub weights: Vec<f32>,
    /// `[k]`, if the layer has one.
    pub bias: Option<Vec<f32>>,
    /// In the output's shape and layout, if the layer has one.
    pub residual: Option<Vec<f32>>,
}

impl Data {
    /// Draws every tensor of `layer`. Equal arguments give equal bits on every machine.
    ///
    /// # Errors
    /// Those of [`Layer::check`].
    pub fn new(layer: &Layer, fill: Fill, seed: u64) -> Result<Data, Error> {
        let shape = layer.check()?;
        let mut rng = StdRng::seed_from_u64(seed);
        let chain = layer.c / layer.groups;
        let mut draw =
            |len| -> Vec<f32> { (0..len).map(|_| value(fill, chain, &mut rng)).collect() };
        Ok(Data {
            layer: *layer,
            fill,
            seed,
            input: draw(shape.input_len),
            weights: draw(shape.weights_len),
            bias: layer.bias.then(|| draw(layer.k)),
            residual: layer.residual.then(|| draw(shape.output_len)),
        })
    }

    /// This data as contenders take it.
    pub fn case(&self, threads: usize, isa: Option<Isa>) -> Case<'_> {
        Case {
            layer: &self.layer,
            threads,
            isa,
            input: &self.input,
            weights: &self.weights,
            bias: self.bias.as_deref(),
            residual: self.residual.as_deref(),
        }
    }
}

fn value(fill: Fill, chain: usize, rng: &mut StdRng) -> f32 {
    match fill {
        Fill::Random => rng.random_range(-1.0f32..1.0),
        Fill::Integers => rng.random_range(-4i8..=4).into(),
        Fill::Special => special(chain, rng),
    }
}

/// Values that end a chain (infinities, NaN, overflowing products) are rarer the longer the
/// chain is: else every output would be NaN and nothing be tested.
fn special(chain: usize, rng: &mut StdRng) -> f32 {
    let rare = 1.0 / (6.0 * chain as f64);
    if rng.random_bool(rare) {
        let huge = f32::MAX * rng.random_range(0.1f32..1.0);
        return [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, huge, -huge][rng.random_range(0..5)];
    }
    let sign = if rng.random_bool(0.5) { -1.0 } else { 1.0 };
    match rng.random_range(0..8) {
        0 => sign * 0.0,
        1 => sign * f32::from_bits(rng.random_range(1..0x0080_0000)),
        2 => sign * f32::MIN_POSITIVE * rng.random_range(1.0f32..4.0),
        // Products of two of these reach from below the subnormals to 2⁴⁰.
        3 => sign * rng.random_range(1.0f32..2.0) * 2f32.powi(rng.random_range(-80..20)),
        _ => rng.random_range(-1.0f32..1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer() -> Layer {
        Layer::new(64, 32, 9, 9).bias(true).residual(true)
    }

    #[test]
    fn the_seed_decides_everything() {
        let bits = |seed| {
            let data = Data::new(&layer(), Fill::Special, seed).unwrap();
            data.input
                .iter()
                .chain(&data.residual.unwrap())
                .map(|v| v.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(1), bits(1));
        assert_ne!(bits(1), bits(2));
    }

    #[test]
    fn special_data_has_each_kind_and_leaves_most_outputs_finite() {
        let data = Data::new(&layer(), Fill::Special, 1).unwrap();
        let all: Vec<f32> = data.input.iter().chain(&data.weights).copied().collect();
        assert!(all.iter().any(|v| v.is_subnormal()));
        assert!(all.iter().any(|v| v.is_infinite()));
        assert!(all.iter().any(|v| v.is_nan()));
        assert!(all.iter().any(|v| v.abs() > 1e37 && v.is_finite()));
        assert!(all.iter().any(|v| v.to_bits() == (-0.0f32).to_bits()));
        let case = data.case(1, None);
        let y =
            pointwise::reference(case.layer, case.input, case.weights, case.bias, case.residual)
                .unwrap();
        let finite = y.iter().filter(|v| v.is_finite()).count();
        assert!(finite * 2 > y.len() && finite < y.len(), "{finite} of {}", y.len());
    }

    #[test]
    fn integer_sums_are_exact_in_any_order() {
        let data = Data::new(&layer(), Fill::Integers, 1).unwrap();
        let backwards: f32 = (0..64).rev().map(|i| data.weights[i] * data.input[i]).sum();
        let forwards: f32 = (0..64).map(|i| data.weights[i] * data.input[i]).sum();
        assert_eq!(forwards, backwards);
        assert_eq!(forwards, forwards.trunc());
    }
}
