//! The tensors of a layer, drawn from a seed: the same values for every contender, in both layouts,
//! and on every machine.

use crate::contender::Case;
use pointwise::{Activation, Error, Isa, Layer, Layout, Parameters};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// The kind of values in the tensors of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// Uniform in (−1, 1), without zeros, whole numbers and subnormals. The values have full
    /// precision, so that a sum in another order has other bits. Contenders are timed on these.
    Random,
    /// Small whole numbers, as in oneDNN's benchdnn. Their sums are exact in `f32` in any order, so
    /// that even a GEMM must match exactly.
    Integers,
    /// Subnormals, infinities, signed zeros, NaN and magnitudes from 2⁻¹⁴⁹ to 2¹²⁷ among plain
    /// values. They reveal a kernel that flushes subnormals, reassociates, or multiplies padding.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// The layer.
    pub layer: Layer,
    /// The kind of its values.
    pub fill: Fill,
    /// The seed of its values.
    pub seed: u64,
    /// The input, in the layer's layout.
    pub input: Vec<f32>,
    /// The weights, `[k][c / groups]`.
    pub weights: Vec<f32>,
    /// The bias, `[k]`, if the layer has one.
    pub bias: Option<Vec<f32>>,
    /// The residual, in the output's shape and layout, if the layer has one.
    pub residual: Option<Vec<f32>>,
    /// The slopes, `[k]` and finite, if the layer's activation is PReLU.
    pub slopes: Option<Vec<f32>>,
}

impl Data {
    /// Draws every tensor of `layer`.
    ///
    /// The values depend on the kind, the seed and the sizes alone. Both layouts get the same tensors,
    /// each in its order. The layer with another stride, padding or epilogue gets the same tensors
    /// too, except for the residual, which has the output's sizes.
    ///
    /// # Errors
    /// Those of [`Layer::check`], and [`Error::OutOfMemory`].
    pub fn new(layer: &Layer, fill: Fill, seed: u64) -> Result<Data, Error> {
        let shape = layer.check()?;
        let chain = layer.c / layer.groups;
        let draw = |stream, layout, channels, pixels| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            tensor(layout, layer.n, channels, pixels, || value(fill, chain, &mut rng))
        };
        let flat = |stream, len| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            tensor(Layout::Nhwc, 1, len, 1, || value(fill, chain, &mut rng))
        };
        let bias = layer.bias.then(|| flat(2, layer.k)).transpose()?;
        let pixels = shape.oh * shape.ow;
        let residual =
            layer.residual.then(|| draw(3, layer.output_layout, layer.k, pixels)).transpose()?;
        let mut slopes = None;
        if layer.activation == Activation::Prelu {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(4);
            // Slopes are of the random kind always, because slopes that are not finite are refused.
            let draw = || value(Fill::Random, chain, &mut rng);
            slopes = Some(tensor(Layout::Nhwc, 1, layer.k, 1, draw)?);
        }
        Ok(Data {
            layer: *layer,
            fill,
            seed,
            input: draw(0, layer.layout, layer.c, layer.h * layer.w)?,
            weights: flat(1, shape.weights_len)?,
            bias,
            residual,
            slopes,
        })
    }

    /// Weights, bias and slopes.
    pub fn parameters(&self) -> Parameters<'_> {
        self.case(1, None).parameters()
    }

    /// This data in the form that contenders take.
    pub fn case(&self, threads: usize, isa: Option<Isa>) -> Case<'_> {
        Case {
            layer: &self.layer,
            threads,
            isa,
            input: &self.input,
            weights: &self.weights,
            bias: self.bias.as_deref(),
            residual: self.residual.as_deref(),
            slopes: self.slopes.as_deref(),
            shared_input: None,
        }
    }
}

fn value(fill: Fill, chain: usize, rng: &mut ChaCha8Rng) -> f32 {
    match fill {
        Fill::Random => number(rng.next_u32()),
        Fill::Integers => rng.random_range(-4i8..=4).into(),
        Fill::Special => special(chain, rng),
    }
}

