//! The benchmark suite around `pointwise`: catalog, contenders, measuring, reporting.
#![deny(unsafe_code)]
pub mod calibration;
pub mod catalog;
pub mod compare;
pub mod contender;
pub mod data;
pub mod export;
pub mod gate;
pub mod history;
pub mod machine;
pub mod measure;
pub mod one_line;
pub mod pass;
pub mod pick;
pub mod predict;
pub mod profile;
pub mod rank;
pub mod record;
pub mod regret;
pub mod report;
pub mod sidecar;
pub mod table;
pub mod tune;
pub mod verify;
