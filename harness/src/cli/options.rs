//! The options that commands share, each checked as it is read.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use pointwise::{Isa, Layer, Layout, Sharing};
use pointwise_harness::catalog::Pattern;
use pointwise_harness::measure::Cache;
use std::path::PathBuf;
use std::str::FromStr;

/// The shared options: which layers, contenders and settings a command works with. A command takes
/// some of them and refuses the others.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Only networks whose name matches (repeatable)
    #[arg(
        long, global = true, value_name = "REGEX", value_parser = pattern("network"),
        help_heading = "Filters"
    )]
    pub(crate) network: Vec<String>,

    /// Only layers whose name or text matches, or one layer given whole by its text (repeatable)
    ///
    /// A layer's text is what every table prints, such as
    /// `nhwc/n1c64h56w56k256/s2x2/bias+relu`; without its layout it stands for both layouts. A
    /// whole text need not be in the catalog. A pattern that is a name, or names joined by `|`,
    /// selects just those.
    #[arg(long, global = true, value_name = "REGEX|LAYER", help_heading = "Filters")]
    pub(crate) layer: Vec<LayerChoice>,

    /// Of our kernels, only those whose name matches (repeatable)
    #[arg(
        long, global = true, value_name = "REGEX", value_parser = pattern("kernel"),
        help_heading = "Filters"
    )]
    pub(crate) kernel: Vec<String>,

    /// Only contenders whose name matches (repeatable)
    #[arg(
        long, global = true, value_name = "REGEX", value_parser = pattern("contender"),
        help_heading = "Filters"
    )]
    pub(crate) contender: Vec<String>,

    /// Only this layout [default: both]
    #[arg(long, global = true, value_name = "LAYOUT", help_heading = "Filters")]
    pub(crate) layout: Option<LayoutChoice>,

    /// Shuffle the outputs of grouped layers without a residual, as ShuffleNet does after its first
    /// 1×1 layers: we fuse the shuffle, peers need a pass of its own
    #[arg(long, global = true, help_heading = "Filters")]
    pub(crate) shuffle: bool,

    /// Take the layers from FILE (the catalog's format) instead of the built-in catalog
    #[arg(long, global = true, value_name = "FILE", help_heading = "Filters")]
    pub(crate) layers: Option<PathBuf>,

    /// Threads that each contender runs on [default: 1; all for doctor]
    #[arg(
        long, global = true, value_name = "N", value_parser = threads, help_heading = "Settings"
    )]
    pub(crate) threads: Option<usize>,

    /// State of the caches before each run: `hot` repeats on the same buffers, `cold` takes
    /// weights and activations from memory; for `bench --pass`: `network` or `network-cold`
    /// [default: hot]
    #[arg(
        long, global = true, value_name = "STATE", value_parser = cache, help_heading = "Settings"
    )]
    pub(crate) cache: Option<Cache>,

    /// Use no wider instruction set than this: scalar, neon, avx2 or avx512
    #[arg(long, global = true, value_name = "CAP", help_heading = "Settings")]
    pub(crate) isa: Option<Isa>,

    /// How `pointwise-siblings` goes over a common input: best, kernel (one for all branches),
    /// pieces (each its own, in turns) or branches (one after another) [default: best]
    #[arg(
        long, global = true, value_name = "WAY", value_parser = sharing, help_heading = "Settings"
    )]
    pub(crate) sharing: Option<Sharing>,

    /// Folder that peer libraries (oneDNN, OpenBLAS, XNNPACK) are looked for in first
    #[arg(long, global = true, value_name = "DIR", help_heading = "Settings")]
    pub(crate) peers: Option<PathBuf>,

    /// Print results as JSON, one object a line
    #[arg(long, global = true, help_heading = "Settings")]
    pub(crate) json: bool,
}

/// The names of the shared options that commands on record files take.
pub(crate) const RECORDS: &str = "network layer kernel contender layout layers threads cache json";

/// The names of the shared options that commands which measure contenders take.
pub(crate) const MEASURING: &str =
    "network layer kernel contender layout shuffle layers threads cache isa peers json";

impl Options {
    /// Takes the cap of the ISA from the environment if no option gives it, as the library does. The
    /// same cap must hold for plans and for the listing of kernels.
    ///
    /// # Errors
    /// When `POINTWISE_ISA` names no ISA.
    pub(crate) fn complete(&mut self) -> Result<(), pointwise::Error> {
        if self.isa.is_none() {
            let variable = std::env::var("POINTWISE_ISA").unwrap_or_default();
            self.isa = Some(variable).filter(|v| !v.is_empty()).map(|v| v.parse()).transpose()?;
        }
        Ok(())
    }

