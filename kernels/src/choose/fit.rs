//! Fits the model's coefficients to measured candidates, and reports the model's regret.
//!
//! `POINTWISE_CANDIDATES=FILE:… cargo test --release -p pointwise --lib fit -- --ignored --nocapture`
//! reads what `pointwise tune --regret --truth FILE` measured; `POINTWISE_FIT=ROUNDS` improves the
//! coefficients, and `POINTWISE_CHECK=FILE:…` judges them on layers that were not fitted to.

use crate::choose::price::Price;
use crate::choose::problem::Problem;
use crate::choose::profile::{Measured, Profile};
use crate::choose::terms::Terms;
use crate::cpu::Cpu;
use crate::cut::Cut;
use crate::cut::blocking::Blocking;
use crate::cut::outlet::{Outlet, dense};
use crate::cut::panels::Panels;
use crate::cut::pixels::Pixels;
use crate::cut::split::Split;
use crate::describe::layer::Layer;
use crate::micro::registry::Kernel;

struct Layers {
    text: String,
    layer: Layer,
    pixels: Pixels,
    outlet: Outlet,
    candidates: Vec<Tried>,
    threads: usize,
}

#[derive(Clone, Copy)]
struct Tried {
    kernel: &'static Kernel,
    blocking: Blocking,
    split: Split,
    ns: f64,
}

fn estimate(m: &Layers, tried: &Tried, cpu: &Cpu, terms: &Terms) -> f64 {
    let Tried { kernel, blocking, split, .. } = *tried;
    let panels = &Panels::new(core::iter::once(&m.layer), kernel);
    let (pixels, outlets) = (&m.pixels, core::slice::from_ref(&m.outlet));
    let problem = &Problem::new(&m.layer, pixels);
    let cut = Cut { kernel, blocking, pixels, outlets, panels };
    Price { problem, cpu, terms, cut }.cycles(split)
}

/// Nanoseconds of a cycle, near enough: only ratios of estimates count.
const CYCLE: f64 = 0.2675;

fn read(files: &str) -> Vec<Layers> {
    let mut all: Vec<Layers> = Vec::new();
    for file in files.split(':') {
        let text = std::fs::read_to_string(file).expect(file);
        let profile = Profile::parse(&text).expect(file);
        for m in profile.entries() {
            let text = m.layer.to_string();
            let is = |l: &Layers| l.threads == m.threads && l.text == text;
            let last = all.len().checked_sub(1).filter(|last| is(&all[*last]));
            let at = last.or_else(|| all.iter().position(is));
            let at = at.unwrap_or_else(|| {
                let (pixels, outlet) = dense(&m.layer).unwrap();
                let layer = m.layer;
                all.push(Layers {
                    text,
                    layer,
                    pixels,
                    outlet,
                    candidates: Vec::new(),
                    threads: m.threads,
                });
                all.len() - 1
            });
            let Measured { kernel, blocking, split, ns, .. } = *m;
            all[at].candidates.push(Tried { kernel, blocking, split, ns });
        }
    }
    all
}

