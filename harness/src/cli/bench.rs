//! `pointwise bench`: measures contenders against one another on layers.

use super::bench_pass;
use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset};
use super::files;
use super::interrupt;
use super::layer_run::LayerRun;
use super::layer_tables;
use super::options::{self, Options};
use super::output::{Output, note};
use super::progress::ProgressBar;
use super::record_file::Rows;
use super::selection;
use super::values;
use pointwise_harness::catalog;
use pointwise_harness::machine::Effort;
use pointwise_harness::measure::Settings;
use pointwise_harness::text::numbers::time;
use std::path::PathBuf;
use std::time::Duration;

/// Measure contenders on layers, interleaved, each checked before it is timed
///
/// Without filters: every layer of the catalog in both layouts, by the plan's choice, naive loops,
/// matrixmultiply and the peer libraries found; layers that networks share are measured once. Our
/// kernels by themselves take part when `--kernel` or `--contender` names them. The FMA ceiling
/// and the bandwidths are measured in the same run.
///
/// With -o, rows are in FILE.partial as soon as they are measured, and FILE gets its name at the
/// end. Ctrl-C ends the run after the present layer: the rows stay in FILE.partial, which `rank`
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
    file: Option<PathBuf>,

    /// Measure each contender on each layer for this long [default: 0.3]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds, conflicts_with = "quick")]
    time: Option<Duration>,

    /// A first look: 0.05 s per contender and layer, ceilings in 0.3 s
    #[arg(long)]
    quick: bool,

    /// Show the times of planning a layer and of packing its weights too
    #[arg(long, conflicts_with = "pass")]
    setup: bool,

    /// Run all 1×1 layers of each network in order, each with weights and activations of its own,
    /// once per sample: weights then come from where they are in a real network
    ///
    /// Gives the time of the whole pass, of each layer in it, and of the layers that read one
    /// input, one after another (`pointwise`) and together (`pointwise-siblings`). The caches hold
    /// what the pass before left in them, or with `--cache cold` no data of the network.
    #[arg(long)]
    pass: bool,

    /// Measure the layers that read one input, such as the 1×1 branches of an Inception module:
    /// one after another and together (`pointwise-siblings`), each group by itself
    #[arg(long, conflicts_with_all = ["pass", "setup"])]
    siblings: bool,
}

impl Args {
    /// The command, and the shared options that it takes.
    pub(super) fn takes(&self) -> (&'static str, &'static str) {
        match (self.pass, self.siblings) {
            (false, false) => ("bench", options::MEASURING),
            (true, _) => ("bench --pass", bench_pass::TAKES),
            (_, true) => ("bench --siblings", bench_pass::TAKES),
        }
    }

    fn effort(&self) -> Effort {
        if self.quick { Effort::Quick } else { Effort::Thorough }
    }
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    if args.pass || args.siblings {
        let asked = bench_pass::Asked {
            file: args.file.as_deref(),
            time: args.time,
            effort: args.effort(),
            siblings: args.siblings,
        };
        return bench_pass::run(&asked, options, output);
    }
    options.refuse_passes()?;
    if args.setup && output.json {
        let why = "records have no times of setup: leave out `--setup` or `--json`";
        return Err(Failure::Usage(why.to_owned()));
    }
    let field = field::contenders(options, Preset::Contenders)?;
    let rows = selection::layers(options)?;
    let known = files::known(options)?;
    let present = fault::planted(field.present()?);
    let mut kept = Rows::to(args.file.as_deref())?;
    field.tell_absent(options);
    let interrupt = interrupt::install()?;
    let settings = match args.effort() {
        Effort::Quick => Settings::quick(options.cache()),
        Effort::Thorough => Settings::thorough(options.cache()),
    };
    let settings = match args.time {
        Some(time) => settings.budget(time),
        None => settings,
    };
    let run = LayerRun {
        options,
        field: &present,
        settings,
        effort: args.effort(),
        limit: None,
        interrupt: &interrupt,
    };
    let problems = catalog::unique(&rows);
    let turns = (problems.len() * present.len()) as f64;
    // Checking, preparing and warming up take about as long as 50 ms of measuring.
    let seconds = turns * (run.settings.budget.as_secs_f64() + 0.05);
    note(format_args!(
        "{} layers, {} contenders: about {}",
        problems.len(),
        present.len(),
        time(1e9 * seconds)
    ));
    let progress = ProgressBar::default();
    let measured =
        run.measure(&problems, &progress, &mut |record| kept.add(record, output, &progress));
    drop(progress);
    let results = match measured {
        Ok(results) => results,
        Err(failure) => {
            kept.abandon()?;
            return Err(failure);
        }
    };
    let signal = interrupt.signal();
    kept.end(signal.is_some(), &results.environment)?;
    let printed = match output.json {
        true => Ok(()),
        false => layer_tables::print(&results, args.setup, output)
            .and_then(|()| layer_tables::rank(&results, &known, output)),
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
