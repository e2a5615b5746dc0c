//! One repeatable case: a layer, how to run it, and what to fill it with, as a line of text.
//!
//! `nhwc/n1c3h5w7k9/bias kernel=f32-avx2-ol-6x16 units=3 pack=1 threads=4 pool=in values=special
//! seed=7 views=1 siblings=2 parts=1`: the layer's own text form first; the rest in any order, each part
//! optional.

// Each test binary uses the part of it that it needs.
#![allow(dead_code)]

mod dense;
mod network;
mod spread;
mod values;

use core::fmt;
use pointwise::{Blocking, Error, Family, Kernel, Layer, Plan, PlanOptions, kernels};
use std::sync::OnceLock;

#[allow(unused_imports)]
pub(crate) use dense::{Dense, Tensors};
#[allow(unused_imports)]
pub(crate) use network::{Network, Slices};
#[allow(unused_imports)]
pub(crate) use values::{Values, plain};

/// Where a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the calling thread.
    Serial,
    /// From a task of a pool with as many threads as the case.
    Current,
    /// In such a pool, from outside of it.
    In,
}

impl Place {
    pub(crate) const ALL: [(Place, &'static str); 3] =
        [(Place::Serial, "serial"), (Place::Current, "current"), (Place::In, "in")];
}

/// A layer, how to run it, and its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) layer: Layer,
    pub(crate) options: PlanOptions,
    pub(crate) place: Place,
    pub(crate) values: Values,
    pub(crate) seed: u64,
    /// Whether tensors are seen through views of larger buffers, which the seed chooses.
    pub(crate) views: bool,
    /// How many layers, which the seed chooses, share the input and the plan.
    pub(crate) siblings: usize,
    /// Which of the splits into parts, from 1, the one with the most parts first; 0: the model's
    /// choice, which for small layers is one part whatever the threads.
    pub(crate) parts: usize,
}

impl Case {
    /// `layer` on one thread with the planner's choices and plain values.
    pub(crate) fn new(layer: Layer) -> Self {
        let options = PlanOptions::new();
        let (place, values) = (Place::Serial, Values::Plain);
        Case { layer, options, place, values, seed: 1, views: false, siblings: 0, parts: 0 }
    }

    /// With this kernel and blocking.
    pub(crate) fn forced(layer: Layer, kernel: &Kernel, units: usize, pack: bool) -> Self {
        let options = PlanOptions::new().kernel(kernel.name()).blocking(Blocking::new(units, pack));
        Case { options, ..Case::new(layer) }
    }

    /// On so many threads.
    pub(crate) fn threads(mut self, threads: usize) -> Self {
        self.options.threads = threads;
        self
    }

    /// The options, with the split that [`parts`](Case::parts) says.
    pub(crate) fn planned(&self) -> Result<PlanOptions, Error> {
        let mut options = self.options.clone();
        if self.parts > 0 {
            let mut splits = Vec::new();
            for candidate in Plan::candidates(&self.layer, &options)?.ranked {
                if !splits.contains(&candidate.split) {
                    splits.push(candidate.split);
                }
            }
            splits.sort_by_key(|split| {
                (core::cmp::Reverse(split.pixels * split.panels), split.pixels)
            });
            options.split = Some(splits[(self.parts - 1) % splits.len()]);
        }
        Ok(options)
    }

    /// Runs the case against the reference: the number of outputs compared, or what is wrong.
    pub(crate) fn check(&self) -> Result<usize, String> {
        self.network().check(self)
    }

    /// [`check`](Case::check), with the command that repeats the case where it fails.
    pub(crate) fn assert(&self) {
        if let Err(why) = self.check() {
            panic!("{why}\nrepeat it: {}", self.command());
        }
    }

