//! `pointwise gate`: whether a build is slower than its base, for CI.

use super::builds;
use super::failure::{Failure, Outcome};
use super::field::{self, Preset};
use super::interrupt::{self, Interrupt};
use super::options::Options;
use super::output::{Output, note};
use super::progress::ProgressBar;
use super::selection;
use super::table::{Side, Table};
use super::values;
use pointwise::Layout;
use pointwise_harness::catalog::{self, Entry};
use pointwise_harness::gate::{
    self, Builds, GateCase, GateOutcome, GateReport, GateRow, GateSettings, Limits, Verdict,
};
use pointwise_harness::measure::Cache;
use pointwise_harness::report::quoted;
use pointwise_harness::text::numbers::time;
use pointwise_harness::timing::paired::Estimate;
use pointwise_harness::timing::progress::Progress;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Tell whether a build is slower than a base: exit code 3 if it is, 4 if the noise hides it
///
/// Both builds are timed in turns, pair by pair, each pair in fresh processes. Beside them the base
/// is timed against itself as the control. A case is slower when the interval of its change excludes
/// zero and the change exceeds both the floor and the noise of the control. It is unchanged when a
/// slowdown of --resolve percent is excluded. Until one of these holds, it is measured further. All
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

    /// Build the base from this commit of the current repository
    #[arg(long, value_name = "REF", conflicts_with = "base")]
    base_ref: Option<String>,

    /// The program that is judged [default: this one]
    #[arg(long, value_name = "PATH")]
    new: Option<PathBuf>,

    /// Build the program that is judged from this commit of the current repository
    #[arg(long, value_name = "REF", conflicts_with = "new")]
    new_ref: Option<String>,

    /// End after this time; cases not settled by then are inconclusive. Building does not count
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = values::seconds)]
    budget: Duration,

    /// Call no change that is smaller
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = values::percent)]
    floor: f64,

    /// Slowdown that must be excluded before a case counts as unchanged
    #[arg(long, value_name = "PERCENT", default_value = "5", value_parser = values::percent)]
    resolve: f64,

    /// Call no change that is smaller than this times the noise of the control
    #[arg(long, value_name = "FACTOR", default_value = "1.5", value_parser = values::factor)]
    noise_factor: f64,

    /// Seed of the order in which processes are started and timed
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
}

/// The layers that are measured without a filter: one with long sums, one with few outputs, one with
/// few channels, and one that ends a block. Each takes milliseconds at most.
const PRESET: [(&str, &str); 4] = [
    ("resnet50", "conv4_x.1x1a"),
    ("resnet50", "conv5_x.1x1b"),
    ("googlenet", "inception_4bc.5x5r"),
    ("mobilenet_v2", "block3_x.project"),
];

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    if options.cache() != Cache::Hot {
        let why = "the gate measures with hot caches only: leave out `--cache`";
        return Err(Failure::Usage(why.to_owned()));
    }
    let cases = cases(options)?;
    let base = builds::program(args.base.as_deref(), args.base_ref.as_deref())?;
    let new = builds::program(args.new.as_deref(), args.new_ref.as_deref())?;
    let here = |what| std::env::current_exe().map_err(|e| unknown(what, &e));
    let builds = Builds {
        base: base.map_or_else(|| here("the base"), Ok)?,
        new: new.map_or_else(|| here("this program"), Ok)?,
    };
    let settings = GateSettings {
        threads: options.threads(),
        isa: options.isa,
        peers: options.peers.clone(),
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
    let watching = Watching { bar: ProgressBar::default(), interrupt: interrupt::install()? };
    let report = gate::run(&builds, &cases, &settings, &watching)?;
    drop(watching.bar);
    let printed = print(&report, args, options, &settings, output);
    if let Some(signal) = watching.interrupt.signal() {
        note("interrupted: the verdict is of what was measured until then");
        return Outcome::Interrupted(signal).printed(printed);
    }
    let outcome = match report.outcome() {
        GateOutcome::Passed => Outcome::Fine,
        GateOutcome::WrongResult => Outcome::WrongResult,
        GateOutcome::Regression => Outcome::Regression,
        GateOutcome::Inconclusive => Outcome::Inconclusive,
    };
    outcome.printed(printed)
}

