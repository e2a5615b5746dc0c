//! A layer as matrix products, for contenders that only multiply matrices.
//!
//! Pixels that stride or padding leave out are gathered away first; then each group (in NCHW
//! each group of each image) is one product, and a last pass over the output adds bias and
//! residual and applies the activation, which a GEMM cannot. All three are part of the time.

use super::buffer::Buffer;
use super::foreign::matrix::{Matrix, MatrixMut};
use super::{Case, Prepared, Refusal};
use pointwise::{Activation, Layer, Layout, Shape};
use rayon::prelude::*;

/// A library's matrix product.
pub(super) trait Sgemm: Send + Sync {
    /// `c = a·b`.
    fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) -> Result<(), Refusal>;

    /// Sets the threads that one product uses, called before every run; `false` where products
    /// are single-threaded, and the caller shall split the work over rayon.
    fn set_threads(&self, threads: usize) -> Result<bool, Refusal>;

    /// The library's inner kernel, as far as it can be told.
    fn kernel(&self) -> String {
        String::new()
    }
}

/// A layer bound to a GEMM.
pub(super) struct Lowered<'g> {
    gemm: &'g dyn Sgemm,
    layer: Layer,
    shape: Shape,
    threads: usize,
    input: Buffer,
    /// The pixels that outputs see, in output order, zero where they see padding; `None` where
    /// that is the input itself.
    gathered: Option<Buffer>,
    weights: Buffer,
    bias: Option<Vec<f32>>,
    residual: Option<Buffer>,
    output: Buffer,
}

impl<'g> Lowered<'g> {
    pub(super) fn new(gemm: &'g dyn Sgemm, case: &Case<'_>) -> Result<Self, Refusal> {
        super::expect_plain(case.layer)?;
        let layer = *case.layer;
        let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        let whole = layer.stride == [1, 1] && (shape.oh, shape.ow) == (layer.h, layer.w);
        let gathered_len = layer.n * layer.c * shape.oh * shape.ow;
        Ok(Lowered {
            gemm,
            layer,
            shape,
            threads: case.threads,
            input: case.input_buffer(),
            gathered: (!whole).then(|| Buffer::filled(gathered_len, 0.0)),
            weights: Buffer::copy_of(case.weights),
            bias: case.bias.map(<[f32]>::to_vec),
            residual: case.residual.map(Buffer::copy_of),
            output: Buffer::unwritten(shape.output_len),
        })
    }
}

