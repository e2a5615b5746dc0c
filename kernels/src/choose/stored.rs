//! Stored times of candidates, `reports/picking/*.txt`, and what the model's choices lose on them.
//!
//! ```text
//! cpu zen4
//! layer nchw/n1c100h14w14k200/g2/bias catalog 1 36830
//! avx512-pl-28x16 direct 1x1 1058 1026 1012 1001 1000
//! ```
//!
//! A layer with its set, threads, and nanoseconds of its fastest candidate; then a line a kernel,
//! packing and split: thousandths of that time for blocks of 1, 2, 4, … units. A dash stands for
//! what was not timed, or took twice the time of the fastest.

use crate::choose::candidate::{Candidate, Question, UNITS};
use crate::choose::problem::Problem;
use crate::choose::work::Work;
use crate::cpu::Cpu;
use crate::cut::Cut;
use crate::cut::blocking::Blocking;
use crate::cut::outlet::{Outlet, dense};
use crate::cut::panels::Panels;
use crate::cut::pixels::Pixels;
use crate::cut::split::Split;
use crate::describe::layer::Layer;
use crate::micro::isa::Isa;
use crate::micro::registry::{Kernel, kernels};
use std::collections::HashMap;
use std::fmt::Write;

/// What a choice counts that was not timed.
pub(super) const NOT_TIMED: f64 = 1.5;

/// Name of a set, and what its choices lose at most: in the mean, 99 in 100 of them, and how many
/// more than 1.3.
const BOUNDS: &[(&str, f64, f64, usize)] = &[
    ("zen4 catalog 1 thread(s) avx512", 1.011, 1.11, 0),
    ("zen4 random 1 thread(s) avx512", 1.024, 1.38, 5),
    ("zen4 catalog 1 thread(s) avx2", 1.015, 1.15, 1),
    ("zen4 random 1 thread(s) avx2", 1.035, 1.54, 20),
    ("zen4 catalog 2 thread(s) avx512", 1.057, 1.5, 29),
    ("zen4 random 2 thread(s) avx512", 1.077, 1.5, 12),
    ("zen5 catalog 1 thread(s) avx512", 1.010, 1.3, 3),
    ("zen5 random 1 thread(s) avx512", 1.016, 1.5, 2),
    ("zen5 catalog 2 thread(s) avx512", 1.035, 1.5, 10),
    ("zen5 random 2 thread(s) avx512", 1.033, 1.5, 6),
];

/// What is told apart among candidates of a layer.
pub(super) type Key = (&'static str, usize, bool, Split);

/// The times of one layer.
#[derive(Clone)]
pub(super) struct Timed {
    pub(super) text: String,
    pub(super) catalog: bool,
    pub(super) threads: usize,
    /// The widest ISA whose kernels are candidates.
    pub(super) most: Isa,
    layer: Layer,
    pixels: Pixels,
    outlet: Outlet,
    /// Nanoseconds of the fastest, and times as a multiple of these.
    pub(super) least: f64,
    pub(super) times: HashMap<Key, f64>,
}

/// The stored times of one CPU.
pub(super) struct Stored {
    pub(super) cpu: String,
    pub(super) layers: Vec<Timed>,
}

fn kernel(name: &str) -> &'static Kernel {
    let found = kernels().iter().find(|kernel| kernel.name().strip_prefix("f32-") == Some(name));
    found.unwrap_or_else(|| panic!("no kernel is called {name}"))
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/picking")
}

impl Timed {
    fn new(text: &str, catalog: bool, threads: usize) -> Self {
        let layer: Layer = text.parse().unwrap();
        let (pixels, outlet) = dense(&layer).unwrap();
        let text = text.to_owned();
        let (least, times) = (f64::INFINITY, HashMap::new());
        Timed { text, catalog, threads, most: Isa::Avx512, layer, pixels, outlet, least, times }
    }

    /// The same for a CPU capped at an ISA, if any of its kernels was timed.
    pub(super) fn capped(&self, most: Isa) -> Option<Timed> {
        let mut capped = Timed { most, ..self.clone() };
        capped.times.retain(|key, _| {
            kernels().iter().any(|kernel| kernel.name() == key.0 && kernel.isa().is_within(most))
        });
        let least = capped.times.values().copied().reduce(f64::min)?;
        capped.times.values_mut().for_each(|time| *time /= least);
        capped.least *= least;
        Some(capped)
    }

