//! Fits the prices of a CPU to its stored times.
//!
//! `POINTWISE_CPU=zen4 cargo test --release -p pointwise --lib fit::fit -- --ignored --nocapture`
//! prints the lines of the CPU's file, and what its choices lose before and after.
//!
//! Two steps, the first of which finds the prices and the second what they decide:
//! - Gauss-Newton on the logarithms of estimates ÷ times, each layer's mean taken off, since only
//!   the order of a layer's candidates counts; slow candidates weigh less, outliers too, and times
//!   that are too long most of all, since noise makes times longer, never shorter.
//! - One price after the other, as long as the regret of choices that are a little wrong falls.

use crate::choose::candidate::Candidate;
use crate::choose::price::Priced;
use crate::choose::shares::Shares;
use crate::choose::stored::{Losses, NOT_TIMED, Stored, Timed, sets};
use crate::choose::work::Work;
use crate::cpu::{Cpu, Prices};
use crate::micro::isa::Isa;
use rayon::prelude::*;

/// A layer's candidates, each with what it comes to.
struct Case {
    works: Vec<Work>,
    /// Number of the work, units of a block, time as a multiple of the shortest, nanoseconds; no
    /// number of these for what was not timed.
    tried: Vec<(usize, usize, f64, f64)>,
    weight: f64,
}

/// Nanoseconds of a cycle, near enough: only ratios count.
const CYCLE: f64 = 0.27;

impl Case {
    fn new(timed: &Timed, cpu: &Cpu) -> Case {
        let mut case = Case { works: Vec::new(), tried: Vec::new(), weight: 1.0 };
        let mut last = None;
        for candidate in timed.candidates(cpu) {
            let Candidate { kernel, blocking, split, .. } = candidate;
            if last.replace((kernel, blocking.pack, split)) != Some((kernel, blocking.pack, split))
            {
                case.works.push(timed.work(&candidate));
            }
            let key = (kernel.name(), blocking.units, blocking.pack, split);
            let (time, ns) = match timed.times.get(&key) {
                Some(time) => (*time, time * timed.least),
                None => (NOT_TIMED, f64::NAN),
            };
            case.tried.push((case.works.len() - 1, blocking.units, time, ns));
        }
        // Cases of the same times, capped at AVX2, are no new measurement.
        case.weight = if timed.most == Isa::Avx2 { 0.5 } else { 1.0 };
        case
    }

    fn estimates(&self, cpu: &Cpu) -> Vec<f64> {
        let mut priced = None;
        let estimate = |(work, units, ..): &(usize, usize, f64, f64)| {
            if priced.as_ref().is_none_or(|(at, _)| at != work) {
                priced = Some((*work, Priced::new(&self.works[*work], cpu, &Shares::ALL)));
            }
            priced.as_ref().map_or(0.0, |(_, priced)| priced.cycles(*units))
        };
        self.tried.iter().map(estimate).collect()
    }

    /// Errors of estimates, as logarithms, and their weights.
    fn errors(&self, estimates: &[f64]) -> Vec<(f64, f64)> {
        let weight = |time: f64| (-(time - 1.0) / 0.15).exp() + 0.002;
        let timed = self.tried.iter().zip(estimates).filter(|(tried, _)| !tried.3.is_nan());
        let all: f64 = timed.clone().map(|(tried, _)| weight(tried.2)).sum();
        let mut errors: Vec<(f64, f64)> = timed
            .map(|(tried, estimate)| {
                ((estimate * CYCLE / tried.3).ln(), weight(tried.2) / all * self.weight)
            })
            .collect();
        let mean = errors.iter().map(|(error, weight)| error * weight).sum::<f64>() / self.weight;
        errors.iter_mut().for_each(|(error, _)| *error -= 0.98 * mean);
        errors
    }

    /// Errors squared, large ones as if they were not.
    fn misfit(&self, estimates: &[f64]) -> f64 {
        let square = |(error, weight): &(f64, f64)| {
            let most = bound(*error);
            let size = error.abs();
            weight * if size < most { size * size } else { 2.0 * most * size - most * most }
        };
        self.errors(estimates).iter().map(square).sum()
    }

