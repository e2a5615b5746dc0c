//! `pointwise gate`: whether a build is slower than another, for CI.

use super::builds;
use super::failure::{Failure, Outcome};
use super::field::{self, Preset};
use super::interrupt::{self, Interrupt};
use super::options::Options;
use super::output::{Output, note};
use super::progress::Progress;
use super::results::time;
use super::selection;
use super::table::{Side, Table};
use pointwise::Layout;
use pointwise_harness::catalog::{self, Entry};
use pointwise_harness::gate::{self, Builds, Case, Limits, Report, Row, Settings, Verdict};
use pointwise_harness::measure;
use pointwise_harness::measure::Cache;
use pointwise_harness::measure::paired::Estimate;
use pointwise_harness::report::quoted;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Tell whether a build is slower than a base: exit code 3 if it is, 4 if the noise hides it
///
/// Both builds are timed in turns, pair by pair, each pair in fresh processes, and the base against
/// itself beside them as the control. A case is slower when the interval of its change excludes
/// zero and the change exceeds both the floor and the noise of the control; it is unchanged when a
/// slowdown of --resolve percent is excluded; until one of these holds, it is measured on. All
/// cases together call a slowdown where there is none in at most one run of a hundred.
///
/// Without filters: a few layers of different kinds in both layouts, by the plan's choice.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise gate --base-ref origin/main                    this program against a commit
  pointwise gate --base-ref v0.1.0 --new-ref HEAD --budget 300
  pointwise gate --base old/pointwise --new new/pointwise
  pointwise gate --base old/pointwise --network mobilenet_v2 --layout nchw
  pointwise gate --base old/pointwise --layer nhwc/n1c512h14w14k24/bias+relu --kernel avx512

METHODOLOGY.md says how it decides, and how often it was right.")]
pub(super) struct Args {
    /// The program that is known to be good
    #[arg(long, value_name = "PATH", required_unless_present = "base_ref")]
    base: Option<PathBuf>,

    /// Build the base from this commit of the repository at hand
    #[arg(long, value_name = "REF", conflicts_with = "base")]
    base_ref: Option<String>,

    /// The program that is judged [default: this one]
    #[arg(long, value_name = "PATH")]
    new: Option<PathBuf>,

    /// Build what is judged from this commit of the repository at hand
    #[arg(long, value_name = "REF", conflicts_with = "new")]
    new_ref: Option<String>,

    /// End after so long; what is not settled by then is inconclusive. Builds come on top
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    budget: Duration,

    /// Call no change that is smaller
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = percent)]
    floor: f64,

    /// Slowdown that must be excluded before a case counts as unchanged
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = percent)]
    resolve: f64,

    /// Call no change that is smaller than so many times the control's noise
    #[arg(long, value_name = "FACTOR", default_value = "1.5", value_parser = factor)]
    noise_factor: f64,

    /// Seed of the order in which processes are started and timed
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
}

fn number(text: &str, what: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!("{what} above 0")),
    }
}

pub(super) fn percent(text: &str) -> Result<f64, String> {
    number(text, "a percentage is a number").map(|percent| percent / 100.0)
}

fn factor(text: &str) -> Result<f64, String> {
    number(text, "a factor is a number")
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = number(text, "a time is a number of seconds")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// What is measured when no filter says what: a square layer with deep sums, one with few outputs,
/// one with few channels, one that ends a block; milliseconds each at most.
const PRESET: [(&str, &str); 4] = [
    ("resnet50", "conv4_x.1x1a"),
    ("resnet50", "conv5_x.1x1b"),
    ("googlenet", "inception_4bc.5x5r"),
    ("mobilenet_v2", "block3_x.project"),
];

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    if options.cache() == Cache::Cold {
        return Err(Failure::Usage("the gate measures with hot caches only".to_owned()));
    }
    let cases = cases(options)?;
    let base = builds::program(args.base.as_deref(), args.base_ref.as_deref())?;
    let new = builds::program(args.new.as_deref(), args.new_ref.as_deref())?;
    let here = |what| std::env::current_exe().map_err(|e| unknown(what, &e));
    let builds = Builds {
        base: base.map_or_else(|| here("the base"), Ok)?,
        new: new.map_or_else(|| here("this program"), Ok)?,
    };
    let settings = Settings {
        threads: options.threads(),
        isa: options.isa,
        budget: args.budget,
        limits: Limits {
            floor: args.floor,
            resolve: args.resolve,
            noise_factor: args.noise_factor,
            ..Limits::default()
        },
        rounds: 6,
        sample: Duration::from_micros(700),
        seed: args.seed,
    };
    note(format_args!(
        "{} against {}: {} cases, at most {}",
        builds.new.display(),
        builds.base.display(),
        cases.len(),
        time(1e9 * settings.budget.as_secs_f64())
    ));
    let watching = Watching { bar: Progress::default(), interrupt: interrupt::install()? };
    let report = gate::run(&builds, &cases, &settings, &watching)?;
    drop(watching.bar);
    let printed = print(&report, args, options, &settings, output);
    if let Some(signal) = watching.interrupt.signal() {
        note("interrupted: the verdict is of what was measured until then");
        return Outcome::Interrupted(signal).printed(printed);
    }
    let outcome = match report.outcome() {
        gate::Outcome::Passed => Outcome::Fine,
        gate::Outcome::WrongResult => Outcome::WrongResult,
        gate::Outcome::Regression => Outcome::Regression,
        gate::Outcome::Inconclusive => Outcome::Inconclusive,
    };
    outcome.printed(printed)
}

