//! `pointwise doctor`: what this machine is, what it can do at best, and how far to trust it.

use super::failure::{Failure, Outcome};
use super::options::Options;
use super::output::Output;
use super::progress::Progress;
use pointwise_harness::machine::doctor;

/// Examine this machine: CPU, caches, ISAs, FMA ceilings, bandwidths, timer, noise, trust
///
/// Ceilings are measured on one thread and on `--threads` threads. The trust grade says how small
/// a difference between two figures from this machine, in its present state, can mean something.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise doctor
  pointwise doctor --threads 2
  pointwise doctor --json")]
pub(super) struct Args {
    /// Take about 2 s instead of 10
    #[arg(long)]
    quick: bool,
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let progress = Progress::default();
    let examination = doctor::examine(options.threads_or_all(), args.quick, &progress)?;
    if output.json {
        output.row(&examination)?;
    } else {
        output.line(examination.to_string().trim_end())?;
    }
    Ok(Outcome::Fine)
}
