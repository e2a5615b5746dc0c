//! The command line.
//!
//! A command is a file with its `Args`, its `run` and the shared options that it takes, a variant of
//! [`Command`], and a line in each of its two functions. What commands share are files of their own,
//! which import no command. This room may import the library `pointwise_harness` and itself.

mod bench;
mod bench_pass;
mod bench_pass_tables;
mod builds;
mod calibrate;
mod compare;
mod doctor;
mod export;
mod failure;
mod fault;
mod field;
mod files;
mod gate;
mod gate_worker;
mod history;
mod interrupt;
mod layer_run;
mod layer_tables;
mod list;
mod options;
mod output;
mod pick;
mod predict;
mod profiles;
mod progress;
mod rank;
mod rank_tables;
mod record_file;
mod report;
mod selection;
mod table;
mod tour;
mod tune;
mod tune_regret;
mod values;
mod verify;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use failure::{Failure, Outcome};
use options::Options;
use output::Output;
use pointwise_harness::contender::foreign;
use pointwise_harness::text::one_line::OneLine;
use std::ffi::OsString;
use std::process::ExitCode;

/// 1×1 convolution on this CPU: check it, measure it, and see where the machine stands
///
/// Without a command it gives the tour: what this machine is, whether the kernels compute the
/// right bits on it, and how fast they run layers of ResNet-50 and Inception beside
/// matrixmultiply and naive loops. That takes about a minute and leaves a page under `reports/`.
#[derive(Parser, Debug)]
#[command(
    name = "pointwise",
    version,
    max_term_width = 100,
    after_help = "Examples:
  pointwise                                   the tour
  pointwise list layers --network resnet50    what can be measured
  pointwise verify                            every kernel against the reference, bit for bit
  pointwise bench --network resnet50 --layout nhwc -o run.jsonl
  pointwise bench --layer nhwc/n1c64h56w56k256/bias+relu --kernel avx2
  pointwise rank run.jsonl                    who is fastest, and by how much
  pointwise report run.jsonl                  the page with its figures
  pointwise gate --base-ref main              whether this build is slower than main

Exit codes: 0 fine, 1 wrong result, 2 usage or bad input, 3 regression, 4 inconclusive,
130 interrupted (what was measured is kept)."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    List(list::Args),
    Doctor(doctor::Args),
    Verify(verify::Args),
    Bench(bench::Args),
    Rank(rank::Args),
    Compare(compare::Args),
    Report(report::Args),
    Export(export::Args),
    Calibrate(calibrate::Args),
    Tune(tune::Args),
    Pick(pick::Args),
    Predict(predict::Args),
    Gate(gate::Args),
    History(history::Args),
    #[command(hide = true)]
    GateWorker(gate_worker::Args),
}

impl Command {
    /// The command as a user writes it, and the shared options that it takes.
    fn takes(&self) -> (&'static str, &'static str) {
        match self {
            Command::List(args) => args.takes(),
            Command::Doctor(_) => ("doctor", doctor::TAKES),
            Command::Verify(_) => ("verify", verify::TAKES),
            Command::Bench(args) => args.takes(),
            Command::Rank(_) => ("rank", options::RECORDS),
            Command::Compare(_) => ("compare", options::RECORDS),
            Command::Report(_) => ("report", options::RECORDS),
            Command::Export(_) => ("export", export::TAKES),
            Command::Calibrate(_) => ("calibrate", calibrate::TAKES),
            Command::Tune(_) => ("tune", tune::TAKES),
            Command::Pick(args) => args.takes(),
            Command::Predict(_) => ("predict", predict::TAKES),
            Command::Gate(_) => ("gate", options::MEASURING),
            Command::History(args) => args.takes(),
            Command::GateWorker(_) => ("gate-worker", gate_worker::TAKES),
        }
    }

    fn run(&self, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
        match self {
            Command::List(args) => list::run(args, options, output),
            Command::Doctor(args) => doctor::run(args, options, output),
            Command::Verify(args) => verify::run(args, options, output),
            Command::Bench(args) => bench::run(args, options, output),
            Command::Rank(args) => rank::run(args, options, output),
            Command::Compare(args) => compare::run(args, options, output),
            Command::Report(args) => report::run(args, options, output),
            Command::Export(args) => export::run(args, options, output),
            Command::Calibrate(args) => calibrate::run(args, options, output),
            Command::Tune(args) => tune::run(args, options, output),
            Command::Pick(args) => pick::run(args, options, output),
            Command::Predict(args) => predict::run(args, options, output),
            Command::Gate(args) => gate::run(args, options, output),
            Command::History(args) => history::run(args, options, output),
            Command::GateWorker(_) => gate_worker::run(options),
        }
    }
}

/// Why a command line runs nothing.
pub(crate) enum Refused {
    /// It asks for help or for the version, which the parser prints.
    Help(clap::Error),
    /// It is wrong, as this line says.
    Usage(String),
}