fn unknown(what: &str, error: &std::io::Error) -> Failure {
    Failure::Machine { what: "cannot find the programs", why: format!("{what}: {error}") }
}

/// The selected layers with each selected contender; without filters the preset by the plan's choice.
fn cases(options: &Options) -> Result<Vec<GateCase>, Failure> {
    let rows = match selection::is_open(options) {
        true => preset(options)?,
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
    Ok(pairs.map(|(p, name)| GateCase { layer: p.layer, contender: name.clone() }).collect())
}

fn preset(options: &Options) -> Result<Vec<Entry>, Failure> {
    let chosen = |layout: Layout| {
        let entries = catalog::catalog().iter();
        let chosen = entries.filter(|e| PRESET.contains(&(e.network.as_str(), e.name.as_str())));
        chosen.map(move |entry| Entry { layer: entry.in_layout(layout), ..entry.clone() })
    };
    let mut rows: Vec<Entry> = selection::layouts(options).into_iter().flat_map(chosen).collect();
    if options.shuffle {
        selection::shuffle(&mut rows)?;
    }
    Ok(rows)
}

/// Progress with a bar, which stops after a signal.
struct Watching {
    bar: ProgressBar,
    interrupt: Interrupt,
}

impl Progress for Watching {
    fn begin(&self, what: &str, steps: u64) {
        self.bar.begin(what, steps);
    }

    fn step(&self) {
        self.bar.step();
    }

    fn pulse(&self) {
        self.bar.pulse();
    }

    fn end(&self) {
        self.bar.end();
    }

    fn stopped(&self) -> bool {
        self.interrupt.asked()
    }
}

fn print(
    report: &GateReport,
    args: &Args,
    options: &Options,
    settings: &GateSettings,
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
        let GateRow { case, kernels: [before, after], judgement, .. } = row;
        let kernel = if before == after { after.clone() } else { format!("{before} → {after}") };
        table.row([
            case.layer.to_string(),
            case.contender.clone(),
            if kernel == case.contender { String::new() } else { kernel },
            time(row.ns[0]),
            signed(judgement.change.centre),
            interval(&judgement.change),
            format!("±{:.1}%", 100.0 * judgement.control.half_width()),
            judgement.change.pairs.to_string(),
            judgement.verdict.name().to_owned(),
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
        if let Some(why) = row.judgement.why() {
            output.line(format_args!("inconclusive: {}: {why}", row.case.layer))?;
        }
    }
    output.line("\nEach case again:")?;
    for row in &report.rows {
        output.line(format_args!("  {}", repeat(&row.case, args, options)))?;
    }
    output.line(format_args!("\n{}", verdict(report)))
}

/// The verdict on all cases in a line.
fn verdict(report: &GateReport) -> String {
    let count = |verdict| report.rows.iter().filter(|r| r.judgement.verdict == verdict).count();
    let word = match report.outcome() {
        GateOutcome::Passed => "passed",
        GateOutcome::WrongResult => "WRONG RESULT",
        GateOutcome::Regression => "REGRESSION",
        GateOutcome::Inconclusive => "inconclusive",
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

/// The logarithm of a ratio as a change in percent.
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
fn repeat(case: &GateCase, args: &Args, options: &Options) -> String {
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
    if let Some(peers) = &options.peers {
        add("peers", path(peers));
    }
    words.join(" ")
}

fn row_json(row: &GateRow, repeat: &str) -> Value {
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
        "change": ends(&row.judgement.change),
        "control": ends(&row.judgement.control),
        "threshold_percent": change(row.judgement.threshold),
        "verdict": row.judgement.verdict,
        "why": row.judgement.why(),
        "repeat": repeat,
    })
}

fn summary_json(report: &GateReport, settings: &GateSettings) -> Value {
    let told = |cases: &[(GateCase, String)]| -> Vec<Value> {
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
