//! What the gate measures, and how.

use super::judge::Limits;
use pointwise::{Isa, Layer};
use std::path::PathBuf;
use std::time::Duration;

/// One case: a layer and a contender.
#[derive(Clone, Debug, PartialEq)]
pub struct GateCase {
    /// The layer.
    pub layer: Layer,
    /// The name of the contender.
    pub contender: String,
}

/// How the cases are measured and judged.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSettings {
    /// The number of threads that each contender runs on.
    pub threads: usize,
    /// The widest ISA that contenders may use.
    pub isa: Option<Isa>,
    /// The folder where peer libraries are looked for first.
    pub peers: Option<PathBuf>,
    /// After this time cases that are not settled are inconclusive.
    pub budget: Duration,
    /// The limits above which a change counts.
    pub limits: Limits,
    /// The number of samples of each process in a pair.
    pub rounds: usize,
    /// The time that a sample should take.
    pub sample: Duration,
    /// The seed of the order of processes.
    pub seed: u64,
}
