//! Choosing a kernel, a blocking and a split without measuring.
//!
//! `candidate.rs` says what there is to choose among, `work.rs` what each comes to in tiles and
//! packing, `price.rs` what that costs in cycles with the prices of a CPU's file and the six
//! `shares.rs`, `profile.rs` what was measured on a CPU, `correct.rs` what that changes, and `decide.rs` takes
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
mod shares;
#[cfg(test)]
mod stored;
mod work;