/// Reads a command line, which begins with the name of the program. Nothing is run.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Cli, Refused> {
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refused::Help(error),
        _ => Refused::Usage(one_line(&error)),
    })
}

/// Reads the command line, runs the command, and returns its exit code.
pub(crate) fn main() -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Refused::Help(error)) => {
            // A reader that has closed the pipe needs no help, and this is no error.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(Refused::Usage(text)) => {
            let failure = Failure::Usage(text);
            complain(&failure);
            return failure.exit_code();
        }
    };
    interrupt::outlive_file_limits();
    let mut output = Output::new(cli.options.json);
    let result = run(cli, &mut output);
    let result = result.and_then(|outcome| match output.flush() {
        // A reader that closed the pipe does not change the outcome.
        Ok(()) | Err(Failure::ClosedPipe) => Ok(outcome),
        Err(failure) => Err(failure),
    });
    match result {
        Ok(outcome) => outcome.exit_code(),
        Err(Failure::ClosedPipe) => Failure::ClosedPipe.exit_code(),
        Err(failure) => {
            complain(&failure);
            failure.exit_code()
        }
    }
}

/// Tells a failure in one line, even if names or files in it contain line breaks.
fn complain(failure: &Failure) {
    output::note(format_args!("pointwise: {}", OneLine(failure)));
}

fn run(mut cli: Cli, output: &mut Output) -> Result<Outcome, Failure> {
    let (command, taken) =
        cli.command.as_ref().map_or(("pointwise", options::MEASURING), Command::takes);
    cli.options.expect_only(command, taken)?;
    cli.options.complete()?;
    // This comes before anything else: peers read the variables when they are loaded, and variables
    // must not be set once there are threads.
    if !foreign::prepare_environment(cli.options.isa) {
        output::note("could not set the variables that say how peers' threads wait");
    }
    match &cli.command {
        Some(command) => command.run(&cli.options, output),
        None => tour::run(&cli.options, output),
    }
}

/// The error of the parser in one line, without the lines on usage after it.
fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let text = lines.join(" ");
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    OneLine(format_args!("{text} (`pointwise --help` explains)")).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_error_of_the_parser_is_told_in_one_line() {
        for (arguments, named) in [
            (&["pointwise", "list", "nonsense"][..], "nonsense"),
            (&["pointwise", "--threads", "0"], "0 threads; a plan is for at least 1"),
            (&["pointwise", "--layout", "nhcw"], "nhcw"),
            (&["pointwise", "--lyout", "nhwc"], "--lyout"),
            (&["pointwise", "--isa", "sse9"], "scalar, avx2, avx512 and neon"),
            (&["pointwise", "--kernel", "a(b"], "kernel `a(b` is not a regular expression"),
            (&["pointwise", "--kernel"], "--kernel"),
            (&["pointwise", "frobnicate"], "frobnicate"),
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            let line = one_line(&error);
            assert!(line.contains(named), "{arguments:?}: {line}");
            assert!(line.ends_with("(`pointwise --help` explains)"), "{line}");
            assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
        }
    }

    /// Every shared option as it is given on a command line.
    const SHARED: [&[&str]; 13] = [
        &["--network", "nin"],
        &["--layer", "c8h4w4k8"],
        &["--kernel", "avx2"],
        &["--contender", "naive"],
        &["--layout", "nhwc"],
        &["--shuffle"],
        &["--layers", "mine.txt"],
        &["--threads", "1"],
        &["--cache", "hot"],
        &["--isa", "scalar"],
        &["--sharing", "best"],
        &["--peers", "folder"],
        &["--json"],
    ];

    #[test]
    fn each_shared_option_is_taken_or_refused_by_name() {
        let mut seen = 0;
        for line in [
            "pointwise",
            "pointwise list kernels",
            "pointwise doctor",
            "pointwise bench --pass",
            "pointwise rank run.jsonl",
            "pointwise tune",
            "pointwise pick c8h4w4k8",
            "pointwise gate --base old",
            "pointwise history",
        ] {
            for option in SHARED {
                let words: Vec<&str> = line.split(' ').chain(option.iter().copied()).collect();
                let Ok(cli) = Cli::try_parse_from(&words) else { panic!("{words:?}") };
                let (command, taken) =
                    cli.command.as_ref().map_or(("pointwise", options::MEASURING), Command::takes);
                let name = option[0].trim_start_matches("--");
                match cli.options.expect_only(command, taken) {
                    Ok(()) => assert!(taken.split(' ').any(|taken| taken == name), "{words:?}"),
                    Err(failure) => {
                        let refused = format!("`{command}` would ignore `{}`", option[0]);
                        assert!(failure.to_string().starts_with(&refused), "{failure}");
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 40, "{seen} refused");
    }
}
