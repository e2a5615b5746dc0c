//! The library's tests, but for those that replace the memory allocator: a process has one
//! allocator, so `allocation.rs` and `guards.rs` are binaries of their own.
//!
//! The tests of this binary share a process and run on several threads at once. A test that needs
//! a process without other tests calls [`alone`](alone::alone), which starts this binary again for
//! that one test.

mod alone;
mod batch_norm;
mod bits;
#[path = "../case/mod.rs"]
mod case;
mod environment;
mod epilogues;
// The example `epilogue_errors` uses this module too.
#[path = "../exact/mod.rs"]
mod exact;
mod groups;
mod profiles;
mod refusals;
mod siblings;
mod sums;
mod thread_count;
mod threads;
mod views;
