//! Choosing a kernel, a blocking and a split without measuring.
//!
//! `candidate.rs` says what there is to choose among, `price.rs` what each comes to in cycles,
//! `profile.rs` what was measured on a CPU, `correct.rs` what that changes, and `decide.rs` takes
//! the cheapest.
//!
//! This room imports `describe`, `micro`, `cpu` and `cut`. It knows nothing of buffers or plans,
//! and reads no clock.

pub(crate) mod candidate;
mod correct;
pub(crate) mod decide;
#[cfg(test)]
mod fit;
mod price;
mod problem;
pub(crate) mod profile;
mod terms;
