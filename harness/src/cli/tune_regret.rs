//! `pointwise tune --regret`: what the choices lose against the best candidates.

use super::failure::{Failure, Outcome};
use super::interrupt;
use super::output::{self, Output};
use super::profiles::{load, pool, write};
use super::progress::ProgressBar;
use super::table::Table;
use pointwise::{Layer, Layout, Measured, PlanOptions, Profile};
use pointwise_harness::regret::{Judged, RegretCase, Set, choices, judge, random_layers, summary};
use pointwise_harness::timing::progress::Progress as _;
use pointwise_harness::tune::{look_again, tune};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The multiply-adds of the largest random layer: a hundredth of a second on a fast core.
const MOST: u128 = 1_000_000_000;
/// The time between two writes of what was measured, s.
const WRITTEN: f64 = 5.0;
/// The regret above which `--again` measures again.
const LOSSY: f64 = 1.05;
/// The number of worst layers that are shown.
const WORST: usize = 5;

/// The number of random layers, and their seed, unless others are asked for.
const RANDOM: usize = 200;
const SEED: u64 = 1;

#[derive(clap::Args, Debug)]
#[group(skip)] // `tune` flattens these options into its own group
pub(super) struct Args {
    /// With `--regret`: this many random layers as well, that no tuning has seen [default: 200]
    #[arg(long, value_name = "N")]
    random: Option<usize>,

    /// With `--regret`: seed of the random layers [default: 1]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// With `--regret`: the profile that is checked, beside the model
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,

    /// With `--regret`: keep what is measured in FILE, and do not measure again what is there
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,

    /// With `--truth`: time the choices that lose more than 5% again, against the fastest few, and
    /// keep the shorter times
    #[arg(long)]
    again: bool,
}

impl Args {
    /// Refuses every option here, for `tune` without `--regret`.
    pub(super) fn refuse_without_regret(&self) -> Result<(), Failure> {
        let given = [
            ("random", self.random.is_some()),
            ("seed", self.seed.is_some()),
            ("profile", self.profile.is_some()),
            ("truth", self.truth.is_some()),
            ("again", self.again),
        ];
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((name, _)) => Err(Failure::Usage(format!(
                "`tune` would ignore `--{name}`, which goes with `--regret`: add that, or leave it out"
            ))),
        }
    }

    /// Refuses `--again` without a file that holds earlier times.
    pub(super) fn refuse_without_truth(&self) -> Result<(), Failure> {
        match self.again && self.truth.is_none() {
            false => Ok(()),
            true => {
                let why = "`--again` times again what `--truth FILE` holds: add that";
                Err(Failure::Usage(why.to_owned()))
            }
        }
    }
}

pub(super) fn run(
    args: &Args,
    budget: f64,
    plan: &PlanOptions,
    layers: &[Layer],
    threads: Option<usize>,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let begin = Instant::now();
    let profile = args.profile.as_deref().map(load).transpose()?.map(Arc::new);
    let random = random_layers(args.seed.unwrap_or(SEED), args.random.unwrap_or(RANDOM), MOST);
    let mut cases = Vec::new();
    // One thread and two, unless a number is asked for.
    for threads in threads.map_or(vec![1, 2], |n| vec![n]) {
        for (set, layers) in [(Set::Random, &random[..]), (Set::Catalog, layers)] {
            cases.extend(layers.iter().map(|layer| RegretCase { set, layer: *layer, threads }));
        }
    }
    let mut truth = match args.truth.as_deref() {
        Some(path) if path.exists() => load(path)?,
        _ => Profile::new(),
    };
    if let Some(path) = &args.truth {
        // A file that cannot be written is an error before anything is measured.
        write(path, &truth)?;
    }
    let interrupt = interrupt::install()?;
    let progress = ProgressBar::of("regret", cases.len());
    let mut judged = Vec::new();
    let (mut left, mut written) = (0, begin);
    let mut pools = Vec::new();
    for case in &cases {
        let chosen = choices(case, plan, profile.as_ref())?;
        let known = |truth: &Profile| {
            let measured: Vec<_> = truth.of(&case.layer, case.threads).iter().collect();
            judge(case, &measured, &chosen)
        };
        let mut found = known(&truth);
        let lossy = |judged: &Judged| judged.model.max(judged.profile.unwrap_or(1.0)) > LOSSY;
        if found.is_none() || args.again && found.as_ref().is_some_and(lossy) {
            if begin.elapsed().as_secs_f64() >= budget || interrupt.asked() {
                left += 1;
                judged.extend(found);
                continue;
            }
            progress.at(case.layer);
            if pools.iter().all(|(threads, _)| *threads != case.threads) {
                pools.push((case.threads, pool(case.threads)?));
            }
            let pool = pools.iter().find(|(threads, _)| *threads == case.threads);
            let pool = pool.and_then(|(_, pool)| pool.as_ref());
            let options = plan.clone().threads(case.threads);
            if found.is_none() {
                truth.learn(tune(&case.layer, &options, &chosen, pool)?.measured);
            } else {
                look_again(&mut truth, &case.layer, &options, &chosen, pool)?;
            }
            found = known(&truth);
            if let Some(path) = &args.truth
                && written.elapsed().as_secs_f64() > WRITTEN
            {
                write(path, &truth)?;
                written = Instant::now();
            }
        }
        judged.extend(found);
        progress.step();
    }
    drop(progress);
    if let Some(path) = &args.truth {
        write(path, &truth)?;
    }
    let printed = table(&judged, profile.is_some(), output);
    if left > 0 {
        let how = match &args.truth {
            Some(_) => "run the same again",
            None => "keep what is measured with --truth FILE, and go on with the same again",
        };
        output::note(format_args!("{left} of {} left: {how}", cases.len()));
    }
    interrupt.signal().map_or(Outcome::Fine, Outcome::Interrupted).printed(printed)
}

