//! Options: what a caller may decide about a plan.

use crate::choose::candidate::Candidate;
use crate::choose::profile::Profile;
use crate::cut::blocking::Blocking;
use crate::cut::split::Split;
use crate::describe::arithmetic::Algorithm;
use crate::micro::isa::Isa;
use core::fmt;
use std::sync::Arc;

/// How a plan may find its choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// By the profile, if there is one, and by the cost model. This takes microseconds.
    #[default]
    Estimate,
    /// By running the candidates with the best estimates, unless the profile has measured the layer.
    /// This takes milliseconds, and more for large layers. A plan for several threads measures in the
    /// rayon pool that the caller is in, or in rayon's global pool.
    Measure,
    /// By the profile alone. Planning fails if the profile has not measured the layer.
    ProfileOnly,
}

/// How the branches of [`Siblings`](crate::Siblings) share their common input. The results have the same
/// bits in every way.
///
/// ```
/// use pointwise::{Branch, Layer, PlanOptions, Sharing, Siblings};
/// let branches = [64, 96, 16].map(|k| Branch::new(Layer::new(192, k, 28, 28)));
/// let options = PlanOptions::new().sharing(Sharing::Kernel);
/// let siblings = Siblings::new(&branches, None, &options)?;
/// assert_eq!(siblings.kernels().count(), 1);
/// # Ok::<(), pointwise::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sharing {
    /// The way that is estimated to be the fastest.
    #[default]
    Best,
    /// All branches use one kernel. If a block of the input has to be packed, it is packed once for all
    /// branches.
    Kernel,
    /// Each branch uses its own kernel. The branches go over the whole input one after another. Each
    /// thread gets its parts of all branches at once.
    Branches,
}

impl Sharing {
    /// Every way of sharing.
    pub const ALL: [Sharing; 3] = [Sharing::Best, Sharing::Kernel, Sharing::Branches];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Sharing::Best => "best",
            Sharing::Kernel => "kernel",
            Sharing::Branches => "branches",
        }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a caller may decide about a plan. What the caller leaves open is chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// A cap on the ISA: see [`Isa::is_within`]. If unset, the variable `POINTWISE_ISA` is the cap, and
    /// without the variable there is none.
    pub isa: Option<Isa>,
    /// The name of the kernel. If unset, the variable `POINTWISE_KERNEL` names it, and without the
    /// variable the best kernel is chosen.
    pub kernel: Option<String>,
    /// The blocking.
    pub blocking: Option<Blocking>,
    /// The number of threads that a run can use, at least 1. The work is cut into so many parts at most.
    /// More than 1024 count as 1024.
    pub threads: usize,
    /// The split among threads.
    pub split: Option<Split>,
    /// What was measured on this CPU. If unset, the profile is the file that `POINTWISE_PROFILE` names,
    /// if the variable is set.
    pub profile: Option<Arc<Profile>>,
    /// How the choice may be found.
    pub mode: Mode,
    /// How siblings share their common input. Plans of a single layer ignore it.
    pub sharing: Sharing,
    /// How sums are computed.
    pub algorithm: Algorithm,
}

impl Default for PlanOptions {
    fn default() -> Self {
        PlanOptions::new()
    }
}

impl PlanOptions {
    /// Options for one thread. Everything else is left open.
    pub const fn new() -> Self {
        PlanOptions {
            isa: None,
            kernel: None,
            blocking: None,
            threads: 1,
            split: None,
            profile: None,
            mode: Mode::Estimate,
            sharing: Sharing::Best,
            algorithm: Algorithm::Direct,
        }
    }

    /// Sets the cap on the ISA.
    #[must_use]
    pub const fn isa(mut self, cap: Isa) -> Self {
        self.isa = Some(cap);
        self
    }

    /// Sets the kernel by its name. [`kernels`](crate::kernels()) lists them.
    #[must_use]
    pub fn kernel(mut self, name: &str) -> Self {
        self.kernel = Some(name.to_owned());
        self
    }

    /// Sets the blocking.
    #[must_use]
    pub const fn blocking(mut self, blocking: Blocking) -> Self {
        self.blocking = Some(blocking);
        self
    }

    /// Sets the number of threads that a run can use.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the kernel, the blocking and the split to those of a candidate.
    #[must_use]
    pub fn candidate(mut self, candidate: &Candidate) -> Self {
        self.split = Some(candidate.split);
        self.kernel(candidate.kernel.name()).blocking(candidate.blocking)
    }

    /// Sets the profile.
    #[must_use]
    pub fn profile(mut self, profile: Arc<Profile>) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Sets how the choice may be found.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Sets how siblings share their common input.
    #[must_use]
    pub const fn sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// Sets how sums are computed.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}
