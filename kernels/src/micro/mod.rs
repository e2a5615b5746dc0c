//! Micro-kernels: the registry, the register tile, and one file an instruction set.
//!
//! This room imports only `describe` (for errors). It knows nothing of layers: a tile is pointers,
//! strides and counts.

pub(crate) mod finish;
pub(crate) mod isa;
pub(crate) mod registry;
pub(crate) mod tile;
pub(crate) mod vector;
