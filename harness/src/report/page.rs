//! The page: the data of its template.

use super::error::ReportError;
use super::facts::{self, Fact};
use super::figure::drawing::{Figure, style};
use super::figure::line_chart::line_chart;
use super::figure::palette::{MODES, Palette};
use super::losses::{Losses, Versus, losses, versus};
use super::picks::Picks;
use super::repeat::repeat;
use super::runs::{Report, ReportRun};
use super::{history, layers, passes, picks, roof, sweep, template};
use crate::machine::{Finding, Grade};
use crate::rank::{Entrants, Grid, OURS, Ranking, Role, Standing, rank_grid};
use crate::text::numbers::list;
use serde::Serialize;

/// A figure on the page.
#[derive(Serialize)]
struct Shown {
    name: String,
    title: String,
    width: f64,
    svg: String,
}

impl From<Figure> for Shown {
    fn from(figure: Figure) -> Self {
        let svg = figure.inline();
        Shown { name: figure.name, title: figure.title, width: figure.width, svg }
    }
}

/// One setting of the summary.
#[derive(Serialize)]
struct Section {
    setting: String,
    slug: String,
    ours: Option<Standing>,
    versus: Option<Versus>,
    ranking: Ranking,
    /// The class of the colour of each standing.
    colours: Vec<String>,
    /// The contenders with network times, in the order of the standings.
    timed: Vec<String>,
    overview: Option<Shown>,
}

/// The figures of one network.
#[derive(Serialize)]
struct NetworkFigures {
    name: String,
    slug: String,
    layers: usize,
    open: bool,
    figures: Vec<Shown>,
}

/// The curves over the runs of one setting.
#[derive(Serialize)]
struct PastFigures {
    setting: String,
    mean: Option<Shown>,
    layers: Vec<Shown>,
}

/// One record in the table of all records.
#[derive(Serialize)]
struct RecordLine<'r> {
    network: &'r str,
    layer: &'r str,
    shape: String,
    setting: String,
    contender: &'r str,
    colour: String,
    version: &'r str,
    kernel: &'r str,
    gflops: f64,
    share: f64,
    roofline: f64,
    median: f64,
    min: f64,
    mad: f64,
    samples: usize,
    prepacked: bool,
    verified: bool,
    repeat: String,
}

/// A file of records in the table of files.
#[derive(Serialize)]
struct SourceLine {
    name: String,
    records: usize,
    started: Option<String>,
    commit: Option<String>,
    grade: Option<Grade>,
}

#[derive(Serialize)]
struct Page<'r> {
    page_css: String,
    figure_css: String,
    script: &'static str,
    cpu: Option<String>,
    commit: Option<String>,
    started: Option<String>,
    grade: Option<Grade>,
    version: Option<String>,
    warnings: Vec<String>,
    losses: Losses,
    /// The number of losses that exceed the noise.
    clear: usize,
    against: String,
    /// Whether a convolution of another library took part, not only loops and GEMMs.
    convolutions: bool,
    sections: Vec<Section>,
    networks: Vec<NetworkFigures>,
    rooflines: Vec<Shown>,
    sweeps: Vec<Shown>,
    pass_rows: Vec<passes::PassRow>,
    together: Vec<passes::SiblingsRow>,
    histories: Vec<PastFigures>,
    picks: Vec<Picks>,
    machine: Vec<Fact>,
    build: Vec<Fact>,
    limits: Vec<[String; 3]>,
    findings: Vec<Finding>,
    settings: Vec<Fact>,
    sources: Vec<SourceLine>,
    samples: (usize, usize),
    lines: Vec<RecordLine<'r>>,
}

/// The contenders that are convolutions of other libraries.
const CONVOLUTIONS: [&str; 3] = ["onednn", "onednn-any", "xnnpack"];

impl Report {
    /// The page: HTML that needs no other file.
    ///
    /// # Errors
    /// [`ReportError::Template`], which would be a mistake in the program.
    pub fn page(&self) -> Result<String, ReportError> {
        page(self)
    }
}

