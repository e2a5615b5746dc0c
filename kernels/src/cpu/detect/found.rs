//! What is asked of a CPU, whatever its architecture.

use crate::micro::isa::Isa;

/// What a CPU says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cpu) struct Found {
    /// As `match` lines write it: `amd`, `intel`, `arm`; empty for other makers.
    pub(in crate::cpu) vendor: &'static str,
    /// Family on x86, implementer on Arm.
    pub(in crate::cpu) family: u32,
    /// Model on x86, part on Arm.
    pub(in crate::cpu) model: u32,
    /// The widest ISA that it and the operating system run.
    pub(in crate::cpu) isa: Isa,
    pub(in crate::cpu) caches: Caches,
}

/// Sizes of the data caches of one core, where they are told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::cpu) struct Caches {
    pub(in crate::cpu) l1: Option<usize>,
    pub(in crate::cpu) l1_ways: Option<usize>,
    pub(in crate::cpu) l2: Option<usize>,
    pub(in crate::cpu) l3: Option<usize>,
}
