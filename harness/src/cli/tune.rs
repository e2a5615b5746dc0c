//! `pointwise tune`: measures candidates on this machine and writes what it learned.

use super::failure::{Failure, Outcome};
use super::interrupt;
use super::options::Options;
use super::output::{self, Output};
use super::profiles::{load, pool, write};
use super::progress::ProgressBar;
use super::selection;
use super::tune_regret;
use super::values;
use pointwise::{Activation, Candidate, Layer, Measured, Plan, PlanOptions, Profile};
use pointwise_harness::profile as kept;
use pointwise_harness::regret::summary;
use pointwise_harness::timing::progress::Progress as _;
use pointwise_harness::tune::{look_again, tune};
use rayon::ThreadPool;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measure candidates on this machine and write a profile, or check the choices (`--regret`)
///
/// Successive halving over the candidates that the model ranks highest, layer by layer. The
/// profile is written after each layer, beside an older file of that name, never over it.
/// `POINTWISE_PROFILE=FILE` makes plans use it; `pick --profile FILE` looks at it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise tune --network resnet50
  pointwise tune --layers mine.txt -o mine.profile --budget 60
  pointwise tune --network resnet50 --resume pointwise.profile
  pointwise tune --regret --random 200 --truth truth.txt --budget 80     (repeat until complete)
  pointwise tune --regret --truth truth.txt --profile pointwise.profile")]
pub(super) struct Args {
    /// Seconds to spend; layers left over are reported
    #[arg(long, default_value = "180", value_name = "SECONDS", value_parser = values::seconds)]
    budget: Duration,

    /// Where to write the profile; if it exists, the next free FILE.2, FILE.3, … [default:
    /// pointwise/pointwise.profile in the platform's cache folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Start from this profile; layers in it are not measured again
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,

    /// Print how much the choices of the model, and of a profile, lose; write no profile
    #[arg(long)]
    regret: bool,

    #[command(flatten)]
    check: tune_regret::Args,
}

/// The shared options that this command takes.
pub(super) const TAKES: &str = "network layer layout shuffle layers threads isa json";

impl Args {
    /// Refuses the options that would be ignored: those of `--regret` without it, and those of the
    /// profile to write with it.
    fn refuse_ignored(&self) -> Result<(), Failure> {
        if !self.regret {
            return self.check.refuse_without_regret();
        }
        match [("output", &self.output), ("resume", &self.resume)].iter().find(|(_, o)| o.is_some())
        {
            None => self.check.refuse_without_truth(),
            Some((name, _)) => Err(Failure::Usage(format!(
                "`tune --regret` writes no profile and would ignore `--{name}`: leave out one of them"
            ))),
        }
    }
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    args.refuse_ignored()?;
    let begin = Instant::now();
    let budget = args.budget.as_secs_f64();
    let mut plan = PlanOptions::new();
    plan.isa = options.isa;
    let mut layers: Vec<Layer> = Vec::new();
    for entry in selection::layers(options)? {
        // Bias and activation hardly matter, and a profile holds for any of them.
        let layer = entry.layer.activation(Activation::None).bias(true);
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    if args.regret {
        return tune_regret::run(&args.check, budget, &plan, &layers, options.threads, output);
    }
    let threads = options.threads();
    let pool = pool(threads)?;
    plan.threads = threads;
    let mut profile = match &args.resume {
        Some(path) => load(path)?,
        None => Profile::new(),
    };
    let chosen = layers.len();
    layers.retain(|layer| !profile.knows(layer, threads));
    if layers.len() < chosen {
        output::note(format_args!("{} of {chosen} layers known already", chosen - layers.len()));
    }
    let path = match args.output.clone().or_else(kept::cached) {
        Some(path) => kept::free(&path),
        None => {
            return Err(Failure::Machine {
                what: "no cache folder",
                why: "the platform names none: say where with -o FILE".to_owned(),
            });
        }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Failure::writing(folder))?;
    }
    let interrupt = interrupt::install()?;
    let progress = ProgressBar::of("tune", layers.len());
    let (mut before, mut left) = (Vec::new(), 0);
    for layer in &layers {
        // The rest of the budget is for the second look.
        if begin.elapsed().as_secs_f64() >= budget * 0.85 || interrupt.asked() {
            left += 1;
            continue;
        }
        progress.at(layer);
        let tuned = tune(layer, &plan, &[], pool.as_ref())?;
        profile.learn(tuned.measured);
        before.push((*layer, tuned.regret));
        write(&path, &profile)?;
        progress.step();
    }
    drop(progress);
    let enough = |share: f64| begin.elapsed().as_secs_f64() >= budget * share || interrupt.asked();
    if !before.is_empty() {
        look(&before, &plan, &mut profile, pool.as_ref(), || enough(0.85))?;
        write(&path, &profile)?;
    }
    let again = again(&before, &plan, &profile, pool.as_ref(), || enough(1.0))?;
    let (model, model_worst) = summary(&again.iter().map(|a| a.0).collect::<Vec<_>>());
    let (tuned, tuned_worst) = summary(&again.iter().map(|a| a.1).collect::<Vec<_>>());
    let seconds = begin.elapsed().as_secs_f64();
    let printed = if output.json {
        output.row(&json!({
            "profile": path, "layers": before.len(), "left": left, "checked": again.len(),
            "seconds": seconds, "model_geomean": model, "model_worst": model_worst,
            "profile_geomean": tuned, "profile_worst": tuned_worst,
        }))
    } else if before.is_empty() {
        output.line("nothing to measure")
    } else {
        output.line(format_args!(
            "{} layers in {seconds:.0} s; measured again, {} of them: regret {model:.3} (worst \
             {model_worst:.3}) → {tuned:.3} (worst {tuned_worst:.3})\nuse it: POINTWISE_PROFILE={}",
            before.len(),
            again.len(),
            path.display(),
        ))
    };
    if left > 0 {
        output::note(format_args!("{left} layers left: go on with --resume {}", path.display()));
    }
    interrupt.signal().map_or(Outcome::Fine, Outcome::Interrupted).printed(printed)
}

