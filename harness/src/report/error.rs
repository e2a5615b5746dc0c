//! What can be wrong with the runs of a report.

use thiserror::Error;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReportError {
    /// Nothing was measured.
    #[error("there are no records to report")]
    NoRecords,
    /// Runs of different CPUs were given.
    #[error(
        "{first} was measured on {first_cpu}, but {other} on {other_cpu}: make one report for \
         each CPU"
    )]
    OtherCpu {
        /// The first run that names its CPU.
        first: String,
        /// That CPU.
        first_cpu: String,
        /// The run that differs.
        other: String,
        /// Its CPU.
        other_cpu: String,
    },
    /// The page's template doesn't fit its data: a mistake in the program.
    #[error("cannot fill the page's template: {0}")]
    Template(String),
}

impl From<minijinja::Error> for ReportError {
    fn from(error: minijinja::Error) -> Self {
        ReportError::Template(format!("{error:#}"))
    }
}
