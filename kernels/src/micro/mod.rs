//! Micro-kernels.
//!
//! | file | holds |
//! |---|---|
//! | `registry.rs` | every kernel, one line each |
//! | `tile.rs` | the inner loop, which all kernels share |
//! | `operands.rs` | what the caller of a tile gives it |
//! | `dot.rs` | what the inner loop needs of an instruction set for an element type |
//! | `f32.rs` | an element type: its operations, and the tiles that are compiled for it |
//! | `menu.rs` | how the compiled tiles are listed and found |
//! | `spill.rs` | storing tiles whose results do not lie side by side in memory |
//! | `vector.rs`, `vector/` | the instruction sets |
//! | `isa.rs`, `features.rs` | their names, and which of them this CPU has |
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
