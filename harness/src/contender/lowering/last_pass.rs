//! What a layer adds to a product: bias, residual and activation, in one sweep over the outputs.
//!
//! Each output is read once and written once, in vectors as wide as the CPU has, so that the pass
//! takes what a copy of the outputs takes. A careful user of a GEMM would write it so.

use crate::contender::matrix::MatrixMut;
use pointwise::{Activation, Layer, Layout};

/// Values of the widest vector.
const LANES: usize = 16;
/// Values of a repeated bias: enough to make the start of a run cheap, few enough for the L1 cache.
const REPEATED: usize = 1024;

/// The last pass of one layer.
pub(super) struct LastPass {
    activation: Activation,
    bias: Bias,
    /// Whether there is anything to do.
    needed: bool,
}

/// The bias in the order of the outputs.
enum Bias {
    /// One value for each row of the product (NCHW), none where the layer has no bias.
    OfRows(Vec<f32>),
    /// Values for one row of the product (NHWC), repeated for some more rows.
    Along(Vec<f32>),
}

impl LastPass {
    pub(super) fn new(layer: &Layer, bias: Option<&[f32]>) -> LastPass {
        let none = bias.is_none() && !layer.residual && layer.activation == Activation::None;
        let values = bias.unwrap_or_default().to_vec();
        let bias = match layer.layout {
            Layout::Nhwc if !values.is_empty() => {
                Bias::Along(values.repeat(REPEATED.div_ceil(values.len())))
            }
            _ => Bias::OfRows(values),
        };
        LastPass { activation: layer.activation, bias, needed: !none }
    }

    /// Goes over one part of the outputs. `channel` is the output channel of its first element and
    /// `residual` starts at that element, in the layout of the outputs.
    pub(super) fn apply(&self, outputs: MatrixMut<'_>, channel: usize, residual: Option<&[f32]>) {
        if self.needed {
            pulp::Arch::new().dispatch(|| self.sweep(outputs, channel, residual));
        }
    }

    #[inline(always)]
    fn sweep(&self, mut outputs: MatrixMut<'_>, channel: usize, residual: Option<&[f32]>) {
        let (rows, columns, stride) = (outputs.rows(), outputs.columns(), outputs.row_stride());
        let bias = match &self.bias {
            Bias::OfRows(bias) => {
                for row in 0..rows {
                    let bias = bias.get(channel + row).copied().unwrap_or(0.0);
                    let residual = residual.map(|r| &r[row * stride..]);
                    finish(outputs.row(row), Same(bias), residual, self.activation);
                }
                return;
            }
            Bias::Along(bias) => bias,
        };
        match outputs.as_slice() {
            // Whole rows of all channels: the repeated bias makes few long runs of them.
            Some(all) if bias.len() % columns == 0 => {
                for (i, run) in all.chunks_mut(bias.len()).enumerate() {
                    let residual = residual.map(|r| &r[i * bias.len()..]);
                    finish(run, Each(bias), residual, self.activation);
                }
            }
            _ => {
                for row in 0..rows {
                    let residual = residual.map(|r| &r[row * stride..]);
                    let bias = Each(&bias[channel..]);
                    finish(outputs.row(row), bias, residual, self.activation);
                }
            }
        }
    }
}

/// Residual and activation over outputs that lie side by side, where loops have added the bias.
pub(in super::super) fn finish_loops(
    outputs: &mut [f32],
    residual: Option<&[f32]>,
    activation: Activation,
) {
    if residual.is_some() || activation != Activation::None {
        pulp::Arch::new().dispatch(|| finish(outputs, Same(0.0), residual, activation));
    }
}

/// Adds bias and residual, which are at least as long as the outputs, and applies the activation.
#[inline(always)]
fn finish(
    outputs: &mut [f32],
    bias: impl Values,
    residual: Option<&[f32]>,
    activation: Activation,
) {
    let Some((lo, hi)) = bounds(activation) else {
        add(outputs, bias, residual, (f32::NEG_INFINITY, f32::INFINITY));
        // A curve takes far longer than a read and a write, and no layer of a network in the
        // catalog has one.
        outputs.iter_mut().for_each(|y| *y = activation.apply(*y));
        return;
    };
    add(outputs, bias, residual, (lo, hi));
}

#[inline(always)]
fn add(outputs: &mut [f32], bias: impl Values, residual: Option<&[f32]>, clamp: (f32, f32)) {
    match residual {
        Some(residual) => add_both(outputs, bias, Each(residual), clamp),
        None => add_both(outputs, bias, Same(0.0), clamp),
    }
}

/// The sweep: several vectors at a time, then one, then what is left.
#[inline(always)]
fn add_both(outputs: &mut [f32], bias: impl Values, residual: impl Values, clamp: (f32, f32)) {
    let mut at = 0;
    let rest = add_chunks::<{ 4 * LANES }>(outputs, &mut at, bias, residual, clamp);
    let rest = add_chunks::<LANES>(rest, &mut at, bias, residual, clamp);
    let rest = add_chunks::<4>(rest, &mut at, bias, residual, clamp);
    add_chunks::<1>(rest, &mut at, bias, residual, clamp);
}

