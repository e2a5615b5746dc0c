//! The command line: one module for each command, and what they share.
//!
//! A command is a file with its `Args` and `run`, a variant of [`Command`], and a line in
//! [`Command::run`].

mod bench;
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
mod history;
mod interrupt;
mod list;
mod options;
mod output;
mod pass;
mod pass_tables;
mod pick;
mod predict;
mod progress;
mod rank;
mod regret;
mod report;
mod results;
mod run;
mod selection;
mod table;
mod tour;
mod tune;
mod verify;
mod worker;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use failure::{Failure, Outcome};
use options::Options;
use output::Output;
use pointwise_harness::contender::foreign;
use pointwise_harness::one_line::OneLine;
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
    GateWorker(worker::Args),
}

impl Command {
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
            Command::GateWorker(_) => worker::run(options),
        }
    }
}

/// What a command line is that names nothing to run.
pub(crate) enum Refused {
    /// A question that the parser answers itself.
    Help(clap::Error),
    /// A mistake, told in one line.
    Usage(String),
}

/// Reads a command line, the program's name first, and runs nothing.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Cli, Refused> {
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refused::Help(error),
        _ => Refused::Usage(one_line(&error)),
    })
}

/// Reads the command line, runs the command, and turns its end into an exit code.
pub(crate) fn main() -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Refused::Help(error)) => {
            // A closed pipe is the reader's choice, here as everywhere.
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
    let result = result.and_then(|outcome| match output.finish() {
        // A reader who has had enough does not make a result right.
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

/// Tells a failure in one line, whatever the names and files in it hold.
fn complain(failure: &Failure) {
    output::note(format_args!("pointwise: {}", OneLine(failure)));
}

fn run(mut cli: Cli, output: &mut Output) -> Result<Outcome, Failure> {
    cli.options.complete()?;
    // First of all: peers read these when they are loaded, and later there are threads.
    if !foreign::prepare_environment(cli.options.isa) {
        output::note("could not set the variables that peers' threads wait by");
    }
    match &cli.command {
        Some(command) => command.run(&cli.options, output),
        None => tour::run(&cli.options, output),
    }
}

/// What the parser says, without the usage lines that follow it.
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
    fn what_the_parser_refuses_is_told_in_one_line() {
        for (arguments, expected) in [
            (&["pointwise", "list", "nonsense"][..], "nonsense"),
            (&["pointwise", "--threads", "0"], "0 threads; a plan is for at least 1"),
            (&["pointwise", "--layout", "nhcw"], "nchw, nhwc"),
            (&["pointwise", "--lyout", "nhwc"], "--layout"),
            (&["pointwise", "--isa", "sse9"], "scalar, avx2, avx512 and neon"),
            (&["pointwise", "--kernel", "a(b"], "unclosed group"),
            (&["pointwise", "--kernel"], "--kernel"),
            (&["pointwise", "frobnicate"], "frobnicate"),
        ] {
            let error = Cli::try_parse_from(arguments).unwrap_err();
            let line = one_line(&error);
            assert!(line.contains(expected), "{arguments:?}: {line}");
            assert!(!line.contains('\n') && !line.contains("Usage"), "{line}");
        }
    }
}
