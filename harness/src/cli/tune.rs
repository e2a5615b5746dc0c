//! `pointwise tune`: measures candidates on this machine and writes what it learned.

use super::failure::{Failure, Outcome};
use super::interrupt;
use super::options::Options;
use super::output::{self, Output};
use super::progress::Progress;
use super::selection;
use super::table::Table;
use pointwise::{Layer, Layout, PlanOptions, Profile};
use pointwise_harness::tune::{random_layers, summary, tune};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Measure candidates on this machine and write a profile, or check the choices (`--regret`)
///
/// Successive halving over the candidates that the model ranks highest, layer by layer. The
/// profile is written after each layer, beside an older file of that name, never over it.
/// `POINTWISE_PROFILE=FILE` makes plans use it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  pointwise tune --network resnet50
  pointwise tune --layers mine.txt -o mine.profile --budget 60
  pointwise tune --network resnet50 --resume pointwise.profile
  pointwise tune --regret --network resnet50 --random 200")]
pub(super) struct Args {
    /// Seconds to spend; layers left over are reported
    #[arg(long, default_value_t = 180.0, value_name = "SECONDS")]
    budget: f64,

    /// Where to write the profile; if it exists, the next free FILE.2, FILE.3, …
    #[arg(short, long, default_value = "pointwise.profile", value_name = "FILE")]
    output: PathBuf,

    /// Start from this profile: layers in it are not measured again
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,

    /// Write nothing: print how much the choices of the model, and of the profile, lose
    #[arg(long)]
    regret: bool,

    /// With `--regret`: this many random layers as well, that no tuning has seen
    #[arg(long, default_value_t = 200, value_name = "N")]
    random: usize,

    /// Seed of the random layers
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,

    /// The profile that `--regret` checks
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

fn load(path: &Path) -> Result<Profile, Failure> {
    Profile::load(path)
        .map_err(|error| Failure::Content { path: path.to_owned(), why: error.to_string() })
}

pub(super) fn run(args: &Args, options: &Options, output: &mut Output) -> Result<Outcome, Failure> {
    let threads = options.threads();
    let pool =
        match threads {
            1 => None,
            _ => Some(rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(
                |error| Failure::Machine { what: "no thread pool", why: error.to_string() },
            )?),
        };
    let mut plan = PlanOptions::new().threads(threads);
    plan.isa = options.isa;
    let mut layers: Vec<Layer> = Vec::new();
    for entry in selection::layers(options)? {
        if !layers.contains(&entry.layer) {
            layers.push(entry.layer);
        }
    }
    if args.regret {
        return regret(args, &plan, &layers, pool.as_ref(), output);
    }
    let mut profile = match &args.resume {
        Some(path) => load(path)?,
        None => Profile::new(),
    };
    layers.retain(|layer| !profile.knows(layer, threads));
    let path = beside(&args.output);
    let interrupt = interrupt::install()?;
    let progress = Progress::of("tune", layers.len());
    let begin = Instant::now();
    let (mut before, mut left) = (Vec::new(), 0);
    for layer in &layers {
        if begin.elapsed().as_secs_f64() >= args.budget || interrupt.asked() {
            left += 1;
            continue;
        }
        progress.at(layer);
        let tuned = tune(layer, &plan, None, pool.as_ref())?;
        for measured in tuned.measured {
            profile.add(measured);
        }
        before.push((*layer, tuned.regret));
        write(&path, &profile)?;
        progress.step();
    }
    drop(progress);
    // A second look at what was learned: the same measuring, the profile's choices beside the
    // model's.
    let profile = Arc::new(profile);
    let mut after = Vec::new();
    for (layer, _) in &before {
        if begin.elapsed().as_secs_f64() >= args.budget * 1.5 || interrupt.asked() {
            break;
        }
        let tuned = tune(layer, &plan, Some(&profile), pool.as_ref())?;
        after.push((tuned.regret, tuned.profile_regret.unwrap_or(tuned.regret)));
    }
    let (model, model_worst) = summary(&before.iter().map(|b| b.1).collect::<Vec<_>>());
    let (tuned, tuned_worst) = summary(&after.iter().map(|a| a.1).collect::<Vec<_>>());
    if output.json {
        output.row(&json!({
            "profile": path, "layers": before.len(), "left": left, "checked": after.len(),
            "model_geomean": model, "model_worst": model_worst,
            "profile_geomean": tuned, "profile_worst": tuned_worst,
        }))?;
    } else if before.is_empty() {
        output.line("nothing to measure")?;
    } else {
        output.line(format_args!(
            "{} layers in {:.0} s: regret {model:.3} (worst {model_worst:.3}) → {tuned:.3} (worst \
             {tuned_worst:.3}, measured again)",
            before.len(),
            begin.elapsed().as_secs_f64()
        ))?;
        output.line(format_args!("use it: POINTWISE_PROFILE={}", path.display()))?;
    }
    if left > 0 {
        output::note(format_args!("{left} layers left: go on with --resume {}", path.display()));
    }
    Ok(interrupt.signal().map_or(Outcome::Fine, Outcome::Interrupted))
}

/// `path`, or the first of `path.2`, `path.3`, … that does not exist.
fn beside(path: &Path) -> PathBuf {
    let mut free = path.to_owned();
    let mut number = 2;
    while free.exists() {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        (free, number) = (PathBuf::from(name), number + 1);
    }
    free
}

/// Writes the whole profile, or leaves the one written before.
fn write(path: &Path, profile: &Profile) -> Result<(), Failure> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    std::fs::write(&part, profile.to_string()).map_err(Failure::writing(&part))?;
    std::fs::rename(&part, path).map_err(Failure::writing(path))
}

