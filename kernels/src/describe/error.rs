//! Errors: everything that can be refused, and what would be right instead.

use core::fmt;

/// The reason why a layer, a plan, a pack or a run was refused. When an error is returned, nothing
/// was written, except for [`Error::OutOfMemory`] from a run.
///
#[doc = include_str!("../../refusals.md")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A size is zero.
    ZeroDimension {
        /// `n`, `c`, `k`, `h` or `w`.
        name: &'static str,
    },
    /// A stride is zero.
    ZeroStride {
        /// `rows` or `columns`.
        axis: &'static str,
    },
    /// The number of groups does not divide the channels.
    GroupsDoNotDivide {
        /// Groups asked for.
        groups: usize,
        /// Input channels.
        c: usize,
        /// Output channels.
        k: usize,
    },
    /// With this padding and stride no output sees the input.
    PaddingHidesInput {
        /// `rows` or `columns`.
        axis: &'static str,
        /// Input size of that axis.
        size: usize,
        /// Stride of that axis.
        stride: usize,
        /// Padding before.
        before: usize,
        /// Padding after.
        after: usize,
    },
    /// A tensor would take more than `isize::MAX` bytes.
    TooLarge {
        /// Which tensor.
        what: &'static str,
        /// The sizes whose product (for padding: sum) overflows.
        sizes: Vec<usize>,
    },
    /// Clamp bounds that are NaN or out of order.
    BadActivation {
        /// Lower bound given.
        lo: f32,
        /// Upper bound given.
        hi: f32,
    },
    /// A slope of leaky ReLU or PReLU that is not finite.
    BadSlope {
        /// The output channel, for PReLU.
        output: Option<usize>,
        /// Slope given.
        slope: f32,
    },
    /// Elements of a view share places, or might share them.
    OverlappingView {
        /// Which tensor.
        what: &'static str,
        /// `images`, `channels`, `rows` or `pixels`.
        axis: &'static str,
        /// The pitch of that axis.
        pitch: usize,
        /// The least pitch that this axis may have: the elements that the axes of smaller pitch span.
        needed: usize,
    },
    /// A view ends behind the end of its buffer.
    ViewLeavesBuffer {
        /// Which tensor.
        what: &'static str,
        /// Elements of the buffer.
        given: usize,
        /// Elements up to the view's last.
        needed: usize,
    },
    /// An average takes in pixels that lie in the padding.
    AverageOverPadding,
    /// Sibling branches that do not read the same input the same way.
    BranchesDisagree {
        /// Number of the branch that differs from branch 0.
        branch: usize,
        /// What differs.
        what: &'static str,
    },
    /// No branches, or more than a plan takes.
    BadBranchCount {
        /// Branches given.
        given: usize,
        /// The most a plan takes.
        most: usize,
    },
    /// The number of something is not the number of branches or of buffers.
    WrongCount {
        /// Of what.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many are needed.
        needed: usize,
    },
    /// Two branches write to one place of a buffer.
    BranchesOverlap {
        /// The earlier branch.
        first: usize,
        /// The later one.
        second: usize,
        /// The buffer.
        buffer: usize,
    },
    /// A value of a batch normalisation that cannot be folded.
    BadBatchNorm {
        /// Output channel.
        output: usize,
        /// Its variance.
        variance: f32,
        /// The epsilon added to it.
        epsilon: f32,
    },
    /// A slice has the wrong number of elements.
    WrongLength {
        /// Which slice.
        what: &'static str,
        /// Elements given.
        given: usize,
        /// Elements the layer needs.
        needed: usize,
    },
    /// The layer has a bias or residual and none was given.
    Missing {
        /// `bias`, `slopes` or `residual`.
        what: &'static str,
    },
    /// A bias or residual was given and the layer has none.
    Unexpected {
        /// `bias`, `slopes` or `residual`.
        what: &'static str,
    },
    /// Weights that one plan packed were given to a plan that packs them in another way.
    PackedForAnotherPlan {
        /// What they were packed for.
        given: String,
        /// What this plan packs for.
        needed: String,
    },
    /// No kernel goes by that name.
    UnknownKernel {
        /// The name asked for.
        name: String,
    },
    /// The kernel exists, but this CPU or the cap on the ISA rules it out.
    KernelUnavailable {
        /// The name asked for.
        name: String,
        /// What it needs of a CPU.
        needs: String,
    },
    /// No ISA goes by that name.
    UnknownIsa {
        /// The name asked for.
        name: String,
    },
    /// No CPU goes by that name.
    UnknownCpu {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: Vec<&'static str>,
    },
    /// A line of a CPU's data file cannot be read.
    BadCpuText {
        /// Its number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// The mode is profile only, and the profile has not measured this layer.
    NotInProfile {
        /// The layer.
        layer: String,
    },
    /// No candidate has the split that was asked for, given the layer and the number of threads.
    BadSplit,
    /// A plan was asked for with zero threads.
    ZeroThreads,
    /// The kernel cannot use the blocking that was asked for.
    BadBlocking {
        /// What is wrong with it.
        why: &'static str,
    },
    /// Memory could not be allocated, such as for packed weights or scratch.
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
    /// A layer's text form could not be read.
    BadLayerText {
        /// The text given.
        text: String,
        /// The part that is wrong.
        part: String,
        /// What would be right there.
        expected: &'static str,
    },
}

