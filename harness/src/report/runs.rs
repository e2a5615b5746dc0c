//! Runs on one CPU, and what all parts of a report need of them.

use super::error::ReportError;
use super::figure::palette::Palette;
use super::sidecar::Sidecar;
use crate::rank::{Grid, Known, grids};
use crate::record::Record;
use serde_json::Value;

/// A record file with its environment.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRun {
    /// A name for readers, such as that of the file.
    pub name: String,
    /// The JSON of its environment; null when there is none.
    pub environment: Value,
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
            let Some(cpu) = Sidecar(&run.environment).cpu() else { continue };
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

    /// The environment of the last run that has one, or an empty one.
    pub(super) fn sidecar(&self) -> Sidecar<'_> {
        let with = self.runs.iter().rev().find(|run| run.environment.is_object());
        Sidecar(with.map_or(&Value::Null, |run| &run.environment))
    }

    /// The last environment with ceilings on that number of threads, or that of [`Report::sidecar`].
    pub(super) fn sidecar_of(&self, threads: usize) -> Sidecar<'_> {
        let sidecars = self.runs.iter().rev().map(|run| Sidecar(&run.environment));
        let mut with = sidecars.filter(|sidecar| !sidecar.ceilings(threads).is_empty());
        with.next().unwrap_or_else(|| self.sidecar())
    }
}
