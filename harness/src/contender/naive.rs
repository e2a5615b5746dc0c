//! The loops that a C programmer writes from the definition, a multiplication and an addition
//! each, vectorised as far as the compiler does that for the build's baseline.
//!
//! The loop order is the one that walks memory forwards: in NCHW a weight is applied to a whole
//! plane of pixels at a time, in NHWC each output is the dot product of a pixel's channels with
//! a filter. Threads take equal shares of the outputs. Residual and activation are the sweep over
//! the outputs that GEMMs get, too.

use super::buffer::Buffer;
use super::lowering::finish_loops;
use crate::contender::contract::{Case, Contender, Prepared, Refusal, expect_plain};
use pointwise::{Layer, Layout, Shape};
use rayon::prelude::*;

/// The loops, in the layer's layout.
pub(super) struct Naive;

impl Contender for Naive {
    fn name(&self) -> &str {
        "naive"
    }

    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    fn available(&self) -> Result<(), Refusal> {
        Ok(())
    }

    fn exact(&self) -> bool {
        false
    }

    fn prepacks(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        expect_plain(case.layer)?;
        let shape = case.layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        Ok(Box::new(Loops {
            layer: *case.layer,
            shape,
            threads: case.threads,
            tensors: Tensors {
                input: case.input_buffer(),
                weights: case.weights.to_vec(),
                bias: case.bias.map(<[f32]>::to_vec),
                residual: case.residual.map(Buffer::copy_of),
            },
            output: Buffer::unwritten(shape.output_len),
        }))
    }
}

struct Tensors {
    input: Buffer,
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
    residual: Option<Buffer>,
}

struct Loops {
    layer: Layer,
    shape: Shape,
    threads: usize,
    tensors: Tensors,
    output: Buffer,
}

impl Prepared for Loops {
    fn run(&mut self) -> Result<(), Refusal> {
        let Loops { layer, shape, threads, tensors, output } = self;
        // One unit is a plane of outputs in NCHW, a row of pixels in NHWC.
        let (units, unit_len) = match layer.layout {
            Layout::Nchw => (layer.n * layer.k, shape.oh * shape.ow),
            Layout::Nhwc => (layer.n * shape.oh, shape.ow * layer.k),
        };
        let share = units.div_ceil(*threads);
        let compute = |(part, outputs): (usize, &mut [f32])| {
            for (i, outputs) in outputs.chunks_exact_mut(unit_len).enumerate() {
                let unit = part * share + i;
                match layer.layout {
                    Layout::Nchw => nchw_plane(layer, shape, tensors, unit, outputs),
                    Layout::Nhwc => nhwc_row(layer, shape, tensors, unit, outputs),
                }
            }
        };
        if *threads == 1 {
            compute((0, output));
        } else {
            output.par_chunks_mut(share * unit_len).enumerate().for_each(compute);
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<f32> {
        self.output.to_vec()
    }

    fn kernel(&self) -> String {
        String::new()
    }
}

/// All pixels of output channel `unit % k` of image `unit / k`.
fn nchw_plane(layer: &Layer, shape: &Shape, t: &Tensors, unit: usize, y: &mut [f32]) {
    let Layer { c, k, h, w, stride: [sh, sw], groups, .. } = *layer;
    let (image, channel) = (unit / k, unit % k);
    let (cg, kg) = (c / groups, k / groups);
    y.fill(t.bias.as_ref().map_or(0.0, |bias| bias[channel]));
    for i in 0..cg {
        let weight = t.weights[channel * cg + i];
        let x = &t.input[(image * c + channel / kg * cg + i) * h * w..][..h * w];
        for oy in shape.rows.start..shape.rows.end {
            let iy = shape.rows.origin + (oy - shape.rows.start) * sh;
            let y = &mut y[oy * shape.ow..][shape.columns.start..shape.columns.end];
            let x = &x[iy * w..][shape.columns.origin..w];
            if sw == 1 {
                for (y, x) in y.iter_mut().zip(x) {
                    *y += weight * *x;
                }
            } else {
                for (y, x) in y.iter_mut().zip(x.iter().step_by(sw)) {
                    *y += weight * *x;
                }
            }
        }
    }
    let residual = t.residual.as_ref().map(|r| &r[unit * shape.oh * shape.ow..]);
    finish_loops(y, residual, layer.activation);
}

/// All outputs of pixel row `unit % oh` of image `unit / oh`.
fn nhwc_row(layer: &Layer, shape: &Shape, t: &Tensors, unit: usize, y: &mut [f32]) {
    let Layer { c, k, h, w, stride: [sh, sw], groups, .. } = *layer;
    let (image, oy) = (unit / shape.oh, unit % shape.oh);
    let (cg, kg) = (c / groups, k / groups);
    for (ox, y) in y.chunks_exact_mut(k).enumerate() {
        let inside = (shape.rows.start..shape.rows.end).contains(&oy)
            && (shape.columns.start..shape.columns.end).contains(&ox);
        for (channel, y) in y.iter_mut().enumerate() {
            let mut sum = t.bias.as_ref().map_or(0.0, |bias| bias[channel]);
            if inside {
                let iy = shape.rows.origin + (oy - shape.rows.start) * sh;
                let ix = shape.columns.origin + (ox - shape.columns.start) * sw;
                let pixel = &t.input[((image * h + iy) * w + ix) * c..][channel / kg * cg..][..cg];
                for (x, weight) in pixel.iter().zip(&t.weights[channel * cg..][..cg]) {
                    sum += weight * x;
                }
            }
            *y = sum;
        }
    }
    let residual = t.residual.as_ref().map(|r| &r[unit * shape.ow * k..]);
    finish_loops(y, residual, layer.activation);
}
