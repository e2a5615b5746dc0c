//! `pointwise export`: records in the formats of other services.

use super::failure::{Failure, Outcome};
use super::files;
use super::options::Options;
use super::output::Output;
use pointwise_harness::export::{Format, export};
use std::path::PathBuf;

/// Write records for Bencher, github-action-benchmark, or a spreadsheet
///
/// The filters select among the records.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise export run.jsonl --format bencher -o bencher.json
  pointwise export run.jsonl --format github-action --contender pointwise
  pointwise export run.jsonl --format csv | column -ts,")]
pub(super) struct Args {
    /// Record files, as `bench -o` writes them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// bencher, github-action or csv
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Format,

    /// Write to FILE instead of standard output
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    file: Option<PathBuf>,
}

fn format(text: &str) -> Result<Format, String> {
    text.parse()
}

/// The shared options that this command takes.
pub(super) const TAKES: &str = "network layer kernel contender layout threads cache";

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let files = files::records(&args.files, options)?;
    let records: Vec<_> = files.into_iter().flat_map(|file| file.records).collect();
    let text = export(&records, args.format)?;
    match &args.file {
        Some(path) => files::write(path, text.as_bytes())?,
        None => output.line(text.trim_end())?,
    }
    Ok(Outcome::Fine)
}
