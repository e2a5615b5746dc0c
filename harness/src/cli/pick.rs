//! `pointwise pick`: the kernel for a layer, the runner-up, the reasons, and how sure they are.

use super::failure::{Failure, Outcome};
use super::options::Options;
use super::output::{self, Output};
use super::selection;
use super::table::Table;
use pointwise::{Basis, Candidate, Candidates, Cpu, Layer, Plan, PlanOptions, Profile};
use pointwise_harness::pick::reasons;
use pointwise_harness::predict;
use pointwise_harness::profile as kept;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

/// Say which kernel, blocking and split a layer gets, the runner-up, and why
///
/// The choice is `measured` where a profile (`POINTWISE_PROFILE`) has this layer, `modelled`
/// where it has not, and `predicted` for another CPU.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise pick nchw/n1c512h14w14k24/bias+relu
  pointwise pick nhwc/n1c64h56w56k256 --all
  pointwise pick --network resnet50 --layout nhwc
  pointwise pick nchw/n1c256h14w14k1024 --cpu zen2")]
pub(super) struct Args {
    /// The layer as text; without it, those that the filters let through
    #[arg(value_name = "LAYER")]
    text: Option<Layer>,

    /// Predict for this CPU instead of the one here
    #[arg(long, value_name = "NAME")]
    cpu: Option<String>,

    /// Take what was measured from this profile: FILE, or `cache` for the latest that `tune` wrote
    /// to the platform's cache folder [default: that of POINTWISE_PROFILE, if set]
    #[arg(long, value_name = "FILE|cache", conflicts_with = "cpu")]
    profile: Option<PathBuf>,

    /// Rank every candidate, and say what was left out
    #[arg(long)]
    all: bool,
}

impl Args {
    /// The command, and the shared options that it takes.
    pub(super) fn takes(&self) -> (&'static str, &'static str) {
        match self.text {
            // The layer is given whole, so that there is nothing to filter.
            Some(_) => ("pick LAYER", "threads isa json"),
            None => ("pick", "network layer layout shuffle layers threads isa json"),
        }
    }
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let other = args.cpu.as_deref().map(predict::cpu).transpose()?;
    let layers = match args.text {
        Some(layer) => vec![layer],
        None => selection::layers(options)?.into_iter().map(|entry| entry.layer).collect(),
    };
    let mut plan = PlanOptions::new().threads(options.threads());
    plan.isa = options.isa;
    if let Some(path) = &args.profile {
        let file = match path.to_str() {
            Some("cache") => kept::cached().as_deref().and_then(kept::latest),
            _ => Some(path.clone()),
        };
        // As in the library, a profile that cannot be used is reported, and the model decides.
        match file.map(|file| Profile::load(&file)) {
            Some(Ok(profile)) => plan.profile = Some(Arc::new(profile)),
            Some(Err(problem)) => output::note(format_args!("{problem}; ignored")),
            None => output::note("no profile in the cache folder: `pointwise tune` writes one"),
        }
    }
    for layer in &layers {
        let candidates = match &other {
            Some(cpu) => Plan::candidates_on(layer, &plan, cpu)?,
            None => {
                if let Some(problem) = Plan::new(layer, &plan)?.profile_problem() {
                    output::note(format_args!("{problem}; ignored"));
                }
                Plan::candidates(layer, &plan)?
            }
        };
        let cpu = other.as_ref().unwrap_or_else(|| Cpu::host());
        if output.json {
            json_row(layer, &candidates, cpu, args.all, output)?;
        } else {
            text(layer, &candidates, cpu, args.all, output)?;
        }
    }
    Ok(Outcome::Fine)
}

/// The best candidate with another kernel, or another way to read the input, than the best of all.
fn runner_up(candidates: &Candidates) -> Option<&Candidate> {
    let best = candidates.ranked.first()?;
    candidates.ranked.iter().find(|c| {
        c.cycles.is_finite() && (c.kernel, c.blocking.pack) != (best.kernel, best.blocking.pack)
    })
}

