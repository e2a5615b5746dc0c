//! `pointwise bench --pass` and `--siblings`: all 1×1 layers of a network in order, or its groups of
//! layers that read one input; contenders in turns.

use super::bench_pass_tables::{self as tables, MeasuredNetwork};
use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset, reason};
use super::interrupt;
use super::options::{Options, cpus};
use super::output::{Output, note};
use super::progress::ProgressBar;
use super::record_file::Rows;
use super::selection;
use pointwise::{Layer, Layout};
use pointwise_harness::catalog::{self, Entry};
use pointwise_harness::contender::{Contender, Prepared};
use pointwise_harness::machine::{CacheLevel, Ceilings, Effort};
use pointwise_harness::measure::{Cache, Session, Settings, measure_under_ceiling};
use pointwise_harness::pass::{Pass, Step, Unfit, Unit, order};
use pointwise_harness::record::environment::Watch;
use pointwise_harness::record::{Record, Subject};
use pointwise_harness::timing::pool::pool;
use pointwise_harness::timing::progress::Progress;
use pointwise_harness::timing::stats::{Samples, Summary};
use rayon::ThreadPool;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

/// The seed of the data that is timed.
const SEED: u64 = 1;

/// The options of `bench` that passes have.
pub(super) struct Asked<'a> {
    pub(super) file: Option<&'a Path>,
    pub(super) time: Option<Duration>,
    pub(super) effort: Effort,
    /// Whether the groups of layers that read one input are measured instead of whole passes.
    pub(super) siblings: bool,
}

/// The shared options that passes take.
pub(super) const TAKES: &str =
    "network layer kernel contender layout shuffle layers threads cache isa sharing peers json";

pub(super) fn run(
    asked: &Asked<'_>,
    options: &Options,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let cache = match options.cache {
        _ if asked.siblings => {
            options.refuse_passes()?;
            options.cache()
        }
        None | Some(Cache::Network) => Cache::Network,
        Some(Cache::Cold | Cache::NetworkCold) => Cache::NetworkCold,
        Some(Cache::Hot) => {
            let why = "a pass has no hot caches: `--cache network` or `--cache cold`";
            return Err(Failure::Usage(why.to_owned()));
        }
    };
    if !options.layer.is_empty() {
        let why = "passes and groups are of whole networks: choose with --network, not --layer";
        return Err(Failure::Usage(why.to_owned()));
    }
    let mut networks = networks(options)?;
    if asked.siblings {
        networks = groups(networks);
        if networks.is_empty() {
            let why = "no layers of these networks read one input";
            return Err(Failure::Usage(why.to_owned()));
        }
    }
    let field = field::contenders(options, Preset::Pass)?;
    let present = fault::planted(field.present()?);
    let mut kept = Rows::to(asked.file)?;
    field.tell_absent(options);
    let interrupt = interrupt::install()?;
    let settings = match asked.effort {
        Effort::Quick => Settings::quick(cache),
        Effort::Thorough => Settings::thorough(cache),
    };
    // One pass takes as long as several samples of a layer.
    let longer = settings.budget * if cache.is_pass() { 5 } else { 1 };
    let settings = settings.budget(longer);
    let settings = asked.time.map_or(settings.clone(), |time| settings.budget(time));
    let threads = options.threads();
    if threads > cpus() {
        note(format_args!("{threads} threads on {} CPUs will wait for one another", cpus()));
    }
    let pool = pool(threads)?;
    let caches = CacheLevel::detect();
    let progress = ProgressBar::default();
    let mut watch = Watch::start();
    let mut ceilings = Ceilings::measure(&pool, &caches, asked.effort, &progress);
    let mut session = Session::new(settings, &caches, threads);
    let all = networks.len();
    let (mut measured, mut wrong) = (Vec::new(), 0);
    let mut run = PassRun { options, cache, pool: &pool, progress: &progress, wrong: &mut wrong };
    progress.begin("pass", all as u64);
    let done = networks.into_iter().take_while(|_| !interrupt.asked()).try_for_each(|network| {
        let (name, layout, steps) = network;
        progress.at(format_args!("{name} {layout}"));
        let network = run.network(name, layout, steps, &present, &mut session, &mut ceilings)?;
        network.rows.iter().try_for_each(|record| kept.add(record, output, &progress))?;
        measured.push(network);
        watch.sample();
        progress.step();
        Ok(())
    });
    progress.end();
    drop(progress);
    if let Err(failure) = done {
        kept.abandon()?;
        return Err(failure);
    }
    let environment = watch.finish(&session, ceilings);
    let signal = interrupt.signal();
    kept.end(signal.is_some(), &environment)?;
    let printed = if output.json { Ok(()) } else { tables::print(&measured, output) };
    let outcome = match signal {
        Some(signal) => {
            note(format_args!("interrupted: {} of {all} networks were measured", measured.len()));
            Outcome::Interrupted(signal)
        }
        None if wrong > 0 => Outcome::WrongResult,
        None => Outcome::Fine,
    };
    outcome.printed(printed)
}

