//! The benchmark suite around `pointwise`: catalog, contenders, measuring, reporting.
pub mod catalog;
pub mod contender;
pub mod data;
pub mod machine;
pub mod measure;
pub mod record;
pub mod sidecar;
pub mod table;
