//! Siblings: layers that read the same input, planned and run together.

use crate::cut::blocking::Blocking;
use crate::cut::outlet::MOST_OUTLETS;
use crate::cut::split::Split;
use crate::describe::arithmetic::{Arithmetic, F32};
use crate::describe::error::Error;
use crate::describe::layer::Layer;
use crate::describe::parameters::Parameters;
use crate::describe::view::View;
use crate::micro::registry::Kernel;
use crate::plan::bound::{Bound, Buffers, Wanted};
use crate::plan::decide::choose;
use crate::plan::options::{PlanOptions, Sharing};
use crate::plan::packed::PackedWeights;
use crate::run::Output;
use crate::run::executed::Executed;
use crate::run::pool::{Pool, spread};
use core::marker::PhantomData;

/// One of the layers of [`Siblings`], with its own outputs, epilogue and destination.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Branch {
    /// The layer. All branches have the same sizes of the input, batch, layout, stride, padding and
    /// groups.
    pub layer: Layer,
    /// Where its outputs lie in their buffer. If unset, they fill the buffer.
    pub output: Option<View>,
    /// Where its residual lies in its slice. If unset, it is a whole tensor in the output layout.
    pub residual: Option<View>,
    /// The number of the output buffer that it writes to. If unset, it is the number of the branch.
    pub buffer: Option<usize>,
}

impl Branch {
    /// A branch that fills the output buffer with the branch's own number.
    pub const fn new(layer: Layer) -> Branch {
        Branch { layer, output: None, residual: None, buffer: None }
    }

    /// Sets the number of the output buffer, and where in it the outputs lie. Other branches may write
    /// to the same buffer.
    #[must_use]
    pub const fn to(mut self, buffer: usize, output: View) -> Branch {
        (self.buffer, self.output) = (Some(buffer), Some(output));
        self
    }

    /// Sets where the residual lies.
    #[must_use]
    pub const fn residual(mut self, view: View) -> Branch {
        self.residual = Some(view);
        self
    }
}

/// Layers that read the same input, planned together. Their weights are packed together, and the work of
/// all is given to the threads at once. Each branch has its own epilogue and destination. The results
/// have the bits of separate plans.
///
/// [`PlanOptions::sharing`] says how the branches share the input: see [`Sharing`].
///
/// This example has the 1×1 branches of an Inception module, with 2, 1 and 1 outputs. The first branch
/// writes to its part of the concatenated output. The others write the inputs of the 3×3 and of the 5×5
/// convolution behind them.
///
/// ```
/// use pointwise::{Activation, Branch, Layer, Layout, Parameters, PlanOptions, Pool, Siblings, View};
/// let layer = |k| Layer::new(2, k, 1, 1).activation(Activation::Relu);
/// let concatenated = View::of_channels(Layout::Nhwc, 5, 0, 1, 1);
/// let siblings = Siblings::new(
///     &[
///         Branch::new(layer(2)).to(0, concatenated),
///         Branch::new(layer(1)),
///         Branch::new(layer(1).activation(Activation::None)),
///     ],
///     None,
///     &PlanOptions::new(),
/// )?;
/// let packed = siblings.pack(&[
///     Parameters::new(&[1.0, 0.0, 0.0, 1.0]),
///     Parameters::new(&[1.0, 1.0]),
///     Parameters::new(&[1.0, -1.0]),
/// ])?;
/// let (mut output, mut reduced3, mut reduced5) = ([0.0; 5], [0.0; 1], [0.0; 1]);
/// siblings.run(
///     &packed,
///     &[3.0, 4.0],
///     &[],
///     &mut [&mut output, &mut reduced3, &mut reduced5],
///     Pool::Serial,
/// )?;
/// assert_eq!((output, reduced3, reduced5), ([3.0, 4.0, 0.0, 0.0, 0.0], [7.0], [-1.0]));
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Siblings<A: Arithmetic = F32> {
    /// One entry for each run of consecutive branches that share a kernel. There is at least one.
    parts: Vec<Bound>,
    why: String,
    /// The number of each branch's buffer.
    buffer: Vec<usize>,
    buffers: usize,
    residuals: bool,
    arithmetic: PhantomData<A>,
}

