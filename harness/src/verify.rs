//! Compares a contender's output with the reference.
//!
//! Exact contenders must have the reference's bits, on plain and on special values. The other
//! contenders sum in another order. On small whole numbers, where every order gives the same sum,
//! they must have the reference's values. On random values each output may differ by a bound that
//! grows with √c and with the magnitude of the products in its sum.

use crate::contender::{Contender, Prepared, Refusal};
use crate::data::{Data, Fill};
use pointwise::{Activation, Error, Isa, Layer, Layout, reference, reference_of};
use std::cell::OnceCell;
use std::fmt;
use std::sync::OnceLock;

/// Why a contender does not pass on a layer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckFailure {
    /// It computed something else than the reference.
    #[error("{0}")]
    Mismatch(Box<Mismatch>),
    /// It refused to compute.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The first wrong output, and the number of wrong outputs.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The layer.
    pub layer: Layer,
    /// The contender.
    pub contender: String,
    /// Its kernel; empty when unknown.
    pub kernel: String,
    /// The kind of values that it was given.
    pub fill: Fill,
    /// The seed of those values.
    pub seed: u64,
    /// The number of elements in its output.
    pub len: usize,
    /// The number of elements in the layer's output.
    pub expected_len: usize,
    /// The number of wrong elements; 0 when the length is wrong.
    pub wrong: usize,
    /// The index of the first wrong element in the output's memory.
    pub index: usize,
    /// The image, output channel, row and column of that element.
    pub at: [usize; 4],
    /// The value that was computed there.
    pub got: f32,
    /// The value of the reference there.
    pub want: f32,
    /// The allowed difference; `None` where the bits must be equal.
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

/// Data for a layer, and the output of the reference.
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

    /// The data, for making cases.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Compares an output with the reference: bit for bit if `exact`, otherwise within the tolerance.
    ///
    /// # Errors
    /// The first wrong output.
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

/// The expected outputs of a layer, shared by all contenders that are checked on it.
pub struct Checker {
    layer: Layer,
    seed: u64,
    by_fill: [OnceCell<Expected>; 3],
}

impl Checker {
    /// A checker for a layer. Its data is drawn when it is first needed.
    pub fn new(layer: &Layer, seed: u64) -> Self {
        Checker { layer: *layer, seed, by_fill: Default::default() }
    }

    /// Checks a contender on random values, and then an exact contender on special values, any other
    /// on whole numbers.
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
    ) -> Result<(), CheckFailure> {
        let second = if contender.exact() { Fill::Special } else { Fill::Integers };
        for fill in [Fill::Random, second] {
            let expected = self.expected(fill)?;
            let mut prepared = contender.prepare(&expected.data().case(threads, isa))?;
            let (kernel, output) = outcome(prepared.as_mut())?;
            expected
                .check(contender.name(), &kernel, contender.exact(), &output)
                .map_err(CheckFailure::Mismatch)?;
        }
        Ok(())
    }

    /// The expected output for one kind of values.
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

/// Runs twice. A run whose result depends on the run before it is thus found out.
fn outcome(prepared: &mut dyn Prepared) -> Result<(String, Vec<f32>), Refusal> {
    prepared.run()?;
    prepared.run()?;
    prepared.settle();
    Ok((prepared.kernel(), prepared.output()))
}

/// The difference that is allowed to each output when its sum has another order.
///
/// Rounding errors of a sum of m products grow like √m·u·Σ|w·x| with high probability (Higham
/// and Mary, "A New Approach to Probabilistic Rounding Error Analysis", 2019). Both sides have
/// such an error. The factor 8 leaves room for the tail of the distribution. The reference, run on
/// absolute values, gives the magnitudes.
fn tolerance(data: &Data) -> Vec<f32> {
    let abs = |v: &[f32]| v.iter().map(|v| v.abs()).collect::<Vec<_>>();
    let layer = data.layer.activation(Activation::None);
    let (bias, residual) = (data.bias.as_deref().map(abs), data.residual.as_deref().map(abs));
    let (input, weights) = (abs(&data.input), abs(&data.weights));
    let terms = layer.c / layer.groups + 2;
    let factor = 8.0 * (terms as f32).sqrt() * f32::EPSILON / 2.0;
    // The layer passed its check before, so that the reference cannot fail here. If it did, the empty
    // tolerance would allow no difference.
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
