//! Micro-kernels: the registry, the register tile, and one file an instruction set and a kind of
//! elements.
//!
//! `registry.rs` names the kernels, `f32.rs` lists the tiles that are compiled for them, `tile.rs` is
//! the inner loop, `dot.rs` what it asks of an instruction set, `operands.rs` what its caller gives.
//! `vector.rs` and the files below it are the instruction sets.
//!
//! This room imports only `describe`. It knows nothing of layers: a tile is pointers, strides and
//! counts. It has no number that was fitted to a CPU: what differs between CPUs comes from the
//! caller.

mod dot;
mod f32;
pub(crate) mod features;
pub(crate) mod isa;
pub(crate) mod menu;
pub(crate) mod operands;
pub(crate) mod registry;
mod spill;
mod tile;
pub(crate) mod vector;
