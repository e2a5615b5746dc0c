//! `pointwise bench`: measures contenders against one another on layers.

use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset};
use super::files;
use super::interrupt;
use super::options::Options;
use super::output::{Output, note};
use super::pass;
use super::progress::Progress;
use super::results;
use super::run::Run;
use super::selection;
use pointwise_harness::catalog;
use pointwise_harness::machine::Effort;
use pointwise_harness::measure::Settings;
use pointwise_harness::record::{Record, Writer};
use pointwise_harness::sidecar::Environment;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measure contenders on layers, interleaved, each checked before it is timed
///
/// Without filters: every layer of the catalog in both layouts, by the plan's choice, naive loops,
/// matrixmultiply and the peer libraries found; layers that networks share are measured once. Our
/// kernels by themselves take part when `--kernel` or `--contender` names them. The FMA ceiling
/// and the bandwidths are measured in the same run.
///
/// With -o, rows are in FILE.partial as soon as they are measured, and FILE gets its name at the
/// end. Ctrl-C ends the run after the layer at hand: the rows stay in FILE.partial, which `rank`
/// and `report` read too, and the exit code is 130.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise bench --network resnet50 --layout nhwc -o run.jsonl
  pointwise bench --network 'resnet50|googlenet' --threads 2 --cache cold
  pointwise bench --layer nhwc/n1c512h14w14k24/bias+relu --kernel '.'
  pointwise bench --network inception_v3 --contender 'pointwise|onednn' --isa avx2 --time 1
  pointwise bench --layer c64h56w56k256 --json | jq .gflops
  pointwise bench --siblings --network 'googlenet|inception_v3'
  pointwise bench --pass --network 'resnet50|googlenet' --threads 2 -o pass.jsonl")]
pub(super) struct Args {
    /// Write the records, as JSON lines, to FILE, and the environment beside it
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    /// Measure each contender on each layer for this long [default: 0.3]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "quick")]
    pub(super) time: Option<Duration>,

    /// A first look: 0.05 s per contender and layer, ceilings in 0.3 s
    #[arg(long)]
    pub(super) quick: bool,

    /// Show too what planning a layer and packing its weights took
    #[arg(long, conflicts_with = "pass")]
    setup: bool,

    /// Run all 1×1 layers of each network in order, each with weights and activations of its own,
    /// once per sample: weights then come from where they are in a real network
    ///
    /// Gives the time of the whole pass, of each layer in it, and of the layers that read one
    /// input, one after another (`pointwise`) and together (`pointwise-siblings`). The caches hold
    /// what the pass before left in them, or with `--cache cold` nothing.
    #[arg(long)]
    pass: bool,

