//! Whatever the harness can time: our kernels, naive loops, GEMMs, peer libraries.
//!
//! A contender is one file in this folder and one line in [`all`]. `contract.rs` says what a contender
//! is, `lowering` turns a layer into a matrix product, `foreign` calls the libraries of others.
//!
//! This room imports no other room of the harness.

#[cfg(not(feature = "peer-gemm"))]
mod absent;
mod buffer;
mod contract;
#[allow(unsafe_code)]
pub mod foreign;
mod lowering;
// Views of matrices over raw pointers, which the peers in `foreign` are called with.
#[allow(unsafe_code)]
mod matrix;
mod matrixmultiply;
mod naive;
mod onnx;
mod ours;
mod siblings;

pub use buffer::Buffer;
pub use contract::{Case, Contender, Options, Prepared, Refusal, SIBLINGS, SetupTimes, is_partial};

/// Every contender, on this machine or not.
pub fn all(options: &Options) -> Vec<Box<dyn Contender>> {
    let mut all: Vec<Box<dyn Contender>> = Vec::new();
    all.push(Box::new(ours::Planned));
    all.push(Box::new(siblings::Together(options.sharing)));
    all.extend(pointwise::kernels().iter().map(|kernel| ours::One::boxed(kernel)));
    all.push(Box::new(naive::Naive));
    all.extend(matrixmultiply::contenders());
    #[cfg(feature = "peer-gemm")]
    all.extend(foreign::gemm::contenders());
    #[cfg(not(feature = "peer-gemm"))]
    all.extend(["gemm", "gemm-product"].map(|name| {
        let help = "not built in; build with --features pointwise-harness/peer-gemm";
        Box::new(absent::Absent { name, help }) as Box<dyn Contender>
    }));
    all.extend(foreign::onednn::contenders(options));
    all.extend(foreign::openblas::contenders(options));
    all.push(Box::new(foreign::xnnpack::contender(options)));
    all.push(Box::new(foreign::onnxruntime::contender(options)));
    all
}