    /// Refuses the shared options that `command` would ignore: those that were given and are not among
    /// `taken`, the names of the options that it takes, with blanks between them.
    ///
    /// # Errors
    /// [`Failure::Usage`], which names the first such option.
    pub(crate) fn expect_only(&self, command: &str, taken: &str) -> Result<(), Failure> {
        let given = [
            ("network", !self.network.is_empty()),
            ("layer", !self.layer.is_empty()),
            ("kernel", !self.kernel.is_empty()),
            ("contender", !self.contender.is_empty()),
            ("layout", self.layout.is_some()),
            ("shuffle", self.shuffle),
            ("layers", self.layers.is_some()),
            ("threads", self.threads.is_some()),
            ("cache", self.cache.is_some()),
            ("isa", self.isa.is_some()),
            ("sharing", self.sharing.is_some()),
            ("peers", self.peers.is_some()),
            ("json", self.json),
        ];
        let takes = |name: &str| taken.split(' ').any(|taken| taken == name);
        match given.into_iter().find(|(name, given)| *given && !takes(name)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(Failure::Usage(format!("`{command}` would ignore `--{name}`: leave it out")))
            }
        }
    }

    /// Threads that each contender runs on: one, unless `--threads` says otherwise.
    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or(1)
    }

    /// The state of the caches: hot, unless `--cache` says otherwise.
    pub(crate) fn cache(&self) -> Cache {
        self.cache.unwrap_or_default()
    }

    /// Refuses the states of the caches that only passes through networks have.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub(crate) fn refuse_passes(&self) -> Result<(), Failure> {
        match self.cache().is_pass() {
            true => Err(Failure::Usage(format!(
                "`--cache {}` is a state of passes through networks: `pointwise bench --pass`",
                self.cache()
            ))),
            false => Ok(()),
        }
    }

    /// `--threads`, or as many as there are CPUs.
    pub(crate) fn threads_or_all(&self) -> usize {
        self.threads.unwrap_or_else(cpus)
    }
}

/// Logical CPUs that this process may use.
pub(crate) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `--layout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LayoutChoice {
    Nchw,
    Nhwc,
}

impl From<LayoutChoice> for Layout {
    fn from(choice: LayoutChoice) -> Self {
        match choice {
            LayoutChoice::Nchw => Layout::Nchw,
            LayoutChoice::Nhwc => Layout::Nhwc,
        }
    }
}

/// `--layer`: a layer given whole, or a pattern on names and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LayerChoice {
    /// The text of a layer that passed its check, and the layout that it names.
    Given { text: String, layout: Option<Layout> },
    /// A regular expression.
    Named(String),
}

impl FromStr for LayerChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let layout = Layout::ALL
            .into_iter()
            .find(|l| text.strip_prefix(l.name()).is_some_and(|rest| rest.starts_with(['/', '-'])));
        match text.parse::<Layer>() {
            Ok(layer) => {
                layer.check().map_err(|error| error.to_string())?;
                Ok(LayerChoice::Given { text: text.to_owned(), layout })
            }
            // A text that begins like a layer was meant as one. Its error says more than a search of
            // the catalog would.
            Err(error) if layout.is_some() || begins_with_sizes(text) => Err(error.to_string()),
            Err(_) => {
                Pattern::new("layer", text).map_err(|error| error.to_string())?;
                Ok(LayerChoice::Named(text.to_owned()))
            }
        }
    }
}

/// Whether the text begins with two sizes, such as `n1c64`, in any order.
fn begins_with_sizes(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..2 {
        let Some(after) = rest.strip_prefix(['n', 'c', 'h', 'w', 'k']) else { return false };
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 {
            return false;
        }
        rest = &after[digits..];
    }
    true
}

/// Reads a regular expression, or says what is wrong with it in one line.
fn pattern(what: &'static str) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync {
    move |text| match Pattern::new(what, text) {
        Ok(pattern) => Ok(pattern.text().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads a state of the caches.
fn cache(text: &str) -> Result<Cache, String> {
    text.parse()
}

/// Reads a way to share an input.
fn sharing(text: &str) -> Result<Sharing, String> {
    let names = Sharing::ALL.map(Sharing::name).join(", ");
    let found = Sharing::ALL.into_iter().find(|way| way.name() == text);
    found.ok_or_else(|| format!("the ways are {names}"))
}

/// More threads than any machine has. A larger number is a typing error.
const MOST_THREADS: usize = 4096;

fn threads(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err(pointwise::Error::ZeroThreads.to_string()),
        Ok(threads) if threads > MOST_THREADS => {
            Err(format!("the most threads are {MOST_THREADS}"))
        }
        Ok(threads) => Ok(threads),
        Err(_) => Err("a number of threads is a whole number, at least 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_text_is_told_from_a_pattern() {
        let given = |text: &str, layout| LayerChoice::Given { text: text.to_owned(), layout };
        for (text, layout) in [
            ("c8h4w4k8/relu", None),
            ("nchw/c8h4w4k8", Some(Layout::Nchw)),
            ("nhwc/n2c8h4w4k8", Some(Layout::Nhwc)),
            ("nchw-nhwc/c8h4w4k8", Some(Layout::Nchw)),
        ] {
            assert_eq!(text.parse(), Ok(given(text, layout)));
        }
        for name in ["conv2", "^res.*a$", "inception_3a.1x1", "n", "c3h", "k.*", "k1000"] {
            assert_eq!(name.parse(), Ok(LayerChoice::Named(name.to_owned())));
        }
    }

    #[test]
    fn a_broken_layer_text_is_not_taken_for_a_pattern() {
        for (text, part) in
            [("nhwc/c8h4w4", "c8h4w4"), ("c8h4w4k8/s0x", "s0x"), ("n1c8h4w4k8/gelu9", "gelu9")]
        {
            let error = text.parse::<LayerChoice>().unwrap_err();
            assert!(error.contains(&format!("`{part}`")), "{error}");
        }
        let error = "c8h4w0k8".parse::<LayerChoice>().unwrap_err();
        assert!(error.contains("w is 0"), "{error}");
    }
}
