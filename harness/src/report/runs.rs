//! Runs on one CPU, and what all parts of a report need of them.

use super::error::ReportError;
use super::facts::{ceilings, cpu};
use super::figure::palette::Palette;
use crate::rank::{Grid, Known, grids};
use crate::record::Record;
use crate::record::environment::Environment;

/// A record file with its environment.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRun {
    /// A name for readers, such as that of the file.
    pub name: String,
    /// Its environment, if there is one.
    pub environment: Option<Environment>,
    /// Its records.
    pub records: Vec<Record>,
}

/// Runs on one CPU, of which a page and figures are made.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) runs: Vec<ReportRun>,
    pub(super) records: Vec<Record>,
    pub(super) known: Known,
}

impl Report {
    /// A report of `runs`. Of two rows of the same contender on the same layer under the same setting
    /// the later counts.
    ///
    /// # Errors
    /// [`ReportError::NoRecords`], or [`ReportError::OtherCpu`] when environments name different CPUs:
    /// shares of different ceilings do not belong in one figure.
    pub fn new(runs: Vec<ReportRun>, known: Known) -> Result<Report, ReportError> {
        let mut first: Option<(&str, String)> = None;
        for run in &runs {
            let Some(cpu) = run.environment.as_ref().and_then(cpu) else { continue };
            match &first {
                None => first = Some((&run.name, cpu)),
                Some((_, other)) if *other == cpu => {}
                Some((name, other)) => {
                    return Err(ReportError::OtherCpu {
                        first: (*name).to_owned(),
                        first_cpu: other.clone(),
                        other: run.name.clone(),
                        other_cpu: cpu,
                    });
                }
            }
        }
        let records: Vec<Record> = runs.iter().flat_map(|run| run.records.clone()).collect();
        if records.is_empty() {
            return Err(ReportError::NoRecords);
        }
        Ok(Report { runs, records, known })
    }

    pub(super) fn grids(&self) -> Vec<Grid<'_>> {
        grids(&self.records, &self.known)
    }

    pub(super) fn palette(grids: &[Grid<'_>]) -> Palette {
        Palette::of(grids.iter().flat_map(|grid| &grid.columns))
    }

    /// The environments of the runs, the last first.
    pub(super) fn environments(&self) -> impl Iterator<Item = &Environment> {
        self.runs.iter().rev().filter_map(|run| run.environment.as_ref())
    }

    /// The last environment with ceilings on that number of threads, or else the last.
    pub(super) fn environment_of(&self, threads: usize) -> Option<&Environment> {
        let mut measured = self.environments().filter(|e| !ceilings(e, threads).is_empty());
        measured.next().or_else(|| self.environments().next())
    }
}
