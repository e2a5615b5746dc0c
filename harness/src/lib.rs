//! The benchmark suite around `pointwise`: catalog, contenders, measuring, reporting.
#![deny(unsafe_code)]
pub mod catalog;
pub mod contender;
pub mod data;
pub mod export;
pub mod machine;
pub mod measure;
pub mod one_line;
pub mod pick;
pub mod rank;
pub mod record;
pub mod report;
pub mod sidecar;
pub mod table;
pub mod tune;
pub mod verify;
