//! Blocks of real networks, computed by `pointwise` and by tract; see `examples/`.
