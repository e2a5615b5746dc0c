//! The benchmark suite around `pointwise`: catalog, contenders, measuring, reporting.
pub mod catalog;
pub mod contender;
pub mod data;
pub mod record;