/// The selected networks in each layout asked for, with their steps.
fn networks(options: &Options) -> Result<Vec<(String, Layout, Vec<Step>)>, Failure> {
    let mut networks: Vec<(String, Layout, Vec<Entry>)> = Vec::new();
    for entry in selection::layers(options)? {
        let layout = entry.layer.layout;
        match networks.iter_mut().find(|(name, of, _)| (&entry.network, layout) == (name, *of)) {
            Some((_, _, entries)) => entries.push(entry),
            None => networks.push((entry.network.clone(), layout, vec![entry])),
        }
    }
    let text = |name: &str| match &options.layers {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::Content { path: path.clone(), why: error.to_string() }),
        None => {
            let found = catalog::networks().iter().find(|network| network.name == name);
            Ok(found.map(|network| network.text.to_owned()).unwrap_or_default())
        }
    };
    networks
        .into_iter()
        .map(|(name, layout, entries)| {
            let steps = order(&entries, &text(&name)?).map_err(|error| Failure::Content {
                path: options.layers.clone().unwrap_or_else(|| name.clone().into()),
                why: error.to_string(),
            })?;
            Ok((name, layout, steps))
        })
        .collect()
}

/// The groups of layers that read one input, each once and as a network of its own.
fn groups(networks: Vec<(String, Layout, Vec<Step>)>) -> Vec<(String, Layout, Vec<Step>)> {
    let mut groups: Vec<(String, Layout, Vec<Step>)> = Vec::new();
    for (network, layout, steps) in networks {
        for step in steps.into_iter().filter(|step| step.layers.len() > 1) {
            let group = (network.clone(), layout, vec![step]);
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
    }
    groups
}

/// The parts of a run that all its networks share.
struct PassRun<'r> {
    options: &'r Options,
    cache: Cache,
    pool: &'r ThreadPool,
    progress: &'r ProgressBar,
    /// The number of wrong results.
    wrong: &'r mut usize,
}