fn regret(
    args: &Args,
    plan: &PlanOptions,
    layers: &[Layer],
    pool: Option<&rayon::ThreadPool>,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let profile = args.profile.as_deref().map(load).transpose()?.map(Arc::new);
    let random = random_layers(args.seed, args.random, 1_000_000_000);
    let interrupt = interrupt::install()?;
    let progress = Progress::of("regret", layers.len() + random.len());
    let begin = Instant::now();
    let mut table = Table::default()
        .text("layers")
        .text("layout")
        .figure("threads")
        .figure("n")
        .figure("model")
        .figure("worst")
        .figure("profile")
        .figure("worst");
    let mut worst = Vec::new();
    for (set, layers) in [("chosen", layers), ("random", &random[..])] {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            let (mut model, mut tuned) = (Vec::new(), Vec::new());
            for layer in layers.iter().filter(|layer| layer.layout == layout) {
                if begin.elapsed().as_secs_f64() >= args.budget || interrupt.asked() {
                    continue;
                }
                progress.at(layer);
                let found = tune(layer, plan, profile.as_ref(), pool)?;
                model.push(found.regret);
                tuned.extend(found.profile_regret);
                worst.push((found.regret, *layer, found.measured[0].kernel.name()));
                progress.step();
            }
            if model.is_empty() {
                continue;
            }
            let ((m, mw), (t, tw)) = (summary(&model), summary(&tuned));
            if output.json {
                output.row(&json!({
                    "layers": set, "layout": layout.name(), "threads": plan.threads,
                    "n": model.len(), "model_geomean": m, "model_worst": mw,
                    "profile_geomean": (!tuned.is_empty()).then_some(t),
                    "profile_worst": (!tuned.is_empty()).then_some(tw),
                }))?;
            }
            let known = |v: f64| if tuned.is_empty() { "-".into() } else { format!("{v:.3}") };
            table.row([
                set.to_owned(),
                layout.name().to_owned(),
                plan.threads.to_string(),
                model.len().to_string(),
                format!("{m:.3}"),
                format!("{mw:.3}"),
                known(t),
                known(tw),
            ]);
        }
    }
    drop(progress);
    if !output.json {
        output.table(&table)?;
        worst.sort_by(|a, b| b.0.total_cmp(&a.0));
        output.line("the model's worst:")?;
        for (regret, layer, best) in worst.iter().take(5) {
            output.line(format_args!("  {regret:.3} {layer}, best {best}"))?;
        }
    }
    Ok(interrupt.signal().map_or(Outcome::Fine, Outcome::Interrupted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_profile_is_never_replaced() {
        let folder = std::env::temp_dir().join(format!("pointwise-tune-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("p");
        assert_eq!(beside(&path), path);
        write(&path, &Profile::new()).unwrap();
        assert_eq!(beside(&path), folder.join("p.2"));
        assert_eq!(load(&path).unwrap(), Profile::new());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
