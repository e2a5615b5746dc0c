//! `pointwise rank`: the contenders of record files, fastest first.

use super::failure::{Failure, Outcome};
use super::files;
use super::options::Options;
use super::output::Output;
use super::rank_tables;
use super::table::{Side, Table};
use pointwise_harness::pass::is_group;
use pointwise_harness::rank::{Entrants, rank};
use pointwise_harness::record::{PASS, Record};
use pointwise_harness::text::numbers::time;
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
    let files = files::records(&args.files, options)?;
    let known = files::known(options)?;
    let records: Vec<_> = files.into_iter().flat_map(|file| file.records).collect();
    let entrants = if args.kernels { Entrants::Kernels } else { Entrants::Contenders };
    let rankings = rank(&records, &known, entrants);
    if rankings.is_empty() && args.kernels {
        let why = "no kernel of ours was measured by itself; `bench --kernel .` does".to_owned();
        return Err(Failure::Content { path: args.files[0].clone(), why });
    }
    // Passes and groups of layers are compared among themselves.
    let is_apart =
        |record: &&Record| record.layer == PASS || is_group(&record.network, &record.layer);
    let apart: Vec<&Record> = records.iter().filter(is_apart).filter(|_| !args.kernels).collect();
    if output.json {
        rankings.iter().try_for_each(|ranking| output.row(ranking))?;
        apart.iter().try_for_each(|record| output.row(record))?;
        return Ok(Outcome::Fine);
    }
    for (index, ranking) in rankings.iter().enumerate() {
        if index > 0 {
            output.line("")?;
        }
        rank_tables::print(ranking, output)?;
    }
    if !apart.is_empty() {
        let gap = if rankings.is_empty() { "" } else { "\n" };
        output
            .line(format_args!("{gap}Passes through networks, and layers that read one input"))?;
        output.table(&rows(&apart))?;
    }
    Ok(Outcome::Fine)
}

/// A row for each record.
fn rows(records: &[&Record]) -> Table {
    let mut table = Table::default()
        .text("network")
        .text("layer")
        .column("sizes", Side::Left, 3)
        .text("contender")
        .column("kernel", Side::Left, 4)
        .figure("threads")
        .text("cache")
        .figure("time")
        .column("±%", Side::Right, 5)
        .figure("GFLOP/s")
        .column("%ceiling", Side::Right, 1)
        .column("%roofline", Side::Right, 2)
        .text("");
    for record in records {
        let whole = record.is_of_a_pass() && record.layer == PASS;
        table.row([
            record.network.clone(),
            record.layer.clone(),
            if whole { String::new() } else { record.sizes_text() },
            record.contender.clone(),
            record.kernel.clone(),
            record.threads.to_string(),
            record.cache.clone(),
            time(record.ns_median),
            format!("{:.1}", 100.0 * record.ns_mad / record.ns_median),
            format!("{:.1}", record.gflops),
            format!("{:.1}", 100.0 * record.fraction_of_ceiling),
            format!("{:.1}", 100.0 * record.fraction_of_roofline),
            if record.verified { String::new() } else { "not verified".to_owned() },
        ]);
    }
    table
}