impl PassRun<'_> {
    /// Measures the contenders that can run the whole network, in turns.
    fn network(
        &mut self,
        name: String,
        layout: Layout,
        steps: Vec<Step>,
        field: &[&dyn Contender],
        session: &mut Session,
        ceilings: &mut Ceilings,
    ) -> Result<MeasuredNetwork, Failure> {
        let pass = Pass::new(steps, SEED).map_err(|refusal| Failure::Machine {
            what: "cannot make the data",
            why: format!("{name}: {}", reason(&refusal)),
        })?;
        let (threads, isa) = (self.options.threads(), self.options.isa);
        let (mut ready, mut takes_part) = (Vec::new(), Vec::new());
        for contender in field {
            self.progress.at(format_args!("{name} {layout}: {} is checked", contender.name()));
            // It is prepared within the pool, because a contender may bind itself to the pool's threads.
            match self.pool.install(|| pass.prepare(*contender, threads, isa)) {
                Ok(passing) => {
                    takes_part.push((
                        *contender,
                        passing.units(),
                        passing.kernels(),
                        passing.times(),
                    ));
                    ready.push(Box::new(passing) as Box<dyn Prepared>);
                }
                Err(unfit) => self.tell(&name, layout, contender.name(), &unfit),
            }
        }
        self.progress.at(format_args!("{name} {layout}"));
        let (samples, ceilings) =
            measure_under_ceiling(session, &mut ready, ceilings, isa, self.pool, self.progress);
        let ceilings = &ceilings;
        let (bytes, steps) = (pass.bytes(), pass.steps().to_vec());
        let mut network = MeasuredNetwork { name, layout, bytes, steps, rows: Vec::new() };
        for ((contender, units, kernels, times), samples) in takes_part.into_iter().zip(samples) {
            let total = match samples {
                Ok(samples) => samples,
                Err(refusal) => {
                    let why = reason(&refusal);
                    self.progress
                        .aside(|| note(format_args!("{} left out: {why}", contender.name())));
                    continue;
                }
            };
            let Some(summary) = total.summary() else { continue };
            let times = times.lock().unwrap_or_else(PoisonError::into_inner);
            let subject = |name: &str, layer: Layer, kernel: &str| Subject {
                network: network.name.clone(),
                name: name.to_owned(),
                layer,
                contender: contender.name().to_owned(),
                version: contender.version(),
                kernel: kernel.to_owned(),
                threads,
                cache: self.cache,
                isa,
                prepacked: contender.prepacks(),
                verified: true,
            };
            if !self.cache.is_pass() {
                // The network is a group.
                let group = parts(pass.steps(), &units).swap_remove(0);
                let subject = subject(&group.name, group.layer, &common(&kernels));
                network.rows.push(record(subject, &summary, None, ceilings)?);
                continue;
            }
            let layers: Vec<Layer> = pass.layers().copied().collect();
            let whole = subject("", layers[0], "");
            network.rows.push(record(whole, &summary, Some(&layers), ceilings)?);
            for part in parts(pass.steps(), &units) {
                // The mean time of the part, which may occur several times in a pass.
                let mean = |sample: &Vec<f64>| {
                    let sum: f64 = part.units.iter().map(|unit| sample[*unit]).sum();
                    sum / part.runs as f64
                };
                let ns = times.iter().map(mean).collect();
                let Some(summary) = (Samples { ns, iterations: 1 }).summary() else { continue };
                let own: Vec<String> = part.units.iter().map(|u| kernels[*u].clone()).collect();
                let kernel = common(&own);
                let subject = subject(&part.name, part.layer, &kernel);
                network.rows.push(record(subject, &summary, None, ceilings)?);
            }
        }
        Ok(network)
    }

    fn tell(&mut self, network: &str, layout: Layout, contender: &str, unfit: &Unfit) {
        let text = match unfit {
            Unfit::Refused { layer, refusal } => {
                format!("{contender} left out of {network} {layout}, {layer}: {}", reason(refusal))
            }
            Unfit::Wrong(mismatch) => {
                *self.wrong += 1;
                format!("WRONG, not timed: {mismatch}")
            }
        };
        self.progress.aside(|| note(text));
    }
}

/// A part of a pass that has a row: a layer, or layers that read one input.
struct Part {
    name: String,
    /// The layer, or for a group a layer with all outputs of the group.
    layer: Layer,
    /// The indices of its units, of all its occurrences.
    units: Vec<usize>,
    /// The number of its occurrences.
    runs: usize,
}

/// The kernel, if all are the same; otherwise an empty name.
fn common(kernels: &[String]) -> String {
    match kernels {
        [first, rest @ ..] if rest.iter().all(|kernel| kernel == first) => first.clone(),
        _ => String::new(),
    }
}

/// The parts of a pass that have a row, in order: layers that are run by themselves, and groups.
fn parts(steps: &[Step], units: &[Unit]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut add = |name: &str, layer: Layer, units: &[usize]| match parts
        .iter_mut()
        .find(|part| part.name == name)
    {
        Some(part) => {
            part.units.extend(units);
            part.runs += 1;
        }
        None => {
            parts.push(Part { name: name.to_owned(), layer, units: units.to_vec(), runs: 1 });
        }
    };
    for (index, step) in steps.iter().enumerate() {
        let own: Vec<usize> = (0..units.len()).filter(|unit| units[*unit].step == index).collect();
        if step.layers.len() > 1 {
            let mut layer = step.layers[0].layer;
            layer.k = step.layers.iter().map(|entry| entry.layer.k).sum();
            add(&step.name, layer, &own);
        }
        for unit in own {
            if let Some(layer) = units[unit].layer {
                let entry = &step.layers[layer];
                add(&entry.name, entry.layer, &[unit]);
            }
        }
    }
    parts
}

fn record(
    subject: Subject,
    summary: &Summary,
    whole: Option<&[Layer]>,
    ceilings: &Ceilings,
) -> Result<Record, Failure> {
    match whole {
        Some(layers) => Record::of_pass(subject, layers, summary, ceilings),
        None => Record::new(subject, summary, ceilings),
    }
    .map_err(|error| Failure::Machine { what: "cannot make a record", why: error.to_string() })
}