fn unknown(what: &str, error: &std::io::Error) -> Failure {
    Failure::Machine { what: "cannot find the programs", why: format!("{what}: {error}") }
}

/// The layers and contenders that the filters let through, or the preset.
fn cases(options: &Options) -> Result<Vec<Case>, Failure> {
    let rows = match selection::is_open(options) {
        true => preset(options),
        false => selection::layers(options)?,
    };
    let named = !(options.kernel.is_empty() && options.contender.is_empty());
    let field = field::contenders(options, Preset::Contenders)?;
    let names: Vec<String> = match named {
        true => field.present()?.iter().map(|contender| contender.name().to_owned()).collect(),
        false => vec!["pointwise".to_owned()],
    };
    let problems = catalog::unique(&rows);
    let pairs = problems.iter().flat_map(|problem| names.iter().map(move |name| (problem, name)));
    Ok(pairs.map(|(p, name)| Case { layer: p.layer, contender: name.clone() }).collect())
}

fn preset(options: &Options) -> Vec<Entry> {
    let chosen = |layout: Layout| {
        let entries = catalog::catalog().iter();
        let chosen = entries.filter(|e| PRESET.contains(&(e.network.as_str(), e.name.as_str())));
        chosen.map(move |entry| Entry { layer: entry.in_layout(layout), ..entry.clone() })
    };
    selection::layouts(options).into_iter().flat_map(chosen).collect()
}

/// A bar, and a way to stop.
struct Watching {
    bar: Progress,
    interrupt: Interrupt,
}

impl measure::Progress for Watching {
    fn begin(&self, what: &str, steps: u64) {
        measure::Progress::begin(&self.bar, what, steps);
    }

    fn step(&self) {
        measure::Progress::step(&self.bar);
    }

    fn pulse(&self) {
        measure::Progress::pulse(&self.bar);
    }

    fn end(&self) {
        measure::Progress::end(&self.bar);
    }

    fn stopped(&self) -> bool {
        self.interrupt.asked()
    }
}

fn print(
    report: &Report,
    args: &Args,
    options: &Options,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("layer")
        .column("contender", Side::Left, 2)
        .column("kernel", Side::Left, 4)
        .column("base", Side::Right, 3)
        .figure("change")
        .figure("interval")
        .column("control", Side::Right, 1)
        .column("pairs", Side::Right, 5)
        .text("verdict");
    for row in &report.rows {
        let repeat = repeat(&row.case, args, options);
        if output.json {
            output.row(&row_json(row, &repeat))?;
            continue;
        }
        let Row { case, kernels: [before, after], finding, .. } = row;
        let kernel = if before == after { after.clone() } else { format!("{before} → {after}") };
        table.row([
            case.layer.to_string(),
            case.contender.clone(),
            if kernel == case.contender { String::new() } else { kernel },
            time(row.ns[0]),
            signed(finding.change.centre),
            interval(&finding.change),
            format!("±{:.1}%", 100.0 * finding.control.half_width()),
            finding.change.pairs.to_string(),
            finding.verdict.name().to_owned(),
        ]);
    }
    if output.json {
        return output.row(&summary_json(report, settings));
    }
    output.table(&table)?;
    for why in &report.wrong {
        output.line(format_args!("WRONG, not timed: {why}"))?;
    }
    for (case, why) in &report.lost {
        output.line(format_args!("the new build does not run {}: {why}", case.layer))?;
    }
    for (case, why) in &report.left_out {
        note(format_args!("{} on {} left out: {why}", case.contender, case.layer));
    }
    for row in &report.rows {
        if let Some(why) = row.finding.why() {
            output.line(format_args!("inconclusive: {}: {why}", row.case.layer))?;
        }
    }
    output.line("\nEach case again:")?;
    for row in &report.rows {
        output.line(format_args!("  {}", repeat(&row.case, args, options)))?;
    }
    output.line(format_args!("\n{}", verdict(report)))
}

