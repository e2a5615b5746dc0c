//! Whatever the harness can time: our kernels, naive loops, GEMMs, peer libraries.
//!
//! A contender is one file in this folder and one line in [`all`].

use pointwise::{Isa, Layer};

/// One layer with its data, as every contender of a comparison gets it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The layer; its layout is that of `input`, `residual` and the output asked for.
    pub layer: &'a Layer,
    /// Threads to run on, at most the size of the rayon pool that `run` is called in.
    pub threads: usize,
    /// The widest ISA a contender may use, where it can be told.
    pub isa: Option<Isa>,
    /// `[n][c][h][w]` or `[n][h][w][c]`.
    pub input: &'a [f32],
    /// `[k][c / groups]`.
    pub weights: &'a [f32],
    /// `[k]`.
    pub bias: Option<&'a [f32]>,
    /// In the output's shape and layout.
    pub residual: Option<&'a [f32]>,
}

/// Why a contender cannot take part, or not in this case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not on this machine; the text says what would bring it.
    Unavailable(String),
    /// It cannot do this layer; the text says why.
    Unsupported(String),
    /// It failed; the text is its own error.
    Failed(String),
}

/// Something that computes layers and can be timed.
pub trait Contender: Send + Sync {
    /// The fixed name that records carry.
    fn name(&self) -> &str;

    /// The version that records carry; empty when unavailable.
    fn version(&self) -> String;

    /// Whether it can run on this machine.
    fn available(&self) -> Result<(), Refusal>;

    /// Whether its outputs have the reference's bits (else they are compared within a tolerance).
    fn exact(&self) -> bool;

    /// Whether it packs the weights ahead, outside the time measured.
    fn prepacks(&self) -> bool;

    /// Does everything that is done once per layer, copies the data into buffers of its own, and
    /// returns what is timed.
    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal>;
}

/// A contender bound to one case.
pub trait Prepared {
    /// Computes the whole layer once, epilogue included. This is what is timed.
    fn run(&mut self) -> Result<(), Refusal>;

    /// The last result, in the layer's layout.
    fn output(&mut self) -> Vec<f32>;

    /// The kernel that does the work, as far as it can be told; empty when not.
    fn kernel(&self) -> String;
}
