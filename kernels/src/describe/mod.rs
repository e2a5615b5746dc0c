//! The description of a layer: sizes, layouts, element types, epilogue, parameters, views of tensors,
//! and the errors that say what does not fit.
//!
//! This room knows nothing of CPUs or kernels. It imports no other room.

pub(crate) mod activation;
pub(crate) mod arithmetic;
pub(crate) mod batch_norm;
pub(crate) mod buffer;
pub(crate) mod error;
pub(crate) mod layer;
pub(crate) mod parameters;
mod text;
pub(crate) mod view;
