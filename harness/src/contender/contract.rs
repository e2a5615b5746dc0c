//! What a contender is: how it is given a layer, how it is timed, and why it may refuse.

use super::buffer::Buffer;
use pointwise::{Activation, Isa, Layer, Parameters, Sharing};
use std::fmt;
use std::path::PathBuf;

/// The contender that computes layers which read one input in one pass.
pub const SIBLINGS: &str = "pointwise-siblings";

/// What all contenders are made with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder that `scripts/install-peers` filled; `None` looks where
    /// [`super::foreign::peers_folder`] says.
    pub peers: Option<PathBuf>,
    /// A `libXNNPACK.so`; `None` looks in the peers' folder.
    pub xnnpack: Option<PathBuf>,
    /// The widest ISA. A peer library takes its cap once, when it is loaded, so this must be
    /// the cap of every [`Case`].
    pub isa: Option<Isa>,
    /// How [`SIBLINGS`] goes over a common input.
    pub sharing: Sharing,
}

/// The end of the name of a contender that computes a product without the rest of the layer.
const PRODUCT: &str = "-product";

/// Whether the contender of that name leaves part of the layer out of its time: a product without
/// bias, residual and activation. Such a row shows what these cost, and counts as nobody's win.
pub fn is_partial(contender: &str) -> bool {
    contender.ends_with(PRODUCT)
}

/// One layer with its data, as every contender of a comparison gets it.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The layer; its layout is that of `input`, `residual` and the output asked for.
    pub layer: &'a Layer,
    /// Threads to run on, at most the size of the rayon pool that `run` is called in.
    pub threads: usize,
    /// The widest ISA a contender may use, where it can be told.
    pub isa: Option<Isa>,
    /// `[n][c][h][w]` or `[n][h][w][c]`.
    pub input: &'a [f32],
    /// `[k][c / groups]`.
    pub weights: &'a [f32],
    /// `[k]`.
    pub bias: Option<&'a [f32]>,
    /// In the output's shape and layout.
    pub residual: Option<&'a [f32]>,
    /// `[k]`.
    pub slopes: Option<&'a [f32]>,
    /// A buffer that holds `input` and that other layers read too; `None` where the layer has its
    /// own.
    pub shared_input: Option<&'a Buffer>,
}

impl<'a> Case<'a> {
    /// Weights, bias and slopes.
    pub fn parameters(&self) -> Parameters<'a> {
        let mut parameters = Parameters::new(self.weights);
        (parameters.bias, parameters.slopes) = (self.bias, self.slopes);
        parameters
    }

    /// The input in a buffer to keep: the shared one, or a copy.
    pub fn input_buffer(&self) -> Buffer {
        self.shared_input.map_or_else(|| Buffer::copy_of(self.input), Buffer::share)
    }
}

/// Why a contender cannot take part, or not in this case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not on this machine; the text says what would bring it.
    Unavailable(String),
    /// It cannot do this layer; the text says why.
    Unsupported(String),
    /// It failed; the text is its own error.
    Failed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Unavailable(why) => write!(f, "unavailable: {why}"),
            Refusal::Unsupported(why) => write!(f, "unsupported: {why}"),
            Refusal::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Something that computes layers and can be timed.
pub trait Contender: Send + Sync {
    /// The fixed name that records carry.
    fn name(&self) -> &str;

    /// The version that records carry; empty when unavailable.
    fn version(&self) -> String;

    /// Whether it can run on this machine.
    fn available(&self) -> Result<(), Refusal>;

    /// Whether its outputs have the reference's bits (else they are compared within a tolerance).
    fn exact(&self) -> bool;

    /// Whether it packs the weights ahead, outside the time measured.
    fn prepacks(&self) -> bool;

    /// Whether all of the layer is part of the time. A product alone ([`is_partial`]) is verified
    /// like everyone else, but bias, residual and activation are added outside the time.
    fn times_whole_layer(&self) -> bool {
        !is_partial(self.name())
    }

    /// Does everything that is done once per layer, copies the data into buffers of its own, and
    /// returns what is timed.
    fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal>;

    /// The same for layers that read one input, where it can compute them in one pass: the output
    /// is then those of the layers one after another. `None` where it can't, and they are
    /// prepared each by itself.
    fn prepare_siblings<'a>(
        &'a self,
        cases: &[Case<'_>],
    ) -> Option<Result<Box<dyn Prepared + 'a>, Refusal>> {
        let _ = cases;
        None
    }
}

/// What a contender spent before its first run, outside the time measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetupTimes {
    /// Choosing kernels and blocking, generating code: once per layer. In ns.
    pub plan_ns: f64,
    /// Bringing the weights into the order that the kernels read: once per set of weights. In ns.
    pub pack_ns: f64,
}

/// A contender bound to one case.
pub trait Prepared: Send {
    /// Computes the whole layer once, epilogue included. This is what is timed.
    ///
    /// With more than one thread it is called from inside the rayon pool of the case.
    fn run(&mut self) -> Result<(), Refusal>;

    /// The last result, in the layer's layout. All NaN before the first run.
    fn output(&mut self) -> Vec<f32>;

    /// The kernel that does the work, as far as it can be told; empty when not.
    fn kernel(&self) -> String;

    /// What preparing took; `None` where nothing is planned or packed.
    fn setup_times(&self) -> Option<SetupTimes> {
        None
    }

    /// Stops threads that would go on spinning after the last run and disturb whoever is timed
    /// next. Called on the thread that called `run`, after a sample and outside the time; the
    /// next run pays for starting them again, which must not be timed.
    fn settle(&mut self) {}

    /// Whether a run reads memory, so that what ran before it matters to a sample from cold caches.
    fn reads_memory(&self) -> bool {
        true
    }

    /// Told that the last run was the last one of a sample.
    fn sampled(&mut self) {}
}

/// Refuses the forms of a layer that only our library has: the others write an output where it is
/// computed, one value a pixel and channel.
pub(super) fn expect_plain(layer: &Layer) -> Result<(), Refusal> {
    let form = [
        (layer.shuffle, "channel shuffle"),
        (layer.average, "average over the pixels"),
        (layer.output_layout != layer.layout, "output in the other layout"),
        (layer.activation == Activation::Prelu, "slope for each channel"),
    ];
    match form.into_iter().find(|(has, _)| *has) {
        Some((_, what)) => Err(Refusal::Unsupported(format!("it has no fused {what}"))),
        None => Ok(()),
    }
}

/// Refuses a cap below what the CPU has, for contenders that take none.
pub(super) fn expect_no_cap(cap: Option<Isa>) -> Result<(), Refusal> {
    match cap {
        Some(cap) if Isa::ALL.iter().any(|isa| isa.is_available() && !isa.is_within(cap)) => {
            Err(Refusal::Unsupported(format!("its ISA cannot be capped at {cap}")))
        }
        _ => Ok(()),
    }
}

/// The version of a crate that this program was built with.
pub(super) fn locked_version(krate: &str) -> String {
    let lock = include_str!("../../../Cargo.lock");
    let name = format!("name = \"{krate}\"");
    lock.lines()
        .skip_while(|line| *line != name)
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .unwrap_or_default()
        .to_owned()
}
