//! Holds a contender's output against the reference.
//!
//! Exact contenders must have the reference's bits, on plain and on special values. The others
//! sum in another order: on small whole numbers, where every order gives the same sum, they must
//! have the reference's values; on random ones each output may differ by a bound that grows with
//! √c and with the magnitude of what was summed into that output.

use crate::contender::{Contender, Prepared, Refusal};
use crate::data::{Data, Fill};
use pointwise::{Activation, Error, Isa, Layer, Layout, reference, reference_of};
use std::cell::OnceCell;
use std::fmt;
use std::sync::OnceLock;

/// Why a contender was not found right on a layer.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It computed something else.
    Mismatch(Box<Mismatch>),
    /// It did not compute.
    Refused(Refusal),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Mismatch(mismatch) => mismatch.fmt(f),
            Failure::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

/// The first wrong output, and how many there are.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The layer.
    pub layer: Layer,
    /// Who computed it.
    pub contender: String,
    /// With which kernel; empty where that can't be told.
    pub kernel: String,
    /// The values it was given.
    pub fill: Fill,
    /// The seed they were drawn with.
    pub seed: u64,
    /// Elements in the output that it returned.
    pub len: usize,
    /// Elements that the layer's output has.
    pub expected_len: usize,
    /// How many are wrong; 0 when the length is.
    pub wrong: usize,
    /// Where the first wrong one lies in the output's memory.
    pub index: usize,
    /// Its image, output channel, row and column.
    pub at: [usize; 4],
    /// What was computed there.
    pub got: f32,
    /// What the reference computes there.
    pub want: f32,
    /// How far apart they may be; `None` where the bits must be equal.
    pub allowed: Option<f32>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.contender, self.layer)?;
        if !self.kernel.is_empty() && self.kernel != self.contender {
            write!(f, " (kernel {})", self.kernel)?;
        }
        if self.len != self.expected_len {
            return write!(f, ": {} outputs instead of {}", self.len, self.expected_len);
        }
        let [n, k, y, x] = self.at;
        write!(
            f,
            ", {} values, seed {}: output {} ({}, n={n} k={k} y={y} x={x}) is {:?} ({:#010x}), \
             should be {:?} ({:#010x})",
            self.fill,
            self.seed,
            self.index,
            self.layer.layout,
            self.got,
            self.got.to_bits(),
            self.want,
            self.want.to_bits(),
        )?;
        if let Some(allowed) = self.allowed {
            write!(f, " within {allowed:e}")?;
        }
        write!(f, "; {} of {} outputs are wrong", self.wrong, self.len)
    }
}

/// Data for a layer and what the reference makes of it.
pub struct Expected {
    data: Data,
    output: Vec<f32>,
    tolerance: OnceLock<Vec<f32>>,
}

impl Expected {
    /// Draws the data and computes the reference.
    ///
    /// # Errors
    /// Those of [`Layer::check`], and [`Error::OutOfMemory`].
    pub fn new(layer: &Layer, fill: Fill, seed: u64) -> Result<Self, Error> {
        let data = Data::new(layer, fill, seed)?;
        let residual = data.residual.as_deref();
        let output = reference_of(layer, &data.input, &data.parameters(), residual)?;
        Ok(Expected { data, output, tolerance: OnceLock::new() })
    }

    /// The data, to make cases of.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Compares an output with the reference: its bits if `exact`, else within the tolerance.
    ///
    /// # Errors
    /// The first output that is wrong.
    pub fn check(
        &self,
        contender: &str,
        kernel: &str,
        exact: bool,
        output: &[f32],
    ) -> Result<(), Box<Mismatch>> {
        let tolerance = match (exact, self.data.fill) {
            (true, _) => None,
            (false, Fill::Integers) => Some(&[][..]),
            (false, _) => Some(self.tolerance.get_or_init(|| tolerance(&self.data)).as_slice()),
        };
        let allowed = |i| tolerance.map(|t| t.get(i).copied().unwrap_or(0.0));
        let is_wrong = |i: usize| match (output[i], self.output[i], allowed(i)) {
            (got, want, _) if got.is_nan() && want.is_nan() => false,
            (got, want, None) => got.to_bits() != want.to_bits(),
            (got, want, Some(allowed)) => {
                !(got == want || (f64::from(got) - f64::from(want)).abs() <= f64::from(allowed))
            }
        };
        let mut wrong = 0;
        let mut index = 0;
        if output.len() == self.output.len() {
            for i in (0..output.len()).rev().filter(|i| is_wrong(*i)) {
                (wrong, index) = (wrong + 1, i);
            }
            if wrong == 0 {
                return Ok(());
            }
        }
        Err(Box::new(Mismatch {
            layer: self.data.layer,
            contender: contender.to_owned(),
            kernel: kernel.to_owned(),
            fill: self.data.fill,
            seed: self.data.seed,
            len: output.len(),
            expected_len: self.output.len(),
            wrong,
            index,
            at: coordinates(&self.data.layer, index),
            got: output.get(index).copied().unwrap_or(f32::NAN),
            want: self.output[index],
            allowed: allowed(index),
        }))
    }
}