    /// Whether a kernel of this ISA was timed.
    fn has(&self, isa: Isa) -> bool {
        self.times.keys().any(|key| kernel(&key.0[4..]).isa() == isa)
    }

    /// Every candidate on a CPU.
    pub(super) fn candidates(&self, cpu: &Cpu) -> Vec<Candidate> {
        let runs = |kernel: &&Kernel| {
            kernel.isa() != Isa::Scalar
                && kernel.isa().is_within(self.most)
                && cpu.runs(kernel.isa())
        };
        let kernels: Vec<&'static Kernel> = kernels().iter().filter(runs).collect();
        let question = Question {
            layer: &self.layer,
            pixels: &self.pixels,
            outlets: std::slice::from_ref(&self.outlet),
            cpu,
            kernels: &kernels,
            blocking: None,
            split: None,
            threads: self.threads,
        };
        question.candidates()
    }

    /// What a candidate comes to.
    pub(super) fn work(&self, candidate: &Candidate) -> Work {
        let Candidate { kernel, blocking, split, .. } = *candidate;
        let panels = &Panels::new(std::iter::once(&self.layer), kernel);
        let blocking = Blocking::new(1, blocking.pack);
        let outlets = std::slice::from_ref(&self.outlet);
        let cut = Cut { kernel, blocking, pixels: &self.pixels, outlets, panels };
        Work::new(&Problem::new(&self.layer, &self.pixels), &cut, split)
    }

    /// What the model chooses for a CPU.
    pub(super) fn choice(&self, cpu: &Cpu) -> Key {
        let candidates = self.candidates(cpu);
        let best = candidates.iter().min_by(|a, b| a.cycles.total_cmp(&b.cycles)).unwrap();
        (best.kernel.name(), best.blocking.units, best.blocking.pack, best.split)
    }

    /// Time of the choice ÷ time of the fastest.
    pub(super) fn regret(&self, cpu: &Cpu) -> f64 {
        self.times.get(&self.choice(cpu)).copied().unwrap_or(NOT_TIMED)
    }
}

impl Stored {
    /// Every CPU's; none in a package, which has no reports.
    pub(super) fn all() -> Vec<Stored> {
        let Ok(files) = std::fs::read_dir(folder()) else { return Vec::new() };
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let text = files.iter().filter(|file| file.extension().is_some_and(|e| e == "txt"));
        text.map(|file| Stored::parse(&std::fs::read_to_string(file).unwrap())).collect()
    }

    pub(super) fn parse(text: &str) -> Stored {
        let mut stored = Stored { cpu: String::new(), layers: Vec::new() };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["cpu", name] => stored.cpu = name.to_owned(),
                ["layer", layer, set, threads, least] => {
                    let mut timed = Timed::new(layer, set == "catalog", threads.parse().unwrap());
                    timed.least = least.parse().unwrap();
                    stored.layers.push(timed);
                }
                [name, pack, split, ref times @ ..] => {
                    let (pixels, panels) = split.split_once('x').unwrap();
                    let (pixels, panels) = (pixels.parse().unwrap(), panels.parse().unwrap());
                    let split = Split { pixels, panels };
                    let layer = stored.layers.last_mut().unwrap();
                    for (units, time) in UNITS.iter().zip(times) {
                        if let Ok(time) = time.parse::<f64>() {
                            let key = (kernel(name).name(), *units, pack == "packed", split);
                            layer.times.insert(key, time / 1000.0);
                        }
                    }
                }
                _ => panic!("{line:?}"),
            }
        }
        stored
    }

    /// Of each layer what is within twice its fastest, or the fastest of AVX2.
    fn compact(&self, header: &str) -> String {
        let mut text = format!("{header}cpu {}\n", self.cpu);
        for layer in &self.layers {
            let set = if layer.catalog { "catalog" } else { "random" };
            writeln!(text, "layer {} {set} {} {}", layer.text, layer.threads, layer.least).unwrap();
            let narrow =
                layer.times.iter().filter(|(key, _)| kernel(&key.0[4..]).isa() != Isa::Avx512);
            let narrow = narrow.map(|(_, time)| *time).fold(f64::INFINITY, f64::min);
            let mut rows: Vec<(&str, bool, usize, usize)> = Vec::new();
            rows.extend(layer.times.keys().map(|(n, _, pack, s)| (*n, *pack, s.pixels, s.panels)));
            rows.sort_unstable();
            rows.dedup();
            for (name, pack, pixels, panels) in rows {
                let wide = kernel(&name[4..]).isa() == Isa::Avx512;
                let most = if wide { 2.0 } else { 2.0 * narrow };
                let times = UNITS.map(|units| {
                    layer.times.get(&(name, units, pack, Split { pixels, panels })).copied()
                });
                let times = times.map(|time| time.filter(|time| *time <= most));
                let Some(last) = times.iter().rposition(Option::is_some) else { continue };
                let pack = if pack { "packed" } else { "direct" };
                write!(text, "{} {pack} {pixels}x{panels}", &name[4..]).unwrap();
                for time in &times[..=last] {
                    match time {
                        Some(time) => write!(text, " {:.0}", time * 1000.0).unwrap(),
                        None => text.push_str(" -"),
                    }
                }
                text.push('\n');
            }
        }
        text
    }
}