/// A special value for a sum of `chain` products.
///
/// Values that decide a whole sum (infinities, NaN, overflowing products) are rarer the longer the
/// sum is. Otherwise every output would be NaN, and nothing would be tested.
fn special(chain: usize, rng: &mut ChaCha8Rng) -> f32 {
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

/// An odd multiple of 2⁻²³ in (−1, 1): exact in `f32`, never zero, never an integer.
fn number(bits: u32) -> f32 {
    let odd = (bits >> 9 << 1) | 1;
    odd as f32 * (-23f32).exp2() - 1.0
}

/// A tensor whose elements are drawn in NHWC order, stored in `layout`.
fn tensor(
    layout: Layout,
    images: usize,
    channels: usize,
    pixels: usize,
    mut draw: impl FnMut() -> f32,
) -> Result<Vec<f32>, Error> {
    let len = images * channels * pixels;
    let mut values = Vec::new();
    values
        .try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory { bytes: len * size_of::<f32>() })?;
    match layout {
        Layout::Nhwc => values.extend((0..len).map(|_| draw())),
        Layout::Nchw => {
            values.resize(len, 0.0);
            for image in values.chunks_exact_mut(channels * pixels) {
                for pixel in 0..pixels {
                    for channel in 0..channels {
                        image[channel * pixels + pixel] = draw();
                    }
                }
            }
        }
    }
    Ok(values)
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

    fn data(text: &str, seed: u64) -> Data {
        Data::new(&text.parse().unwrap(), Fill::Random, seed).unwrap()
    }

    #[test]
    fn lengths_are_the_layers() {
        let all = data("nhwc/n2c6h5w3k4/s2x1/g2/bias+residual", 1);
        assert_eq!((all.input.len(), all.weights.len()), (2 * 6 * 5 * 3, 4 * 3));
        assert_eq!(all.bias.map(|bias| bias.len()), Some(4));
        assert_eq!(all.residual.map(|residual| residual.len()), Some(2 * 4 * 3 * 3));
        let none = data("nhwc/n2c6h5w3k4/relu", 1);
        assert_eq!((none.bias, none.residual), (None, None));
    }

    #[test]
    fn numbers_fill_the_interval_and_avoid_what_hides_errors() {
        assert_eq!(number(0), -1.0 + (-23f32).exp2());
        assert_eq!(number(u32::MAX), 1.0 - (-23f32).exp2());
        assert_eq!(number(1 << 31), (-23f32).exp2());
        let Data { input, .. } = data("c64h56w56k8", 3);
        assert!(input.iter().all(|x| x.abs() < 1.0 && x.abs() >= (-23f32).exp2()));
        let mean = input.iter().map(|x| f64::from(*x)).sum::<f64>() / input.len() as f64;
        let square = input.iter().map(|x| f64::from(x * x)).sum::<f64>() / input.len() as f64;
        assert!(mean.abs() < 0.01 && (square - 1.0 / 3.0).abs() < 0.01, "{mean} {square}");
    }

    #[test]
    fn the_seed_decides_and_the_epilogue_does_not() {
        let a = data("c16h8w8k16/bias+residual+relu", 7);
        let other = data("c16h8w8k16/bias+residual", 7);
        assert_eq!((&a.input, &a.residual), (&other.input, &other.residual));
        let plain = data("c16h8w8k16", 7);
        assert_eq!((&a.input, &a.weights), (&plain.input, &plain.weights));
        assert_ne!(a.input, data("c16h8w8k16", 8).input);
        // Tensors of one seed are not each other's copies.
        assert_ne!(a.input[..16], a.weights[..16]);
        assert_ne!(a.input[..16], a.bias.unwrap()[..]);
        assert_ne!(Some(&a.input[..16]), a.residual.as_deref().map(|r| &r[..16]));
        // A seed must stand for the same values with every version of the random library.
        let bits: Vec<u32> = plain.input[..3].iter().map(|x| x.to_bits()).collect();
        assert_eq!(bits, PINNED);
    }

    const PINNED: [u32; 3] = [3208139130, 3207542106, 3206728110];

    #[test]
    fn both_layouts_hold_the_same_tensors() {
        let (n, c, k, h, w) = (2, 3, 5, 4, 6);
        let text = format!("n{n}c{c}h{h}w{w}k{k}/s2x2/bias+residual");
        let nhwc = data(&format!("nhwc/{text}"), 5);
        let nchw = data(&format!("nchw/{text}"), 5);
        assert_eq!((&nhwc.weights, &nhwc.bias), (&nchw.weights, &nchw.bias));
        let same = |nhwc: &[f32], nchw: &[f32], channels: usize, pixels: usize| {
            for i in 0..n {
                for p in 0..pixels {
                    for ch in 0..channels {
                        let a = nhwc[(i * pixels + p) * channels + ch];
                        let b = nchw[(i * channels + ch) * pixels + p];
                        assert_eq!(a, b, "image {i} pixel {p} channel {ch}");
                    }
                }
            }
        };
        same(&nhwc.input, &nchw.input, c, h * w);
        same(&nhwc.residual.unwrap(), &nchw.residual.unwrap(), k, h / 2 * (w / 2));
    }

    #[test]
    fn layers_without_memory_and_invalid_layers_are_errors() {
        let huge: Layer = "c1048576h1048576w1048576k1".parse().unwrap();
        assert!(matches!(Data::new(&huge, Fill::Random, 0), Err(Error::OutOfMemory { .. })));
        let wrong: Layer = "c3h1w1k1/g2".parse().unwrap();
        assert!(matches!(Data::new(&wrong, Fill::Random, 0), Err(Error::GroupsDoNotDivide { .. })));
    }
}
