//! `pointwise predict`: static estimates of the inner loops on other CPUs.

use super::failure::{Failure, Outcome};
use super::options::Options;
use super::output::Output;
use super::table::Table;
use pointwise::{Cpu, Isa};
use pointwise_harness::catalog::Pattern;
use pointwise_harness::predict::{Prediction, Predictions};

/// Predict the inner loops' multiply-adds per cycle on CPUs you don't own
///
/// Estimates of llvm-mca, corrected where LLVM's description of a CPU is known to be wrong; made
/// beforehand, so that nothing is compiled or measured. A cell is vector multiply-adds per cycle,
/// every operand in L1, and what binds: ports, loads, latency, issue, or scheduling.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise predict
  pointwise predict --cpu zen2 --cpu haswell --kernel avx2
  pointwise predict --isa neon --json
  pointwise pick nhwc/n1c256h14w14k1024 --cpu zen2      the choice for a whole layer")]
pub(super) struct Args {
    /// Only this CPU (repeatable)
    #[arg(long, value_name = "NAME")]
    cpu: Vec<String>,

    /// The tiles of tails too
    #[arg(long)]
    all: bool,
}

/// The shared options that this command takes.
pub(super) const TAKES: &str = "kernel isa json";

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let predictions = Predictions::built_in();
    for name in &args.cpu {
        Cpu::named(name)?;
    }
    let patterns = options
        .kernel
        .iter()
        .map(|text| Pattern::new("kernel", text))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Failure::Filter { error, see: Some("kernels") })?;
    let all = predictions.all();
    let mut every: Vec<&str> = all.iter().flat_map(names).collect();
    every.sort_unstable();
    every.dedup();
    for pattern in &patterns {
        pattern.pick(&every).map_err(|error| Failure::Filter { error, see: Some("kernels") })?;
    }
    let wanted = |p: &Prediction| {
        let named = |pattern: &Pattern| pattern.pick(&names(p)).is_ok();
        (args.cpu.is_empty() || args.cpu.contains(&p.cpu))
            && (args.all || !p.kernels.is_empty())
            && (patterns.is_empty() || patterns.iter().any(named))
            && options.isa.is_none_or(|isa| p.inner_loop.starts_with(&format!("{isa} ")))
    };
    let found: Vec<Prediction> = all.iter().filter(|p| wanted(p)).cloned().collect();
    if found.is_empty() {
        let why =
            "no inner loop is of this CPU, ISA and kernel: leave out --cpu, --isa or --kernel";
        return Err(Failure::Usage(why.to_owned()));
    }
    if output.json {
        for prediction in &found {
            output.row(prediction)?;
        }
        return Ok(Outcome::Fine);
    }
    for isa in Isa::ALL {
        matrix(isa, &found, output)?;
    }
    let made = &predictions.generated_by;
    output.line(format_args!(
        "predicted, not measured: llvm-mca {} on kernels of commit {}, corrected by published units",
        made.llvm_mca, made.commit
    ))?;
    let mut cpus: Vec<&str> = found.iter().map(|p| p.cpu.as_str()).collect();
    cpus.sort_unstable();
    cpus.dedup();
    for cpu in cpus {
        if let Some(error) = predictions.model_error(cpu) {
            output.line(format_args!("LLVM's {cpu}: {error}"))?;
        }
    }
    Ok(Outcome::Fine)
}

/// The names that a pattern of kernels is compared with.
fn names(prediction: &Prediction) -> Vec<&str> {
    prediction.kernels.iter().copied().chain([prediction.inner_loop.as_str()]).collect()
}

/// Prints a row for each inner loop of an ISA, with a column for each CPU.
fn matrix(isa: Isa, found: &[Prediction], output: &mut Output) -> Result<(), Failure> {
    let prefix = format!("{isa} ");
    let of: Vec<&Prediction> = found.iter().filter(|p| p.inner_loop.starts_with(&prefix)).collect();
    let columns: Vec<&str> =
        Cpu::names().filter(|name| of.iter().any(|p| p.cpu == *name)).collect();
    let mut table = Table::default().text("inner loop");
    for name in &columns {
        table = table.text(*name);
    }
    let mut rows: Vec<&str> = Vec::new();
    for prediction in &of {
        if !rows.contains(&prediction.inner_loop.as_str()) {
            rows.push(&prediction.inner_loop);
        }
    }
    for row in rows {
        let cell = |cpu: &str| {
            let found = of.iter().find(|p| p.inner_loop == row && p.cpu == cpu);
            found.map_or(String::new(), |p| format!("{:.2} {}", p.fma_per_cycle, p.bound_by))
        };
        table.row(std::iter::once(row.to_owned()).chain(columns.iter().map(|cpu| cell(cpu))));
    }
    output.table(&table)
}
