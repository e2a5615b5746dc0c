//! How a command ends: an outcome that its exit code tells, or a failure that one line tells.

use pointwise_harness::catalog::{CatalogError, FilterError};
use pointwise_harness::export::ExportError;
use pointwise_harness::gate::GateError;
use pointwise_harness::measure::PoolError;
use pointwise_harness::record::FileError;
use pointwise_harness::report::ReportError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a command that ran to its end judges what it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing to complain of.
    Fine,
    /// A contender or kernel computed something else than the reference.
    WrongResult,
    /// Something became slower.
    Regression,
    /// The noise was too great to tell.
    Inconclusive,
    /// A signal ended it early; what was measured until then is kept.
    Interrupted(i32),
}

impl Outcome {
    /// The outcome, once it was printed: a reader who has had enough does not make a result right.
    pub(crate) fn printed(self, printed: Result<(), Failure>) -> Result<Outcome, Failure> {
        match printed {
            Ok(()) | Err(Failure::ClosedPipe) => Ok(self),
            Err(failure) => Err(failure),
        }
    }

    /// 0 fine, 1 wrong result, 3 regression, 4 inconclusive, 128 + signal when interrupted.
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

/// Why a command could not do what it was asked: exit code 2, except for a closed pipe.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line cannot be read; the text is what the parser says.
    Usage(String),
    /// A layer, plan or kernel was refused.
    Pointwise(pointwise::Error),
    /// A filter lets nothing through; `see` is what lists the names there are.
    Filter { error: FilterError, see: Option<&'static str> },
    /// A file of layers cannot be used.
    Catalog(CatalogError),
    /// There cannot be that many threads.
    Pool(PoolError),
    /// Everything that the filters let through is missing here.
    NothingAvailable { absent: Vec<(String, String)> },
    /// A record file, or the environment beside it, cannot be read or written.
    Records(FileError),
    /// A report cannot be made of the records.
    Report(ReportError),
    /// Records cannot be written in a format of others.
    Export(ExportError),
    /// A file or folder cannot be written.
    Write { path: PathBuf, source: io::Error },
    /// A file holds something that is not what it should be.
    Content { path: PathBuf, why: String },
    /// `-o` names a file that is no record file, and would replace it.
    WouldReplace { path: PathBuf },
    /// Two builds cannot be compared.
    Gate(GateError),
    /// The machine did not give what the command needs.
    Machine { what: &'static str, why: String },
    /// Whoever read standard output has stopped reading. Not an error.
    ClosedPipe,
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Failure {
        let path = path.to_owned();
        move |source| Failure::Write { path, source }
    }

    /// 2, or 0 for a reader that has had enough.
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

impl From<pointwise::Error> for Failure {
    fn from(error: pointwise::Error) -> Self {
        Failure::Pointwise(error)
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Failure::Catalog(error)
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        Failure::Pool(error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Failure::Records(error)
    }
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        Failure::Gate(error)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        Failure::Report(error)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Failure::Export(error)
    }
}
