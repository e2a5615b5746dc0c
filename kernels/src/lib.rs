//! 1×1 (pointwise) convolution on CPUs.
mod activation;
mod error;
mod isa;
mod layer;
mod plan;
mod reference;
mod text;

pub use activation::Activation;
pub use error::Error;
pub use isa::Isa;
pub use layer::{Interior, Layer, Layout, Padding, Shape};
pub use plan::{Kernel, PackedWeights, Plan, PlanOptions, Pool, convolve, kernels};
pub use reference::reference;