impl Siblings {
    /// The most branches of a plan.
    pub const MOST_BRANCHES: usize = MOST_OUTLETS;

    /// Plans the branches for this CPU. `input` says where the common input lies in its slice. If unset,
    /// it is a whole tensor.
    ///
    /// # Errors
    /// [`Error::BadBranchCount`]; [`Error::BranchesDisagree`]; [`Error::BranchesOverlap`] when two
    /// branches write to one place of a buffer; [`Error::WrongCount`] when a branch names a buffer with
    /// a number that is not below that of branches; [`Error::TooLarge`]; those of
    /// [`Plan::with_views`](crate::Plan::with_views).
    pub fn new(
        branches: &[Branch],
        input: Option<View>,
        options: &PlanOptions,
    ) -> Result<Siblings, Error> {
        Siblings::typed(branches, input, options)
    }
}

// `Executed` is private, so that only the library implements it.
#[allow(private_bounds)]
impl<A: Executed> Siblings<A> {
    /// Plans layers of any element type that the library has kernels for.
    ///
    /// # Errors
    /// Those of [`Siblings::new`].
    pub fn typed(
        branches: &[Branch],
        input: Option<View>,
        options: &PlanOptions,
    ) -> Result<Self, Error> {
        let most = MOST_OUTLETS;
        if branches.is_empty() || branches.len() > most {
            return Err(Error::BadBranchCount { given: branches.len(), most });
        }
        for (index, branch) in branches.iter().enumerate() {
            agree(index, &branches[0].layer, &branch.layer)?;
        }
        let wanted: Vec<Wanted> = branches
            .iter()
            .map(|Branch { layer, output, residual, .. }| Wanted {
                layer: layer.dtype(A::DTYPE),
                output: *output,
                residual: *residual,
            })
            .collect();
        let parts = parts::<A>(&wanted, input, options)?;
        let buffer: Vec<usize> = branches
            .iter()
            .enumerate()
            .map(|(index, branch)| branch.buffer.unwrap_or(index))
            .collect();
        if let Some(most) = buffer.iter().max().filter(|most| **most >= branches.len()) {
            return Err(Error::WrongCount {
                what: "buffers, of which each is some branch's,",
                given: most + 1,
                needed: branches.len(),
            });
        }
        refuse_overlap(branches, &buffer)?;
        let buffers = buffer.iter().max().map_or(0, |most| most + 1);
        let residuals = branches.iter().any(|branch| branch.layer.residual);
        let why: Vec<&str> = parts.iter().map(|part| part.why.as_str()).collect();
        let why = why.join("; then ");
        Ok(Siblings { parts, why, buffer, buffers, residuals, arithmetic: PhantomData })
    }

