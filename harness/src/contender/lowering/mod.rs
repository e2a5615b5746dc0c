//! A layer as matrix products, for contenders that only multiply matrices.
//!
//! Pixels that stride or padding leave out are gathered away first; then each group (in NCHW
//! each group of each image) is one product, and a last pass over the output adds bias and
//! residual and applies the activation, which a GEMM cannot. All three are part of the time.
//!
//! Each GEMM is two contenders: the layer, and the product without its last pass, so that a reader
//! sees what the last pass costs.

mod gather;
mod last_pass;
mod product;
mod way;

pub(super) use last_pass::finish_loops;

use super::buffer::Buffer;
use crate::contender::contract::{Case, Contender, Prepared, Refusal};
use crate::contender::matrix::{Matrix, MatrixMut};
use gather::gather;
use last_pass::LastPass;
use pointwise::{Layer, Shape};
use product::{Factors, Piece, transposed};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use way::{Cut, Way, Workers, divisions, fastest, orders, products};

/// A library's matrix product.
pub(super) trait Sgemm: Send + Sync {
    /// The contenders' names: the layer, and the product without its last pass.
    fn names(&self) -> [&'static str; 2];

    /// Its version; empty when unavailable.
    fn version(&self) -> String;

    /// Whether it can run on this machine.
    fn available(&self) -> Result<(), Refusal>;

    /// Refuses a case whose threads or ISA cap it cannot keep to.
    fn expect(&self, case: &Case<'_>) -> Result<(), Refusal>;

    /// `c = a·b`. A library may refuse matrices whose strides its interface cannot tell.
    fn multiply(&self, a: Matrix<'_>, b: Matrix<'_>, c: MatrixMut<'_>) -> Result<(), Refusal>;

    /// Whether one product can use several threads of the library.
    fn has_threads(&self) -> bool;

    /// Sets the threads that one product uses, called before every run.
    fn set_threads(&self, threads: usize) -> Result<(), Refusal>;

    /// The library's inner kernel, as far as it can be told.
    fn kernel(&self) -> String {
        String::new()
    }
}

/// The contenders of a GEMM: layers, and products without their last pass.
pub(super) fn contenders(library: impl Sgemm + 'static) -> [Box<dyn Contender>; 2] {
    let library: Arc<dyn Sgemm> = Arc::new(library);
    [true, false].map(|whole_layer| {
        let library = Arc::clone(&library);
        let chosen = Mutex::default();
        Box::new(Multiplier { library, whole_layer, chosen }) as Box<dyn Contender>
    })
}

struct Multiplier {
    library: Arc<dyn Sgemm>,
    whole_layer: bool,
    /// The ways found for layers, each on so many threads: what was verified is what is timed.
    chosen: Mutex<HashMap<(String, usize), Way>>,
}

impl Contender for Multiplier {
    fn name(&self) -> &str {
        let [layer, product] = self.library.names();
        if self.whole_layer { layer } else { product }
    }

    fn version(&self) -> String {
        self.library.version()
    }

    fn available(&self) -> Result<(), Refusal> {
        self.library.available()
    }

    fn exact(&self) -> bool {
        false
    }

    fn prepacks(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        self.library.expect(case)?;
        let mut lowered = Lowered::new(&*self.library, case, self.whole_layer)?;
        let key = (case.layer.to_string(), case.threads);
        let known = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let way = match known {
            Some(way) => way,
            None => lowered.fastest_way()?,
        };
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner).insert(key, way);
        lowered.keep_to(way);
        Ok(Box::new(lowered))
    }
}

/// A layer bound to a GEMM.
struct Lowered<'g> {
    gemm: &'g dyn Sgemm,
    layer: Layer,
    shape: Shape,
    threads: usize,
    whole_layer: bool,
    way: Way,
    input: Buffer,
    /// The pixels that outputs see, in output order, zero where they see padding; `None` where
    /// that is the input itself.
    gathered: Option<Buffer>,
    /// As they are given, and transposed; one of them is dropped when the way is chosen.
    weights: [Buffer; 2],
    last_pass: LastPass,
    residual: Option<Buffer>,
    output: Buffer,
}

impl<'g> Lowered<'g> {
    fn new(gemm: &'g dyn Sgemm, case: &Case<'_>, whole_layer: bool) -> Result<Self, Refusal> {
        crate::contender::contract::expect_plain(case.layer)?;
        let layer = *case.layer;
        let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
        let whole = layer.stride == [1, 1] && (shape.oh, shape.ow) == (layer.h, layer.w);
        let gathered_len = layer.n * layer.c * shape.oh * shape.ow;
        let workers = Workers::Caller;
        Ok(Lowered {
            gemm,
            layer,
            shape,
            threads: case.threads,
            whole_layer,
            way: Way { transposed: false, exchanged: false, cut: Cut::Whole, workers },
            input: case.input_buffer(),
            gathered: (!whole).then(|| Buffer::filled(gathered_len, 0.0)),
            weights: [
                Buffer::copy_of(case.weights),
                Buffer::copy_of(&transposed(&layer, case.weights)),
            ],
            last_pass: LastPass::new(&layer, case.bias),
            residual: case.residual.map(Buffer::copy_of),
            output: Buffer::unwritten(shape.output_len),
        })
    }

