//! `pointwise bench --pass`: all 1×1 layers of a network in order, contenders in turns.

use super::bench;
use super::failure::{Failure, Outcome};
use super::fault;
use super::field::{self, Preset, reason};
use super::interrupt;
use super::options::{Options, cpus};
use super::output::{Output, note};
use super::pass_tables as tables;
use super::progress::Progress;
use super::selection;
use pointwise::{Layer, Layout};
use pointwise_harness::catalog::{self, Entry};
use pointwise_harness::contender::{Contender, Prepared};
use pointwise_harness::machine::{Beside, CacheLevel, Ceilings, Effort};
use pointwise_harness::measure::{
    self, Cache, Progress as _, Samples, Session, Settings, Summary, stats,
};
use pointwise_harness::pass::{Pass, Step, Unfit, Unit, order};
use pointwise_harness::record::{Record, Subject};
use pointwise_harness::sidecar::Watch;
use rayon::ThreadPool;
use std::sync::PoisonError;

/// The seed of the data that is timed.
const SEED: u64 = 1;

/// One network in one layout, measured.
pub(super) struct Network {
    pub(super) name: String,
    pub(super) layout: Layout,
    pub(super) steps: Vec<Step>,
    /// Bytes that a pass goes through.
    pub(super) bytes: usize,
    pub(super) rows: Vec<Record>,
}

/// Runs `bench --pass`.
pub(super) fn run(
    args: &bench::Args,
    options: &Options,
    output: &mut Output,
) -> Result<Outcome, Failure> {
    let cache = match options.cache {
        _ if args.siblings => {
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
    if args.siblings {
        networks = groups(networks);
        if networks.is_empty() {
            let why = "no layers of these networks read one input";
            return Err(Failure::Usage(why.to_owned()));
        }
    }
    let field = field::contenders(options, Preset::Pass)?;
    let present = fault::planted(field.present()?);
    let mut writer = args.file.as_deref().map(bench::open).transpose()?;
    field.tell_absent(options);
    let interrupt = interrupt::install()?;
    let settings = match args.quick {
        true => Settings::quick(cache),
        false => Settings::thorough(cache),
    };
    // A pass takes as long as several samples of a layer.
    let longer = settings.budget * if cache.is_pass() { 5 } else { 1 };
    let settings = settings.budget(longer);
    let settings = args.time.map_or(settings.clone(), |time| settings.budget(time));
    let threads = options.threads();
    if threads > cpus() {
        note(format_args!("{threads} threads on {} CPUs will wait for one another", cpus()));
    }
    let pool = measure::pool(threads)?;
    let caches = CacheLevel::detect();
    let progress = Progress::default();
    let mut watch = Watch::start();
    let effort = if args.quick { Effort::Quick } else { Effort::Thorough };
    let mut ceilings = Ceilings::measure(&pool, &caches, effort, &progress);
    let mut session = Session::new(settings, &caches, threads);
    let all = networks.len();
    let (mut measured, mut wrong) = (Vec::new(), 0);
    let mut run = Run { options, cache, pool: &pool, progress: &progress, wrong: &mut wrong };
    progress.begin("pass", all as u64);
    let mut reader_left = false;
    let done = networks.into_iter().take_while(|_| !interrupt.asked()).try_for_each(|network| {
        let (name, layout, steps) = network;
        progress.at(format_args!("{name} {layout}"));
        let network = run.network(name, layout, steps, &present, &mut session, &mut ceilings)?;
        for record in &network.rows {
            if let Some(writer) = &mut writer {
                writer.append(record)?;
            }
            if output.json && !reader_left {
                match progress.aside(|| output.row(record)) {
                    // With -o the records are still wanted.
                    Err(Failure::ClosedPipe) if writer.is_some() => reader_left = true,
                    other => other?,
                }
            }
        }
        measured.push(network);
        watch.sample();
        progress.step();
        Ok(())
    });
    progress.end();
    drop(progress);
    if let Err(failure) = done {
        writer.as_ref().map(bench::abandon).transpose()?;
        return Err(failure);
    }
    let environment = watch.finish(&session, ceilings);
    let signal = interrupt.signal();
    if let (Some(writer), Some(path)) = (writer, args.file.as_deref()) {
        let records: Vec<&Record> = measured.iter().flat_map(|network| &network.rows).collect();
        match signal {
            Some(_) => bench::keep(&writer, &environment)?,
            None => bench::finish(writer, &records, &environment, path)?,
        }
    }
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

/// The networks that the filters let through, in each layout asked for, with their steps.
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

/// Each group of layers that read one input, once, as if it were a network of its own.
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

/// What all networks of a run have in common.
struct Run<'r> {
    options: &'r Options,
    cache: Cache,
    pool: &'r ThreadPool,
    progress: &'r Progress,
    /// Contenders that computed something wrong.
    wrong: &'r mut usize,
}

impl Run<'_> {
    /// Measures the contenders that can run the whole network, in turns.
    fn network(
        &mut self,
        name: String,
        layout: Layout,
        steps: Vec<Step>,
        field: &[&dyn Contender],
        session: &mut Session,
        ceilings: &mut Ceilings,
    ) -> Result<Network, Failure> {
        let pass = Pass::new(steps, SEED).map_err(|refusal| Failure::Machine {
            what: "cannot make the data",
            why: format!("{name}: {}", reason(&refusal)),
        })?;
        let (threads, isa) = (self.options.threads(), self.options.isa);
        let (mut ready, mut takes_part) = (Vec::new(), Vec::new());
        for contender in field {
            self.progress.at(format_args!("{name} {layout}: {} is checked", contender.name()));
            // Within the pool, for a contender may bind itself to the threads that it finds.
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
        // The last of the field, and no contender: the ceiling, at the clock rate of this network.
        let beside = Beside::new(ceilings, threads, isa);
        ready.extend(beside.clone().map(|beside| Box::new(beside) as Box<dyn Prepared>));
        let mut samples = self.pool.install(|| session.measure(&mut ready, self.progress));
        ceilings.raise(self.pool);
        let mut here = ceilings.clone();
        if let Some(beside) = beside
            && let Some(summary) = samples.pop().and_then(|samples| samples.ok()?.summary())
        {
            here = here.at_most(threads, beside.gflops(summary.median));
        }
        let ceilings = &here;
        let mut network =
            Network { name, layout, bytes: pass.bytes(), steps: Vec::new(), rows: Vec::new() };
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
                // A group by itself.
                let group = parts(pass.steps(), &units).swap_remove(0);
                let subject = subject(&group.name, group.layer, &common(&kernels));
                network.rows.push(record(subject, &summary, None, ceilings)?);
                continue;
            }
            let layers: Vec<Layer> = pass.layers().copied().collect();
            let whole = subject("", layers[0], "");
            network.rows.push(record(whole, &summary, Some(&layers), ceilings)?);
            for part in parts(pass.steps(), &units) {
                // The time of a run of the part: it may occur several times in a pass.
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
        network.steps = pass.steps().to_vec();
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
    /// With all of their outputs together.
    layer: Layer,
    /// The units that are it, of all its occurrences.
    units: Vec<usize>,
    /// How often it occurs.
    runs: usize,
}

/// The kernel that all have in common, or nothing.
fn common(kernels: &[String]) -> String {
    match kernels {
        [first, rest @ ..] if rest.iter().all(|kernel| kernel == first) => first.clone(),
        _ => String::new(),
    }
}

/// The layers that are run by themselves and the groups, together or not, in order.
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

/// The geometric mean of the values, if there are any.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    stats::geometric_mean(values)
}
