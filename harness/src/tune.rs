//! Tuning: measures the candidates of a layer, in each round fewer of them and for longer.
//!
//! ```text
//! screen   a sample or two of each: for every kernel, way to read the input and split the two
//!          blockings that the model ranks highest
//! refine   every blocking of the candidates within a fifth of the fastest
//! contest  the candidates within a few per cent of the fastest, in turns of random order
//! again    the fastest few, later ([`look_again`])
//! ```
//!
//! The time of a candidate is the lower quartile of its samples in the last of the first three rounds
//! that it took part in, or a shorter time found later. A disturbance makes a sample longer, never
//! shorter.
//!
//! This module imports of `contender` the aligned buffer.

use crate::contender::Buffer;
use pointwise::{
    Activation, Candidate, Error, Kernel, Layer, Measured, PackedWeights, Parameters, Plan,
    PlanOptions, Pool, Profile, Split,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Candidates whose modelled time is more than this times that of the model's choice are not measured.
const PRUNED: f64 = 1.6;
/// The most candidates of the first round.
const FIRST: usize = 72;
/// Candidates within this times the fastest take part in the second round.
const REFINED: f64 = 1.2;
/// Candidates within this times the fastest take part in the contest.
const CLOSE: f64 = 1.06;
/// The most candidates of the contest, not counting those that must be in it.
const LAST: usize = 8;
/// Candidates slower than this times the fastest are not kept in the profile.
const KEPT: f64 = 1.5;

/// The result of tuning one layer.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The measured candidates that are not far behind the fastest, and those asked for; the fastest
    /// first.
    pub measured: Vec<Measured>,
    /// The time of the model's choice ÷ the time of the fastest.
    pub regret: f64,
}

/// The buffers of a layer, its plans, and the pool that they run in.
struct Bench<'p> {
    layer: Layer,
    options: PlanOptions,
    pool: Option<&'p rayon::ThreadPool>,
    input: Buffer,
    values: Vec<f32>,
    bias: Option<Vec<f32>>,
    slopes: Option<Vec<f32>>,
    residual: Option<Buffer>,
    output: Buffer,
    /// Packed weights by kernel. Kernels that pack alike share one copy, so that its address makes no
    /// difference between them.
    weights: HashMap<String, Arc<PackedWeights>>,
    timed: Vec<Timed>,
    random: ChaCha8Rng,
}

struct Timed {
    candidate: Candidate,
    plan: Plan,
    weights: Arc<PackedWeights>,
    ns: Vec<f64>,
    /// Whether it took part in the last contest.
    last: bool,
}

impl Timed {
    fn time(&self) -> f64 {
        let mut ns = self.ns.clone();
        ns.sort_by(f64::total_cmp);
        ns.get(ns.len() / 4).copied().unwrap_or(f64::INFINITY)
    }
}

fn same(a: &Candidate, b: &Candidate) -> bool {
    (a.kernel, a.blocking, a.split) == (b.kernel, b.blocking, b.split)
}

impl<'p> Bench<'p> {
    fn new(
        layer: &Layer,
        options: &PlanOptions,
        pool: Option<&'p rayon::ThreadPool>,
    ) -> Result<Self, Error> {
        let shape = layer.check()?;
        // The empty profile keeps the profile of the environment out.
        let options = options.clone().profile(Arc::new(Profile::new()));
        Ok(Bench {
            layer: *layer,
            options,
            pool,
            input: Buffer::filled(shape.input_len, 0.5),
            values: vec![0.25; shape.weights_len],
            bias: layer.bias.then(|| vec![0.1; layer.k]),
            slopes: (layer.activation == Activation::Prelu).then(|| vec![0.1; layer.k]),
            residual: layer.residual.then(|| Buffer::filled(shape.output_len, 0.5)),
            output: Buffer::filled(shape.output_len, 0.0),
            weights: HashMap::new(),
            timed: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(0),
        })
    }

