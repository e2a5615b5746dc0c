//! The machine: what it is, what it could do at best, and how far its figures can be trusted.

mod bandwidth;
mod beside;
mod build;
mod cache;
mod ceiling;
mod ceilings;
mod cores;
mod cpu;
pub mod doctor;
mod grade;
mod lockstep;
mod microarchitecture;
mod noise;
mod timer;

pub use bandwidth::{Bandwidth, Probe, bandwidth, probes};
pub use beside::Beside;
pub use build::Build;
pub use cache::{CacheKind, CacheLevel};
pub use ceiling::{FmaCeiling, fma_ceiling};
pub use ceilings::{Ceilings, Effort};
pub(crate) use cores::Probe as CoreProbe;
pub use cpu::{Cpu, Host};
pub use grade::{Finding, Grade, Trust};
pub use noise::{Monitor, Noise};
pub use timer::Timer;