    /// Measure the layers that read one input, such as the 1×1 branches of an Inception module:
    /// one after another and together (`pointwise-siblings`), each group by itself
    #[arg(long, conflicts_with_all = ["pass", "setup"])]
    pub(super) siblings: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = "a time is a number of seconds above 0, such as 0.5".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wrong.clone())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err(wrong),
    }
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    if args.pass || args.siblings {
        return pass::run(args, options, output);
    }
    options.refuse_passes()?;
    let field = field::contenders(options, Preset::Contenders)?;
    let rows = selection::layers(options)?;
    let known = files::known(options)?;
    let present = fault::planted(field.present()?);
    let mut writer = args.file.as_deref().map(open).transpose()?;
    field.tell_absent(options);
    let interrupt = interrupt::install()?;
    let settings = match args.quick {
        true => Settings::quick(options.cache()),
        false => Settings::thorough(options.cache()),
    };
    let settings = match args.time {
        Some(time) => settings.budget(time),
        None => settings,
    };
    let run = Run {
        options,
        field: &present,
        settings,
        effort: if args.quick { Effort::Quick } else { Effort::Thorough },
        limit: None,
        interrupt: &interrupt,
    };
    let problems = catalog::unique(&rows);
    let turns = (problems.len() * present.len()) as f64;
    // Checking, preparing and warming up take about as long again as 50 ms of measuring.
    let seconds = turns * (run.settings.budget.as_secs_f64() + 0.05);
    note(format_args!(
        "{} layers, {} contenders: about {}",
        problems.len(),
        present.len(),
        results::time(1e9 * seconds)
    ));
    let progress = Progress::default();
    let json = output.json;
    let mut reader_left = false;
    let measured = run.measure(&problems, &progress, &mut |record| {
        if let Some(writer) = &mut writer {
            writer.append(record)?;
        }
        if json && !reader_left {
            match progress.aside(|| output.row(record)) {
                // With -o the records are still wanted.
                Err(Failure::ClosedPipe) if writer.is_some() => reader_left = true,
                other => other?,
            }
        }
        Ok(())
    });
    drop(progress);
    let results = match (measured, &writer) {
        (Ok(results), _) => results,
        (Err(failure), Some(writer)) => {
            abandon(writer)?;
            return Err(failure);
        }
        (Err(failure), None) => return Err(failure),
    };
    let signal = interrupt.signal();
    if let Some(writer) = writer {
        match signal {
            Some(_) => keep(&writer, &results.environment)?,
            None => {
                let records: Vec<&Record> = results.rows.iter().map(|row| &row.record).collect();
                let path = args.file.as_deref().unwrap_or(Path::new(""));
                finish(writer, &records, &results.environment, path)?;
            }
        }
    }
    let printed = match json || reader_left {
        true => Ok(()),
        false => results::print(&results, args.setup, output)
            .and_then(|()| results::rank(&results, &known, output)),
    };
    let outcome = match signal {
        Some(signal) => {
            let (begun, all) = results.cases;
            note(format_args!("interrupted: {begun} of {all} layers were measured"));
            Outcome::Interrupted(signal)
        }
        None if !results.wrong.is_empty() => Outcome::WrongResult,
        None => Outcome::Fine,
    };
    outcome.printed(printed)
}

/// Begins the record file. One that holds something else than records is not replaced: a slip
/// of the finger must not cost somebody's notes.
pub(super) fn open(path: &Path) -> Result<Writer, Failure> {
    let special = std::fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir());
    if special {
        let why = "not a regular file; --json writes records to standard output".to_owned();
        return Err(Failure::Content { path: path.to_owned(), why });
    }
    let holds_something = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() > 0);
    if holds_something && !begins_with_a_record(path) {
        return Err(Failure::WouldReplace { path: path.to_owned() });
    }
    Ok(Writer::create(path)?)
}

fn begins_with_a_record(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut line = String::new();
    // No record is nearly so long; a line of gigabytes is not read.
    let read = BufReader::new(file.take(1 << 16)).read_line(&mut line);
    let value: Option<serde_json::Value> = serde_json::from_str(&line).ok();
    read.is_ok() && value.is_some_and(|value| value.get("schema").is_some())
}

/// Gives the file its name, its rows under the ceilings that the whole run has seen.
pub(super) fn finish(
    running: Writer,
    records: &[&Record],
    environment: &Environment,
    path: &Path,
) -> Result<(), Failure> {
    let named = Writer::create(path).and_then(|mut last| {
        let partial = last.partial().to_owned();
        let written = records.iter().try_for_each(|record| last.append(record));
        written.and_then(|()| last.finish(environment)).inspect_err(|_| {
            // A second copy of what is kept already; it may be in the way on a full disk.
            let _ = std::fs::remove_file(partial);
        })
    });
    match named {
        Ok(()) => remove(&running),
        Err(error) => {
            abandon(&running)?;
            Err(error.into())
        }
    }
}

/// Leaves the rows of an interrupted run where they are, the environment beside them.
pub(super) fn keep(running: &Writer, environment: &Environment) -> Result<(), Failure> {
    abandon(running)?;
    if running.rows() > 0 {
        environment.write(running.partial())?;
    }
    Ok(())
}

/// Leaves the rows of a run that ends early where they are; without any, no file.
pub(super) fn abandon(running: &Writer) -> Result<(), Failure> {
    if running.rows() == 0 {
        return remove(running);
    }
    note(format_args!("{} rows are kept in {}", running.rows(), running.partial().display()));
    Ok(())
}

fn remove(running: &Writer) -> Result<(), Failure> {
    std::fs::remove_file(running.partial()).map_err(Failure::writing(running.partial()))
}