    /// Adds a candidate, unless it is there already.
    fn add(&mut self, candidate: &Candidate) -> Result<(), Error> {
        if self.timed.iter().any(|t| same(&t.candidate, candidate)) {
            return Ok(());
        }
        let plan = Plan::new(&self.layer, &self.options.clone().candidate(candidate))?;
        let weights = match self.weights.get(plan.kernel().name()) {
            Some(weights) => weights.clone(),
            None => {
                let mut parameters = Parameters::new(&self.values);
                parameters.bias = self.bias.as_deref();
                parameters.slopes = self.slopes.as_deref();
                let packed = Arc::new(plan.pack_parameters(&parameters)?);
                // Kernels of the same width pack alike.
                let alike = self.weights.values().find(|w| same_packing(w, &packed)).cloned();
                let packed = alike.unwrap_or(packed);
                self.weights.insert(plan.kernel().name().to_owned(), packed.clone());
                packed
            }
        };
        let (candidate, ns) = (*candidate, Vec::new());
        self.timed.push(Timed { candidate, plan, weights, ns, last: false });
        Ok(())
    }

    /// Times the `chosen` candidates in turns of random order, because a run depends on what ran before
    /// it. It runs within the pool, so that no run begins with waking the pool from outside.
    fn sample(&mut self, chosen: &[usize], target: f64, turns: usize) -> Result<(), Error> {
        match self.pool {
            Some(pool) => pool.install(|| self.turns(chosen, target, turns)),
            None => self.turns(chosen, target, turns),
        }
    }

    fn turns(&mut self, chosen: &[usize], target: f64, turns: usize) -> Result<(), Error> {
        let mut order = chosen.to_vec();
        let serial = self.pool.is_none();
        let pool = || if serial { Pool::Serial } else { Pool::Current };
        for _ in 0..turns {
            order.shuffle(&mut self.random);
            for at in &order {
                let at = *at;
                let Timed { plan, weights, ns, .. } = &mut self.timed[at];
                let (input, residual) = (&self.input, self.residual.as_deref());
                let output = &mut self.output;
                let mut run = || plan.run(weights, input, residual, output, pool());
                let begin = Instant::now();
                run()?;
                let once = begin.elapsed().as_nanos().max(1) as f64;
                // The caches hold what ran before, so that the first run does not count, unless it is
                // too long for that to matter.
                if once > 2e6 && turns == 1 {
                    ns.push(once);
                    continue;
                }
                if once > 2.0 * target {
                    // A long run is a sample by itself. The best of three leaves out busy moments.
                    let mut least = f64::INFINITY;
                    for _ in 0..if turns == 1 { 1 } else { 3 } {
                        let begin = Instant::now();
                        run()?;
                        least = least.min(begin.elapsed().as_nanos() as f64);
                    }
                    ns.push(least);
                    continue;
                }
                run()?;
                let times = (target / once).ceil().clamp(1.0, 1e4) as usize;
                let begin = Instant::now();
                for _ in 0..times {
                    run()?;
                }
                ns.push(begin.elapsed().as_nanos() as f64 / times as f64);
            }
        }
        Ok(())
    }

    /// The indices of the candidates within `factor` times the fastest, fastest first.
    fn within(&self, factor: f64) -> Vec<usize> {
        let mut times: Vec<(f64, usize)> =
            self.timed.iter().enumerate().map(|(at, timed)| (timed.time(), at)).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let limit = times.first().map_or(0.0, |t| t.0) * factor;
        times.into_iter().filter(|t| t.0 <= limit).map(|t| t.1).collect()
    }

    /// The contest: the candidates near the fastest, and those of `keep`.
    fn contest(&mut self, keep: &[Candidate]) -> Result<(), Error> {
        for (factor, most, turns) in [(1.12, 20, 3usize), (CLOSE, LAST, 12)] {
            let mut chosen = self.within(factor);
            chosen.truncate(most);
            for candidate in keep {
                let at = self.timed.iter().position(|t| same(&t.candidate, candidate));
                chosen.extend(at.filter(|at| !chosen.contains(at)));
            }
            let slow = chosen.first().is_some_and(|at| self.timed[*at].time() > 1e6);
            // Samples of earlier rounds do not count: the machine was colder then.
            for (at, timed) in self.timed.iter_mut().enumerate() {
                timed.last = chosen.contains(&at);
                if timed.last {
                    timed.ns.clear();
                }
            }
            self.sample(&chosen, 6e4, if slow { turns.div_ceil(2) } else { turns })?;
        }
        Ok(())
    }