    /// The chosen kernels and their blockings, each with the number of consecutive branches that share
    /// them.
    pub fn kernels(&self) -> impl Iterator<Item = (&'static Kernel, Blocking, usize)> + '_ {
        self.parts.iter().map(|part| (part.kernel, part.blocking, part.outlets()))
    }

    /// The number of parts that a run is cut into. It is at most the number of threads asked for.
    pub fn threads(&self) -> usize {
        self.parts.iter().map(|part| part.tasks.len()).max().unwrap_or(1)
    }

    /// What was chosen and why, in a line.
    pub fn explain(&self) -> &str {
        &self.why
    }

    /// Packs the parameters of every branch together.
    ///
    /// # Errors
    /// [`Error::WrongCount`]; those of [`Plan::pack_parameters`](crate::Plan::pack_parameters).
    pub fn pack(&self, parameters: &[Parameters<'_, A>]) -> Result<PackedWeights<A>, Error> {
        expect_count("sets of parameters", parameters.len(), self.buffer.len())?;
        let mut rest = parameters;
        let mut packed = self.parts.iter().map(|part| {
            let (own, others) = rest.split_at(part.outlets());
            rest = others;
            part.pack(own)
        });
        let missing = Error::WrongCount { what: "parts", given: 0, needed: 1 };
        let first = packed.next().ok_or(missing)??;
        Ok(PackedWeights::new(first, packed.collect::<Result<_, Error>>()?))
    }

    /// Computes every branch. `residuals` has an entry for each branch, or is empty if no branch has a
    /// residual. `outputs` has as many buffers as the branches' numbers of buffers need.
    ///
    /// A run allocates nothing once each thread that takes part has run a plan of this size.
    ///
    /// # Errors
    /// [`Error::WrongCount`] and those of [`Plan::run`](crate::Plan::run), before anything is
    /// written.
    pub fn run(
        &self,
        weights: &PackedWeights<A>,
        input: &[A::Input],
        residuals: &[Option<&[A::Output]>],
        outputs: &mut [&mut [A::Output]],
        pool: Pool<'_>,
    ) -> Result<(), Error> {
        let count = self.buffer.len();
        if self.residuals || !residuals.is_empty() {
            expect_count("residuals", residuals.len(), count)?;
        }
        expect_count("output buffers", outputs.len(), self.buffers)?;
        let none = Output { start: core::ptr::null_mut(), len: 0 };
        let mut buffers = [Buffers::<A> { output: none, residual: None }; MOST_OUTLETS];
        // Branches that write to one buffer use the same pointer to it, so that no pointer is
        // invalidated by another.
        let mut starts = [none; MOST_OUTLETS];
        for (start, output) in starts.iter_mut().zip(outputs.iter_mut()) {
            *start = Output { start: output.as_mut_ptr(), len: output.len() };
        }
        let mut branch = 0;
        for part in &self.parts {
            for index in 0..part.outlets() {
                let residual = residuals.get(branch).copied().flatten();
                let output = starts[self.buffer[branch]];
                part.check(index, output.len, residual.map(<[A::Output]>::len))?;
                buffers[branch] = Buffers { output, residual };
                branch += 1;
            }
        }
        let weights = || core::iter::once(&weights.first).chain(&weights.rest);
        expect_count("parts of packed weights", weights().count(), self.parts.len())?;
        for (part, weights) in self.parts.iter().zip(weights()) {
            part.check_operands::<A>(weights, input)?;
        }
        spread(self.threads(), pool, |task| {
            let mut rest = &buffers[..count];
            for (part, weights) in self.parts.iter().zip(weights()) {
                let (own, others) = rest.split_at(part.outlets());
                rest = others;
                if task < part.tasks.len() {
                    // SAFETY: every branch and the operands were checked. The buffers are borrowed
                    // for this call alone, and each task runs once. Planning checked that branches of
                    // one buffer write to different places.
                    unsafe { part.task(task, weights, input, own)? };
                }
            }
            Ok(())
        })
    }
}

/// One kernel for all branches is chosen only if its estimate is lower by at least this share.
const CLEARLY: f64 = 0.03;

/// Plans the branches with one kernel, or each by itself: as the options say, or whichever is estimated
/// to be faster.
fn parts<A: Executed>(
    wanted: &[Wanted],
    input: Option<View>,
    options: &PlanOptions,
) -> Result<Vec<Bound>, Error> {
    let (together, _) = choose::<A>(wanted, input, options)?;
    if wanted.len() == 1 || options.sharing == Sharing::Kernel {
        return Ok(vec![together]);
    }
    let alone = |branch, options: &PlanOptions| {
        choose::<A>(core::slice::from_ref(branch), input, options).map(|(bound, _)| bound)
    };
    let mut apart = wanted
        .iter()
        .map(|branch| alone(branch, options))
        .collect::<Result<Vec<Bound>, Error>>()?;
    // A branch may be too small to be worth waking threads for it. But the other branches have woken
    // threads anyway, so it is split among these.
    let most = apart.iter().map(|part| part.tasks.len()).max().unwrap_or(1);
    if most > 1 && options.split.is_none() {
        let shared =
            PlanOptions { split: Some(Split { pixels: most, panels: 1 }), ..options.clone() };
        for (part, branch) in apart.iter_mut().zip(wanted) {
            if part.tasks.len() == 1
                && let Ok(other) = alone(branch, &shared)
                && other.tasks.len() > 1
            {
                *part = other;
            }
        }
    }
    let one_by_one: f64 = apart.iter().map(|part| part.cycles).sum();
    let clearly = together.cycles < (1.0 - CLEARLY) * one_by_one;
    Ok(if options.sharing == Sharing::Best && clearly { vec![together] } else { apart })
}

fn expect_count(what: &'static str, given: usize, needed: usize) -> Result<(), Error> {
    if given == needed { Ok(()) } else { Err(Error::WrongCount { what, given, needed }) }
}

/// Refuses a branch that reads another input than the first branch, or reads it in another way.
fn agree(branch: usize, first: &Layer, other: &Layer) -> Result<(), Error> {
    let differs = [
        ("batch", first.n != other.n),
        ("input channels", first.c != other.c),
        ("input size", (first.h, first.w) != (other.h, other.w)),
        ("input layout", first.layout != other.layout),
        ("stride", first.stride != other.stride),
        ("padding", first.padding != other.padding),
        ("groups", first.groups != other.groups),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        Some((what, _)) => Err(Error::BranchesDisagree { branch, what }),
        None => Ok(()),
    }
}

/// Refuses branches that write to the same place of a buffer.
fn refuse_overlap(branches: &[Branch], buffer: &[usize]) -> Result<(), Error> {
    for (second, branch) in branches.iter().enumerate() {
        for first in 0..second {
            if buffer[first] == buffer[second] && overlap(&branches[first], branch)? {
                return Err(Error::BranchesOverlap { first, second, buffer: buffer[second] });
            }
        }
    }
    Ok(())
}

/// Whether the outputs of two branches of one buffer have a place in common.
fn overlap(a: &Branch, b: &Branch) -> Result<bool, Error> {
    let ((a, a_sizes), (b, b_sizes)) = (output(a)?, output(b)?);
    let ends = (a.check("output", a_sizes)?, b.check("output", b_sizes)?);
    let (from, to) = (a.offset.max(b.offset), ends.0.min(ends.1));
    if from >= to {
        return Ok(false);
    }
    // The usual case is that of branches which write to different channels of one tensor. Then the
    // numbers of the channels tell.
    let pitches = |v: &View| [v.channel, v.pixel, v.row, v.image];
    if pitches(&a) == pitches(&b) && a_sizes[0] == b_sizes[0] && a_sizes[2..] == b_sizes[2..] {
        let (low, high, low_channels, high_channels) = if a.offset <= b.offset {
            (a, b, a_sizes[1], b_sizes[1])
        } else {
            (b, a, b_sizes[1], a_sizes[1])
        };
        let apart = high.offset - low.offset;
        if low.channel > 0 && apart.is_multiple_of(low.channel) {
            let first = apart / low.channel;
            let sizes = [a_sizes[0], first.saturating_add(high_channels), a_sizes[2], a_sizes[3]];
            if low.check("output", sizes).is_ok() {
                // A view of one tensor has the channels of both, and does not overlap itself.
                return Ok(first < low_channels);
            }
        }
    }
    let bits = (to - from).div_ceil(64);
    let mut marked: Vec<u64> = Vec::new();
    marked.try_reserve_exact(bits).map_err(|_| Error::OutOfMemory { bytes: bits * 8 })?;
    marked.resize(bits, 0);
    let common = |at: &usize| (from..to).contains(at);
    for at in places(&a, a_sizes).filter(common) {
        marked[(at - from) / 64] |= 1 << ((at - from) % 64);
    }
    Ok(places(&b, b_sizes)
        .filter(common)
        .any(|at| marked[(at - from) / 64] >> ((at - from) % 64) & 1 == 1))
}

/// The view of a branch's output, and its sizes: images, channels, rows, columns.
fn output(branch: &Branch) -> Result<(View, [usize; 4]), Error> {
    let layer = &branch.layer;
    let shape = layer.check()?;
    let [rows, columns] = if layer.average { [1, 1] } else { [shape.oh, shape.ow] };
    let dense = View::dense(layer.output_layout, layer.k, rows, columns);
    Ok((branch.output.unwrap_or(dense), [layer.n, layer.k, rows, columns]))
}

/// The places of all elements of a view.
fn places(view: &View, [n, channels, rows, columns]: [usize; 4]) -> impl Iterator<Item = usize> {
    let v = *view;
    (0..n).flat_map(move |image| {
        (0..channels).flat_map(move |channel| {
            (0..rows).flat_map(move |row| {
                (0..columns).map(move |column| {
                    v.offset
                        + image * v.image
                        + channel * v.channel
                        + row * v.row
                        + column * v.pixel
                })
            })
        })
    })
}
