//! Choosing: from a caller's options to a bound choice.

use crate::choose::candidate::{Basis, Question};
use crate::choose::decide::ranked;
use crate::choose::profile::{Profile, ProfileError};
use crate::cpu::Cpu;
use crate::cut::blocking::Blocking;
use crate::describe::arithmetic::Dtype;
use crate::describe::error::Error;
use crate::describe::view::View;
use crate::micro::isa::Isa;
use crate::micro::registry::{Kernel, kernels};
use crate::plan::bound::{Bound, Geometry, Wanted};
use crate::plan::measure;
use crate::plan::options::{Mode, PlanOptions};
use crate::reference::float_environment::DefaultEnvironment;
use crate::run::executed::Executed;
use std::sync::Arc;

/// The most parts that the work of a layer is cut into.
const MOST_THREADS: usize = 1024;

/// Chooses for layers that read the same input in the same way. Also returns the reason why a profile
/// that was asked for is not used.
///
/// # Errors
/// Those of [`Plan::with_views`](crate::Plan::with_views).
pub(crate) fn choose<A: Executed>(
    wanted: &[Wanted],
    input: Option<View>,
    options: &PlanOptions,
) -> Result<(Bound, Option<ProfileError>), Error> {
    // Estimating raises floating-point exceptions, which the host may have unmasked.
    let _environment = DefaultEnvironment::enter();
    let geometry = Geometry::new(wanted, input)?;
    let options = options.with_environment()?;
    let allowed = allowed(A::DTYPE, &options, Kernel::is_available)?;
    let question = question(&geometry, &options, Cpu::host(), &allowed)?;
    let (profile, why_not) = profile(&options);
    let (ranked, mut basis) = ranked(&question, profile.as_deref());
    let best = match options.mode {
        Mode::ProfileOnly if basis != Basis::Measured => {
            return Err(Error::NotInProfile { layer: geometry.layer.to_string() });
        }
        Mode::Measure if basis != Basis::Measured => {
            basis = Basis::Measured;
            Some(measure::best::<A>(&geometry.layer, options.threads, &ranked)?)
        }
        _ => ranked.first().copied(),
    };
    let best = best.ok_or(Error::BadSplit)?;
    Ok((Bound::new(geometry, &best, basis, ranked.len(), options.algorithm)?, why_not))
}

/// The question that the options ask about a layer on a CPU.
///
/// # Errors
/// [`Error::ZeroThreads`], [`Error::BadBlocking`].
pub(crate) fn question<'a>(
    geometry: &'a Geometry,
    options: &PlanOptions,
    cpu: &'a Cpu,
    kernels: &'a [&'static Kernel],
) -> Result<Question<'a>, Error> {
    if options.threads == 0 {
        return Err(Error::ZeroThreads);
    }
    if let Some(blocking) = options.blocking
        && !(1..=Blocking::MOST_UNITS).contains(&blocking.units)
    {
        return Err(Error::BadBlocking { why: "a block has 1 to 64 pixel units" });
    }
    Ok(Question {
        layer: &geometry.layer,
        pixels: &geometry.pixels,
        outlets: &geometry.outlets,
        cpu,
        kernels,
        blocking: options.blocking,
        split: options.split,
        threads: options.threads.min(MOST_THREADS),
    })
}

/// The profile that the options or the environment ask for, or the reason why it is not used.
pub(crate) fn profile(options: &PlanOptions) -> (Option<Arc<Profile>>, Option<ProfileError>) {
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

/// The kernels for an element type that the options admit. `runs` says which kernels the CPU can run.
///
/// # Errors
/// [`Error::UnknownKernel`], [`Error::KernelUnavailable`].
pub(crate) fn allowed(
    dtype: Dtype,
    options: &PlanOptions,
    runs: impl Fn(&Kernel) -> bool,
) -> Result<Vec<&'static Kernel>, Error> {
    let admitted = |kernel: &Kernel| {
        kernel.dtype() == dtype
            && runs(kernel)
            && options.isa.is_none_or(|cap| kernel.isa().is_within(cap))
    };
    if let Some(name) = &options.kernel {
        let kernel = kernels()
            .iter()
            .find(|kernel| kernel.name() == name)
            .ok_or_else(|| Error::UnknownKernel { name: name.clone() })?;
        if !admitted(kernel) {
            let needs = kernel.needs().to_string();
            return Err(Error::KernelUnavailable { name: name.clone(), needs });
        }
        return Ok(vec![kernel]);
    }
    let best: Vec<&Kernel> = kernels().iter().filter(|kernel| admitted(kernel)).collect();
    // A scalar kernel is never the better choice if there are kernels with vectors.
    let vectors = best.iter().any(|kernel| kernel.isa() != Isa::Scalar);
    Ok(best.into_iter().filter(|kernel| !vectors || kernel.isa() != Isa::Scalar).collect())
}
