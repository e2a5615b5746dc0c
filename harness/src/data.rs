//! Data to run a layer on: the same for the same seed on every machine.

use crate::contender::Case;
use pointwise::{Error, Isa, Layer, Layout};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// What kind of values a layer is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fill {
    /// Uniform in (−1, 1), no zeros, no integers, no subnormals, and of full precision, so that
    /// a sum taken in another order shows in its bits: what is timed.
    Random,
    /// Whole numbers from −4 to 4, whose sums are exact in `f32` in whatever order they are
    /// taken (oneDNN's benchdnn fills this way), so that even a GEMM must match exactly.
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

/// A layer and what it takes, in its layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// The layer.
    pub layer: Layer,
    /// What kind of values these are.
    pub fill: Fill,
    /// What they were drawn with.
    pub seed: u64,
    /// `[n][c][h][w]` or `[n][h][w][c]`.
    pub input: Vec<f32>,
    /// `[k][c / groups]`.
    pub weights: Vec<f32>,
    /// `[k]`, if the layer has a bias.
    pub bias: Option<Vec<f32>>,
    /// In the output's shape and layout, if the layer has a residual.
    pub residual: Option<Vec<f32>>,
}

/// [`Data::new`] with random values.
///
/// # Errors
/// As there.
pub fn seeded_data(layer: &Layer, seed: u64) -> Result<Data, Error> {
    Data::new(layer, Fill::Random, seed)
}

impl Data {
    /// Draws every tensor of `layer`.
    ///
    /// They depend on the kind of values, the seed, the sizes and nothing else: both layouts get
    /// the same tensors, each in its order, and so does the layer with another stride, padding
    /// or epilogue. (The residual has the output's sizes.)
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], or what [`Layer::check`] says of the layer.
    pub fn new(layer: &Layer, fill: Fill, seed: u64) -> Result<Data, Error> {
        let shape = layer.check()?;
        let chain = layer.c / layer.groups;
        let draw = |stream| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            move || fill.value(chain, &mut rng)
        };
        let tensor = |stream, channels, pixels| {
            filled(draw(stream), layer.layout, layer.n, channels, pixels)
        };
        let flat = |stream, len| filled(draw(stream), Layout::Nhwc, 1, len, 1);
        Ok(Data {
            layer: *layer,
            fill,
            seed,
            input: tensor(0, layer.c, layer.h * layer.w)?,
            weights: flat(1, shape.weights_len)?,
            bias: layer.bias.then(|| flat(2, layer.k)).transpose()?,
            residual: layer
                .residual
                .then(|| tensor(3, layer.k, shape.oh * shape.ow))
                .transpose()?,
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

/// A tensor whose elements are drawn in NHWC order, stored in `layout`. ChaCha's output is fixed
/// by its specification, where the standard generator's may change with the version of `rand`.
fn filled(
    mut draw: impl FnMut() -> f32,
    layout: Layout,
    images: usize,
    channels: usize,
    pixels: usize,
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

impl Fill {
    /// One value of a layer whose outputs sum `chain` products.
    fn value(self, chain: usize, rng: &mut ChaCha8Rng) -> f32 {
        match self {
            Fill::Random => number(rng.next_u32()),
            Fill::Integers => (rng.next_u32() % 9) as f32 - 4.0,
            Fill::Special => special(chain, rng),
        }
    }
}

/// Values that end a chain (infinities, NaN, overflowing products) are rarer the longer the
/// chain is: else every output would be NaN and nothing be tested.
fn special(chain: usize, rng: &mut ChaCha8Rng) -> f32 {
    let plain = number(rng.next_u32());
    let sign = 1f32.copysign(plain);
    let power = |from: i32, to: i32, rng: &mut ChaCha8Rng| {
        (from + (rng.next_u32() % (to - from) as u32) as i32) as f32
    };
    if rng.next_u64().is_multiple_of(6 * chain as u64) {
        return sign
            * match rng.next_u32() % 4 {
                0 | 1 => f32::INFINITY,
                2 => f32::NAN,
                _ => plain.abs() * f32::MAX,
            };
    }
    match rng.next_u32() % 8 {
        0 => sign * 0.0,
        1 => sign * f32::from_bits(1 + rng.next_u32() % 0x007F_FFFF),
        2 => sign * f32::MIN_POSITIVE * power(0, 4, rng).exp2(),
        // Products of two of these reach from below the subnormals to 2⁴⁰.
        3 => plain * power(-80, 20, rng).exp2(),
        _ => plain,
    }
}

/// An odd multiple of 2⁻²³ in (−1, 1): exact in `f32`, never zero, never an integer.
fn number(bits: u32) -> f32 {
    let odd = (bits >> 9 << 1) | 1;
    odd as f32 * (-23f32).exp2() - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str, seed: u64) -> Data {
        seeded_data(&text.parse().unwrap(), seed).unwrap()
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
        let same = data("c16h8w8k16/bias+residual", 7);
        assert_eq!((&a.input, &a.bias), (&same.input, &same.bias));
        let plain = data("c16h8w8k16", 7);
        assert_eq!((&a.input, &a.weights), (&plain.input, &plain.weights));
        assert_ne!(a.input, data("c16h8w8k16", 8).input);
        // Tensors of one seed are not each other's copies.
        assert_ne!(a.input[..16], a.weights[..16]);
        assert_ne!(a.input[..16], a.bias.unwrap()[..]);
        assert_ne!(Some(&a.input[..16]), a.residual.as_deref().map(|r| &r[..16]));
        // A record names its seed; another version of a library must not change what it stands for.
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
    fn what_cannot_be_had_is_an_error() {
        let huge: Layer = "c1048576h1048576w1048576k1".parse().unwrap();
        assert!(matches!(seeded_data(&huge, 0), Err(Error::OutOfMemory { .. })));
        let wrong: Layer = "c3h1w1k1/g2".parse().unwrap();
        assert!(matches!(seeded_data(&wrong, 0), Err(Error::GroupsDoNotDivide { .. })));
    }

    #[test]
    fn special_data_has_each_kind_and_leaves_most_outputs_finite() {
        let layer: Layer = "c64h9w9k32/bias+residual".parse().unwrap();
        let data = Data::new(&layer, Fill::Special, 1).unwrap();
        let all: Vec<f32> = data.input.iter().chain(&data.weights).copied().collect();
        assert!(all.iter().any(|v| v.is_subnormal()));
        assert!(all.iter().any(|v| v.is_infinite()));
        assert!(all.iter().any(|v| v.is_nan()));
        assert!(all.iter().any(|v| v.abs() > 1e37 && v.is_finite()));
        assert!(all.iter().any(|v| v.to_bits() == (-0.0f32).to_bits()));
        let (bias, residual) = (data.bias.as_deref(), data.residual.as_deref());
        let y = pointwise::reference(&layer, &data.input, &data.weights, bias, residual).unwrap();
        let finite = y.iter().filter(|v| v.is_finite()).count();
        assert!(finite * 2 > y.len() && finite < y.len(), "{finite} of {}", y.len());
    }

    #[test]
    fn integer_sums_are_exact_in_any_order() {
        let layer: Layer = "c2048h3w3k7".parse().unwrap();
        let Data { input, weights, .. } = Data::new(&layer, Fill::Integers, 1).unwrap();
        let forwards: f32 = (0..2048).map(|i| weights[i] * input[i]).sum();
        let backwards: f32 = (0..2048).rev().map(|i| weights[i] * input[i]).sum();
        assert_eq!(forwards, backwards);
        assert!((-4..=4).all(|v| input.contains(&(v as f32))));
    }
}
