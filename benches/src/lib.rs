//! Benches of the workspace; see `cargo bench`.
