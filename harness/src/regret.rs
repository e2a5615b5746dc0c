//! Regret: the time of a plan's choice ÷ the time of the best candidate.
//!
//! The times of all candidates of a layer are measured once and kept, as a [`Profile`] in a file. The
//! choices of the model, and of a profile under test, are looked up there. A table of hundreds of
//! layers can thus be measured in several runs, and made again for another model.

use crate::timing::stats::geometric_mean;
use pointwise::{Candidate, Error, Layer, Layout, Measured, Plan, PlanOptions, Profile};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// A set of layers with a regret of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Set {
    /// The layers of the catalog, or those that the filters choose.
    Catalog,
    /// Random layers, which tuning has not seen.
    Random,
}

impl Set {
    /// `catalog` or `random`.
    pub const fn name(self) -> &'static str {
        match self {
            Set::Catalog => "catalog",
            Set::Random => "random",
        }
    }
}

/// One layer whose choices are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct RegretCase {
    /// The set that the layer belongs to.
    pub set: Set,
    /// The layer.
    pub layer: Layer,
    /// The number of threads of its plans.
    pub threads: usize,
}

/// The regret of the choices for one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The layer.
    pub case: RegretCase,
    /// The regret of the model's choice, at least 1.
    pub model: f64,
    /// The regret of the profile's choice.
    pub profile: Option<f64>,
    /// The model's choice.
    pub choice: Measured,
    /// The profile's choice.
    pub tuned: Option<Measured>,
    /// The fastest candidate.
    pub best: Measured,
}

/// The choices for a layer: the model's, and the profile's if there is one.
///
/// # Errors
/// Those of [`Plan::candidates`].
pub fn choices(
    case: &RegretCase,
    options: &PlanOptions,
    profile: Option<&Arc<Profile>>,
) -> Result<Vec<Candidate>, Error> {
    let options = options.clone().threads(case.threads);
    let with = |profile: Arc<Profile>| {
        let candidates = Plan::candidates(&case.layer, &options.clone().profile(profile))?;
        candidates.ranked.first().copied().ok_or(Error::BadSplit)
    };
    // The empty profile keeps the profile of the environment out.
    let mut chosen = vec![with(Arc::new(Profile::new()))?];
    if let Some(profile) = profile {
        chosen.push(with(profile.clone())?);
    }
    Ok(chosen)
}

/// The regret of the choices, by what was measured for this layer; `None` when the time of a choice is
/// missing.
pub fn judge(case: &RegretCase, measured: &[&Measured], chosen: &[Candidate]) -> Option<Judged> {
    let best = measured.iter().min_by(|a, b| a.ns.total_cmp(&b.ns))?;
    let find = |c: &Candidate| {
        measured.iter().find(|m| (m.kernel, m.blocking, m.split) == (c.kernel, c.blocking, c.split))
    };
    let choice = find(chosen.first()?)?;
    let tuned = match chosen.get(1) {
        Some(chosen) => Some(find(chosen)?),
        None => None,
    };
    Some(Judged {
        case: case.clone(),
        model: choice.ns / best.ns,
        profile: tuned.map(|tuned| tuned.ns / best.ns),
        choice: (*choice).clone(),
        tuned: tuned.map(|tuned| (*tuned).clone()),
        best: (*best).clone(),
    })
}

/// Random layers of at most `most` multiply-adds, in alternating layouts. Channels (8 to 2048) and the
/// side of the square image (1 to 112) are log-uniform.
pub fn random_layers(seed: u64, count: usize, most: u128) -> Vec<Layer> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut layers = Vec::new();
    while layers.len() < count {
        let mut size =
            |from: f64, to: f64| (from * (to / from).powf(random.random::<f64>())).round() as usize;
        let (c, k, side) = (size(8.0, 2048.0), size(8.0, 2048.0), size(1.0, 112.0));
        let layout = [Layout::Nhwc, Layout::Nchw][layers.len() % 2];
        let layer = Layer::new(c, k, side, side).layout(layout).bias(true);
        if layer.check().is_ok_and(|shape| shape.macs <= most) {
            layers.push(layer);
        }
    }
    layers
}

/// The geometric mean and the maximum of regrets; both are 1 without any.
pub fn summary(regrets: &[f64]) -> (f64, f64) {
    let worst = regrets.iter().copied().fold(1.0, f64::max);
    (geometric_mean(regrets).unwrap_or(1.0), worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_layers_are_the_same_for_a_seed_and_within_bounds() {
        let layers = random_layers(7, 40, 400_000_000);
        assert_eq!(layers, random_layers(7, 40, 400_000_000));
        assert_ne!(layers, random_layers(8, 40, 400_000_000));
        for layer in layers {
            assert!((8..=2048).contains(&layer.c) && (8..=2048).contains(&layer.k));
            assert!((1..=112).contains(&layer.h));
        }
    }

    #[test]
    fn a_summary_is_geometric_mean_and_maximum() {
        let (mean, worst) = summary(&[1.0, 4.0]);
        assert!((mean - 2.0).abs() < 1e-12);
        assert_eq!(worst, 4.0);
    }

    #[test]
    fn regret_is_looked_up_among_what_was_measured() {
        let layer = Layer::new(24, 40, 9, 9);
        let case = RegretCase { set: Set::Random, layer, threads: 1 };
        let chosen = choices(&case, &PlanOptions::new(), None).unwrap();
        let options = PlanOptions::new();
        let ranked = Plan::candidates(&layer, &options).unwrap().ranked;
        let last = ranked.last().unwrap();
        let slow = Measured::new(&layer, 1, &chosen[0], 300.0);
        let fast = Measured::new(&layer, 1, last, 200.0);
        let judged = judge(&case, &[&slow, &fast], &chosen).unwrap();
        assert_eq!((judged.model, judged.profile), (1.5, None));
        assert_eq!((&judged.choice, &judged.best), (&slow, &fast));
        assert_eq!(judge(&case, &[&fast], &chosen), None);
        // With a profile that has the faster candidate.
        let mut profile = Profile::new();
        profile.add(fast.clone());
        let chosen = choices(&case, &PlanOptions::new(), Some(&Arc::new(profile))).unwrap();
        let judged = judge(&case, &[&slow, &fast], &chosen).unwrap();
        assert_eq!((judged.profile, judged.tuned.as_ref()), (Some(1.0), Some(&fast)));
        assert_eq!((judged.model, &judged.choice), (1.5, &slow));
    }
}
