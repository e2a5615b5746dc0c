//! The benchmark suite around `pointwise`: catalog, contenders, measuring, reporting.
#![deny(unsafe_code)]
pub mod catalog;
pub mod contender;
pub mod data;
pub mod record;
pub mod verify;