fn page(report: &Report) -> Result<String, ReportError> {
    let grids = report.grids();
    let palette = Report::palette(&grids);
    let last = report.environments().next();
    let losses = losses(&grids, &report.known);
    let curves = |grid| sweep::sweeps(grid, &palette);
    let data = Page {
        page_css: template::fill("page.css", include_str!("../../templates/page.css"), &MODES)?,
        figure_css: style(),
        script: include_str!("../../templates/page.js"),
        cpu: last.and_then(facts::cpu),
        commit: last.map(|e| e.build.short_commit()),
        started: last.map(|e| e.started.clone()),
        grade: last.map(|e| e.trust.grade),
        version: ours_version(&grids),
        warnings: warnings(report),
        clear: losses.plain.iter().filter(|loss| loss.clear).count(),
        against: list(&losses.against),
        convolutions: losses.against.iter().any(|name| CONVOLUTIONS.contains(&name.as_str())),
        losses,
        sections: grids.iter().map(|grid| section(grid, &palette)).collect(),
        networks: networks(&grids, &palette),
        rooflines: roof::figures(report, &grids).into_iter().map(Shown::from).collect(),
        pass_rows: passes::rows(&report.records),
        together: passes::together(&report.records),
        sweeps: grids.iter().flat_map(curves).map(|c| line_chart(&c).into()).collect(),
        histories: histories(report, &grids, &palette),
        picks: grids.iter().filter_map(|grid| picks::picks(grid, &report.known)).collect(),
        machine: last.map(facts::machine).unwrap_or_default(),
        build: last.map(facts::build).unwrap_or_default(),
        limits: limits(report, &grids),
        findings: last.map(|e| e.trust.findings.clone()).unwrap_or_default(),
        settings: last.map(facts::settings).unwrap_or_default(),
        sources: report.runs.iter().map(source).collect(),
        samples: samples(report),
        lines: lines(&grids, &palette, report),
    };
    Ok(template::fill("page.html", include_str!("../../templates/page.html"), &data)?)
}

fn ours_version(grids: &[Grid<'_>]) -> Option<String> {
    let mut columns = grids.iter().flat_map(|grid| &grid.columns);
    columns.find(|column| column.role == Role::Ours).map(|column| column.version.clone())
}

fn source(run: &ReportRun) -> SourceLine {
    let environment = run.environment.as_ref();
    SourceLine {
        name: run.name.clone(),
        records: run.records.len(),
        started: environment.map(|e| e.started.clone()),
        commit: environment.map(|e| e.build.short_commit()),
        grade: environment.map(|e| e.trust.grade),
    }
}

/// The reasons to trust the figures of this page less.
fn warnings(report: &Report) -> Vec<String> {
    let mut warnings = Vec::new();
    let unverified = report.records.iter().filter(|record| !record.verified).count();
    if unverified > 0 {
        warnings.push(format!(
            "{unverified} of {} rows were not checked against the reference before they were timed.",
            report.records.len()
        ));
    }
    let environments = || report.runs.iter().filter_map(|run| run.environment.as_ref());
    let mut commits: Vec<String> = environments().map(|e| e.build.short_commit()).collect();
    commits.dedup();
    if commits.len() > 1 {
        warnings.push(format!(
            "The runs are of different commits ({}); where they measured the same, the later counts.",
            list(&commits)
        ));
    }
    if commits.iter().any(|commit| commit.ends_with('+')) {
        warnings.push("What was measured differed from its commit.".to_owned());
    }
    let missing: Vec<&str> = report
        .runs
        .iter()
        .filter(|run| run.environment.is_none())
        .map(|run| run.name.as_str())
        .collect();
    if !missing.is_empty() {
        warnings.push(format!("No environment tells the machine of {}.", list(&missing)));
    }
    if let Some(grade) = environments().map(|e| e.trust.grade).max()
        && grade >= Grade::D
    {
        warnings.push(format!(
            "The machine was disturbed (grade {grade}): small differences mean nothing here."
        ));
    }
    warnings
}

fn samples(report: &Report) -> (usize, usize) {
    let counts = report.records.iter().map(|record| record.samples);
    (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0))
}

