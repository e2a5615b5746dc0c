//! The verdict on two builds: whether one is slower than the other, on a machine with noise.
//!
//! For each case (a layer and a contender) three processes run side by side: two of the base and one
//! of the new build. They prepare the layer and are timed in turns of random order, with a few short
//! samples each. The fastest sample of each process counts, because a disturbance only ever makes a
//! sample slower. New against base is a *pair*, and the second base against the first is a pair of
//! the *control*. Then all three processes end. The next three get other pages, another stack and
//! another moment: where data happens to lie differs from pair to pair and thus becomes noise, which
//! more pairs average out. Within one process it would be a bias, which more samples do not remove.
//!
//! [`judge`] judges the pairs of a case at fixed counts ([`looks`]) with the interval of Wilcoxon's
//! signed-rank test. All cases and all looks share one error probability. A case is settled as soon
//! as a look settles it.
//!
//! This room may import `contender`, `data`, `verify`, `machine` and `timing`.

mod case;
mod judge;
pub mod protocol;
mod run;
pub mod worker;

pub use case::{GateCase, GateSettings};
pub use judge::{Judgement, Limits, Verdict, judge, looks};
pub use run::{Builds, GateError, GateOutcome, GateReport, GateRow, run};
