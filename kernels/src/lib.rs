//! 1×1 (pointwise) convolution on a CPU at the speed of the machine.
//!
//! Describe a [`Layer`], plan it for this CPU ([`Plan`]), pack its weights once, and run it many times.
//! [`convolve`] does all of it in one call.
//!
//! **The same bits everywhere.** Each output is one chain of fused multiply-adds, from the bias (or +0)
//! over the inputs of its group in ascending order. Then the residual is added and the activation is
//! applied. Every kernel, ISA, layout, blocking and thread count gives the bits of [`reference()`],
//! including subnormals, infinities and signed zeros. Where the result is a NaN, its payload is
//! unspecified. The host's modes for rounding and for flushing to zero change no result, and the library
//! leaves them as they were. [`Contract`] names this promise.

// The rooms, each importing only from those above it (`scripts/module-graph` checks that).
mod calibrate;
mod choose;
mod cpu;
mod cut;
mod describe;
mod micro;
mod pack;
mod plan;
mod reference;
mod run;

pub use calibrate::text::{Calibration, CalibrationError};
pub use choose::candidate::{Basis, Candidate, Candidates};
pub use choose::profile::{Measured, Profile, ProfileError};
pub use cpu::Cpu;
pub use cut::blocking::Blocking;
pub use cut::split::Split;
pub use describe::activation::Activation;
pub use describe::arithmetic::{Algorithm, Arithmetic, Contract, Dtype, Element, F32};
pub use describe::batch_norm::{BatchNorm, fold_batch_norm};
pub use describe::error::Error;
pub use describe::layer::{Interior, Layer, Layout, Padding, Shape};
pub use describe::parameters::Parameters;
pub use describe::view::{View, Views};
pub use micro::features::Features;
pub use micro::isa::Isa;
pub use micro::registry::{Family, Kernel, kernels};
pub use plan::options::{Mode, PlanOptions, Sharing};
pub use plan::packed::PackedWeights;
pub use plan::siblings::{Branch, Siblings};
pub use plan::{Plan, convolve};
pub use reference::{reference, reference_of};
pub use run::pool::Pool;