fn describe(candidate: &Candidate) -> String {
    format!(
        "{}, {}, blocks of {} units, {} × {} parts",
        candidate.kernel.name(),
        if candidate.blocking.pack { "packed" } else { "in place" },
        candidate.blocking.units,
        candidate.split.pixels,
        candidate.split.panels,
    )
}

fn unit(basis: Basis) -> &'static str {
    if basis == Basis::Measured { "ns" } else { "cycles" }
}

fn text(
    layer: &Layer,
    candidates: &Candidates,
    cpu: &Cpu,
    all: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let Some(best) = candidates.ranked.first() else { return Ok(()) };
    let unit = unit(candidates.basis);
    output.line(format_args!("{layer} on {}: {}", cpu.title, candidates.basis))?;
    output.line(format_args!("  choice     {}: {:.0} {unit}", describe(best), best.cycles))?;
    let why = reasons(layer, best, cpu)?;
    output.line(format_args!(
        "             {:.0}% of the lanes filled, {} tiles, {} KiB of tensors, panels of {} KiB; \
         the {} bind",
        why.lanes_filled * 100.0,
        why.tiles,
        why.bytes >> 10,
        why.panel_bytes >> 10,
        why.binds
    ))?;
    if let Some(second) = runner_up(candidates) {
        let far = (second.cycles / best.cycles - 1.0) * 100.0;
        output.line(format_args!("  runner-up  {}: {far:.1}% more", describe(second)))?;
        let why = reasons(layer, second, cpu)?;
        output.line(format_args!(
            "             {:.0}% of the lanes filled, {} tiles; the {} bind",
            why.lanes_filled * 100.0,
            why.tiles,
            why.binds
        ))?;
    }
    if all {
        let mut table = Table::default()
            .text("kernel")
            .text("input")
            .figure("units")
            .figure("parts")
            .figure(if unit == "ns" { "ns" } else { "cycles" })
            .figure("× best");
        for c in candidates.ranked.iter().filter(|c| c.cycles.is_finite()) {
            table.row([
                c.kernel.name().to_owned(),
                if c.blocking.pack { "packed" } else { "in place" }.to_owned(),
                c.blocking.units.to_string(),
                format!("{}×{}", c.split.pixels, c.split.panels),
                format!("{:.0}", c.cycles),
                format!("{:.3}", c.cycles / best.cycles),
            ]);
        }
        output.table(&table)?;
        for (kernel, why) in &candidates.left_out {
            output.line(format_args!("left out: {} {why}", kernel.name()))?;
        }
    }
    Ok(())
}

fn json_row(
    layer: &Layer,
    candidates: &Candidates,
    cpu: &Cpu,
    all: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let basis = match candidates.basis {
        Basis::Measured => "measured",
        Basis::Predicted => "predicted",
        Basis::Informed => "informed",
        _ => "modelled",
    };
    let row = |c: &Candidate| -> Result<serde_json::Value, Failure> {
        Ok(json!({
            "kernel": c.kernel.name(),
            "units": c.blocking.units,
            "packed": c.blocking.pack,
            "pixel_parts": c.split.pixels,
            "output_parts": c.split.panels,
            unit(candidates.basis): c.cycles.round(),
            "reasons": reasons(layer, c, cpu)?,
        }))
    };
    let Some(best) = candidates.ranked.first() else { return Ok(()) };
    let second = runner_up(candidates);
    let ranked: Vec<_> = match all {
        true => candidates
            .ranked
            .iter()
            .filter(|c| c.cycles.is_finite())
            .map(&row)
            .collect::<Result<_, _>>()?,
        false => Vec::new(),
    };
    let left_out: Vec<_> = candidates
        .left_out
        .iter()
        .filter(|_| all)
        .map(|(kernel, why)| json!({ "kernel": kernel.name(), "why": why }))
        .collect();
    output.row(&json!({
        "layer": layer.to_string(),
        "cpu": cpu.name,
        "basis": basis,
        "choice": row(best)?,
        "runner_up": second.map(&row).transpose()?,
        "distance": second.map(|s| s.cycles / best.cycles - 1.0),
        "ranked": ranked,
        "left_out": left_out,
    }))
}