/// The verdict in a line.
fn verdict(report: &Report) -> String {
    let count = |verdict| report.rows.iter().filter(|r| r.finding.verdict == verdict).count();
    let word = match report.outcome() {
        gate::Outcome::Passed => "passed",
        gate::Outcome::WrongResult => "WRONG RESULT",
        gate::Outcome::Regression => "REGRESSION",
        gate::Outcome::Inconclusive => "inconclusive",
    };
    let [base, new] = &report.commits;
    format!(
        "{word}: {} slower, {} faster, {} unchanged, {} inconclusive; {new} against {base}, {}",
        count(Verdict::Slower),
        count(Verdict::Faster),
        count(Verdict::Unchanged),
        count(Verdict::Inconclusive) + report.lost.len(),
        time(1e9 * report.seconds)
    )
}

/// A logarithm of a ratio as a percentage.
fn change(log: f64) -> f64 {
    100.0 * log.exp_m1()
}

fn signed(log: f64) -> String {
    format!("{:+.1}%", change(log))
}

fn interval(estimate: &Estimate) -> String {
    match estimate.low.is_finite() && estimate.high.is_finite() {
        true => format!("{} … {}", signed(estimate.low), signed(estimate.high)),
        false => "unknown".to_owned(),
    }
}

/// The command that measures a case again.
fn repeat(case: &Case, args: &Args, options: &Options) -> String {
    let mut words = vec!["pointwise gate".to_owned()];
    let mut add = |name: &str, value: String| words.push(format!("--{name} {}", quoted(&value)));
    let path = |path: &PathBuf| path.display().to_string();
    if let Some(base) = &args.base {
        add("base", path(base));
    }
    if let Some(reference) = &args.base_ref {
        add("base-ref", reference.clone());
    }
    if let Some(new) = &args.new {
        add("new", path(new));
    }
    if let Some(reference) = &args.new_ref {
        add("new-ref", reference.clone());
    }
    add("layer", case.layer.to_string());
    add("contender", format!("^{}$", regex::escape(&case.contender)));
    add("threads", options.threads().to_string());
    if let Some(isa) = options.isa {
        add("isa", isa.name().to_owned());
    }
    words.join(" ")
}

fn row_json(row: &Row, repeat: &str) -> Value {
    let ends = |estimate: &Estimate| {
        json!({
            "percent": change(estimate.centre),
            "low": estimate.low.is_finite().then(|| change(estimate.low)),
            "high": estimate.high.is_finite().then(|| change(estimate.high)),
            "pairs": estimate.pairs,
        })
    };
    json!({
        "layer": row.case.layer.to_string(),
        "contender": row.case.contender,
        "kernel_base": row.kernels[0],
        "kernel_new": row.kernels[1],
        "ns_base": row.ns[0],
        "ns_new": row.ns[1],
        "change": ends(&row.finding.change),
        "control": ends(&row.finding.control),
        "threshold_percent": change(row.finding.threshold),
        "verdict": row.finding.verdict,
        "why": row.finding.why(),
        "repeat": repeat,
    })
}

fn summary_json(report: &Report, settings: &Settings) -> Value {
    let told = |cases: &[(Case, String)]| -> Vec<Value> {
        let told = cases.iter();
        told.map(|(c, why)| json!({ "layer": c.layer.to_string(), "contender": c.contender, "why": why }))
            .collect()
    };
    json!({
        "outcome": report.outcome(),
        "base": report.commits[0],
        "new": report.commits[1],
        "limits": settings.limits,
        "threads": settings.threads,
        "wrong": report.wrong,
        "not_run_by_new": told(&report.lost),
        "left_out": told(&report.left_out),
        "seconds": report.seconds,
    })
}
