//! Blocks of real networks, by `pointwise` and by tract: the examples hold both against the same
//! block in `f64` and time them.
//!
//! A crate of its own, outside the workspace, because tract takes minutes to compile:
//!
//! ```text
//! cd compare
//! cargo run --release --example bottleneck
//! cargo run --release --example inception
//! ```

#[allow(dead_code)] // the loops and comparisons there are for NHWC
#[path = "../../kernels/examples/blocks/mod.rs"]
mod blocks;

pub use blocks::sizes::{bottleneck, inception_3a};

use std::time::Instant;
use tract_core::internal::*;
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec};
use tract_core::ops::nn::DataFormat;

/// What tract runs.
pub type Runnable = TypedRunnableModel<TypedModel>;

/// Channels, rows and columns of an image.
pub type Image = [usize; 3];

/// One convolution: `[k][c][size][size]` weights and a bias.
#[derive(Clone)]
pub struct Filters {
    /// Outputs.
    pub k: usize,
    /// Rows and columns.
    pub size: usize,
    /// `[k][c][size][size]`.
    pub weights: Vec<f32>,
    /// `[k]`.
    pub bias: Vec<f32>,
}

impl Filters {
    /// Reproducible ones, scaled so that activations keep their magnitude.
    pub fn new(c: usize, k: usize, size: usize, seed: u64) -> Filters {
        let scale = (3.0 / (c * size * size) as f32).sqrt();
        let weights = values(k * c * size * size, seed, scale);
        Filters { k, size, weights, bias: values(k, seed + 1, 0.1) }
    }
}

/// Reproducible values in −1..1, times `scale`: those of the library's own examples.
pub fn values(len: usize, seed: u64, scale: f32) -> Vec<f32> {
    blocks::values(len, seed, scale)
}

/// A graph of tract's with one NCHW image going in.
pub struct Graph {
    model: TypedModel,
    /// The image.
    pub input: OutletId,
    nodes: usize,
}

impl Graph {
    /// With nothing but its input.
    pub fn new([c, h, w]: Image) -> TractResult<Graph> {
        let mut model = TypedModel::default();
        let input = model.add_source("input", f32::fact([1, c, h, w]))?;
        Ok(Graph { model, input, nodes: 0 })
    }

    fn name(&mut self) -> String {
        self.nodes += 1;
        format!("node{}", self.nodes)
    }

    /// A convolution padded to keep the image's size, its bias added.
    pub fn convolution(&mut self, x: OutletId, c: usize, f: &Filters) -> TractResult<OutletId> {
        let name = self.name();
        let shape = [f.k, c, f.size, f.size];
        let kernel = Tensor::from_shape(&shape, &f.weights)?;
        let kernel = self.model.add_const(format!("{name}.weights"), kernel)?;
        let bias = self.model.add_const(format!("{name}.bias"), tensor1(&f.bias))?;
        let pool = pool(f.size, c, f.k);
        let conv =
            Conv { pool_spec: pool, kernel_fmt: KernelFormat::OIHW, group: 1, q_params: None };
        Ok(self.model.wire_node(name, conv, &[x, kernel, bias])?[0])
    }

    /// ReLU.
    pub fn relu(&mut self, x: OutletId) -> TractResult<OutletId> {
        let name = self.name();
        let zero = self.model.add_const(format!("{name}.zero"), tensor0(0f32))?;
        let max = tract_core::ops::math::max();
        Ok(wire_with_rank_broadcast(name, &mut self.model, max, &[x, zero])?[0])
    }

    /// The sum.
    pub fn add(&mut self, a: OutletId, b: OutletId) -> TractResult<OutletId> {
        let name = self.name();
        let add = tract_core::ops::math::add();
        Ok(wire_with_rank_broadcast(name, &mut self.model, add, &[a, b])?[0])
    }

    /// The greatest of each 3×3 neighbourhood.
    pub fn max_pool(&mut self, x: OutletId, c: usize) -> TractResult<OutletId> {
        let name = self.name();
        let op = MaxPool { pool_spec: pool(3, c, c), with_index_outputs: None };
        Ok(self.model.wire_node(name, op, &[x])?[0])
    }

    /// The channels of all one after another.
    pub fn concatenation(&mut self, all: &[OutletId]) -> TractResult<OutletId> {
        let name = self.name();
        let op = tract_core::ops::array::TypedConcat { axis: 1 };
        Ok(self.model.wire_node(name, op, all)?[0])
    }

    /// Optimised for this machine.
    pub fn runnable(mut self, output: OutletId) -> TractResult<Runnable> {
        self.model.set_output_outlets(&[output])?;
        self.model.into_optimized()?.into_runnable()
    }
}

fn pool(size: usize, c: usize, k: usize) -> PoolSpec {
    PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: tvec!(size, size),
        padding: PaddingSpec::SameUpper,
        dilations: None,
        strides: None,
        input_channels: c,
        output_channels: k,
    }
}

/// Runs it on one image; the result is `[c][h][w]`.
pub fn run(model: &Runnable, image: Image, input: &[f32]) -> TractResult<Vec<f32>> {
    let [c, h, w] = image;
    let tensor = Tensor::from_shape(&[1, c, h, w], input)?;
    let output = model.run(tvec!(tensor.into_tvalue()))?;
    Ok(output[0].as_slice::<f32>()?.to_vec())
}

/// A convolution padded to keep the image's size, in `f64`.
pub fn exactly(x: &[f64], [c, h, w]: Image, f: &Filters) -> Vec<f64> {
    let half = f.size / 2;
    let mut y = vec![0.0; f.k * h * w];
    for (k, plane) in y.chunks_exact_mut(h * w).enumerate() {
        plane.fill(f64::from(f.bias[k]));
        for i in 0..c {
            for (dy, dx) in (0..f.size).flat_map(|dy| (0..f.size).map(move |dx| (dy, dx))) {
                let weight = f64::from(f.weights[((k * c + i) * f.size + dy) * f.size + dx]);
                for row in half.saturating_sub(dy)..(h + half - dy).min(h) {
                    for column in half.saturating_sub(dx)..(w + half - dx).min(w) {
                        let from = (row + dy - half) * w + column + dx - half;
                        plane[row * w + column] += weight * x[i * h * w + from];
                    }
                }
            }
        }
    }
    y
}

/// Greatest difference from the exact values, over the greatest of these.
pub fn error(got: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(got.len(), exact.len());
    let apart = got.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    apart / exact.iter().map(|v| v.abs()).fold(0.0, f64::max)
}

/// Medians of both in turns, in microseconds.
pub fn race(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> [f64; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..101 {
        for (contender, times) in
            [&mut ours as &mut dyn FnMut(), &mut theirs].into_iter().zip(&mut times)
        {
            let start = Instant::now();
            contender();
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

/// Prints times in microseconds and errors of a block with pointwise's 1×1 layers and of tract's
/// whole block.
///
/// # Panics
/// When an error is more than rounding.
pub fn show(block: &str, times: [f64; 2], errors: [f64; 2]) {
    println!("{block}, NCHW, one thread, medians of 101 runs in turns\n");
    println!("| | time | greatest error ÷ greatest value |\n|---|---:|---:|");
    for (name, (time, error)) in
        ["1×1 by pointwise, the rest by tract", "all by tract"].iter().zip(times.iter().zip(errors))
    {
        println!("| {name} | {time:.0} µs | {error:.1e} |");
        assert!(error < 1e-5, "{name} is wrong");
    }
}