    /// Tries the ways that there are: first the order of the factors and who works, then the
    /// division of the work.
    fn fastest_way(&mut self) -> Result<Way, Refusal> {
        let (outputs, threads) = (self.output.len(), self.threads);
        let ways = orders(threads, products(&self.layer), self.gemm.has_threads());
        let first = fastest(&ways, |way| self.time(way))?;
        let ways = divisions(first, &self.layer, outputs, threads);
        let way = fastest(&ways, |way| self.time(way))?;
        // As if it had never run.
        self.output.fill(f32::NAN);
        Ok(way)
    }

    /// Settles on a way, and drops the weights that it doesn't read.
    fn keep_to(&mut self, way: Way) {
        self.way = way;
        self.weights[usize::from(!way.transposed)] = Buffer::filled(0, 0.0);
    }

    /// The time of a run that follows another in the same way.
    fn time(&mut self, way: Way) -> Result<Duration, Refusal> {
        const LONG: Duration = Duration::from_millis(5);
        self.way = way;
        let start = Instant::now();
        self.run()?;
        let first = start.elapsed();
        if first > LONG {
            return Ok(first);
        }
        let start = Instant::now();
        self.run()?;
        Ok(start.elapsed())
    }

    /// Computes the products, and the last pass where it is part of the time.
    fn run_products(&mut self) -> Result<(), Refusal> {
        let (gemm, way, threads) = (self.gemm, self.way, self.threads);
        let (last_pass, residual) = (&self.last_pass, self.residual.as_deref());
        let factors = Factors {
            layer: &self.layer,
            pixels: self.shape.oh * self.shape.ow,
            x: self.gathered.as_ref().unwrap_or(&self.input),
            weights: &self.weights[usize::from(way.transposed)],
        };
        let whole_layer = self.whole_layer;
        let multiply = |a: Matrix<'_>, b: Matrix<'_>, outputs: MatrixMut<'_>| match way.exchanged {
            true => gemm.multiply(b.transposed(), a.transposed(), outputs.transposed()),
            false => gemm.multiply(a, b, outputs),
        };
        let finish = |outputs: MatrixMut<'_>, start: usize, channel: usize| {
            if whole_layer {
                last_pass.apply(outputs, channel, residual.map(|r| &r[start..]));
            }
        };
        let both = |Piece { a, b, mut outputs, start, channel }: Piece<'_>| {
            multiply(a, b, outputs.reborrow())?;
            finish(outputs, start, channel);
            Ok(())
        };
        match way.workers {
            Workers::Caller => {
                gemm.set_threads(1)?;
                factors.pieces(way, &mut self.output).into_iter().try_for_each(both)
            }
            Workers::Pool => {
                gemm.set_threads(1)?;
                let pieces = factors.pieces(way, &mut self.output);
                pieces.into_par_iter().with_max_len(1).try_for_each(both)
            }
            Workers::Library { last_pass_in_pool: false } => {
                gemm.set_threads(threads)?;
                factors.pieces(way, &mut self.output).into_iter().try_for_each(both)
            }
            Workers::Library { last_pass_in_pool: true } => {
                gemm.set_threads(threads)?;
                for Piece { a, b, outputs, .. } in factors.pieces(way, &mut self.output) {
                    multiply(a, b, outputs)?;
                }
                if whole_layer {
                    let shares = Way { cut: Cut::side_by_side(self.layer.layout, threads), ..way };
                    let shares = factors.pieces(shares, &mut self.output);
                    shares.into_par_iter().with_max_len(1).for_each(|piece| {
                        finish(piece.outputs, piece.start, piece.channel);
                    });
                }
                Ok(())
            }
        }
    }
}