/// What a set of choices loses.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses(Vec<(f64, String)>);

impl Losses {
    pub(super) fn of<'a>(layers: impl Iterator<Item = &'a Timed>, cpu: &Cpu) -> Losses {
        let layers: Vec<&Timed> = layers.collect();
        let lose = |layer: &&Timed| (layer.regret(cpu), layer.text.clone());
        use rayon::prelude::*;
        let mut losses: Vec<_> = layers.par_iter().map(lose).collect();
        losses.sort_by(|a, b| b.0.total_cmp(&a.0));
        Losses(losses)
    }

    pub(super) fn mean(&self) -> f64 {
        (self.0.iter().map(|loss| loss.0.ln()).sum::<f64>() / self.0.len() as f64).exp()
    }

    pub(super) fn worst(&self) -> f64 {
        self.0[0].0
    }

    /// What so many in a hundred lose at most.
    pub(super) fn percentile(&self, percent: f64) -> f64 {
        let beyond = (self.0.len() as f64 * (1.0 - percent / 100.0)) as usize;
        self.0[beyond].0
    }

    /// How many lose more.
    pub(super) fn beyond(&self, loss: f64) -> usize {
        self.0.iter().take_while(|one| one.0 > loss).count()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl std::fmt::Display for Losses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} layers, mean {:.4}, worst {:.3}, 99 in 100 within {:.3}, {} beyond 1.3, {} beyond 1.5",
            self.len(),
            self.mean(),
            self.worst(),
            self.percentile(99.0),
            self.beyond(1.3),
            self.beyond(1.5)
        )?;
        self.0.iter().take(5).try_for_each(|(loss, layer)| write!(f, "\n    {loss:.3} {layer}"))
    }
}

/// The sets that are told apart: name, threads, ISA, catalog.
pub(super) fn sets(stored: &Stored) -> Vec<(String, Vec<Timed>)> {
    let mut sets = Vec::new();
    for threads in [1, 2] {
        for most in [Isa::Avx512, Isa::Avx2] {
            for catalog in [true, false] {
                let of = |l: &&Timed| l.threads == threads && l.catalog == catalog;
                let layers = stored.layers.iter().filter(of);
                let layers: Vec<Timed> = match most {
                    Isa::Avx2 if threads == 1 => layers.filter_map(|l| l.capped(most)).collect(),
                    Isa::Avx2 => Vec::new(),
                    // Some layers were timed capped only.
                    _ => layers.filter(|layer| layer.has(most)).cloned().collect(),
                };
                // Layers of which a kernel or two was timed by chance tell nothing.
                let few = layers.iter().map(|l| l.times.len()).sum::<usize>() < 10 * layers.len();
                if layers.is_empty() || (most == Isa::Avx2 && few) {
                    continue;
                }
                let set = if catalog { "catalog" } else { "random" };
                let name = format!("{} {set} {threads} thread(s) {most}", stored.cpu);
                sets.push((name, layers));
            }
        }
    }
    sets
}

