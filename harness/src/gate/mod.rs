//! Says of two builds whether the one is slower, on a machine that is not quiet.
//!
//! For each case (a layer and a contender) three processes are started side by side: two of the
//! base and one of the new build. They prepare the layer and are timed in turns, in an order drawn
//! by lot, a few short samples each; the fastest sample of each counts, because what disturbs a
//! sample only ever makes it slower. New against base is a *pair*, and the other base against base
//! is a pair of the *control*. Then all three end, and the next three find other pages, another
//! stack, another moment: where data happens to lie differs from pair to pair and so becomes noise,
//! which more pairs average out, instead of a bias, which they would not.
//!
//! [`judge`] looks at the pairs of a case at fixed counts ([`looks`]) with the interval of
//! Wilcoxon's signed-rank test, at a confidence that shares one error probability among all cases
//! and all looks. A case is settled as soon as a look settles it.

mod judge;
mod run;
pub mod worker;

pub use judge::{Finding, Limits, Verdict, judge, looks};
pub use run::{Builds, GateError, Outcome, Report, Row, run};

use pointwise::{Isa, Layer};
use std::time::Duration;

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The layer.
    pub layer: Layer,
    /// Who computes it.
    pub contender: String,
}

/// How it is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Threads that each contender runs on.
    pub threads: usize,
    /// The widest ISA that contenders may use.
    pub isa: Option<Isa>,
    /// After this long what is not settled is inconclusive.
    pub budget: Duration,
    /// When a change counts.
    pub limits: Limits,
    /// Samples of each process in a pair.
    pub rounds: usize,
    /// How long a sample should take.
    pub sample: Duration,
    /// Seed of the order.
    pub seed: u64,
}
