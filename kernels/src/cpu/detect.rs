//! What a CPU says of itself.

#[cfg(any(test, target_arch = "aarch64"))]
mod arm;
pub(super) mod found;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other;
pub(super) mod parts;
#[cfg(any(test, target_arch = "aarch64"))]
mod system;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(super) use arm::{brand, found};
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use other::{brand, found};
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{brand, found};
