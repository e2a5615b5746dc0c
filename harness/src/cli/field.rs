//! The field: the contenders that the filters let through, and why some of them cannot run.

use super::failure::Failure;
use super::options::Options;
use super::output::note;
use pointwise::Kernel;
use pointwise_harness::catalog::Pattern;
use pointwise_harness::contender::{self, Contender, Refusal, SIBLINGS};

/// The contenders that take part when no filter names any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// The plan's choice, naive loops, GEMMs and peers.
    Contenders,
    /// Those that compute whole layers.
    WholeLayers,
    /// All of those, every kernel by itself, and siblings together.
    Everything,
    /// The plan's choice, siblings together, GEMMs and peers.
    Pass,
}

/// The contenders that take part, whether they can run here or not.
pub(crate) struct Field {
    everyone: Vec<(Box<dyn Contender>, Option<String>)>,
}

impl Field {
    /// Every contender, with the reason if it cannot run here.
    pub(crate) fn everyone(&self) -> impl Iterator<Item = (&dyn Contender, Option<String>)> {
        self.everyone.iter().map(|(contender, why_not)| (&**contender, why_not.clone()))
    }

    /// The contenders that can run here.
    ///
    /// # Errors
    /// [`Failure::NothingAvailable`] when there are none.
    pub(crate) fn present(&self) -> Result<Vec<&dyn Contender>, Failure> {
        let here = self.everyone.iter().filter(|(_, why_not)| why_not.is_none());
        let present: Vec<&dyn Contender> = here.map(|(contender, _)| &**contender).collect();
        if present.is_empty() {
            Err(Failure::NothingAvailable { absent: self.absent() })
        } else {
            Ok(present)
        }
    }

    /// Tells which contenders cannot run here. For contenders that a filter named it gives the reasons,
    /// for others a line with their names.
    pub(crate) fn tell_absent(&self, options: &Options) {
        let mut absent = self.absent();
        if options.kernel.is_empty() && options.contender.is_empty() {
            absent.retain(|(name, _)| kernel_named(name).is_none());
            if !absent.is_empty() {
                let names: Vec<&str> = absent.iter().map(|(name, _)| name.as_str()).collect();
                note(format_args!(
                    "not on this machine: {} (`pointwise list contenders` says why)",
                    names.join(", ")
                ));
            }
            return;
        }
        while let Some((_, why)) = absent.first().cloned() {
            let alike = absent.extract_if(.., |(_, other)| *other == why);
            let names: Vec<String> = alike.map(|(name, _)| name).collect();
            note(format_args!("left out: {}: {why}", names.join(", ")));
        }
    }

    /// The contenders that cannot run here, with the reasons.
    fn absent(&self) -> Vec<(String, String)> {
        let why = |(contender, why): &(Box<dyn Contender>, Option<String>)| {
            Some((contender.name().to_owned(), why.clone()?))
        };
        self.everyone.iter().filter_map(why).collect()
    }
}

/// The contenders that `--kernel` or `--contender` let through, or those of `preset` without either.
pub(crate) fn contenders(options: &Options, preset: Preset) -> Result<Field, Failure> {
    let kernels = kernels(options)?;
    let all = contender::all(&contender::Options {
        peers: options.peers.clone(),
        isa: options.isa,
        sharing: options.sharing.unwrap_or_default(),
        ..Default::default()
    });
    let names: Vec<&str> = all.iter().map(|contender| contender.name()).collect();
    let mut named: Vec<String> = Vec::new();
    for pattern in &options.contender {
        let picked = pick("contender", pattern, &names, "contenders")?;
        named.extend(picked.into_iter().map(str::to_owned));
    }
    let unfiltered = options.kernel.is_empty() && options.contender.is_empty();
    let takes_part = |contender: &dyn Contender| {
        let kernel = kernel_named(contender.name());
        if unfiltered {
            return match preset {
                Preset::Everything => true,
                Preset::Contenders => kernel.is_none() && contender.name() != SIBLINGS,
                Preset::WholeLayers => {
                    kernel.is_none()
                        && contender.name() != SIBLINGS
                        && contender.times_whole_layer()
                }
                Preset::Pass => {
                    kernel.is_none() && contender.name() != "naive" && contender.times_whole_layer()
                }
            };
        }
        let by_kernel = !options.kernel.is_empty()
            && kernel.is_some_and(|kernel| kernels.iter().any(|k| k.name() == kernel.name()));
        by_kernel || named.iter().any(|name| name == contender.name())
    };
    let everyone = all
        .into_iter()
        .filter(|contender| takes_part(&**contender))
        .map(|contender| {
            let why_not = absence(&*contender, options);
            (contender, why_not)
        })
        .collect();
    Ok(Field { everyone })
}

/// The kernels that `--kernel` lets through, whether they can run here or not.
pub(crate) fn kernels(options: &Options) -> Result<Vec<&'static Kernel>, Failure> {
    let all = pointwise::kernels();
    if options.kernel.is_empty() {
        return Ok(all.iter().collect());
    }
    let names: Vec<&str> = all.iter().map(|kernel| kernel.name()).collect();
    let mut named = Vec::new();
    for pattern in &options.kernel {
        named.extend(pick("kernel", pattern, &names, "kernels")?);
    }
    Ok(all.iter().filter(|kernel| named.contains(&kernel.name())).collect())
}

fn pick<'a>(
    what: &'static str,
    pattern: &str,
    names: &[&'a str],
    see: &'static str,
) -> Result<Vec<&'a str>, Failure> {
    let picked = Pattern::new(what, pattern).and_then(|pattern| pattern.pick(names));
    picked.map_err(|error| Failure::Filter { error, see: Some(see) })
}

/// The reason why a kernel cannot run: this CPU, or the cap of the ISA.
pub(crate) fn why_not(kernel: &Kernel, options: &Options) -> Option<String> {
    if !kernel.is_available() {
        return Some(format!("it needs {}", kernel.isa().needs()));
    }
    match options.isa {
        Some(cap) if !kernel.isa().is_within(cap) => Some(format!("--isa {cap} rules it out")),
        _ => None,
    }
}

fn kernel_named(name: &str) -> Option<&'static Kernel> {
    pointwise::kernels().iter().find(|kernel| kernel.name() == name)
}

fn absence(contender: &dyn Contender, options: &Options) -> Option<String> {
    match kernel_named(contender.name()) {
        Some(kernel) => why_not(kernel, options),
        None => contender.available().err().map(|refusal| reason(&refusal).to_owned()),
    }
}

/// The reason of a refusal.
pub(crate) fn reason(refusal: &Refusal) -> &str {
    match refusal {
        Refusal::Unavailable(why) | Refusal::Unsupported(why) | Refusal::Failed(why) => why,
    }
}