    /// What the model loses if its estimates are a little wrong.
    fn regret(&self, estimates: &[f64]) -> f64 {
        let low = estimates.iter().copied().fold(f64::INFINITY, f64::min);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (tried, estimate) in self.tried.iter().zip(estimates) {
            let weight = (-(estimate / low - 1.0) / 0.01).exp();
            let loss = tried.2.ln();
            weights += weight;
            sum += weight * (loss + 3.0 * loss * loss);
        }
        self.weight * sum / weights
    }
}

/// The error from which on one counts as an outlier.
fn bound(error: f64) -> f64 {
    if error < 0.0 { 0.06 } else { 0.12 }
}

/// What is fitted: prices by name, and the time of waking a thread.
fn value<'a>(cpu: &'a mut Cpu, name: &str) -> &'a mut f64 {
    match name {
        "wake" => &mut cpu.wake,
        _ => cpu.prices.by_name(name).expect("a price"),
    }
}

/// How far a price may leave the one assumed.
fn clamped(name: &str, value: f64) -> f64 {
    let assumed = match name {
        "wake" => 10_000.0,
        _ => *Prices::ASSUMED.clone().by_name(name).expect("a price"),
    };
    match name {
        // Published numbers of prefetchers are about this.
        "followed" => value.clamp(10.0, 20.0),
        _ => value.clamp(assumed / 6.0, assumed * 6.0),
    }
}

fn total(cases: &[Case], cpu: &Cpu, each: impl Fn(&Case, &[f64]) -> f64 + Sync) -> f64 {
    let sum: f64 = cases.par_iter().map(|case| each(case, &case.estimates(cpu))).sum();
    sum / cases.len() as f64
}

fn gauss_newton(cases: &[Case], cpu: &mut Cpu, names: &[&str], rounds: usize) {
    let n = names.len();
    let mut damping = 1e-3;
    let mut least = total(cases, cpu, Case::misfit);
    println!("# misfit {least:.6}");
    for _ in 0..rounds {
        let normal = |case: &Case| {
            let errors = case.errors(&case.estimates(cpu));
            let columns: Vec<Vec<f64>> = (names.iter())
                .map(|name| {
                    let mut other = cpu.clone();
                    *value(&mut other, name) *= 1.01;
                    let changed = case.errors(&case.estimates(&other));
                    changed.iter().zip(&errors).map(|(a, b)| (a.0 - b.0) / 0.01).collect()
                })
                .collect();
            let weight: Vec<f64> = (errors.iter())
                .map(|(error, weight)| weight * (bound(*error) / error.abs()).min(1.0))
                .collect();
            let mut sums = vec![0.0; n * n + n];
            for x in (0..n).filter(|x| columns[*x].iter().any(|d| *d != 0.0)) {
                let weighted: Vec<f64> =
                    columns[x].iter().zip(&weight).map(|(d, weight)| d * weight).collect();
                sums[n * n + x] = weighted.iter().zip(&errors).map(|(d, error)| d * error.0).sum();
                for y in 0..=x {
                    let sum: f64 = weighted.iter().zip(&columns[y]).map(|(a, b)| a * b).sum();
                    (sums[x * n + y], sums[y * n + x]) = (sum, sum);
                }
            }
            sums
        };
        let add = |mut a: Vec<f64>, b: Vec<f64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let sums = cases.par_iter().map(normal).reduce(|| vec![0.0; n * n + n], add);
        let sums: Vec<f64> = sums.iter().map(|sum| sum / cases.len() as f64).collect();
        let mut better = false;
        for _ in 0..8 {
            let mut matrix = sums[..n * n].to_vec();
            let right: Vec<f64> = sums[n * n..].iter().map(|sum| -sum).collect();
            for x in 0..n {
                matrix[x * n + x] = matrix[x * n + x] * (1.0 + damping) + 1e-5;
            }
            let steps = solve(matrix, right, n);
            let mut tried = cpu.clone();
            for (name, step) in names.iter().zip(steps) {
                let price = value(&mut tried, name);
                *price = clamped(name, *price * step.clamp(-0.7, 0.7).exp());
            }
            let misfit = total(cases, &tried, Case::misfit);
            if misfit < least {
                (least, *cpu, damping, better) = (misfit, tried, (damping * 0.3).max(1e-6), true);
                break;
            }
            damping *= 5.0;
        }
        if !better {
            break;
        }
    }
    println!("# misfit {least:.6}");
}

