//! What `cargo bench` measures: which layers, with which kernels.
//!
//! The benches themselves are in `benches/`: `wall_clock` (criterion) and `instruction_counts`
//! (callgrind). The layers come from the harness's catalog and the kernels from the library's
//! registry, so that a new layer or kernel needs no line here.

pub mod counted;
pub mod timed;

/// Compiles and runs the README's example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