impl Prepared for Lowered<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        if let Some(gathered) = &mut self.gathered {
            gather(&self.layer, &self.shape, self.threads, &self.input, gathered);
        }
        self.run_products()
    }

    /// The layer's output, whether the last pass is part of the time or not: a product alone is
    /// checked like everything else.
    fn output(&mut self) -> Vec<f32> {
        let mut output = self.output.to_vec();
        if !self.whole_layer {
            let pixels = self.shape.oh * self.shape.ow;
            let x = self.gathered.as_ref().unwrap_or(&self.input);
            let weights = &self.weights[usize::from(self.way.transposed)];
            let factors = Factors { layer: &self.layer, pixels, x, weights };
            for piece in factors.pieces(self.way, &mut output) {
                let residual = self.residual.as_ref().map(|residual| &residual[piece.start..]);
                self.last_pass.apply(piece.outputs, piece.channel, residual);
            }
        }
        output
    }

    /// The library's kernel, and what was found to be the fastest way to use it.
    fn kernel(&self) -> String {
        match self.gemm.kernel() {
            kernel if kernel.is_empty() => self.way.to_string(),
            kernel => format!("{kernel}; {}", self.way),
        }
    }
}

/// Every way that a GEMM takes, against the reference.
#[cfg(test)]
pub(super) fn expect_every_way_is_right(gemm: &dyn Sgemm) {
    use crate::data::Fill;
    use crate::verify::Expected;
    let texts = [
        "c3h3w3k2",
        "c64h14w14k88/bias+residual+relu",
        "n3c19h6w5k33/bias+residual+clamp=-3..9",
        "n2c30h7w5k66/s2/g6/bias+residual+relu6",
        "n2c12h5w6k10/p1.2.3.4/bias+hardswish",
        "c300h1w1k177/bias+relu",
    ];
    for text in texts {
        for layout in pointwise::Layout::ALL {
            let layer = text.parse::<Layer>().unwrap().layout(layout);
            let expected = Expected::new(&layer, Fill::Integers, 1).unwrap();
            for threads in [1, 2] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let firsts = orders(threads, products(&layer), gemm.has_threads());
                let mut ways = Vec::new();
                for first in firsts {
                    ways.extend(divisions(first, &layer, usize::MAX, threads));
                }
                let mut right = 0;
                for (way, whole_layer) in ways.iter().flat_map(|way| [(way, true), (way, false)]) {
                    let case = expected.data().case(threads, None);
                    let mut lowered = Lowered::new(gemm, &case, whole_layer).unwrap();
                    lowered.way = *way;
                    assert!(lowered.output().iter().all(|y| y.is_nan()));
                    match pool.install(|| lowered.run()) {
                        Err(Refusal::Unsupported(_)) if way.exchanged => continue,
                        done => done.unwrap(),
                    }
                    let checked = expected.check("", &way.to_string(), false, &lowered.output());
                    checked.unwrap_or_else(|wrong| panic!("{wrong}"));
                    right += 1;
                }
                assert!(right >= ways.len(), "{right} of {} ways of {layer}", 2 * ways.len());
            }
        }
    }
}
