//! Deciding for one layer: by the prices alone, or with what a profile knows.

use crate::choose::candidate::{Basis, Candidate, Candidates, Question};
use crate::choose::correct::correct;
use crate::choose::profile::Profile;
use crate::cut::can_read_in_place;
use crate::micro::isa::Isa;
use crate::micro::registry::kernels;

/// Every candidate of a question, the best first, and what the order rests on.
pub(crate) fn ranked(
    question: &Question<'_>,
    profile: Option<&Profile>,
) -> (Vec<Candidate>, Basis) {
    let mut all = question.candidates();
    let basis = profile.map_or(Basis::Modelled, |profile| {
        correct(profile, question.layer, question.threads, &mut all)
    });
    all.sort_by(|a, b| a.cycles.total_cmp(&b.cycles));
    (all, basis)
}

/// The candidates of a question with the kernels that have none, and why. `named` if the caller
/// named the only kernel.
pub(crate) fn explained(
    question: &Question<'_>,
    profile: Option<&Profile>,
    named: bool,
) -> Candidates {
    let (ranked, basis) = ranked(question, profile);
    let cpu = question.cpu;
    let mut left_out = Vec::new();
    for kernel in kernels() {
        if !cpu.runs(kernel.isa()) {
            left_out.push((kernel, format!("the CPU has no {}", kernel.isa())));
        } else if !question.kernels.contains(&kernel) {
            let why = match kernel.isa() {
                Isa::Scalar if !named => "one lane, where there are vectors",
                _ => "not among those that the options admit",
            };
            left_out.push((kernel, why.to_owned()));
        } else if !can_read_in_place(question.pixels, kernel) {
            let why = "in place: this layer's pixels do not lie as its tiles read them";
            left_out.push((kernel, why.to_owned()));
        }
    }
    Candidates { ranked, left_out, basis }
}
