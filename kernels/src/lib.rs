//! 1×1 (pointwise) convolution on a CPU at the speed of the machine.
//!
//! Describe a [`Layer`], bind it to this CPU as a [`Plan`], pack its weights once, run it many
//! times. [`convolve`] does all of it in one call.
//!
//! **The same bits everywhere.** Each output is one chain of fused multiply-adds from the bias
//! (or +0) over the inputs of its group in ascending order, then the residual, then the
//! activation. Every kernel, ISA, layout, blocking and thread count gives the bits of
//! [`reference()`], subnormals, infinities and signed zeros included; a NaN is a NaN, its payload
//! unspecified. A host's flush-to-zero or rounding mode changes nothing and is left as it was.

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
