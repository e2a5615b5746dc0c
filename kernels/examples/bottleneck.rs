//! A ResNet bottleneck block (He et al. 2015): 1×1 reduces, 3×3, 1×1 expands, the input added,
//! ReLU. The batch normalisation after each convolution is folded into it beforehand.
//!
//! ```text
//! cargo run --release -p pointwise --example bottleneck
//! ```

mod blocks;

use blocks::sizes::bottleneck::{IMAGE, NARROW, WIDE};
use blocks::{difference, plain_convolution, values};
use pointwise::{
    Activation, BatchNorm, Error, Layer, PackedWeights, Plan, PlanOptions, Pool, fold_batch_norm,
};
use std::time::Instant;

/// The block, planned and packed once, with the tensors between its layers.
struct Bottleneck {
    reduce: (Plan, PackedWeights),
    weights3: Vec<f32>,
    expand: (Plan, PackedWeights),
    reduced: Vec<f32>,
    convolved: Vec<f32>,
}

impl Bottleneck {
    fn new(threads: usize) -> Result<Self, Error> {
        let [h, w] = IMAGE;
        let options = PlanOptions::new().threads(threads);
        let planned = |layer: Layer, seed: u64| {
            let mut weights = values(layer.k * layer.c, seed, 0.1);
            let k = layer.k;
            let norm = BatchNorm {
                scale: &vec![1.5; k],
                shift: &values(k, seed + 1, 0.1),
                mean: &values(k, seed + 2, 0.1),
                variance: &vec![0.8; k],
                epsilon: 1e-5,
            };
            let bias = fold_batch_norm(&mut weights, None, &norm)?;
            let plan = Plan::new(&layer, &options)?;
            let packed = plan.pack(&weights, Some(&bias))?;
            Ok((plan, packed))
        };
        let reduce = Layer::new(WIDE, NARROW, h, w).bias(true).activation(Activation::Relu);
        let expand =
            Layer::new(NARROW, WIDE, h, w).bias(true).residual(true).activation(Activation::Relu);
        Ok(Bottleneck {
            reduce: planned(reduce, 10)?,
            weights3: values(NARROW * 9 * NARROW, 20, 0.05),
            expand: planned(expand, 30)?,
            reduced: vec![0.0; h * w * NARROW],
            convolved: vec![0.0; h * w * NARROW],
        })
    }

    /// NHWC in and out. Nothing is allocated here.
    fn run(&mut self, input: &[f32], output: &mut [f32], pool: Pool<'_>) -> Result<(), Error> {
        let [h, w] = IMAGE;
        let (plan, packed) = &self.reduce;
        plan.run(packed, input, None, &mut self.reduced, pool)?;
        // A plain loop: put your 3×3 convolution here.
        let to = [NARROW, 0];
        let sizes = [h, w, NARROW];
        plain_convolution(&self.reduced, sizes, &self.weights3, 3, &mut self.convolved, to);
        // Expansion, addition of the input and ReLU in one pass.
        let (plan, packed) = &self.expand;
        plan.run(packed, &self.convolved, Some(input), output, pool)
    }
}

fn main() -> Result<(), Error> {
    let [h, w] = IMAGE;
    let mut block = Bottleneck::new(1)?;
    let input = values(h * w * WIDE, 1, 1.0);
    let mut output = vec![0.0; h * w * WIDE];
    block.run(&input, &mut output, Pool::Serial)?;

    // The same block with every 1×1 by the plain loop, from the same folded parameters.
    let parameters = |c: usize, k: usize, seed: u64| -> Result<(Vec<f32>, Vec<f32>), Error> {
        let mut weights = values(k * c, seed, 0.1);
        let (shift, mean) = (values(k, seed + 1, 0.1), values(k, seed + 2, 0.1));
        let (scale, variance) = (vec![1.5; k], vec![0.8; k]);
        let norm = BatchNorm {
            scale: &scale,
            shift: &shift,
            mean: &mean,
            variance: &variance,
            epsilon: 1e-5,
        };
        let bias = fold_batch_norm(&mut weights, None, &norm)?;
        Ok((weights, bias))
    };
    let plain =
        |x: &[f32], c: usize, (weights, bias): &(Vec<f32>, Vec<f32>), add: Option<&[f32]>| {
            let k = bias.len();
            let mut y = vec![0.0f32; h * w * k];
            for (i, y) in y.iter_mut().enumerate() {
                let (pixel, k) = (i / k, i % k);
                let products =
                    x[pixel * c..][..c].iter().zip(&weights[k * c..]).map(|(x, w)| x * w);
                *y = (products.sum::<f32>() + bias[k] + add.map_or(0.0, |add| add[i])).max(0.0);
            }
            y
        };
    let reduced = plain(&input, WIDE, &parameters(WIDE, NARROW, 10)?, None);
    let mut convolved = vec![0.0; h * w * NARROW];
    let to = [NARROW, 0];
    plain_convolution(&reduced, [h, w, NARROW], &block.weights3, 3, &mut convolved, to);
    let want = plain(&convolved, NARROW, &parameters(NARROW, WIDE, 30)?, Some(&input));
    let apart = difference(&output, &want);
    assert!(apart < 1e-5, "the blocks differ by {apart:e}");

    let start = Instant::now();
    let (plan, packed) = &block.reduce;
    plan.run(packed, &input, None, &mut block.reduced, Pool::Serial)?;
    let (plan, packed) = &block.expand;
    plan.run(packed, &block.convolved, Some(&input), &mut output, Pool::Serial)?;
    println!("both 1×1 layers took {:?}; {}", start.elapsed(), plan.explain());
    println!("block agrees with plain loops within {apart:.1e} of its greatest value");
    Ok(())
}