/// The candidate that the model picks, its measured and the best measured time, and the mean
/// error of the good candidates' estimates.
fn judge(m: &Layers, cpu: &Cpu, terms: &Terms) -> (usize, usize, f64, f64) {
    let best = (0..m.candidates.len())
        .min_by(|a, b| m.candidates[*a].ns.total_cmp(&m.candidates[*b].ns))
        .unwrap();
    let least = m.candidates[best].ns;
    let (mut pick, mut low) = (0, f64::INFINITY);
    let (mut logs, mut squares, mut count) = (0.0, 0.0, 0.0);
    let estimates: Vec<f64> =
        m.candidates.iter().map(|tried| estimate(m, tried, cpu, terms)).collect();
    for (i, (candidate, cycles)) in m.candidates.iter().zip(&estimates).enumerate() {
        if *cycles < low {
            (pick, low) = (i, *cycles);
        }
        if candidate.ns < least * 1.6 {
            let log = (cycles * CYCLE / candidate.ns).ln();
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
        soft += weight * (candidate.ns / least).ln().min(0.7);
    }
    let mean = logs / count;
    (pick, best, soft / weights, squares / count - mean * mean + 0.2 * mean * mean)
}

fn loss(all: &[Layers], cpu: &Cpu, terms: &Terms) -> f64 {
    let one = |m: &Layers| {
        let (pick, best, soft, spread) = judge(m, cpu, terms);
        let regret = (m.candidates[pick].ns / m.candidates[best].ns).ln();
        soft + 0.3 * regret + 4.0 * (regret - 0.1).max(0.0).powi(2) + 0.3 * spread
    };
    use rayon::prelude::*;
    all.par_iter().map(one).sum::<f64>() / all.len() as f64
}

fn report(all: &[Layers], cpu: &Cpu, terms: &Terms, worst: usize) {
    for threads in [1, 2] {
        for layout in ["nhwc", "nchw"] {
            let mut rows: Vec<(f64, String)> = Vec::new();
            for m in all.iter().filter(|m| m.threads == threads && m.text.starts_with(layout)) {
                let (pick, best, ..) = judge(m, cpu, terms);
                let regret = m.candidates[pick].ns / m.candidates[best].ns;
                let show = |i: usize| {
                    let Tried { kernel, blocking, split, ns } = m.candidates[i];
                    let estimate = estimate(m, &m.candidates[i], cpu, terms) * CYCLE;
                    let pack = if blocking.pack { "packed" } else { "direct" };
                    let (pixels, panels) = (split.pixels, split.panels);
                    let units = blocking.units;
                    format!(
                        "{} {units} {pack} {pixels}x{panels} {ns:.0} ({estimate:.0})",
                        kernel.name()
                    )
                };
                rows.push((
                    regret,
                    format!("{} picked {}, best {}", m.text, show(pick), show(best)),
                ));
            }
            rows.sort_by(|a, b| b.0.total_cmp(&a.0));
            if rows.is_empty() {
                continue;
            }
            let n = rows.len() as f64;
            let mean = (rows.iter().map(|r| r.0.ln()).sum::<f64>() / n).exp();
            println!(
                "{threads} threads, {layout}: {n} layers, geomean {mean:.4}, worst {:.3}",
                rows[0].0
            );
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
    if let Ok(path) = std::env::var("POINTWISE_DUMP") {
        let mut out = String::new();
        for m in &all {
            for t in &m.candidates {
                out += &format!(
                    "{} {} {} {} {} {}x{} {:.0} {:.0}\n",
                    m.text,
                    m.threads,
                    t.kernel.name(),
                    t.blocking.units,
                    t.blocking.pack,
                    t.split.pixels,
                    t.split.panels,
                    t.ns,
                    estimate(m, t, &cpu_now, &terms) * CYCLE
                );
            }
        }
        std::fs::write(path, out).unwrap();
    }
    let names: Vec<&str> = terms.fields().iter().map(|f| f.0).collect();
    let mut steps = vec![1.5f64; names.len() + 5];
    for round in 0..rounds {
        for (i, width) in steps.iter_mut().enumerate() {
            for step in [*width, 1.0 / *width] {
                let mut tried = terms;
                let mut cpu = cpu_now.clone();
                match i.checked_sub(names.len()) {
                    None => *tried.fields()[i].1 *= step,
                    Some(0) => cpu.l2_bytes *= step,
                    Some(1) => cpu.far_bytes *= step,
                    Some(2) => cpu.memory_latency *= step,
                    Some(3) => cpu.memory_bytes *= step,
                    Some(_) => cpu.wake *= step,
                }
                let shares =
                    (0.5..=1.2).contains(&tried.l1_share) && (0.4..=1.1).contains(&tried.l2_share);
                // What memory does, the layers are too few to tell from what L3 does.
                let memory = (0.45..=0.7).contains(&tried.l3_share)
                    && cpu.memory_bytes < 16.0
                    && (250.0..600.0).contains(&cpu.memory_latency);
                if !shares || !memory || cpu.l2_bytes > 64.0 {
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
    let Cpu { l2_bytes, far_bytes, memory_bytes, memory_latency, wake, .. } = cpu_now;
    println!("l2_bytes {l2_bytes:.2} far_bytes {far_bytes:.2} memory_bytes {memory_bytes:.2}");
    println!("memory_latency {memory_latency:.0} wake {wake:.0}");
    report(&all, &cpu_now, &terms, 6);
    if let Ok(files) = std::env::var("POINTWISE_CHECK") {
        println!("not fitted to:");
        report(&read(&files), &cpu_now, &terms, 10);
    }
}
