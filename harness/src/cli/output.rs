//! Standard output for results, standard error for notes. Neither panics when it is closed.

use super::failure::Failure;
use super::table::Table;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// Where results go, and in what form.
pub(crate) struct Output {
    stdout: io::StdoutLock<'static>,
    /// Whether results are JSON lines instead of text.
    pub(crate) json: bool,
    /// The columns of the terminal; `None` when standard output is not a terminal.
    pub(crate) width: Option<usize>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let width = io::stdout()
            .is_terminal()
            .then(|| console::Term::stdout().size_checked().map(|(_, columns)| columns.into()))
            .flatten();
        Output { stdout: io::stdout().lock(), json, width }
    }

    /// Prints one line, or several.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout, "{text}").map_err(failure)
    }

    /// Prints one row as a line of JSON.
    pub(crate) fn row(&mut self, row: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(row).map_err(|error| Failure::Output(error.into()))?;
        self.line(text)
    }

    /// Prints a table no wider than the terminal, and tells which columns that left out.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        if self.json || table.is_empty() {
            return Ok(());
        }
        let (text, dropped) = table.fitted(self.width);
        self.line(text)?;
        if !dropped.is_empty() {
            note(format_args!("(no room for {}; --json has all)", dropped.join(", ")));
        }
        Ok(())
    }

    /// Writes what is buffered, so that a full disk behind a redirection is noticed.
    pub(crate) fn flush(mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(failure)
    }
}

fn failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::Output(error),
    }
}

/// Tells the user something that is not a result. A closed standard error does not end the program.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