/// As many whole chunks as there are, which start at `at`; what is left is returned.
#[inline(always)]
fn add_chunks<'y, const N: usize>(
    outputs: &'y mut [f32],
    at: &mut usize,
    bias: impl Values,
    residual: impl Values,
    clamp: (f32, f32),
) -> &'y mut [f32] {
    let (chunks, rest) = outputs.as_chunks_mut::<N>();
    for chunk in chunks {
        add_chunk(chunk, bias.chunk::<N>(*at), residual.chunk::<N>(*at), clamp);
        *at += N;
    }
    rest
}

/// A NaN stays a NaN, as in the library.
#[inline(always)]
fn add_chunk<const N: usize>(
    y: &mut [f32; N],
    bias: impl Chunk,
    residual: impl Chunk,
    (lo, hi): (f32, f32),
) {
    for (i, y) in y.iter_mut().enumerate() {
        let v = *y + bias.value(i) + residual.value(i);
        let v = if v < lo { lo } else { v };
        *y = if v > hi { hi } else { v };
    }
}

/// Values in the order of the outputs.
trait Values: Copy {
    type Chunk<const N: usize>: Chunk;

    /// `N` values from index `at` on.
    fn chunk<const N: usize>(self, at: usize) -> Self::Chunk<N>;
}

/// Some values in a row.
trait Chunk: Copy {
    fn value(self, i: usize) -> f32;
}

/// The same value for all outputs.
#[derive(Clone, Copy)]
struct Same(f32);

impl Values for Same {
    type Chunk<const N: usize> = Same;

    #[inline(always)]
    fn chunk<const N: usize>(self, _at: usize) -> Same {
        self
    }
}

impl Chunk for Same {
    #[inline(always)]
    fn value(self, _i: usize) -> f32 {
        self.0
    }
}

/// A value for each output.
#[derive(Clone, Copy)]
struct Each<'a>(&'a [f32]);

impl<'a> Values for Each<'a> {
    type Chunk<const N: usize> = &'a [f32; N];

    #[inline(always)]
    fn chunk<const N: usize>(self, at: usize) -> &'a [f32; N] {
        // Too few values would be a bug of this module: then the outputs are wrong, and found.
        self.0[at..].first_chunk().unwrap_or(&[f32::NAN; N])
    }
}

impl<const N: usize> Chunk for &[f32; N] {
    #[inline(always)]
    fn value(self, i: usize) -> f32 {
        self[i]
    }
}

/// What an activation clamps to; `None` for a curve.
fn bounds(activation: Activation) -> Option<(f32, f32)> {
    match activation {
        Activation::None => Some((f32::NEG_INFINITY, f32::INFINITY)),
        Activation::Relu => Some((0.0, f32::INFINITY)),
        Activation::Relu6 => Some((0.0, 6.0)),
        Activation::Clamp { lo, hi } => Some((lo, hi)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every output by the library's own activation.
    fn expected(y: &[f32], bias: &[f32], residual: &[f32], activation: Activation) -> Vec<f32> {
        let sums = y.iter().zip(bias).zip(residual).map(|((y, b), r)| y + b + r);
        sums.map(|sum| activation.apply(sum)).collect()
    }

    #[test]
    fn every_length_and_activation_gives_the_bits_of_the_definition() {
        let activations = [
            Activation::None,
            Activation::Relu,
            Activation::Relu6,
            Activation::Clamp { lo: -0.5, hi: 0.25 },
            Activation::HardSwish,
            Activation::Gelu,
        ];
        for len in (0..24).chain(60..90).chain([128, 199]) {
            let value = |i: usize, scale: f32| ((i * 7919) % 1000) as f32 * scale - 4.0 * scale;
            let mut y: Vec<f32> = (0..len).map(|i| value(i, 0.011)).collect();
            if let Some(y) = y.last_mut() {
                *y = f32::NAN;
            }
            let bias: Vec<f32> = (0..len).map(|i| value(i + 3, 0.007)).collect();
            let residual: Vec<f32> = (0..len).map(|i| value(i + 5, -0.003)).collect();
            for activation in activations {
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
                let want = expected(&y, &bias, &residual, activation);
                let mut got = y.clone();
                finish(&mut got, Each(&bias), Some(&residual), activation);
                assert_eq!(bits(&got), bits(&want), "{activation:?}, {len} outputs");
                let want = expected(&y, &vec![0.5; len], &residual, activation);
                let mut got = y.clone();
                finish(&mut got, Same(0.5), Some(&residual), activation);
                assert_eq!(bits(&got), bits(&want), "{activation:?}, {len} outputs, one bias");
            }
        }
    }
}
