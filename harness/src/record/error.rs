//! The errors of record files.

use super::row::SCHEMA;
use crate::text::one_line::OneLine;
use std::path::{Path, PathBuf};

/// Why a file of records, or the environment beside it, cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {verb} {}: {reason}", OneLine(path.display()))]
    Io {
        /// `read`, `write` …
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's own words.
        reason: String,
    },
    /// The file is empty.
    #[error("{}: no record in it: the file is empty", OneLine(path.display()))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not JSON.
    #[error("{}:{line}: not JSON: {reason}", OneLine(path.display()))]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's reason.
        reason: String,
    },
    /// The file ends within a record.
    #[error(
        "{}:{line}: ends within a record: the file was cut short (remove its last line to use the rest)",
        OneLine(path.display())
    )]
    CutShort {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The file has another version of the format.
    #[error("{}:{line}: schema {found}, but this program reads schema {SCHEMA}", OneLine(path.display()))]
    Schema {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The version that the line states.
        found: String,
    },
    /// A field is missing, unknown, of another type or out of range.
    #[error("{}:{line}: {reason}", OneLine(path.display()))]
    Field {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The field, and what is wrong with it.
        reason: String,
    },
    /// A figure is not finite. JSON has no such number, so that the file could not be read again.
    #[error("cannot write {}: the record of {} has a field {field} of {value}", OneLine(path.display()), OneLine(layer))]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The record's layer.
        layer: String,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
}

impl FileError {
    pub(crate) fn io(verb: &'static str, path: &Path, error: &std::io::Error) -> FileError {
        FileError::Io { verb, path: path.to_owned(), reason: error.to_string() }
    }

    pub(crate) fn schema(path: &Path, line: usize, found: Option<serde_json::Value>) -> FileError {
        let found = found.map_or("missing".to_owned(), |value| value.to_string());
        FileError::Schema { path: path.to_owned(), line, found }
    }
}