/// The ceilings for each number of threads on the page.
fn limits(report: &Report, grids: &[Grid<'_>]) -> Vec<[String; 3]> {
    let mut threads: Vec<usize> = grids.iter().map(|grid| grid.setting.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    let of = |threads: usize| Some(facts::limits(report.environment_of(threads)?, threads));
    threads.into_iter().filter_map(of).flatten().collect()
}

fn section(grid: &Grid<'_>, palette: &Palette) -> Section {
    let ranking = rank_grid(grid, Entrants::Contenders);
    let colour = |standing: &Standing| {
        let column = grid.columns.iter().find(|column| column.contender == standing.contender);
        column.map(|column| palette.key(column).colour()).unwrap_or_default()
    };
    let timed =
        ranking.standings.iter().map(|standing| standing.contender.clone()).filter(|name| {
            ranking.networks.iter().any(|network| network.times.iter().any(|(n, _)| n == name))
        });
    Section {
        setting: grid.setting.to_string(),
        slug: grid.setting.slug(),
        ours: ranking.standings.iter().find(|standing| standing.contender == OURS).cloned(),
        versus: versus(grid),
        colours: ranking.standings.iter().map(colour).collect(),
        timed: timed.collect(),
        overview: layers::overview(grid, palette).map(|mut columns| {
            // A page may have several settings of one layout, a folder one file of each layout.
            columns.name = format!("overview-{}", grid.setting.slug());
            columns.dots().into()
        }),
        ranking,
    }
}

/// The number of networks that are shown at first. The others open on demand.
const OPEN: usize = 3;

fn networks(grids: &[Grid<'_>], palette: &Palette) -> Vec<NetworkFigures> {
    let mut names: Vec<&str> = Vec::new();
    for grid in grids {
        for network in grid.networks() {
            if !names.contains(&network) {
                names.push(network);
            }
        }
    }
    let of = |(at, name): (usize, &str)| {
        let columns: Vec<_> =
            grids.iter().filter_map(|grid| layers::of_network(grid, name, palette)).collect();
        let called = if name.is_empty() { "Layers given by hand" } else { name };
        NetworkFigures {
            name: called.to_owned(),
            slug: format!("network-{at}"),
            layers: columns.iter().map(|columns| columns.groups.len()).max().unwrap_or(0),
            open: at < OPEN,
            figures: columns.iter().map(|columns| columns.bars().into()).collect(),
        }
    };
    names.into_iter().enumerate().map(of).filter(|network| !network.figures.is_empty()).collect()
}

fn histories(report: &Report, grids: &[Grid<'_>], palette: &Palette) -> Vec<PastFigures> {
    let past = |history: history::History| PastFigures {
        setting: history.setting,
        mean: history.mean.map(|chart| line_chart(&chart).into()),
        layers: history.layers.iter().map(|chart| line_chart(chart).into()).collect(),
    };
    history::histories(report, grids, palette).into_iter().map(past).collect()
}

fn lines<'r>(grids: &[Grid<'r>], palette: &Palette, report: &Report) -> Vec<RecordLine<'r>> {
    let mut lines = Vec::new();
    for grid in grids {
        let setting = grid.setting.short();
        for row in &grid.rows {
            for column in &grid.columns {
                let Some(record) = row.get(&column.contender) else { continue };
                lines.push(RecordLine {
                    network: &record.network,
                    layer: &record.layer,
                    shape: layers::shape(record),
                    setting: setting.clone(),
                    contender: &record.contender,
                    colour: palette.key(column).colour(),
                    version: &record.version,
                    kernel: &record.kernel,
                    gflops: record.gflops,
                    share: record.fraction_of_ceiling,
                    roofline: record.fraction_of_roofline,
                    median: record.ns_median,
                    min: record.ns_min,
                    mad: record.ns_mad,
                    samples: record.samples,
                    prepacked: record.prepacked,
                    verified: record.verified,
                    repeat: repeat(record, &[&record.contender], &report.known),
                });
            }
        }
    }
    lines
}
