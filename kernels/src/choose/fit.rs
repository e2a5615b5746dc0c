//! Fits the model's coefficients to measured candidates, and reports the model's regret.
//!
//! `POINTWISE_CANDIDATES=FILE… cargo test --release -p pointwise fit -- --ignored --nocapture`
//! reads what the harness's `candidates` example wrote.

use super::model::{Model, Problem};
use super::split::Split;
use super::terms::Terms;
use crate::cpu::Cpu;
use crate::pixels::Pixels;
use crate::{Blocking, Isa, Kernel, Layer, View, kernels};

struct Measured {
    text: String,
    problem: Problem,
    candidates: Vec<(&'static Kernel, Blocking, f64)>,
    cycle: f64,
    isa: Isa,
}

fn read(files: &str) -> Vec<Measured> {
    let mut all: Vec<Measured> = Vec::new();
    for file in files.split(':') {
        for line in std::fs::read_to_string(file).expect(file).lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["#", ..] => {}
                ["=", text, _, cycle] => {
                    let layer: Layer = text.parse().unwrap();
                    let shape = layer.check().unwrap();
                    let input = View::dense(layer.layout, layer.c, layer.h, layer.w);
                    let mut pixels = Pixels::new(&layer, &shape, input);
                    let output = View::dense(layer.layout, layer.k, shape.oh, shape.ow);
                    pixels.add_output(output, &shape);
                    let problem = Problem::new(&layer, &pixels);
                    let (text, cycle) = (text.to_owned(), cycle.parse().unwrap());
                    all.push(Measured {
                        text,
                        problem,
                        candidates: Vec::new(),
                        cycle,
                        isa: Isa::Avx512,
                    });
                }
                [name, units, pack, ns] => {
                    let Some(kernel) = kernels().iter().find(|k| k.name() == name) else {
                        continue;
                    };
                    let blocking = Blocking::new(units.parse().unwrap(), pack == "packed");
                    all.last_mut().unwrap().candidates.push((
                        kernel,
                        blocking,
                        ns.parse().unwrap(),
                    ));
                }
                _ => panic!("{line}"),
            }
        }
    }
    all.retain(|m| !m.candidates.is_empty());
    let capped: Vec<Measured> = all
        .iter()
        .map(|m| Measured {
            text: m.text.clone(),
            problem: m.problem,
            candidates: m
                .candidates
                .iter()
                .copied()
                .filter(|(k, ..)| k.isa() <= Isa::Avx2)
                .collect(),
            cycle: m.cycle,
            isa: Isa::Avx2,
        })
        .collect();
    all.extend(capped);
    all
}

/// The candidate that the model picks, its measured and the best measured time, and the mean
/// error of the good candidates' estimates.
fn judge(m: &Measured, cpu: &Cpu, terms: &Terms) -> (usize, usize, f64, f64) {
    let best = (0..m.candidates.len())
        .min_by(|a, b| m.candidates[*a].2.total_cmp(&m.candidates[*b].2))
        .unwrap();
    let least = m.candidates[best].2;
    let estimate = |(kernel, blocking, _): &(&'static Kernel, Blocking, f64)| {
        Model { problem: &m.problem, cpu, terms, kernel, blocking: *blocking }.cycles(Split::WHOLE)
    };
    let (mut pick, mut low) = (0, f64::INFINITY);
    let (mut logs, mut squares, mut count) = (0.0, 0.0, 0.0);
    let estimates: Vec<f64> = m.candidates.iter().map(estimate).collect();
    for (i, (candidate, cycles)) in m.candidates.iter().zip(&estimates).enumerate() {
        if *cycles < low {
            (pick, low) = (i, *cycles);
        }
        if candidate.2 < least * 1.6 {
            let log = (cycles * m.cycle / candidate.2).ln();
            logs += log;
            squares += log * log;
            count += 1.0;
        }
    }
    // What the model would lose if its estimates were a little wrong: a smooth kind of regret.
    let mut soft = 0.0;
    let mut weights = 0.0;
    for (candidate, cycles) in m.candidates.iter().zip(&estimates) {
        let weight = (-(cycles / low - 1.0) / 0.012).exp();
        weights += weight;
        soft += weight * (candidate.2 / least).ln().min(0.7);
    }
    let mean = logs / count;
    (pick, best, soft / weights, squares / count - mean * mean + 0.2 * mean * mean)
}

