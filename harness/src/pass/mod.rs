//! A pass: all 1×1 layers of a network in order, each with weights and activations of its own. A
//! layer then finds in the caches what the layers before it left there.
//!
//! Layers that read one input read the same memory. A contender that can compute them together does
//! so. The network's layers between them (3×3, pooling) are not run.
//!
//! This room may import `catalog`, `contender`, `data` and `verify`.

mod network;
mod order;

pub use network::{Pass, Passing, Times, Unfit, Unit};
pub use order::{OrderError, Step, is_group, order};