/// Solves a system of `n` equations by elimination.
fn solve(mut matrix: Vec<f64>, mut right: Vec<f64>, n: usize) -> Vec<f64> {
    for i in 0..n {
        let pivot = matrix[i * n + i];
        for j in i + 1..n {
            let factor = matrix[j * n + i] / pivot;
            for k in i..n {
                matrix[j * n + k] -= factor * matrix[i * n + k];
            }
            right[j] -= factor * right[i];
        }
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[i * n + k] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i * n + i];
    }
    right
}

/// Keeps what the model might choose, and what is worth choosing.
fn near(cases: Vec<Case>, cpu: &Cpu) -> Vec<Case> {
    let keep = |mut case: Case| {
        let estimates = case.estimates(cpu);
        let low = estimates.iter().copied().fold(f64::INFINITY, f64::min);
        let mut estimates = estimates.iter();
        case.tried.retain(|tried| {
            let estimate = estimates.next().unwrap();
            tried.2 < 1.25 || *estimate < 1.3 * low
        });
        case
    };
    cases.into_par_iter().map(keep).collect()
}

fn one_by_one(cases: &[Case], cpu: &mut Cpu, names: &[&str], rounds: usize) {
    let begun = cpu.clone();
    let loss = |cpu: &Cpu| {
        let far = |name: &&str| {
            let (mut now, mut then) = (cpu.clone(), begun.clone());
            (*value(&mut now, name) / *value(&mut then, name)).ln().powi(2)
        };
        total(cases, cpu, |case, e| case.regret(e) + 6.0 * case.misfit(e))
            + 3e-4 * names.iter().map(far).sum::<f64>()
    };
    let mut least = loss(cpu);
    println!("# regret and misfit {least:.5}");
    let mut widths = vec![1.2f64; names.len()];
    for _ in 0..rounds {
        for (name, width) in names.iter().zip(&mut widths).filter(|(_, width)| **width > 1.01) {
            let better = [*width, 1.0 / *width].into_iter().any(|factor| {
                let mut tried = cpu.clone();
                let price = value(&mut tried, name);
                *price = clamped(name, *price * factor);
                let now = loss(&tried);
                let better = now < least;
                if better {
                    (least, *cpu) = (now, tried);
                }
                better
            });
            if !better {
                *width = width.powf(0.6);
            }
        }
    }
    println!("# regret and misfit {least:.5}");
}

#[test]
#[ignore = "takes minutes"]
fn fit() {
    let name = std::env::var("POINTWISE_CPU").expect("POINTWISE_CPU");
    let rounds = |name: &str| std::env::var(name).map_or(6, |n| n.parse().unwrap());
    let stored = Stored::all().into_iter().find(|stored| stored.cpu == name);
    let stored = stored.expect("times of this CPU");
    let sets = sets(&stored);
    let mut cpu = match std::env::var("POINTWISE_CPU_FILE") {
        Ok(file) => Cpu::parse(&name, &std::fs::read_to_string(file).unwrap()).unwrap(),
        Err(_) => Cpu::named(&name).unwrap(),
    };
    let report = |cpu: &Cpu| {
        for (name, layers) in &sets {
            println!(
                "# {}",
                format!("{name}: {}", Losses::of(layers.iter(), cpu)).replace('\n', "\n# ")
            );
        }
    };
    report(&cpu);
    let cases: Vec<Case> =
        sets.iter().flat_map(|set| &set.1).map(|timed| Case::new(timed, &cpu)).collect();
    let names: Vec<&str> = Prices::NAMES.iter().copied().chain(["wake"]).collect();
    gauss_newton(&cases, &mut cpu, &names, rounds("POINTWISE_ROUNDS"));
    let cases = near(cases, &cpu);
    one_by_one(&cases, &mut cpu, &names, rounds("POINTWISE_ROUNDS"));
    for name in names {
        let price = *value(&mut cpu, name);
        let digits = (2 - price.log10().floor() as i32).max(0) as usize;
        println!("{name} {price:.digits$}");
    }
    report(&cpu);
}
