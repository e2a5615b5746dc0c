//! The errors of reports.

use thiserror::Error;

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReportError {
    /// The runs have no records.
    #[error("there are no records to report")]
    NoRecords,
    /// The runs are of different CPUs.
    #[error(
        "{first} was measured on {first_cpu}, but {other} on {other_cpu}: make one report for \
         each CPU"
    )]
    OtherCpu {
        /// The name of the first run that states its CPU.
        first: String,
        /// The CPU of the first run.
        first_cpu: String,
        /// The name of the run with another CPU.
        other: String,
        /// The CPU of that run.
        other_cpu: String,
    },
    /// The template of the page does not fit its data, which is a mistake in the program.
    #[error("cannot fill the page's template: {0}")]
    Template(String),
}

impl From<minijinja::Error> for ReportError {
    fn from(error: minijinja::Error) -> Self {
        ReportError::Template(format!("{error:#}"))
    }
}
