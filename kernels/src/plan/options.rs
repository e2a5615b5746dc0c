//! What a caller may decide about a plan.

use crate::choose::candidate::Candidate;
use crate::choose::profile::Profile;
use crate::cut::blocking::Blocking;
use crate::cut::split::Split;
use crate::describe::arithmetic::Algorithm;
use crate::micro::isa::Isa;
use core::fmt;
use std::sync::Arc;

/// How much a plan may find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Chooses by the model and the profile, if there is one: microseconds.
    #[default]
    Estimate,
    /// Runs the best few candidates that the profile does not settle: milliseconds, more for
    /// large layers. For several threads in the rayon pool that the caller is in, or rayon's
    /// global one.
    Measure,
    /// Takes what the profile measured for this layer, or fails.
    ProfileOnly,
}

/// How the branches of [`Siblings`](crate::Siblings) go over their common input. The bits are the same.
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
    /// Whichever of the others is estimated to be the fastest.
    #[default]
    Best,
    /// All branches under one kernel: a block of the input is packed, if it has to be, once for
    /// all of them.
    Kernel,
    /// Each branch under its kernel over the whole input, one after another; threads are handed
    /// all of it at once.
    Branches,
}

impl Sharing {
    /// Every way.
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

/// What a caller may decide about a plan; the rest is chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// Kernels of this ISA and plainer ones only. Unset: the variable `POINTWISE_ISA`, else no
    /// cap.
    pub isa: Option<Isa>,
    /// This kernel and no other. Unset: the variable `POINTWISE_KERNEL`, else the best.
    pub kernel: Option<String>,
    /// This blocking and no other.
    pub blocking: Option<Blocking>,
    /// Parts to cut the work into: the threads that a run can use, at least 1. More than 1024
    /// count as 1024.
    pub threads: usize,
    /// This split among threads and no other.
    pub split: Option<Split>,
    /// What was measured on this CPU. Unset: the file that `POINTWISE_PROFILE` names, if any.
    pub profile: Option<Arc<Profile>>,
    /// How much planning may find out.
    pub mode: Mode,
    /// How siblings go over their common input; a single layer does not ask.
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
    /// One thread, everything else chosen.
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

    /// Caps the ISA.
    #[must_use]
    pub const fn isa(mut self, cap: Isa) -> Self {
        self.isa = Some(cap);
        self
    }

    /// Names the kernel; [`kernels`](crate::kernels()) lists them.
    #[must_use]
    pub fn kernel(mut self, name: &str) -> Self {
        self.kernel = Some(name.to_owned());
        self
    }

    /// Forces a blocking.
    #[must_use]
    pub const fn blocking(mut self, blocking: Blocking) -> Self {
        self.blocking = Some(blocking);
        self
    }

    /// Sets the threads that a run can use.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Forces kernel, blocking and split of a candidate.
    #[must_use]
    pub fn candidate(mut self, candidate: &Candidate) -> Self {
        self.split = Some(candidate.split);
        self.kernel(candidate.kernel.name()).blocking(candidate.blocking)
    }

    /// Lets a profile decide where it can.
    #[must_use]
    pub fn profile(mut self, profile: Arc<Profile>) -> Self {
        self.profile = Some(profile);
        self
    }

    /// Says how much planning may find out.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Says how siblings go over their common input.
    #[must_use]
    pub const fn sharing(mut self, sharing: Sharing) -> Self {
        self.sharing = sharing;
        self
    }

    /// Says how sums are computed.
    #[must_use]
    pub const fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }
}
