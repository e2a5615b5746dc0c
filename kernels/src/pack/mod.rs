//! Packing: copies of weights in panels and of pixels in rows or lines, in the order in which kernels
//! read them.
//!
//! This room imports `describe`, `micro` and `cut`. It knows nothing of choosing or of plans.

pub(crate) mod aligned;
pub(crate) mod line;
pub(crate) mod pixels;
pub(crate) mod weights;
