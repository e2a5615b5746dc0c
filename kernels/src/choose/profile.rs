//! Profiles: what tuning learned on one CPU, as text that people can read.
//!
//! ```text
//! pointwise-profile 1
//! library 0.1.0
//! cpu AMD EPYC 1a.02.1 avx512 l1 49152 l2 1048576
//! settings f32 warm
//! nhwc/n1c64h56w56k256 1 f32-avx512-ol-6x64 128 direct 1x1 455213
//! ```
//!
//! After the header, a line a candidate: layer, threads, kernel, units of a block, whether the
//! input is packed, parts of the pixels × of the outputs, nanoseconds. `#` starts a comment.

use crate::choose::candidate::Candidate;
use crate::cpu::host::identity;
use crate::cut::blocking::Blocking;
use crate::cut::split::Split;
use crate::describe::activation::Activation;
use crate::describe::arithmetic::Dtype;
use crate::describe::layer::Layer;
use crate::micro::registry::{Kernel, kernels};
use core::fmt;
use std::path::{Path, PathBuf};

/// Version of the text form.
const VERSION: &str = "1";

/// What the times were taken with: the element type, and operands in the caches.
fn settings(dtype: Dtype) -> String {
    format!("{dtype} warm")
}

/// Measured times of candidates on one CPU.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Element type of its layers.
    dtype: Dtype,
    cpu: String,
    library: String,
    known: Vec<Known>,
}

/// What is known of one layer on so many threads.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    /// Without its epilogue.
    layer: Layer,
    threads: usize,
    entries: Vec<Measured>,
}

/// One measured candidate.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// The layer; its epilogue does not count.
    pub layer: Layer,
    /// Threads that the plan was for.
    pub threads: usize,
    /// The kernel.
    pub kernel: &'static Kernel,
    /// The blocking.
    pub blocking: Blocking,
    /// The split.
    pub split: Split,
    /// Nanoseconds of a run.
    pub ns: f64,
}

impl Measured {
    /// A measured time of a candidate.
    pub fn new(layer: &Layer, threads: usize, candidate: &Candidate, ns: f64) -> Self {
        let Candidate { kernel, blocking, split, .. } = *candidate;
        Measured { layer: *layer, threads, kernel, blocking, split, ns }
    }
}

/// Why a profile is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// The file cannot be read.
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// The text is not a profile, or not of a version that this library reads.
    NotAProfile {
        /// Its first line.
        first: String,
    },
    /// A line cannot be understood; the file is damaged or cut short.
    Damaged {
        /// Its number, from 1.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// It was made by another version of the library, whose kernels may differ.
    OtherLibrary {
        /// That version.
        found: String,
    },
    /// It was made on another CPU.
    OtherCpu {
        /// That CPU.
        found: String,
        /// This one.
        here: String,
    },
    /// It was made with other settings.
    OtherSettings {
        /// Those settings.
        found: String,
    },
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProfileError::Unreadable { path, why } => {
                let path = path.display().to_string();
                write!(f, "profile {} cannot be read: {why}", path.escape_debug())
            }
            ProfileError::NotAProfile { first } => {
                write!(f, "not a profile of version {VERSION}: it starts with {first:?}")
            }
            ProfileError::Damaged { line, expected } => {
                write!(f, "profile is damaged at line {line}: expected {expected}")
            }
            ProfileError::OtherLibrary { found } => write!(
                f,
                "profile was made by version {}, this is {}: tune again",
                found.escape_debug(),
                env!("CARGO_PKG_VERSION")
            ),
            ProfileError::OtherCpu { found, here } => {
                let found = found.escape_debug();
                write!(f, "profile is of another CPU: {found}; this is {here}")
            }
            ProfileError::OtherSettings { found } => {
                write!(
                    f,
                    "profile was made with settings {found:?}, not {:?}",
                    settings(Dtype::F32)
                )
            }
        }
    }
}

impl std::error::Error for ProfileError {}

impl Profile {
    /// An empty profile of this CPU and library.
    pub fn new() -> Self {
        let library = env!("CARGO_PKG_VERSION").to_owned();
        Profile { dtype: Dtype::F32, cpu: identity(), library, known: Vec::new() }
    }

    /// Adds a measured candidate, replacing an older time of the same.
    pub fn add(&mut self, measured: Measured) {
        let entries = self.entry(&measured.layer, measured.threads);
        entries.retain(|old| {
            (old.kernel, old.blocking, old.split)
                != (measured.kernel, measured.blocking, measured.split)
        });
        entries.push(measured);
    }

    /// Puts these candidates in the place of all that is known of their layers.
    pub fn learn(&mut self, measured: Vec<Measured>) {
        for measured in &measured {
            self.entry(&measured.layer, measured.threads).clear();
        }
        for measured in measured {
            self.add(measured);
        }
    }

    fn entry(&mut self, layer: &Layer, threads: usize) -> &mut Vec<Measured> {
        let layer = bare(layer);
        let is = |known: &Known| known.threads == threads && known.layer == layer;
        // Candidates of a layer come one after another.
        let last = self.known.len().checked_sub(1).filter(|last| is(&self.known[*last]));
        let at = last.or_else(|| self.known.iter().position(is)).unwrap_or_else(|| {
            self.known.push(Known { layer, threads, entries: Vec::new() });
            self.known.len() - 1
        });
        &mut self.known[at].entries
    }

    /// All measured candidates.
    pub fn entries(&self) -> impl Iterator<Item = &Measured> {
        self.known.iter().flat_map(|known| &known.entries)
    }