/// Prints what each CPU's file loses on its stored times, and the file of published facts alone.
#[test]
#[ignore = "prints a table"]
fn table() {
    let all = Stored::all();
    let others: Vec<Cpu> = all.iter().map(|stored| Cpu::named(&stored.cpu).unwrap()).collect();
    for stored in &all {
        let own = Cpu::named(&stored.cpu).unwrap();
        let other = others.iter().find(|cpu| cpu.name != stored.cpu).unwrap();
        let facts = own.facts(other);
        for (name, layers) in sets(stored) {
            println!("{name}: {}", Losses::of(layers.iter(), &own));
            println!("{name}, facts alone: {}", Losses::of(layers.iter(), &facts));
        }
    }
}

/// Writes stored times of a CPU from profiles: `POINTWISE_CPU=NAME POINTWISE_CATALOG=FILE
/// POINTWISE_PROFILES=FILE:… POINTWISE_HEADER=FILE cargo test --release -p pointwise --lib
/// stored::convert -- --ignored`; the catalog is a layer a line. Of equal candidates the shortest
/// time counts.
#[test]
#[ignore = "writes a file"]
fn convert() {
    let read = |name: &str| {
        let file = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        std::fs::read_to_string(&file).expect(&file)
    };
    let catalog = read("POINTWISE_CATALOG");
    let catalog: std::collections::HashSet<&str> = catalog.lines().collect();
    let cpu = std::env::var("POINTWISE_CPU").expect("POINTWISE_CPU");
    let mut stored = Stored { cpu: cpu.clone(), layers: Vec::new() };
    let mut at: HashMap<(String, usize), usize> = HashMap::new();
    for file in std::env::var("POINTWISE_PROFILES").expect("POINTWISE_PROFILES").split(':') {
        for line in std::fs::read_to_string(file).expect(file).lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [layer, threads, name, units, pack, split, ns] = words[..] else { continue };
            let threads: usize = threads.parse().unwrap();
            let layers = &mut stored.layers;
            let index = *at.entry((layer.to_owned(), threads)).or_insert_with(|| {
                layers.push(Timed::new(layer, catalog.contains(layer), threads));
                layers.len() - 1
            });
            let (pixels, panels) = split.split_once('x').unwrap();
            let split = Split { pixels: pixels.parse().unwrap(), panels: panels.parse().unwrap() };
            let key = (kernel(&name[4..]).name(), units.parse().unwrap(), pack == "packed", split);
            let ns: f64 = ns.parse().unwrap();
            let time = stored.layers[index].times.entry(key).or_insert(f64::INFINITY);
            *time = time.min(ns);
        }
    }
    for layer in &mut stored.layers {
        layer.least = layer.times.values().copied().fold(f64::INFINITY, f64::min);
        let least = layer.least;
        layer.times.values_mut().for_each(|time| *time /= least);
    }
    std::fs::write(folder().join(format!("{cpu}.txt")), stored.compact(&read("POINTWISE_HEADER")))
        .unwrap();
}

/// Needs no clock: the times are stored, so that a loss beyond its bound is the model's doing.
#[test]
fn choices_hold_on_stored_times() {
    let all = Stored::all();
    if all.is_empty() {
        eprintln!("skipped: a package has no stored times");
        return;
    }
    let mut failed = String::new();
    for stored in &all {
        let cpu = Cpu::named(&stored.cpu).unwrap();
        for (name, layers) in sets(stored) {
            let losses = Losses::of(layers.iter(), &cpu);
            let bound = BOUNDS.iter().find(|bound| bound.0 == name);
            let (_, mean, percentile, beyond) = bound.unwrap_or_else(|| panic!("{name}: no bound"));
            if losses.mean() > *mean
                || losses.percentile(99.0) > *percentile
                || losses.beyond(1.3) > *beyond
            {
                writeln!(failed, "{name}: {losses}").unwrap();
            }
        }
    }
    assert!(failed.is_empty(), "choices lose more than they may:\n{failed}");
}
