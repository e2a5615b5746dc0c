//! Copies in the order that kernels read: weights to panels, pixels to rows and lines.
//!
//! This room imports `describe`, `micro` and `cut`. It knows nothing of choosing or of plans.

pub(crate) mod aligned;
pub(crate) mod line;
pub(crate) mod pixels;
pub(crate) mod weights;
