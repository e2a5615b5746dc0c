//! Tuning: measures a layer's candidates, fewer and fewer of them, longer and longer.

use pointwise::{
    Activation, Candidate, Error, Layer, Layout, Measured, PackedWeights, Parameters, Plan,
    PlanOptions, Pool, Profile,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Candidates that the first round times: the best by the model.
const FIRST: usize = 64;
/// Candidates that the last round times, and that a profile keeps.
const LAST: usize = 8;

/// What tuning one layer found.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The candidates of the last round, fastest first; the model's choice is among them.
    pub measured: Vec<Measured>,
    /// Time of the model's choice ÷ time of the fastest.
    pub regret: f64,
    /// The same of the choice with the profile in `options`, if there is one.
    pub profile_regret: Option<f64>,
}

struct Timed {
    candidate: Candidate,
    plan: Plan,
    weights: Rc<PackedWeights>,
    /// Always kept: the model's choice, the profile's.
    keep: bool,
    ns: Vec<f64>,
}

impl Timed {
    fn median(&self) -> f64 {
        let mut ns = self.ns.clone();
        ns.sort_by(f64::total_cmp);
        ns.get(ns.len().saturating_sub(1) / 2).copied().unwrap_or(f64::INFINITY)
    }
}

/// Measures `layer` by successive halving, in `pool` where the options ask for several threads.
///
/// # Errors
/// Those of planning and running.
pub fn tune(
    layer: &Layer,
    options: &PlanOptions,
    profile: Option<&Arc<Profile>>,
    pool: Option<&rayon::ThreadPool>,
) -> Result<Tuned, Error> {
    let shape = layer.check()?;
    let input = vec![0.5f32; shape.input_len];
    let values = vec![0.25f32; shape.weights_len];
    let bias = layer.bias.then(|| vec![0.1f32; layer.k]);
    let residual = layer.residual.then(|| vec![0.5f32; shape.output_len]);
    let slopes = (layer.activation == Activation::Prelu).then(|| vec![0.1f32; layer.k]);
    let mut output = vec![0.0f32; shape.output_len];
    let candidates = Plan::candidates(layer, options)?.ranked;
    let informed = match profile {
        Some(profile) => {
            let options = options.clone().profile(profile.clone());
            Plan::candidates(layer, &options)?.ranked.first().copied()
        }
        None => None,
    };
    let same = |a: &Candidate, b: &Candidate| {
        (a.kernel, a.blocking, a.split) == (b.kernel, b.blocking, b.split)
    };
    let mut timed: Vec<Timed> = Vec::new();
    for (rank, candidate) in candidates.iter().enumerate() {
        let keep = rank == 0 || informed.is_some_and(|informed| same(&informed, candidate));
        if rank >= FIRST && !keep {
            continue;
        }
        let plan = Plan::new(layer, &options.clone().candidate(candidate))?;
        // One copy of weights that several read: where in memory it lies is then no difference.
        let weights = match timed.iter().find(|t| t.plan.kernel() == plan.kernel()) {
            Some(timed) => timed.weights.clone(),
            None => {
                let mut parameters = Parameters::new(&values);
                (parameters.bias, parameters.slopes) = (bias.as_deref(), slopes.as_deref());
                Rc::new(plan.pack_parameters(&parameters)?)
            }
        };
        timed.push(Timed { candidate: *candidate, plan, weights, keep, ns: Vec::new() });
    }
    let mut target = 4e4;
    loop {
        for _ in 0..if timed.len() > LAST { 2 } else { 7 } {
            for one in &mut timed {
                let mut run = || {
                    let pool = pool.map_or(Pool::Serial, Pool::In);
                    one.plan.run(&one.weights, &input, residual.as_deref(), &mut output, pool)
                };
                run()?;
                let begin = Instant::now();
                run()?;
                let once = begin.elapsed().as_nanos().max(1) as f64;
                let times = (target / once).ceil().clamp(1.0, 1e4);
                let begin = Instant::now();
                for _ in 0..times as usize {
                    run()?;
                }
                one.ns.push(begin.elapsed().as_nanos() as f64 / times);
            }
        }
        timed.sort_by(|a, b| a.median().total_cmp(&b.median()));
        if timed.len() <= LAST {
            break;
        }
        let keep = (timed.len() / 2).max(LAST - 2);
        let mut rank = 0;
        timed.retain_mut(|one| {
            rank += 1;
            // Early times are of a colder, busier machine.
            one.ns.clear();
            rank <= keep || one.keep
        });
        target *= 1.5;
    }
    let least = timed.first().map_or(f64::INFINITY, Timed::median);
    let of = |candidate: &Candidate| {
        timed.iter().find(|t| same(&t.candidate, candidate)).map(|t| t.median() / least)
    };
    let threads = options.threads;
    Ok(Tuned {
        regret: candidates.first().and_then(of).unwrap_or(1.0),
        profile_regret: informed.as_ref().and_then(of),
        measured: timed
            .iter()
            .map(|t| Measured::new(layer, threads, &t.candidate, t.median()))
            .collect(),
    })
}

/// Random layers, log-uniform: c and k in 8…2048, square images of 1…112² pixels, of at most
/// `most` multiply-adds, alternating layouts.
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

/// Geometric mean and maximum.
pub fn summary(regrets: &[f64]) -> (f64, f64) {
    let sum: f64 = regrets.iter().map(|r| r.ln()).sum();
    let worst = regrets.iter().copied().fold(1.0, f64::max);
    ((sum / regrets.len().max(1) as f64).exp(), worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuning_keeps_the_models_choice_and_feeds_a_profile() {
        let layer = Layer::new(16, 24, 5, 5);
        let tuned = tune(&layer, &PlanOptions::new(), None, None).unwrap();
        assert!(tuned.regret >= 1.0 && tuned.measured.len() >= 2);
        let mut profile = Profile::new();
        for measured in tuned.measured.clone() {
            profile.add(measured);
        }
        let plan = Plan::new(&layer, &PlanOptions::new().profile(Arc::new(profile))).unwrap();
        assert_eq!(plan.kernel(), tuned.measured[0].kernel);
        assert_eq!(plan.blocking(), tuned.measured[0].blocking);
    }

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
}
