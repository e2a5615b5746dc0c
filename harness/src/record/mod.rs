//! Records: one measured row each, the files of them, and the environment that lies beside a file.
//!
//! This room may import `measure`, `machine`, `timing`, `text` and `whole_file`.

pub mod environment;
mod error;
mod read;
mod row;
mod write;

pub use error::FileError;
pub use read::{parse, read};
pub use row::{PASS, Record, RecordError, SCHEMA, Subject};
pub use write::Writer;

#[cfg(test)]
pub(crate) use row::tests::record as example;