/// A layer's expectations, shared by all contenders that are checked on it.
pub struct Checker {
    layer: Layer,
    seed: u64,
    by_fill: [OnceCell<Expected>; 3],
}

impl Checker {
    /// For a layer; data is drawn when it is first needed.
    pub fn new(layer: &Layer, seed: u64) -> Self {
        Checker { layer: *layer, seed, by_fill: Default::default() }
    }

    /// Random data, and for exact contenders special data too, for others whole numbers.
    ///
    /// With more than one thread, call it inside a rayon pool of that many.
    ///
    /// # Errors
    /// The first mismatch, or the contender's refusal.
    pub fn check(
        &self,
        contender: &dyn Contender,
        threads: usize,
        isa: Option<Isa>,
    ) -> Result<(), Failure> {
        let second = if contender.exact() { Fill::Special } else { Fill::Integers };
        for fill in [Fill::Random, second] {
            let expected = self.expected(fill)?;
            let mut prepared = contender.prepare(&expected.data().case(threads, isa))?;
            let (kernel, output) = outcome(prepared.as_mut())?;
            expected
                .check(contender.name(), &kernel, contender.exact(), &output)
                .map_err(Failure::Mismatch)?;
        }
        Ok(())
    }

    /// The expectation for one kind of values.
    ///
    /// # Errors
    /// [`Refusal::Failed`] when the layer or its size is refused.
    pub fn expected(&self, fill: Fill) -> Result<&Expected, Refusal> {
        let cell = &self.by_fill[fill as usize];
        if let Some(expected) = cell.get() {
            return Ok(expected);
        }
        let expected = Expected::new(&self.layer, fill, self.seed)
            .map_err(|e| Refusal::Failed(e.to_string()))?;
        Ok(cell.get_or_init(|| expected))
    }
}

/// Runs twice, so that a run that depends on what the last one left behind is found out.
fn outcome(prepared: &mut dyn Prepared) -> Result<(String, Vec<f32>), Refusal> {
    prepared.run()?;
    prepared.run()?;
    prepared.settle();
    Ok((prepared.kernel(), prepared.output()))
}

/// How far each output of a sum in another order may be from the reference.
///
/// Rounding errors of a sum of m products grow like √m·u·Σ|w·x| with high probability (Higham
/// and Mary, "A New Approach to Probabilistic Rounding Error Analysis", 2019). Both sides have
/// such an error; the factor 8 leaves room for the tail. The magnitudes come from the reference
/// itself, run on absolute values.
fn tolerance(data: &Data) -> Vec<f32> {
    let abs = |v: &[f32]| v.iter().map(|v| v.abs()).collect::<Vec<_>>();
    let layer = data.layer.activation(Activation::None);
    let (bias, residual) = (data.bias.as_deref().map(abs), data.residual.as_deref().map(abs));
    let (input, weights) = (abs(&data.input), abs(&data.weights));
    let terms = layer.c / layer.groups + 2;
    let factor = 8.0 * (terms as f32).sqrt() * f32::EPSILON / 2.0;
    // An empty tolerance allows nothing: a layer that passed once cannot fail here.
    reference(&layer, &input, &weights, bias.as_deref(), residual.as_deref())
        .unwrap_or_default()
        .into_iter()
        .map(|magnitude| magnitude * factor + f32::MIN_POSITIVE)
        .collect()
}

/// Image, output channel, row and column of an index into the output.
fn coordinates(layer: &Layer, index: usize) -> [usize; 4] {
    let Ok(shape) = layer.check() else { return [0; 4] };
    let k = layer.k;
    let [oh, ow] = if layer.average { [1, 1] } else { [shape.oh, shape.ow] };
    match layer.output_layout {
        Layout::Nchw => [index / ow / oh / k, index / ow / oh % k, index / ow % oh, index % ow],
        Layout::Nhwc => [index / k / ow / oh, index % k, index / k / ow % oh, index / k % ow],
    }
}
