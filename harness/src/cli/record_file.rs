//! The rows of a run that measures: written to the record file and printed as JSON as they come, and
//! kept when the run ends early.

use super::failure::Failure;
use super::output::{Output, note};
use super::progress::ProgressBar;
use pointwise_harness::record::environment::Environment;
use pointwise_harness::record::{Record, Writer};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Where the rows of a run go.
pub(super) struct Rows {
    writer: Option<Writer>,
    /// Whether the reader of standard output has left. With a file the run goes on without it.
    reader_left: bool,
}

impl Rows {
    /// Rows for the record file at `path`, if there is one.
    pub(super) fn to(path: Option<&Path>) -> Result<Rows, Failure> {
        Ok(Rows { writer: path.map(open).transpose()?, reader_left: false })
    }

    /// Takes a row.
    pub(super) fn add(
        &mut self,
        record: &Record,
        output: &mut Output,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        if let Some(writer) = &mut self.writer {
            writer.append(record)?;
        }
        if output.json && !self.reader_left {
            match progress.aside(|| output.row(record)) {
                Err(Failure::ClosedPipe) if self.writer.is_some() => self.reader_left = true,
                other => other?,
            }
        }
        Ok(())
    }

    /// Ends a run that failed: its rows stay in the partial file. Without any row there is no file.
    pub(super) fn abandon(self) -> Result<(), Failure> {
        let Some(writer) = self.writer else { return Ok(()) };
        match writer.rows() {
            0 => std::fs::remove_file(writer.partial()).map_err(Failure::writing(writer.partial())),
            rows => {
                kept(rows, writer.partial());
                Ok(())
            }
        }
    }

    /// Ends a run that was measured: the file gets its name. If the run was `interrupted`, its rows
    /// stay in the partial file, with the environment beside it.
    pub(super) fn end(self, interrupted: bool, environment: &Environment) -> Result<(), Failure> {
        let Some(writer) = self.writer else { return Ok(()) };
        let (rows, partial) = (writer.rows(), writer.partial().to_owned());
        if rows == 0 || !interrupted {
            return Ok(writer.finish(environment).inspect_err(|_| kept(rows, &partial))?);
        }
        kept(rows, &partial);
        Ok(environment.write(&partial)?)
    }
}

/// Tells where the rows of a run that ended early are.
fn kept(rows: usize, partial: &Path) {
    note(format_args!("{rows} rows are kept in {}", partial.display()));
}

/// Begins a record file. A file that holds something else than records is not replaced: a typing
/// error in a name must not cost somebody's notes.
fn open(path: &Path) -> Result<Writer, Failure> {
    let there = std::fs::metadata(path);
    if there.as_ref().is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        let why = "not a regular file; --json writes records to standard output".to_owned();
        return Err(Failure::Content { path: path.to_owned(), why });
    }
    if there.is_ok_and(|m| m.is_file() && m.len() > 0) && !begins_with_a_record(path) {
        return Err(Failure::WouldReplace { path: path.to_owned() });
    }
    Ok(Writer::create(path)?)
}

fn begins_with_a_record(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut line = String::new();
    // A record is far shorter than this limit, which keeps a line of gigabytes from being read.
    let read = BufReader::new(file.take(1 << 16)).read_line(&mut line);
    let value: Option<serde_json::Value> = serde_json::from_str(&line).ok();
    read.is_ok() && value.is_some_and(|value| value.get("schema").is_some())
}