    /// The time of the fastest candidate of the last contest, ns.
    fn least(&self) -> f64 {
        let last = self.timed.iter().filter(|t| t.last);
        last.map(Timed::time).fold(f64::INFINITY, f64::min)
    }

    /// The candidates for which `kept` is true, fastest first.
    fn measured(&self, kept: impl Fn(&&Timed) -> bool) -> Vec<Measured> {
        // The quartile of a few samples may be too short. Such a candidate does not get a shorter time
        // than the winner of the contest.
        let least = self.least();
        let ns = |t: &Timed| if t.last { t.time() } else { t.time().max(least * 1.001) };
        let threads = self.options.threads;
        let timed = self.timed.iter().filter(kept);
        let mut measured: Vec<Measured> =
            timed.map(|t| Measured::new(&self.layer, threads, &t.candidate, ns(t))).collect();
        measured.sort_by(|a, b| a.ns.total_cmp(&b.ns));
        measured
    }
}

fn same_packing(a: &PackedWeights, b: &PackedWeights) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// Measures the candidates of `layer` by successive halving, in `pool` where the options ask for
/// several threads. The model's choice and the candidates of `keep` are measured to the end.
///
/// # Errors
/// Those of planning and running.
pub fn tune(
    layer: &Layer,
    options: &PlanOptions,
    keep: &[Candidate],
    pool: Option<&rayon::ThreadPool>,
) -> Result<Tuned, Error> {
    let mut bench = Bench::new(layer, options, pool)?;
    let ranked = Plan::candidates(layer, &bench.options)?.ranked;
    let Some(choice) = ranked.first().copied() else { return Err(Error::BadSplit) };
    let mut keep = keep.to_vec();
    keep.push(choice);
    // A candidate that cannot be chosen here, for instance above the cap of the ISA, is left out.
    keep.retain(|k| ranked.iter().any(|c| same(k, c)));
    let key = |c: &Candidate| (c.kernel, c.blocking.pack, c.split);
    let near = ranked.iter().take_while(|c| c.cycles <= choice.cycles * PRUNED);
    let mut taken: Vec<(&Kernel, bool, Split)> = Vec::new();
    for candidate in near {
        let key = key(candidate);
        if taken.len() < FIRST && taken.iter().filter(|k| **k == key).count() < 2 {
            taken.push(key);
            bench.add(candidate)?;
        }
    }
    for candidate in &keep {
        bench.add(candidate)?;
    }
    let all: Vec<usize> = (0..bench.timed.len()).collect();
    bench.sample(&all, 3e4, 1)?;
    let near: Vec<_> =
        bench.within(REFINED).iter().map(|at| key(&bench.timed[*at].candidate)).collect();
    let before = bench.timed.len();
    for candidate in ranked.iter().filter(|c| near.contains(&key(c))) {
        bench.add(candidate)?;
    }
    let mut chosen = bench.within(REFINED);
    chosen.retain(|at| *at < before);
    chosen.extend(before..bench.timed.len());
    bench.sample(&chosen, 4e4, 1)?;
    bench.contest(&keep)?;
    let least = bench.least();
    let regret = bench.timed.iter().find(|t| same(&t.candidate, &choice));
    let kept =
        |t: &&Timed| t.time() <= least * KEPT || keep.iter().any(|keep| same(keep, &t.candidate));
    Ok(Tuned { regret: regret.map_or(1.0, |t| t.time() / least), measured: bench.measured(kept) })
}

/// Measures the given candidates against each other.
///
/// # Errors
/// Those of planning and running.
fn contest(
    layer: &Layer,
    options: &PlanOptions,
    candidates: &[Candidate],
    pool: Option<&rayon::ThreadPool>,
) -> Result<Vec<Measured>, Error> {
    let mut bench = Bench::new(layer, options, pool)?;
    for candidate in candidates {
        bench.add(candidate)?;
    }
    let all: Vec<usize> = (0..bench.timed.len()).collect();
    bench.sample(&all, 3e4, 1)?;
    bench.contest(candidates)?;
    Ok(bench.measured(|_| true))
}

/// The number of candidates of a second look, not counting those asked for.
const FEW: usize = 5;