/// How often each layer is looked at again, as far as the budget allows.
const LOOKS: usize = 3;

/// Measures the best few candidates of each layer again, in rounds over all layers, until the budget is
/// spent. A disturbance is over by the time of the next round.
fn look(
    before: &[(Layer, f64)],
    plan: &PlanOptions,
    profile: &mut Profile,
    pool: Option<&ThreadPool>,
    enough: impl Fn() -> bool,
) -> Result<(), Failure> {
    let progress = ProgressBar::of("look again", before.len() * LOOKS);
    for (layer, _) in (0..LOOKS).flat_map(|_| before) {
        if enough() {
            break;
        }
        progress.at(layer);
        look_again(profile, layer, plan, &[], pool)?;
        progress.step();
    }
    Ok(())
}

/// Measures the regret of the model's and of the profile's choices among the best few candidates, until
/// the budget is spent.
fn again(
    before: &[(Layer, f64)],
    plan: &PlanOptions,
    profile: &Profile,
    pool: Option<&ThreadPool>,
    enough: impl Fn() -> bool,
) -> Result<Vec<(f64, f64)>, Failure> {
    let learned = Arc::new(profile.clone());
    let unlearned = Arc::new(Profile::new());
    let best = |layer: &Layer, profile: &Arc<Profile>| {
        Plan::candidates(layer, &plan.clone().profile(profile.clone())).map(|c| c.ranked)
    };
    // New times, because the choices must not be judged by the times that they were made by.
    let mut seen = Profile::new();
    let progress = ProgressBar::of("check", before.len() * LOOKS);
    for (layer, _) in (0..LOOKS).flat_map(|_| before) {
        if enough() {
            break;
        }
        progress.at(layer);
        let mut candidates = best(layer, &learned)?;
        candidates.truncate(6);
        candidates.extend(best(layer, &unlearned)?.first());
        look_again(&mut seen, layer, plan, &candidates, pool)?;
        progress.step();
    }
    let mut regrets = Vec::new();
    for (layer, _) in before {
        let measured = seen.of(layer, plan.threads);
        let least = measured.iter().map(|m| m.ns).fold(f64::INFINITY, f64::min);
        let time = |ranked: &[Candidate]| {
            let is = |m: &&Measured| {
                let m = (m.kernel, m.blocking, m.split);
                ranked.first().is_some_and(|c| m == (c.kernel, c.blocking, c.split))
            };
            measured.iter().find(is).map(|m| m.ns)
        };
        let times = (time(&best(layer, &unlearned)?), time(&best(layer, &learned)?));
        if let (Some(model), Some(profile)) = times {
            regrets.push((model / least, profile / least));
        }
    }
    Ok(regrets)
}
