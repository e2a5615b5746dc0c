//! What can be wrong with a record file.

use super::SCHEMA;
use crate::one_line::OneLine;
use std::path::{Path, PathBuf};

/// A file of records, or its environment, that cannot be read or written. Bad input: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("cannot {verb} {}: {reason}", OneLine(path.display()))]
    Io {
        /// `read`, `write` …
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Its own words.
        reason: String,
    },
    /// There is nothing in it.
    #[error("{}: no record in it: the file is empty", OneLine(path.display()))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Something else stands where a record should.
    #[error("{}:{line}: not JSON: {reason}", OneLine(path.display()))]
    NotJson {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser met.
        reason: String,
    },
    /// It ends within a record.
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
    /// It is of a program that writes another version.
    #[error("{}:{line}: schema {found}, but this program reads schema {SCHEMA}", OneLine(path.display()))]
    Schema {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the line says it is.
        found: String,
    },
    /// A field is missing, unknown, of another type or out of range.
    #[error("{}:{line}: {reason}", OneLine(path.display()))]
    Field {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Which field, and what of it.
        reason: String,
    },
    /// A figure that is not finite would be unreadable later.
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
