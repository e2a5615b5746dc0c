//! Records as one page that needs no network, and as figures for other documents.

mod error;
pub mod figure;
pub mod format;
mod history;
mod layers;
mod losses;
mod machine;
mod page;
mod passes;
mod picks;
mod repeat;
mod roof;
mod sweep;
mod template;

pub use error::ReportError;
pub use losses::{Loss, Losses, Versus, losses, versus};
pub use machine::Sidecar;
pub use picks::{Miss, Picks, picks};
pub use repeat::{quoted, repeat};

use crate::rank::{Grid, Known, grids};
use crate::record::Record;
use figure::{Figure, Palette, heat_map, line_chart, roofline};
use serde_json::Value;

/// A record file and what lies beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What a reader knows it by, such as the file's name.
    pub name: String,
    /// Its sidecar; null when there is none.
    pub environment: Value,
    /// Its rows.
    pub records: Vec<Record>,
}

/// Runs on one CPU, ready to be shown.
#[derive(Clone, Debug)]
pub struct Report {
    runs: Vec<Run>,
    records: Vec<Record>,
    known: Known,
}

impl Report {
    /// Takes runs in the order given: of two rows of the same contender on the same layer under
    /// the same setting, the later counts.
    ///
    /// # Errors
    /// [`ReportError::NoRecords`], or [`ReportError::OtherCpu`] when sidecars name different CPUs:
    /// shares of different ceilings don't belong in one figure.
    pub fn new(runs: Vec<Run>, known: Known) -> Result<Report, ReportError> {
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

    fn grids(&self) -> Vec<Grid<'_>> {
        grids(&self.records, &self.known)
    }

    fn palette(grids: &[Grid<'_>]) -> Palette {
        Palette::of(grids.iter().flat_map(|grid| &grid.columns))
    }

    /// The sidecar of the last run that has one, or one that says nothing.
    fn sidecar(&self) -> Sidecar<'_> {
        let with = self.runs.iter().rev().find(|run| run.environment.is_object());
        Sidecar(with.map_or(&Value::Null, |run| &run.environment))
    }

    /// The sidecar that measured ceilings on so many threads, the last of several.
    fn sidecar_of(&self, threads: usize) -> Sidecar<'_> {
        let sidecars = self.runs.iter().rev().map(|run| Sidecar(&run.environment));
        let mut with = sidecars.filter(|sidecar| !sidecar.ceilings(threads).is_empty());
        with.next().unwrap_or_else(|| self.sidecar())
    }

    fn rooflines(&self, grids: &[Grid<'_>]) -> Vec<Figure> {
        let sidecar = |threads| self.sidecar_of(threads);
        roof::rooflines(grids, &sidecar, &self.known).iter().map(roofline).collect()
    }

    /// Figures for other documents, each a file of its own under its name: `speed_nhwc`,
    /// `speed_nchw`, `roofline`, and whatever else the records hold: curves over one size, and
    /// kernels against each other. Of several settings, speed and roofline show the first: hot
    /// caches before cold, then the fewest threads.
    pub fn figures(&self) -> Vec<Figure> {
        let grids = self.grids();
        let palette = Report::palette(&grids);
        let cpu = self.sidecar().cpu();
        let on_cpu =
            |text: String| cpu.iter().cloned().chain([text]).collect::<Vec<_>>().join("; ");
        let mut figures: Vec<Figure> = Vec::new();
        for grid in &grids {
            if let Some(overview) = layers::overview(grid, &palette)
                && figures.iter().all(|figure| figure.name != overview.name)
            {
                let subtitle = on_cpu(grid.setting.to_string());
                figures.push(overview.dots().subtitled(subtitle));
            }
        }
        if let Some(mut figure) = self.rooflines(&grids).into_iter().next() {
            figure.name = "roofline".to_owned();
            figure.subtitle = cpu.clone().unwrap_or_default();
            figures.push(figure);
        }
        let others = figures.len();
        figures.extend(passes::figure(&self.records));
        for grid in &grids {
            figures.extend(sweep::sweeps(grid, &palette).iter().map(line_chart));
            figures.extend(picks::heat(grid).as_ref().map(heat_map));
        }
        for figure in &mut figures[others..] {
            figure.subtitle = cpu.clone().unwrap_or_default();
        }
        figures
    }

    /// The page: HTML that brings everything it needs.
    ///
    /// # Errors
    /// [`ReportError::Template`], which would be a mistake in the program.
    pub fn page(&self) -> Result<String, ReportError> {
        page::page(self)
    }
}
