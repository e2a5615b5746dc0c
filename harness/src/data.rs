//! Data to run a layer on: random, the same for the same seed on every machine.

use pointwise::{Error, Layer, Layout};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a layer takes, in its layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// `[n][c][h][w]` or `[n][h][w][c]`.
    pub input: Vec<f32>,
    /// `[k][c / groups]`.
    pub weights: Vec<f32>,
    /// `[k]`, if the layer has a bias.
    pub bias: Option<Vec<f32>>,
    /// In the output's shape and layout, if the layer has a residual.
    pub residual: Option<Vec<f32>>,
}

/// Random data for `layer`: uniform in (−1, 1), no zeros, no integers, no subnormals, and of full
/// precision, so that a sum taken in another order shows in its bits.
///
/// It depends on the seed, the sizes and nothing else: both layouts get the same tensors, each in
/// its order, and so does the layer with another stride, padding or epilogue. (The residual has
/// the output's sizes.)
///
/// # Errors
/// [`Error::OutOfMemory`], or what [`Layer::check`] says of the layer.
pub fn seeded_data(layer: &Layer, seed: u64) -> Result<Data, Error> {
    let shape = layer.check()?;
    let tensor = |stream, channels, pixels| {
        uniform(Stream { seed, stream }, layer.layout, layer.n, channels, pixels)
    };
    let flat = |stream, len| uniform(Stream { seed, stream }, Layout::Nhwc, 1, len, 1);
    Ok(Data {
        input: tensor(0, layer.c, layer.h * layer.w)?,
        weights: flat(1, shape.weights_len)?,
        bias: layer.bias.then(|| flat(2, layer.k)).transpose()?,
        residual: layer.residual.then(|| tensor(3, layer.k, shape.oh * shape.ow)).transpose()?,
    })
}

/// One of the independent sequences of a seed. ChaCha's output is fixed by its specification,
/// where the standard generator's may change with the version of `rand`.
struct Stream {
    seed: u64,
    stream: u64,
}

/// A tensor whose elements are drawn in NHWC order, stored in `layout`.
fn uniform(
    stream: Stream,
    layout: Layout,
    images: usize,
    channels: usize,
    pixels: usize,
) -> Result<Vec<f32>, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(stream.seed);
    rng.set_stream(stream.stream);
    let len = images * channels * pixels;
    let mut values = Vec::new();
    values
        .try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory { bytes: len * size_of::<f32>() })?;
    match layout {
        Layout::Nhwc => values.extend((0..len).map(|_| number(rng.next_u32()))),
        Layout::Nchw => {
            values.resize(len, 0.0);
            for image in values.chunks_exact_mut(channels * pixels) {
                for pixel in 0..pixels {
                    for channel in 0..channels {
                        image[channel * pixels + pixel] = number(rng.next_u32());
                    }
                }
            }
        }
    }
    Ok(values)
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
        assert_eq!(a, data("c16h8w8k16/bias+residual", 7));
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
}
