//! How a command ends: with an outcome, which its exit code tells, or with a failure, which one line
//! tells.

use pointwise_harness::catalog::{CatalogError, FilterError};
use pointwise_harness::export::ExportError;
use pointwise_harness::gate::GateError;
use pointwise_harness::record::FileError;
use pointwise_harness::report::ReportError;
use pointwise_harness::timing::pool::PoolError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The outcome of a command that ran to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Fine,
    /// A contender or kernel computed something else than the reference.
    WrongResult,
    /// A build is slower than its base.
    Regression,
    /// The noise was too great to tell.
    Inconclusive,
    /// This signal ended it early. What was measured until then is kept.
    Interrupted(i32),
}

impl Outcome {
    /// The outcome after printing. A reader that closed the pipe does not change the outcome.
    pub(crate) fn printed(self, printed: Result<(), Failure>) -> Result<Outcome, Failure> {
        match printed {
            Ok(()) | Err(Failure::ClosedPipe) => Ok(self),
            Err(failure) => Err(failure),
        }
    }

    /// The exit code: 0 fine, 1 wrong result, 3 regression, 4 inconclusive, 128 + signal when
    /// interrupted.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Outcome::Fine => ExitCode::SUCCESS,
            Outcome::WrongResult => ExitCode::from(1),
            Outcome::Regression => ExitCode::from(3),
            Outcome::Inconclusive => ExitCode::from(4),
            Outcome::Interrupted(signal) => ExitCode::from(128u8.wrapping_add(signal as u8)),
        }
    }
}

/// Why a command could not do what it was asked. The exit code is 2, except for a closed pipe.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong, as the text says.
    Usage(String),
    /// A layer, plan or kernel was refused.
    Pointwise(pointwise::Error),
    /// A filter lets nothing through. `see` is the list that has the valid names.
    Filter { error: FilterError, see: Option<&'static str> },
    /// A file of layers cannot be used.
    Catalog(CatalogError),
    /// There is no pool of that many threads.
    Pool(PoolError),
    /// No contender that the filters let through can run here.
    NothingAvailable { absent: Vec<(String, String)> },
    /// A record file, or the environment beside it, cannot be read or written.
    Records(FileError),
    /// A report cannot be made of the records.
    Report(ReportError),
    /// The records cannot be written in another format.
    Export(ExportError),
    /// A file or folder cannot be written.
    Write { path: PathBuf, source: io::Error },
    /// The content of a file is not what it should be.
    Content { path: PathBuf, why: String },
    /// `-o` would replace a file that is not a record file.
    WouldReplace { path: PathBuf },
    /// Two builds cannot be compared.
    Gate(GateError),
    /// The machine lacks what the command needs.
    Machine { what: &'static str, why: String },
    /// The reader of standard output has closed the pipe, which is no error.
    ClosedPipe,
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Failure {
        let path = path.to_owned();
        move |source| Failure::Write { path, source }
    }

    /// The exit code: 2, or 0 for a closed pipe.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::ClosedPipe => ExitCode::SUCCESS,
            _ => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) => f.write_str(text),
            Failure::Pointwise(error) => error.fmt(f),
            Failure::Filter { error: error @ FilterError::NoMatch { .. }, see: Some(see) } => {
                write!(f, "{error} (`pointwise list {see}` shows all)")
            }
            Failure::Filter { error, .. } => error.fmt(f),
            Failure::Catalog(error) => error.fmt(f),
            Failure::Pool(error) => error.fmt(f),
            Failure::NothingAvailable { absent } => {
                f.write_str("no contender can run here:")?;
                for (index, (name, why)) in absent.iter().enumerate() {
                    write!(f, "{} {name}: {why}", if index == 0 { "" } else { ";" })?;
                }
                Ok(())
            }
            Failure::Records(error) => error.fmt(f),
            Failure::Report(error) => error.fmt(f),
            Failure::Export(error) => error.fmt(f),
            Failure::Write { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())
            }
            Failure::Content { path, why } => write!(f, "`{}`: {why}", path.display()),
            Failure::WouldReplace { path } => write!(
                f,
                "`{}` exists and is not a record file; name another, or remove it first",
                path.display()
            ),
            Failure::Gate(error) => error.fmt(f),
            Failure::Machine { what, why } => write!(f, "{what}: {why}"),
            Failure::ClosedPipe => f.write_str("standard output was closed"),
            Failure::Output(source) => write!(f, "cannot write standard output: {source}"),
        }
    }
}

impl std::error::Error for Failure {}

/// `?` on these errors makes a failure of them.
macro_rules! from {
    ($($error:ty => $failure:ident,)*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure::$failure(error)
            }
        }
    )*};
}

from! {
    pointwise::Error => Pointwise,
    CatalogError => Catalog,
    PoolError => Pool,
    FileError => Records,
    GateError => Gate,
    ReportError => Report,
    ExportError => Export,
}
