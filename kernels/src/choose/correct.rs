//! What a profile changes about estimates.

use crate::choose::candidate::{Basis, Candidate, Question};
use crate::choose::profile::{Measured, Profile, distance};
use crate::cpu::Cpu;
use crate::cut::outlet::dense;
use crate::describe::layer::Layer;
use crate::micro::registry::{Kernel, kernels};

/// Puts measured times in the place of estimates where the layer was measured, else corrects
/// the estimates by how far those of the nearest measured layer were off.
pub(crate) fn correct(
    profile: &Profile,
    layer: &Layer,
    threads: usize,
    all: &mut [Candidate],
) -> Basis {
    let is = |e: &Measured, c: &Candidate| {
        (e.kernel, e.blocking, e.split) == (c.kernel, c.blocking, c.split)
    };
    let known = profile.of(layer, threads);
    if !known.is_empty() {
        let mut any = false;
        for candidate in all.iter_mut() {
            match known.iter().find(|e| is(e, candidate)) {
                Some(measured) => (candidate.cycles, any) = (measured.ns, true),
                // What tuning dropped was slower than what it kept.
                None => candidate.cycles = f64::INFINITY,
            }
        }
        return if any { Basis::Measured } else { Basis::Modelled };
    }
    let near = profile
        .layers()
        .filter(|(_, on, _)| *on == threads)
        .filter_map(|(known, _, entries)| Some((distance(known, layer)?, known, entries)))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    let Some((distance, near, entries)) = near.filter(|near| near.0 < 1.0) else {
        return Basis::Modelled;
    };
    let estimates = estimates(near, threads);
    let mut errors: Vec<(&Kernel, bool, f64)> = Vec::new();
    for e in entries {
        if let Some(estimate) = estimates.iter().find(|c| is(e, c)) {
            errors.push((e.kernel, e.blocking.pack, (e.ns / estimate.cycles).ln()));
        }
    }
    if errors.is_empty() {
        return Basis::Modelled;
    }
    let mean = errors.iter().map(|e| e.2).sum::<f64>() / errors.len() as f64;
    for candidate in all {
        let of =
            |e: &&(&Kernel, bool, f64)| e.0 == candidate.kernel && e.1 == candidate.blocking.pack;
        let (sum, count) =
            errors.iter().filter(of).fold((0.0, 0.0), |(s, n), e| (s + e.2, n + 1.0));
        if count > 0.0 {
            candidate.cycles *= ((sum / count - mean) * 0.7 * (1.0 - distance)).exp();
        }
    }
    Basis::Informed
}

/// Every candidate of a layer of whole tensors on this CPU; none if the layer is not valid.
fn estimates(layer: &Layer, threads: usize) -> Vec<Candidate> {
    let Ok((pixels, outlet)) = dense(layer) else { return Vec::new() };
    let kernels: Vec<&Kernel> = kernels().iter().filter(|k| k.is_available()).collect();
    let question = Question {
        layer,
        pixels: &pixels,
        outlets: &[outlet],
        cpu: Cpu::host(),
        kernels: &kernels,
        blocking: None,
        split: None,
        threads,
    };
    question.candidates()
}