impl Prepared for Lowered<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        let split = if self.gemm.set_threads(self.threads)? { 1 } else { self.threads };
        let Layer { n, c, k, .. } = self.layer;
        let pixels = self.shape.oh * self.shape.ow;
        if let Some(gathered) = &mut self.gathered {
            // One unit is a plane in NCHW, a row of pixels in NHWC.
            let (units, len) = match self.layer.layout {
                Layout::Nchw => (n * c, pixels),
                Layout::Nhwc => (n * self.shape.oh, self.shape.ow * c),
            };
            let (layer, shape, input) = (&self.layer, &self.shape, &*self.input);
            in_shares(self.threads, units, len, gathered, |first, share| {
                for (unit, into) in (first..).zip(share.chunks_exact_mut(len)) {
                    gather(layer, shape, input, unit, into);
                }
                Ok(())
            })?;
        }
        let layer = &self.layer;
        let job = Job {
            gemm: self.gemm,
            layer,
            pixels,
            x: self.gathered.as_ref().unwrap_or(&self.input),
            weights: &self.weights,
        };
        let last = Epilogue {
            layer,
            pixels,
            bias: self.bias.as_deref(),
            residual: self.residual.as_deref(),
        };
        // What is split: rows of the product, so that each share of the output is contiguous.
        let (units, len) = match layer.layout {
            Layout::Nhwc if n * pixels == 1 && layer.groups == 1 => (k, 1),
            Layout::Nhwc => (n * pixels, k),
            Layout::Nchw => (n * k, pixels),
        };
        in_shares(split, units, len, &mut self.output, |first, share| {
            job.multiply(first * len, share)?;
            if split > 1 || self.threads == 1 {
                last.apply(first * len, share);
            }
            Ok(())
        })?;
        if split == 1 && self.threads > 1 {
            in_shares(self.threads, units, len, &mut self.output, |first, share| {
                last.apply(first * len, share);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<f32> {
        self.output.to_vec()
    }

    fn kernel(&self) -> String {
        self.gemm.kernel()
    }
}

/// Calls `compute` with equal shares of `values`, each with the index of its first unit of
/// `len` values, on `threads` threads.
fn in_shares(
    threads: usize,
    units: usize,
    len: usize,
    values: &mut [f32],
    compute: impl Fn(usize, &mut [f32]) -> Result<(), Refusal> + Sync,
) -> Result<(), Refusal> {
    if threads == 1 {
        return compute(0, values);
    }
    let share = units.div_ceil(threads);
    values
        .par_chunks_mut(share * len)
        .enumerate()
        .try_for_each(|(i, values)| compute(i * share, values))
}

/// Copies what one row of output pixels (NHWC) or one plane of them (NCHW) sees.
fn gather(layer: &Layer, shape: &Shape, input: &[f32], unit: usize, into: &mut [f32]) {
    let Layer { c, h, w, stride: [sh, sw], .. } = *layer;
    let (rows, columns) = (shape.rows, shape.columns);
    match layer.layout {
        Layout::Nhwc => {
            let (image, oy) = (unit / shape.oh, unit % shape.oh);
            if !(rows.start..rows.end).contains(&oy) {
                return;
            }
            let iy = rows.origin + (oy - rows.start) * sh;
            let from = &input[((image * h + iy) * w + columns.origin) * c..];
            let into = &mut into[columns.start * c..columns.end * c];
            for (into, from) in into.chunks_exact_mut(c).zip(from.chunks(c).step_by(sw)) {
                into.copy_from_slice(from);
            }
        }
        Layout::Nchw => {
            let plane = &input[unit * h * w..][..h * w];
            for oy in rows.start..rows.end {
                let iy = rows.origin + (oy - rows.start) * sh;
                let from = &plane[iy * w..][columns.origin..w];
                let into = &mut into[oy * shape.ow..][columns.start..columns.end];
                for (into, from) in into.iter_mut().zip(from.iter().step_by(sw)) {
                    *into = *from;
                }
            }
        }
    }
}

struct Job<'a> {
    gemm: &'a dyn Sgemm,
    layer: &'a Layer,
    pixels: usize,
    x: &'a [f32],
    weights: &'a [f32],
}

impl Job<'_> {
    /// Computes the outputs that lie at `start` and after: whole pixels of NHWC (or part of the
    /// only one), whole planes of NCHW.
    fn multiply(&self, start: usize, outputs: &mut [f32]) -> Result<(), Refusal> {
        let Layer { c, k, groups, .. } = *self.layer;
        let (cg, kg) = (c / groups, k / groups);
        match self.layer.layout {
            Layout::Nhwc => {
                let (first, from) = (start / k, start % k);
                if outputs.len() < k {
                    let b = &self.weights[from * c..][..outputs.len() * c];
                    let b = Matrix::new(b, [c, outputs.len()], [1, c]);
                    let c_ = MatrixMut::new(outputs, [1, b.columns()], b.columns());
                    return self.gemm.multiply(
                        Matrix::new(&self.x[first * c..], [1, c], [c, 1]),
                        b,
                        c_,
                    );
                }
                let rows = outputs.len() / k;
                for group in 0..groups {
                    let a = &self.x[first * c + group * cg..];
                    let b = &self.weights[group * kg * cg..];
                    self.gemm.multiply(
                        Matrix::new(a, [rows, cg], [c, 1]),
                        Matrix::new(b, [cg, kg], [1, cg]),
                        MatrixMut::new(&mut outputs[group * kg..], [rows, kg], k),
                    )?;
                }
            }
            Layout::Nchw => {
                let mut plane = start / self.pixels;
                let mut rest = outputs;
                while !rest.is_empty() {
                    // As many filters as this share, this image and this group have left.
                    let (image, filter) = (plane / k, plane % k);
                    let group = filter / kg;
                    let filters = (rest.len() / self.pixels).min((group + 1) * kg - filter);
                    let (now, later) = rest.split_at_mut(filters * self.pixels);
                    let a = &self.weights[filter * cg..];
                    let b = &self.x[(image * c + group * cg) * self.pixels..];
                    self.gemm.multiply(
                        Matrix::new(a, [filters, cg], [cg, 1]),
                        Matrix::new(b, [cg, self.pixels], [self.pixels, 1]),
                        MatrixMut::new(now, [filters, self.pixels], self.pixels),
                    )?;
                    plane += filters;
                    rest = later;
                }
            }
        }
        Ok(())
    }
}

/// Bias, residual and activation over outputs that a product has written.
pub(super) struct Epilogue<'a> {
    pub(super) layer: &'a Layer,
    /// Output pixels of an image.
    pub(super) pixels: usize,
    pub(super) bias: Option<&'a [f32]>,
    pub(super) residual: Option<&'a [f32]>,
}

impl Epilogue<'_> {
    /// `outputs` lie at `start`; runs of one bias value (NCHW) or of one pixel's biases (NHWC)
    /// may be cut at either end.
    pub(super) fn apply(&self, start: usize, outputs: &mut [f32]) {
        if self.bias.is_none()
            && self.residual.is_none()
            && self.layer.activation == Activation::None
        {
            return;
        }
        // The widest vectors that the CPU has, as any user of a GEMM would write this pass.
        pulp::Arch::new().dispatch(|| self.pass(start, outputs));
    }

    #[inline(always)]
    fn pass(&self, start: usize, outputs: &mut [f32]) {
        let k = self.layer.k;
        let run = if self.layer.layout == Layout::Nhwc { k } else { self.pixels };
        let mut at = start;
        let mut rest = outputs;
        while !rest.is_empty() {
            let len = (run - at % run).min(rest.len());
            let (now, later) = rest.split_at_mut(len);
            match (self.layer.layout, self.bias) {
                (_, None) => {}
                (Layout::Nhwc, Some(bias)) => {
                    now.iter_mut().zip(&bias[at % k..]).for_each(|(y, b)| *y += b);
                }
                (Layout::Nchw, Some(bias)) => {
                    let bias = bias[at / self.pixels % k];
                    now.iter_mut().for_each(|y| *y += bias);
                }
            }
            if let Some(residual) = self.residual {
                now.iter_mut().zip(&residual[at..]).for_each(|(y, r)| *y += r);
            }
            match self.layer.activation {
                Activation::None => {}
                act => now.iter_mut().for_each(|y| *y = act.apply(*y)),
            }
            at += len;
            rest = later;
        }
    }
}
