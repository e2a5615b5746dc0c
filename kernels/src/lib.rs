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

mod activation;
mod bound;
mod branch;
mod choose;
mod cpu;
mod curves;
mod drive;
mod environment;
mod epilogue;
mod error;
mod isa;
mod kernel;
mod layer;
mod memory;
mod micro;
mod panels;
mod parameters;
mod pixels;
mod plan;
mod profile;
mod reference;
mod siblings;
mod text;
mod tiles;
mod view;

pub use activation::Activation;
pub use choose::{Basis, Candidate, Candidates, Split};
pub use cpu::Cpu;
pub use drive::Blocking;
pub use error::Error;
pub use isa::Isa;
pub use kernel::{Family, Kernel, kernels};
pub use layer::{Interior, Layer, Layout, Padding, Shape};
pub use parameters::{BatchNorm, Parameters, fold_batch_norm};
pub use plan::{PackedWeights, Plan, PlanOptions, Pool, convolve};
pub use profile::{Measured, Mode, Profile, ProfileError};
pub use reference::{reference, reference_of};
pub use siblings::{Branch, Sharing, Siblings};
pub use view::{View, Views};