/// Each message is one line. Control characters of names and texts are escaped.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::ZeroDimension { name } => write!(f, "{name} is 0; every size is at least 1"),
            Error::ZeroStride { axis } => {
                write!(f, "the stride of {axis} is 0; it is at least 1")
            }
            Error::GroupsDoNotDivide { groups, c, k } => {
                write!(
                    f,
                    "{groups} groups do not divide c = {c} and k = {k}; groups must divide both"
                )
            }
            Error::PaddingHidesInput { axis, size, stride, before, after } => write!(
                f,
                "with padding {before} before and {after} after, stride {stride} skips all {size} \
                 {axis} of the input; pad less or stride less"
            ),
            Error::TooLarge { what, sizes } => {
                write!(f, "the {what} with sizes {sizes:?} would exceed isize::MAX bytes")
            }
            Error::BadActivation { lo, hi } => {
                write!(f, "clamp({lo}, {hi}): bounds must not be NaN, and lo ≤ hi")
            }
            Error::BadSlope { output: None, slope } => {
                write!(f, "a leaky ReLU of slope {slope}; slopes must be finite")
            }
            Error::BadSlope { output: Some(output), slope } => {
                write!(f, "the slope of output {output} is {slope}; slopes must be finite")
            }
            Error::OverlappingView { what, axis, pitch, needed } => write!(
                f,
                "the view of the {what} overlaps itself: a pitch of {pitch} between {axis} must \
                 be at least {needed}, which the axes of smaller pitch span"
            ),
            Error::ViewLeavesBuffer { what, given, needed } => write!(
                f,
                "the view of the {what} reaches to element {needed} of a buffer of {given}"
            ),
            Error::AverageOverPadding => {
                write!(f, "an average over outputs in the padding; pad no more than the stride")
            }
            Error::BranchesDisagree { branch, what } => write!(
                f,
                "branch {branch} differs from branch 0 in its {what}; siblings read one input"
            ),
            Error::BadBranchCount { given, most } => {
                write!(f, "{given} branches; a plan takes 1 to {most}")
            }
            Error::WrongCount { what, given, needed } => {
                write!(f, "{given} {what} were given; {needed} are needed")
            }
            Error::BranchesOverlap { first, second, buffer } => write!(
                f,
                "branches {first} and {second} write to the same elements of buffer {buffer}"
            ),
            Error::BadBatchNorm { output, variance, epsilon } => write!(
                f,
                "output {output}: variance {variance} + epsilon {epsilon} is not above 0 and finite"
            ),
            Error::WrongLength { what, given, needed } => {
                write!(f, "{what} has {given} elements; this layer needs {needed}")
            }
            Error::Missing { what } => {
                write!(f, "the layer has a {what} and none was given")
            }
            Error::Unexpected { what } => {
                write!(f, "a {what} was given and the layer has none")
            }
            Error::PackedForAnotherPlan { given, needed } => {
                write!(f, "weights packed for {given} were given to a plan that needs {needed}")
            }
            Error::UnknownKernel { name } => {
                let name = name.escape_debug();
                write!(f, "no kernel is named `{name}`; `kernels()` lists them")
            }
            Error::KernelUnavailable { name, needs } => {
                let name = name.escape_debug();
                write!(f, "kernel `{name}` needs {needs}, which this CPU or the ISA cap rules out")
            }
            Error::UnknownIsa { name } => {
                let name = name.escape_debug();
                write!(f, "no ISA is named `{name}`; there are scalar, avx2, avx512 and neon")
            }
            Error::UnknownCpu { name, known } => {
                write!(f, "no CPU is named {name:?}; there are {}", known.join(", "))
            }
            Error::BadCpuText { line, text } => {
                write!(f, "line {line} of the CPU's description is not FIELD VALUE: {text:?}")
            }
            Error::NotInProfile { layer } => {
                write!(f, "the profile has no measured candidate of {layer}; tune it first")
            }
            Error::BadSplit => {
                write!(f, "no candidate of this layer and thread count has the split asked for")
            }
            Error::ZeroThreads => write!(f, "0 threads; a plan is for at least 1"),
            Error::BadBlocking { why } => write!(f, "this blocking cannot be used: {why}"),
            Error::OutOfMemory { bytes } => write!(f, "{bytes} bytes could not be allocated"),
            Error::BadLayerText { text, part, expected } => {
                let (text, part) = (text.escape_debug(), part.escape_debug());
                write!(f, "layer `{text}`: `{part}` is not {expected}")
            }
        }
    }
}

impl core::error::Error for Error {}
