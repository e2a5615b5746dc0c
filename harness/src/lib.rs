//! The benchmark suite around `pointwise`: catalog, contenders, measuring, reporting.
//!
//! Each module imports only modules above it in this list, and names an item by the module that
//! defines it or by the room that shows it.
//!
//! | module | holds |
//! |---|---|
//! | [`text`], [`timing`], [`whole_file`], [`profile`] | numbers and messages; clock, statistics, pools; files; names of profile files |
//! | [`catalog`] | networks and their layers |
//! | [`contender`] | everything that can be timed |
//! | [`data`], [`verify`] | tensors from a seed; comparison with the reference |
//! | [`machine`] | CPU, ceilings, noise, trust grade |
//! | [`measure`] | the measuring loop for contenders on one case |
//! | [`pass`] | the layers of a network in order |
//! | [`record`] | rows, their files, and the environment beside them |
//! | [`rank`] | records arranged and ranked |
//! | [`compare`], [`history`], [`export`] | two runs; runs over time; formats of others |
//! | [`pick`], [`predict`], [`tune`], [`regret`] | why a kernel; other CPUs; measuring candidates; the cost of choices |
//! | [`gate`] | the verdict on two builds |
//! | [`report`] | the page and its figures |
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
pub mod pass;
pub mod pick;
pub mod predict;
pub mod profile;
pub mod rank;
pub mod record;
pub mod regret;
pub mod report;
pub mod text;
pub mod timing;
pub mod tune;
pub mod verify;
pub mod whole_file;
