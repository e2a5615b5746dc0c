//! `pointwise rank`: who is fastest in a file of records, and by how much.

use super::failure::{Failure, Outcome};
use super::files;
use super::options::Options;
use super::output::Output;
use pointwise_harness::pass::is_group;
use pointwise_harness::rank::{Field, rank, table};
use pointwise_harness::record::{self, PASS, Record};
use std::path::PathBuf;

/// Rank the contenders of a record file: geometric means and weighted network times
///
/// A ranking for each layout, thread count and cache state in the file. Means are over the layers
/// that every ranked contender ran, classifier heads left out; network times count each layer as
/// often as its network has it, heads included. The filters select among the records.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise rank run.jsonl
  pointwise rank run.jsonl --network resnet50 --layout nchw
  pointwise rank run.jsonl --kernels
  pointwise rank old.jsonl new.jsonl --json     of two rows of the same case the later counts")]
pub(super) struct Args {
    /// Record files, as `bench -o` writes them
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Rank our kernels by name instead of the contenders: how far each is from the plan's choice
    #[arg(long)]
    kernels: bool,
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let runs = files::runs(&args.files, options)?;
    let known = files::known(options)?;
    let records: Vec<_> = runs.into_iter().flat_map(|run| run.records).collect();
    let field = if args.kernels { Field::Kernels } else { Field::Contenders };
    let rankings = rank(&records, &known, field);
    if rankings.is_empty() && args.kernels {
        let why = "no kernel of ours was measured by itself; `bench --kernel .` does".to_owned();
        return Err(Failure::Content { path: args.files[0].clone(), why });
    }
    // Passes and groups of layers are compared within themselves.
    let apart: Vec<Record> = records
        .iter()
        .filter(|record| record.layer == PASS || is_group(&record.network, &record.layer))
        .cloned()
        .collect();
    for (index, ranking) in rankings.iter().enumerate() {
        if output.json {
            output.row(ranking)?;
            continue;
        }
        if index > 0 {
            output.line("")?;
        }
        output.line(table(ranking).trim_end())?;
    }
    if !apart.is_empty() && !args.kernels {
        if output.json {
            apart.iter().try_for_each(|record| output.row(record))?;
        } else {
            output.line(format_args!(
                "{}Passes through networks, and layers that read one input",
                if rankings.is_empty() { "" } else { "\n" }
            ))?;
            output.line(record::table(&apart))?;
        }
    }
    Ok(Outcome::Fine)
}