/// Prints a row for each set, layout and number of threads, and one for each whole set.
fn table(judged: &[Judged], profile: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = Table::default()
        .text("layers")
        .text("layout")
        .text("threads")
        .figure("n")
        .figure("model")
        .figure("worst")
        .figure("profile")
        .figure("worst");
    let mut row = |of: [&str; 3], judged: &[&Judged], output: &mut Output| {
        if judged.is_empty() {
            return Ok(());
        }
        let model: Vec<f64> = judged.iter().map(|j| j.model).collect();
        let tuned: Vec<f64> = judged.iter().filter_map(|j| j.profile).collect();
        let ((m, mw), (t, tw)) = (summary(&model), summary(&tuned));
        if output.json {
            let known = |v: f64| profile.then_some(v);
            output.row(&json!({
                "layers": of[0], "layout": of[1], "threads": of[2], "n": judged.len(),
                "model_geomean": m, "model_worst": mw,
                "profile_geomean": known(t), "profile_worst": known(tw),
            }))?;
        }
        let known = |v: f64| if profile { format!("{v:.3}") } else { "-".to_owned() };
        let figures = [format!("{m:.3}"), format!("{mw:.3}"), known(t), known(tw)];
        let names = of.map(str::to_owned).into_iter();
        table.row(names.chain([judged.len().to_string()]).chain(figures));
        Ok::<(), Failure>(())
    };
    let mut threads: Vec<usize> = judged.iter().map(|j| j.case.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    for set in [Set::Catalog, Set::Random] {
        for n in &threads {
            for layout in [Layout::Nhwc, Layout::Nchw] {
                let of = |j: &&Judged| {
                    j.case.set == set && j.case.threads == *n && j.case.layer.layout == layout
                };
                let some: Vec<&Judged> = judged.iter().filter(of).collect();
                row([set.name(), layout.name(), &n.to_string()], &some, output)?;
            }
        }
        let all: Vec<&Judged> = judged.iter().filter(|j| j.case.set == set).collect();
        row([set.name(), "all", "all"], &all, output)?;
    }
    if output.json {
        return Ok(());
    }
    output.table(&table)?;
    output.line(
        "regret: time of the choice ÷ time of the fastest candidate; geometric mean, worst",
    )?;
    let mut worst: Vec<&Judged> = judged.iter().collect();
    worst.sort_by(|a, b| b.model.total_cmp(&a.model));
    let model = |j: &Judged| Some((j.model, j.choice.clone()));
    told("the model's worst:", "model", &worst, model, output)?;
    if profile {
        worst.sort_by(|a, b| {
            b.profile.partial_cmp(&a.profile).unwrap_or(core::cmp::Ordering::Equal)
        });
        let tuned = |j: &Judged| j.profile.zip(j.tuned.clone());
        told("the profile's worst:", "profile", &worst, tuned, output)?;
    }
    Ok(())
}

fn told(
    title: &str,
    whose: &str,
    worst: &[&Judged],
    loss: impl Fn(&Judged) -> Option<(f64, Measured)>,
    output: &mut Output,
) -> Result<(), Failure> {
    output.line(title)?;
    for judged in worst.iter().take(WORST) {
        let Judged { case, best, .. } = judged;
        let Some((regret, choice)) = loss(judged) else { continue };
        let show = |m: &Measured| {
            let pack = if m.blocking.pack { "packed" } else { "in place" };
            format!(
                "{} {pack}, blocks of {}, {}×{} parts, {:.0} ns",
                m.kernel.name(),
                m.blocking.units,
                m.split.pixels,
                m.split.panels,
                m.ns
            )
        };
        output.line(format_args!(
            "  {regret:.3} {} --threads {}: {whose} {}; best {}",
            case.layer,
            case.threads,
            show(&choice),
            show(best)
        ))?;
    }
    Ok(())
}
