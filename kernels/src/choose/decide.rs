//! Deciding for one layer: the model alone, or with what a profile knows.

use super::{Candidate, Problem, for_each_candidate};
use crate::bound::{MOST_THREADS, allowed, allowed_where};
use crate::branch::Branch;
use crate::cpu::Cpu;
use crate::pixels::Pixels;
use crate::profile::{Mode, Profile, ProfileError};
use crate::{Error, Isa, Kernel, Layer, Plan, PlanOptions, View, kernels};
use core::fmt;
use std::sync::Arc;

/// What a choice rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Basis {
    /// The candidates were measured on this CPU, for this layer.
    Measured,
    /// The model, corrected by the nearest layers of a profile of this CPU.
    Informed,
    /// The model alone, of this machine.
    Modelled,
    /// The model of a CPU other than this machine's.
    Predicted,
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Basis::Measured => "measured",
            Basis::Informed => "modelled, informed by measured neighbours",
            Basis::Modelled => "modelled",
            Basis::Predicted => "predicted",
        })
    }
}

/// What there is to choose among for a layer, the best first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidates {
    /// Every candidate, by estimated cycles.
    pub ranked: Vec<Candidate>,
    /// What was left out, and why.
    pub left_out: Vec<(&'static Kernel, String)>,
    /// What the order rests on.
    pub basis: Basis,
}

/// What was decided.
pub(crate) struct Decision {
    pub(crate) candidate: Candidate,
    /// How many there were.
    pub(crate) considered: usize,
    pub(crate) basis: Basis,
    /// Why a profile that was asked for is not used.
    pub(crate) problem: Option<ProfileError>,
}

impl Plan {
    /// The candidates for `layer` on this CPU with their estimates, and why the rest were left
    /// out. [`PlanOptions::candidate`] plans one of them.
    ///
    /// ```
    /// use pointwise::{Layer, Plan, PlanOptions};
    /// let layer = Layer::new(64, 256, 56, 56);
    /// let options = PlanOptions::new();
    /// let candidates = Plan::candidates(&layer, &options)?;
    /// let second = candidates.ranked[1];
    /// let plan = Plan::new(&layer, &options.candidate(&second))?;
    /// assert_eq!((plan.kernel(), plan.blocking()), (second.kernel, second.blocking));
    /// # Ok::<(), pointwise::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn candidates(layer: &Layer, options: &PlanOptions) -> Result<Candidates, Error> {
        let options = options.with_environment()?;
        let allowed = allowed(&options)?;
        let mut candidates = Plan::rank(layer, &options, Cpu::host(), &allowed)?;
        let (profile, _) = profile(&options);
        if let Some(profile) = profile {
            let threads = options.threads.min(MOST_THREADS);
            candidates.basis = profile.correct(layer, threads, &mut candidates.ranked);
            candidates.ranked.sort_by(|a, b| a.cycles.total_cmp(&b.cycles));
        }
        Ok(candidates)
    }

    /// The same on another CPU: a prediction from its data file.
    ///
    /// # Errors
    /// Those of [`Plan::new`], but for a kernel that only this machine cannot run.
    pub fn candidates_on(
        layer: &Layer,
        options: &PlanOptions,
        cpu: &Cpu,
    ) -> Result<Candidates, Error> {
        let allowed = allowed_where(options, |kernel| cpu.runs(kernel.isa()))?;
        let mut candidates = Plan::rank(layer, options, cpu, &allowed)?;
        candidates.basis = Basis::Predicted;
        Ok(candidates)
    }

    fn rank(
        layer: &Layer,
        options: &PlanOptions,
        cpu: &Cpu,
        allowed: &[&'static Kernel],
    ) -> Result<Candidates, Error> {
        let (problem, branch) = dense(layer)?;
        if options.threads == 0 {
            return Err(Error::ZeroThreads);
        }
        let mut ranked = Vec::new();
        let (blocking, split) = (options.blocking, options.split);
        for_each_candidate(
            &[branch],
            &problem,
            cpu,
            allowed,
            blocking,
            options.threads.min(MOST_THREADS),
            |candidate| {
                if split.is_none_or(|split| candidate.split == split) {
                    ranked.push(candidate);
                }
            },
        );
        ranked.sort_by(|a, b| a.cycles.total_cmp(&b.cycles));
        let mut left_out = Vec::new();
        for kernel in kernels() {
            if !cpu.runs(kernel.isa()) {
                left_out.push((kernel, format!("the CPU has no {}", kernel.isa())));
            } else if !allowed.contains(&kernel) {
                let why = match kernel.isa() {
                    Isa::Scalar if options.kernel.is_none() => "one lane, where there are vectors",
                    _ => "not among those that the options admit",
                };
                left_out.push((kernel, why.to_owned()));
            } else if !problem.in_place(kernel) {
                let why = "in place: this layer's pixels do not lie as its tiles read them";
                left_out.push((kernel, why.to_owned()));
            }
        }
        Ok(Candidates { ranked, left_out, basis: Basis::Modelled })
    }
}

/// The profile that the options or the environment ask for, and why it is not used.
fn profile(options: &PlanOptions) -> (Option<Arc<Profile>>, Option<ProfileError>) {
    let asked = match &options.profile {
        Some(profile) => Some(Ok(profile.clone())),
        None => Profile::from_environment(),
    };
    match asked.map(|profile| profile.and_then(|p| p.check_host().map(|()| p))) {
        None => (None, None),
        Some(Ok(profile)) => (Some(profile), None),
        Some(Err(error)) => (None, Some(error)),
    }
}

/// A layer of whole tensors, as the model and the panels see it.
pub(super) fn dense(layer: &Layer) -> Result<(Problem, Branch), Error> {
    let shape = layer.check()?;
    let input = View::dense(layer.layout, layer.c, layer.h, layer.w);
    let mut pixels = Pixels::new(layer, &shape, input);
    let branch = Branch::new(layer, &shape, None, None, &mut pixels)?;
    Ok((Problem::new(layer, &pixels), branch))
}

/// Chooses for checked branches; `layer` stands for all of them.
pub(crate) fn decide(
    layer: &Layer,
    branches: &[Branch],
    problem: &Problem,
    options: &PlanOptions,
    allowed: &[&'static Kernel],
) -> Result<Decision, Error> {
    let (profile, why_not) = profile(options);
    let (blocking, threads) = (options.blocking, options.threads);
    let mut all = Vec::new();
    let (mut best, mut considered) = (None::<Candidate>, 0);
    let keep = profile.is_some() || options.mode == Mode::Measure;
    for_each_candidate(branches, problem, Cpu::host(), allowed, blocking, threads, |candidate| {
        if options.split.is_some_and(|split| candidate.split != split) {
            return;
        }
        considered += 1;
        if keep {
            all.push(candidate);
        }
        if best.is_none_or(|best| candidate.cycles < best.cycles) {
            best = Some(candidate);
        }
    });
    let mut basis = Basis::Modelled;
    if let Some(profile) = &profile {
        basis = profile.correct(layer, threads, &mut all);
        best = all.iter().copied().min_by(|a, b| a.cycles.total_cmp(&b.cycles));
    }
    match options.mode {
        Mode::ProfileOnly if basis != Basis::Measured => {
            return Err(Error::NotInProfile { layer: layer.to_string() });
        }
        Mode::Measure if basis != Basis::Measured => {
            best = Some(super::measure::best(layer, options, &mut all)?);
            basis = Basis::Measured;
        }
        _ => {}
    }
    let candidate = best.ok_or(Error::BadSplit)?;
    Ok(Decision { candidate, considered, basis, problem: why_not })
}
