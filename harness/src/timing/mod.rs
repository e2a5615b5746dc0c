//! What every measurement rests on: the clock, statistics of samples, pools of threads, the CPUs
//! that threads run on, and how a measurement reports its progress.
//!
//! This room may import nothing of the crate.

pub mod affinity;
pub mod clock;
pub mod paired;
pub mod pool;
pub mod progress;
pub mod stats;