    /// Each measured layer without its epilogue, its threads, and its candidates.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&Layer, usize, &[Measured])> {
        self.known.iter().map(|known| (&known.layer, known.threads, &known.entries[..]))
    }

    /// The measured candidates of a layer on so many threads; of its epilogue only a
    /// residual counts.
    pub fn of(&self, layer: &Layer, threads: usize) -> &[Measured] {
        let layer = bare(layer);
        let is = |known: &&Known| known.threads == threads && known.layer == layer;
        self.known.iter().find(is).map_or(&[], |known| &known.entries)
    }

    /// Whether this layer was measured for so many threads.
    pub fn knows(&self, layer: &Layer, threads: usize) -> bool {
        !self.of(layer, threads).is_empty()
    }

    /// Reads a profile from a file, and refuses one that is not of this CPU and library.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn load(path: &Path) -> Result<Profile, ProfileError> {
        let text = std::fs::read_to_string(path).map_err(|error| ProfileError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        let profile = Profile::parse(&text)?;
        profile.check_host()?;
        Ok(profile)
    }

    /// Reads the text form, of any CPU.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn parse(text: &str) -> Result<Profile, ProfileError> {
        let first = text.lines().next().unwrap_or_default();
        if first.strip_prefix("pointwise-profile ") != Some(VERSION) {
            let first = first.chars().take(60).collect();
            return Err(ProfileError::NotAProfile { first });
        }
        let mut header = text.lines().skip(1);
        let mut field = |name: &str, line, expected| {
            header
                .next()
                .and_then(|text| text.strip_prefix(name))
                .map(str::to_owned)
                .ok_or(ProfileError::Damaged { line, expected })
        };
        let library = field("library ", 2, "`library VERSION`")?;
        let cpu = field("cpu ", 3, "`cpu NAME`")?;
        let settings = field("settings ", 4, "`settings NAMES`")?;
        let dtype = Dtype::F32;
        if settings != self::settings(dtype) {
            return Err(ProfileError::OtherSettings { found: settings });
        }
        if library != env!("CARGO_PKG_VERSION") {
            return Err(ProfileError::OtherLibrary { found: library });
        }
        let mut profile = Profile { dtype, cpu, library, known: Vec::new() };
        for (at, line) in text.lines().enumerate().skip(4) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let expected = "LAYER THREADS KERNEL UNITS packed|direct PIXELSxPANELS NANOSECONDS";
            let damaged = ProfileError::Damaged { line: at + 1, expected };
            profile.add(measured(line).ok_or(damaged)?);
        }
        Ok(profile)
    }

    /// Refuses a profile of another CPU.
    pub(crate) fn check_host(&self) -> Result<(), ProfileError> {
        let here = identity();
        if self.cpu != here {
            return Err(ProfileError::OtherCpu { found: self.cpu.clone(), here });
        }
        Ok(())
    }
}

impl Default for Profile {
    fn default() -> Self {
        Profile::new()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "pointwise-profile {VERSION}\nlibrary {}", self.library)?;
        writeln!(f, "cpu {}\nsettings {}", self.cpu, settings(self.dtype))?;
        for Measured { layer, threads, kernel, blocking, split, ns } in self.entries() {
            let pack = if blocking.pack { "packed" } else { "direct" };
            // A fraction counts where there is little else, and 0 would not be read again.
            let ns = if *ns < 1000.0 { *ns } else { ns.round() };
            writeln!(
                f,
                "{layer} {threads} {} {} {pack} {}x{} {ns}",
                kernel.name(),
                blocking.units,
                split.pixels,
                split.panels
            )?;
        }
        Ok(())
    }
}

/// A layer without what of its epilogue hardly takes time: times measured with another one are as
/// good. A residual takes as much from memory as the output does.
fn bare(layer: &Layer) -> Layer {
    layer.bias(false).activation(Activation::None)
}

/// How unlike two layers are, in factors of size; none where they cannot be compared.
pub(crate) fn distance(a: &Layer, b: &Layer) -> Option<f64> {
    let kind = |l: &Layer| (l.layout, l.stride, l.groups, l.average, l.residual);
    let alike = kind(a) == kind(b);
    let ratio = |x: usize, y: usize| (x as f64 / y as f64).ln().abs();
    let pixels = |l: &Layer| l.n * l.h * l.w;
    alike.then(|| ratio(a.c, b.c) + ratio(a.k, b.k) + ratio(pixels(a), pixels(b)))
}

fn measured(line: &str) -> Option<Measured> {
    let words: Vec<&str> = line.split(' ').collect();
    let [layer, threads, kernel, units, pack, split, ns] = words[..] else {
        return None;
    };
    let layer: Layer = layer.parse().ok()?;
    layer.check().ok()?;
    let count = |text: &str| text.parse::<usize>().ok().filter(|n| *n > 0);
    let units = count(units).filter(|units| *units <= Blocking::MOST_UNITS)?;
    let pack = match pack {
        "packed" => true,
        "direct" => false,
        _ => return None,
    };
    let (pixels, panels) = split.split_once('x')?;
    Some(Measured {
        layer,
        threads: count(threads)?,
        kernel: kernels().iter().find(|k| k.name() == kernel)?,
        blocking: Blocking::new(units, pack),
        split: Split { pixels: count(pixels)?, panels: count(panels)? },
        ns: ns.parse().ok().filter(|ns: &f64| *ns > 0.0 && ns.is_finite())?,
    })
}
