//! The section of the page on history: each layer over the runs, when they are of several times.

use super::figure::line_chart::{LineChart, Point, Series};
use super::figure::palette::Palette;
use super::figure::scale::Kind;
use super::runs::Report;
use crate::history::{Course, DatedRun, Moment, courses};
use crate::rank::{Grid, OURS};
use crate::text::numbers::{digits, time};
use crate::timing::stats::geometric_mean;

/// The charts of one setting.
pub(super) struct History {
    pub(super) setting: String,
    /// The chart of the mean of all layers that every run has.
    pub(super) mean: Option<LineChart>,
    /// The chart of each layer.
    pub(super) layers: Vec<LineChart>,
}

/// The history of our plan in each setting; empty when all runs began at the same time.
pub(super) fn histories(report: &Report, grids: &[Grid<'_>], palette: &Palette) -> Vec<History> {
    let told = report.runs.iter().map(|run| match &run.environment {
        Some(environment) => (environment.started.clone(), environment.build.short_commit()),
        None => (String::new(), String::new()),
    });
    let told: Vec<(String, String)> = told.collect();
    let mut begun: Vec<&str> = told.iter().map(|(started, _)| started.as_str()).collect();
    begun.sort_unstable();
    begun.dedup();
    if begun.len() < 2 {
        return Vec::new();
    }
    let told = report.runs.iter().zip(&told);
    let runs: Vec<DatedRun<'_>> = told
        .map(|(run, (started, commit))| DatedRun { started, commit, records: &run.records })
        .collect();
    let all = courses(&runs, &report.known);
    let of_grid = |grid: &Grid<'_>| {
        let column = grid.columns.iter().find(|column| column.contender == OURS)?;
        let ours: Vec<&Course> =
            all.iter().filter(|c| c.setting == grid.setting && c.contender == OURS).collect();
        let key = palette.key(column);
        let chart = |at: usize, title: String, points: Vec<Point>, ticks| LineChart {
            name: format!("history-{}-{at}", grid.setting.slug()),
            description: format!("GFLOP/s of pointwise from commit to commit: {title}."),
            title,
            x_label: "commit".to_owned(),
            x_kind: Kind::Linear,
            x_ticks: ticks,
            y_label: "GFLOP/s".to_owned(),
            series: vec![Series { key: key.clone(), points }],
            ..LineChart::default()
        };
        let layers = ours.iter().enumerate().map(|(at, course)| {
            let name = match course.network.as_str() {
                "" => course.layer.clone(),
                network => format!("{network}/{}", course.layer),
            };
            chart(at + 1, name, course.moments.iter().map(point).collect(), ticks(course))
        });
        let layers: Vec<LineChart> = layers.collect();
        let mean = mean(&ours, runs.len()).map(|(points, ticks)| {
            chart(0, format!("Mean of {} layers, {}", ours.len(), grid.setting), points, ticks)
        });
        (!layers.is_empty()).then(|| History { setting: grid.setting.to_string(), mean, layers })
    };
    grids.iter().filter_map(of_grid).collect()
}

fn point(moment: &Moment) -> Point {
    Point {
        x: moment.run as f64,
        y: moment.gflops,
        spread: Some(moment.band),
        tooltip: format!(
            "{}: {}, {} GFLOP/s ({} to {})",
            moment.commit,
            time(moment.ns),
            digits(moment.gflops),
            digits(moment.band.0),
            digits(moment.band.1)
        ),
    }
}

fn ticks(course: &Course) -> Ticks {
    let short = |commit: &str| commit.chars().take(7).collect();
    course.moments.iter().map(|moment| (moment.run as f64, short(&moment.commit))).collect()
}

/// The ticks of an axis with their labels.
type Ticks = Vec<(f64, String)>;

/// The points and ticks of the geometric mean over the layers that every run has.
fn mean(courses: &[&Course], runs: usize) -> Option<(Vec<Point>, Ticks)> {
    let whole: Vec<&&Course> = courses.iter().filter(|c| c.moments.len() == runs).collect();
    let ticks = ticks(whole.first()?);
    let of = |at: usize| {
        let mean = |value: &dyn Fn(&Moment) -> f64| {
            let values: Vec<f64> = whole.iter().map(|c| value(&c.moments[at])).collect();
            geometric_mean(&values)
        };
        let (y, low, high) = (mean(&|m| m.gflops)?, mean(&|m| m.band.0)?, mean(&|m| m.band.1)?);
        let commit = &whole[0].moments[at].commit;
        let tooltip = format!("{commit}: {} GFLOP/s, mean of {}", digits(y), whole.len());
        Some(Point { x: at as f64, y, spread: Some((low, high)), tooltip })
    };
    Some(((0..runs).filter_map(of).collect(), ticks))
}
