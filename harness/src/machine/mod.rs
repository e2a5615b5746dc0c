//! The machine: what it is, what it can do at best, and how far its figures can be trusted.
//!
//! This room may import `timing`. It knows nothing of layers and contenders.

mod bandwidth;
mod build;
mod cache;
mod ceiling;
mod ceilings;
mod core_probe;
mod cpu;
pub mod doctor;
mod grade;
mod isa_text;
mod lockstep;
mod microarchitecture;
mod noise;
mod timer;

pub use bandwidth::Bandwidth;
pub use build::Build;
pub use cache::{CacheKind, CacheLevel};
pub use ceiling::{FmaCeiling, chains, multiply_add};
pub use ceilings::{Ceilings, Effort};
pub(crate) use core_probe::{CoreProbe, SharedCores};
pub use cpu::{Cpu, Host};
pub use grade::{Finding, Grade, Trust};
pub use noise::{Monitor, Noise};
pub use timer::Timer;
