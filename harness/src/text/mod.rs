//! How the program writes numbers with their units, and text of others on one line.
//!
//! This room may import nothing of the crate.

pub mod numbers;
pub mod one_line;