fn loss(all: &[Measured], cpu: &Cpu, terms: &Terms) -> f64 {
    let one = |m: &Measured| {
        let (pick, best, soft, spread) = judge(m, cpu, terms);
        let regret = (m.candidates[pick].2 / m.candidates[best].2).ln();
        soft + 0.3 * regret + 4.0 * (regret - 0.1).max(0.0).powi(2) + 0.3 * spread
    };
    use rayon::prelude::*;
    all.par_iter().map(one).sum::<f64>() / all.len() as f64
}

fn report(all: &[Measured], cpu: &Cpu, terms: &Terms, worst: usize) {
    for isa in [Isa::Avx2, Isa::Avx512] {
        for layout in ["nhwc", "nchw"] {
            let mut rows: Vec<(f64, String)> = Vec::new();
            for m in all.iter().filter(|m| m.isa == isa && m.text.starts_with(layout)) {
                let (pick, best, ..) = judge(m, cpu, terms);
                let regret = m.candidates[pick].2 / m.candidates[best].2;
                let show = |i: usize| {
                    let (kernel, blocking, ns) = m.candidates[i];
                    let model = Model { problem: &m.problem, cpu, terms, kernel, blocking };
                    let estimate = model.cycles(Split::WHOLE) * m.cycle;
                    let pack = if blocking.pack { "packed" } else { "direct" };
                    format!("{} {} {pack} {ns:.0} ({estimate:.0})", kernel.name(), blocking.units)
                };
                rows.push((
                    regret,
                    format!("{} picked {}, best {}", m.text, show(pick), show(best)),
                ));
            }
            rows.sort_by(|a, b| b.0.total_cmp(&a.0));
            let n = rows.len() as f64;
            let mean = (rows.iter().map(|r| r.0.ln()).sum::<f64>() / n).exp();
            println!("{isa} {layout}: {n} layers, geomean {mean:.4}, worst {:.3}", rows[0].0);
            for (regret, text) in &rows[..worst.min(rows.len())] {
                println!("   {regret:.3} {text}");
            }
        }
    }
}

#[test]
#[ignore = "needs measured candidates"]
fn fit() {
    let files = std::env::var("POINTWISE_CANDIDATES").expect("POINTWISE_CANDIDATES");
    let rounds: usize = std::env::var("POINTWISE_FIT").map_or(0, |n| n.parse().unwrap());
    let all = read(&files);
    let cpu = Cpu::host().clone();
    let mut terms = Terms::FITTED;
    let mut cpu_now = cpu;
    let mut least = loss(&all, &cpu_now, &terms);
    println!("loss {least:.5}");
    let names: Vec<&str> = terms.fields().iter().map(|f| f.0).collect();
    let mut steps = vec![1.5f64; names.len() + 2];
    for round in 0..rounds {
        for (i, width) in steps.iter_mut().enumerate() {
            for step in [*width, 1.0 / *width] {
                let mut tried = terms;
                let mut cpu = cpu_now.clone();
                match i.checked_sub(names.len()) {
                    None => *tried.fields()[i].1 *= step,
                    Some(0) => cpu.l2_bytes *= step,
                    Some(_) => cpu.far_bytes *= step,
                }
                let shares =
                    (0.5..=1.2).contains(&tried.l1_share) && (0.4..=1.1).contains(&tried.l2_share);
                if !shares || cpu.l2_bytes > 64.0 {
                    continue;
                }
                let loss = loss(&all, &cpu, &tried);
                if loss < least {
                    (least, terms, cpu_now) = (loss, tried, cpu);
                    *width = width.powf(1.3).min(3.0);
                    break;
                }
                if step < 1.0 {
                    *width = width.sqrt().max(1.02);
                }
            }
        }
        println!("round {round} loss {least:.5}");
    }
    for (name, value) in terms.fields() {
        println!("        {name}: {value:.3},");
    }
    println!("l2_bytes {:.2} far_bytes {:.2}", cpu_now.l2_bytes, cpu_now.far_bytes);
    report(&all, &cpu_now, &terms, 6);
}