/// Measures `chosen` and the fastest few candidates of a layer in the profile again, against each
/// other, and keeps the shorter times. A disturbance makes times longer, often for as long as a whole
/// measurement takes.
///
/// # Errors
/// Those of planning and running.
pub fn look_again(
    profile: &mut Profile,
    layer: &Layer,
    options: &PlanOptions,
    chosen: &[Candidate],
    pool: Option<&rayon::ThreadPool>,
) -> Result<(), Error> {
    let threads = options.threads;
    let is = |m: &Measured, c: &Candidate| {
        (m.kernel, m.blocking, m.split) == (c.kernel, c.blocking, c.split)
    };
    let unaided = options.clone().profile(Arc::new(Profile::new()));
    let ranked = Plan::candidates(layer, &unaided)?.ranked;
    let mut known = profile.of(layer, threads).to_vec();
    known.sort_by(|a, b| a.ns.total_cmp(&b.ns));
    let mut few = chosen.to_vec();
    for known in known.iter().take(FEW) {
        few.extend(ranked.iter().find(|c| is(known, c)));
    }
    for mut measured in contest(layer, options, &few, pool)? {
        let same = |m: &&Measured| {
            (m.kernel, m.blocking, m.split) == (measured.kernel, measured.blocking, measured.split)
        };
        let earlier = known.iter().find(same).map_or(f64::INFINITY, |m| m.ns);
        measured.ns = measured.ns.min(earlier);
        profile.add(measured);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_look_keeps_the_shorter_time() {
        let layer = Layer::new(16, 24, 5, 5);
        let options = PlanOptions::new().profile(Arc::new(Profile::new()));
        let ranked = Plan::candidates(&layer, &options).unwrap().ranked;
        // The time of one is shorter than any run, that of the other longer.
        let (fast, slow) = (ranked[0], ranked[1]);
        let mut profile = Profile::new();
        profile.add(Measured::new(&layer, 1, &fast, 0.5));
        profile.add(Measured::new(&layer, 1, &slow, 1e15));
        look_again(&mut profile, &layer, &options, &[slow], None).unwrap();
        let [a, b] = profile.of(&layer, 1) else { panic!("{:?}", profile.of(&layer, 1)) };
        let (a, b) = if a.ns < b.ns { (a, b) } else { (b, a) };
        assert_eq!((a.ns, a.kernel, a.blocking), (0.5, fast.kernel, fast.blocking));
        assert!(b.ns < 1e15 && (b.kernel, b.blocking) == (slow.kernel, slow.blocking));
    }

    #[test]
    fn tuning_keeps_the_models_choice_and_feeds_a_profile() {
        let layer = Layer::new(16, 24, 5, 5);
        let options = PlanOptions::new().profile(Arc::new(Profile::new()));
        let ranked = Plan::candidates(&layer, &options).unwrap().ranked;
        let last = *ranked.last().unwrap();
        let tuned = tune(&layer, &options, &[last], None).unwrap();
        assert!(tuned.regret >= 1.0 && tuned.measured.len() >= 2);
        for kept in [ranked[0], last] {
            let is = |m: &Measured| {
                (m.kernel, m.blocking, m.split) == (kept.kernel, kept.blocking, kept.split)
            };
            assert_eq!(tuned.measured.iter().filter(|m| is(m)).count(), 1, "{kept:?}");
        }
        assert!(tuned.measured.is_sorted_by(|a, b| a.ns <= b.ns));
        let mut profile = Profile::new();
        for measured in tuned.measured.clone() {
            profile.add(measured);
        }
        let plan = Plan::new(&layer, &PlanOptions::new().profile(Arc::new(profile))).unwrap();
        assert_eq!(plan.kernel(), tuned.measured[0].kernel);
        assert_eq!(plan.blocking(), tuned.measured[0].blocking);
    }

    #[test]
    fn a_contest_times_just_what_it_is_given() {
        let layer = Layer::new(16, 24, 5, 5);
        let ranked = Plan::candidates(&layer, &PlanOptions::new()).unwrap().ranked;
        let measured = contest(&layer, &PlanOptions::new(), &ranked[..3], None).unwrap();
        assert_eq!(measured.len(), 3);
        assert!(measured.iter().all(|m| m.ns.is_finite() && m.ns > 0.0));
    }
}
