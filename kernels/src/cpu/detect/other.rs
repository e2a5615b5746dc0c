//! What stands for architectures whose CPUs are not told apart.

use super::found::{Caches, Found};
use crate::micro::isa::Isa;

/// Nothing is known.
pub(in crate::cpu) fn found() -> Found {
    Found { vendor: "", family: 0, model: 0, isa: Isa::Scalar, caches: Caches::default() }
}

/// The architecture.
pub(in crate::cpu) fn brand() -> String {
    std::env::consts::ARCH.to_owned()
}