    /// The command that repeats the case.
    pub(crate) fn command(&self) -> String {
        format!("POINTWISE_CASE='{self}' cargo test -p pointwise --test integration the_case_given")
    }
}

/// What an output holds before a run: not a NaN, so that an output left alone is noticed even
/// where a NaN is due.
pub(crate) const POISON: f32 = f32::from_bits(0x5EAD_BEEF);

/// A pool of `threads` threads, started at its first use and kept.
pub(crate) fn pool(threads: usize) -> &'static rayon::ThreadPool {
    static POOLS: [OnceLock<rayon::ThreadPool>; 8] = [const { OnceLock::new() }; 8];
    POOLS[threads - 1].get_or_init(|| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool")
    })
}

/// Pixels and outputs of a kernel's tile.
pub(crate) fn tile(kernel: &Kernel) -> (usize, usize) {
    match kernel.family() {
        Family::Outputs => (kernel.rows(), kernel.columns()),
        Family::Pixels => (kernel.columns(), kernel.rows()),
    }
}

/// The kernels this machine runs under the cap that the environment sets. Those it should have
/// and lacks are a failure where `POINTWISE_REQUIRE_ISA` says so, else said to be skipped.
pub(crate) fn runnable() -> Vec<&'static Kernel> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let cap: Option<pointwise::Isa> = variable("POINTWISE_ISA").map(|isa| isa.parse().unwrap());
    for isa in variable("POINTWISE_REQUIRE_ISA").unwrap_or_default().split(',') {
        assert!(
            isa.is_empty() || isa.parse::<pointwise::Isa>().unwrap().is_available(),
            "POINTWISE_REQUIRE_ISA names {isa}, which this machine lacks"
        );
    }
    let (run, skip): (Vec<_>, Vec<_>) = kernels().iter().partition(|kernel| {
        kernel.is_available() && cap.is_none_or(|cap| kernel.isa().is_within(cap))
    });
    for kernel in skip {
        eprintln!("skipped: {} (needs {})", kernel.name(), kernel.isa().needs());
    }
    run
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer)?;
        if let Some(kernel) = &self.options.kernel {
            write!(f, " kernel={kernel}")?;
        }
        if let Some(Blocking { units, pack, .. }) = self.options.blocking {
            write!(f, " units={units} pack={}", u8::from(pack))?;
        }
        let place = Place::ALL.iter().find(|place| place.0 == self.place).expect("every place").1;
        let values = self.values.name();
        write!(
            f,
            " threads={} pool={place} values={values} seed={}",
            self.options.threads, self.seed
        )?;
        if self.views {
            write!(f, " views=1")?;
        }
        if self.siblings > 0 {
            write!(f, " siblings={}", self.siblings)?;
        }
        if self.parts > 0 {
            write!(f, " parts={}", self.parts)?;
        }
        Ok(())
    }
}

impl core::str::FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let layer = words.next().ok_or("no layer")?.parse().map_err(|e: Error| e.to_string())?;
        let mut case = Case::new(layer);
        let (mut units, mut pack) = (None, false);
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("`{word}`: no `=`"))?;
            let number = || value.parse::<usize>().map_err(|e| format!("`{word}`: {e}"));
            match key {
                "kernel" => case.options.kernel = Some(value.to_owned()),
                "isa" => case.options.isa = Some(value.parse().map_err(|e: Error| e.to_string())?),
                "units" => units = Some(number()?),
                "pack" => pack = number()? != 0,
                "threads" => case.options.threads = number()?,
                "seed" => case.seed = value.parse().map_err(|e| format!("`{word}`: {e}"))?,
                "pool" => {
                    let place = Place::ALL.iter().find(|place| place.1 == value);
                    case.place = place.ok_or_else(|| format!("no pool `{value}`"))?.0;
                }
                "values" => case.values = value.parse()?,
                "views" => case.views = number()? != 0,
                "siblings" => case.siblings = number()?,
                "parts" => case.parts = number()?,
                _ => return Err(format!("`{key}` is none of the parts of a case")),
            }
        }
        case.options.blocking = units.map(|units| Blocking::new(units, pack));
        Ok(case)
    }
}
