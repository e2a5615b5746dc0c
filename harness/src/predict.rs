//! Predictions for other CPUs: static estimates of the cycles of the inner loops.
//!
//! The estimates are data. `scripts/predict-kernels --all -o reports/predicted-kernels.json` makes them
//! with llvm-mca and published numbers of units. Nothing is compiled or measured here.

use pointwise::{Cpu, Error, Isa, Kernel, kernels};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

static TEXT: &str = include_str!("../../reports/predicted-kernels.json");

/// The file of predictions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Predictions {
    schema: u32,
    /// The tools that made it.
    pub generated_by: GeneratedBy,
    /// Published facts about each CPU, by the name that `loops` uses.
    pub cpus: BTreeMap<String, CpuFacts>,
    /// The inner loops.
    pub loops: Vec<Loop>,
}

/// The tools that made a file of predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratedBy {
    /// The command.
    pub command: String,
    /// The version of llvm-mca.
    pub llvm_mca: String,
    /// The compiler of the kernels, by architecture.
    pub rustc: BTreeMap<String, String>,
    /// The commit of the kernels.
    pub commit: String,
}

/// Published facts about a CPU.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct CpuFacts {
    /// Its name in [`Cpu::names`].
    pub cpu: String,
    /// Vector multiply-adds per cycle, by ISA.
    pub fma: BTreeMap<String, f64>,
    /// The known error of LLVM's description of it; empty if none is known.
    pub model_error: String,
}

/// One inner loop: a tile of `m` broadcast values × `v` vectors.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Loop {
    /// ISA, tile and form.
    pub kernel: String,
    /// ISA.
    pub isa: String,
    /// Broadcast values.
    pub m: usize,
    /// Vectors.
    pub v: usize,
    /// The place of the broadcast values, such as `rows` or `line`.
    pub form: String,
    /// Whether two rows share the last vector, each with one half of it.
    pub half: bool,
    /// The vector loads and broadcasts of a step.
    pub loads_per_step: f64,
    cycles_per_step: BTreeMap<String, f64>,
    bound_cycles_per_step: BTreeMap<String, f64>,
    predicted_cycles_per_step: BTreeMap<String, f64>,
    bound_by: BTreeMap<String, String>,
}

impl Loop {
    /// The vector multiply-adds of a step.
    fn multiply_adds(&self) -> usize {
        self.m * self.v - if self.half { self.m / 2 } else { 0 }
    }
}

/// The prediction for one inner loop on one CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// ISA, tile and form.
    pub inner_loop: String,
    /// The kernels whose full tile the loop is; none for the tile of a tail.
    pub kernels: Vec<&'static str>,
    /// The CPU, of [`Cpu::names`].
    pub cpu: String,
    /// Always `predicted`.
    pub basis: &'static str,
    /// The predicted cycles of a step over the inputs, with all operands in L1.
    pub cycles_per_step: f64,
    /// Vector multiply-adds per cycle.
    pub fma_per_cycle: f64,
    /// The vector multiply-adds per cycle that the CPU has units for.
    pub fma_peak: f64,
    /// What binds: `ports`, `loads`, `latency`, `issue`, or `scheduling` where llvm-mca finds more
    /// cycles than these explain.
    pub bound_by: String,
    /// The cycles of a step by llvm-mca alone.
    pub llvm_mca_cycles_per_step: f64,
    /// The cycles of a step by the published units alone.
    pub published_cycles_per_step: f64,
}

impl Predictions {
    /// The predictions that this program was built with.
    pub fn built_in() -> &'static Predictions {
        static READ: OnceLock<Predictions> = OnceLock::new();
        READ.get_or_init(|| serde_json::from_str(TEXT).expect("checked by a test"))
    }

    /// The prediction for every loop on every CPU that has its ISA. Where the compiler made several
    /// versions of a loop, the fastest counts.
    pub fn all(&self) -> Vec<Prediction> {
        let mut all: Vec<Prediction> = Vec::new();
        for it in &self.loops {
            for (name, facts) in &self.cpus {
                let Some(cycles) = it.predicted_cycles_per_step.get(name).copied() else {
                    continue;
                };
                let of = |table: &BTreeMap<String, f64>| table.get(name).copied().unwrap_or(cycles);
                let prediction = Prediction {
                    inner_loop: it.kernel.clone(),
                    kernels: named(it),
                    cpu: facts.cpu.clone(),
                    basis: "predicted",
                    cycles_per_step: cycles,
                    fma_per_cycle: it.multiply_adds() as f64 / cycles,
                    fma_peak: facts.fma.get(&it.isa).copied().unwrap_or(f64::NAN),
                    bound_by: it.bound_by.get(name).cloned().unwrap_or_default(),
                    llvm_mca_cycles_per_step: of(&it.cycles_per_step),
                    published_cycles_per_step: of(&it.bound_cycles_per_step),
                };
                let same = all
                    .iter_mut()
                    .find(|p| p.inner_loop == prediction.inner_loop && p.cpu == prediction.cpu);
                match same {
                    Some(old) if old.cycles_per_step <= cycles => {}
                    Some(old) => *old = prediction,
                    None => all.push(prediction),
                }
            }
        }
        all
    }

    /// The known error of LLVM's description of a CPU.
    pub fn model_error(&self, cpu: &str) -> Option<&str> {
        let facts = self.cpus.values().find(|facts| facts.cpu == cpu)?;
        Some(facts.model_error.as_str()).filter(|error| !error.is_empty())
    }
}

/// The kernels whose full tile is the loop.
fn named(it: &Loop) -> Vec<&'static str> {
    let is = |kernel: &&Kernel| {
        let tile = (kernel.isa().to_string(), kernel.rows(), kernel.vectors());
        !it.half && tile == (it.isa.clone(), it.m, it.v)
    };
    kernels().iter().filter(is).map(Kernel::name).collect()
}

/// A CPU by its name, with the predicted cycles of the inner loops.
///
/// # Errors
/// [`Error::UnknownCpu`].
pub fn cpu(name: &str) -> Result<Cpu, Error> {
    let mut cpu = Cpu::named(name)?;
    let predictions = Predictions::built_in();
    let Some((key, _)) = predictions.cpus.iter().find(|(_, facts)| facts.cpu == name) else {
        return Ok(cpu);
    };
    // Cycles that were measured on such a CPU are better than predicted ones.
    if cpu.has_measured_steps() {
        return Ok(cpu);
    }
    let mut least: HashMap<(Isa, bool, [usize; 2]), f64> = HashMap::new();
    // The cost model derives tiles with a shared vector from whole tiles, and uses the cycles of
    // tiles that read rows for tiles that read planes.
    for it in predictions.loops.iter().filter(|it| !it.half && it.form != "planes") {
        if let Some(cycles) = it.predicted_cycles_per_step.get(key) {
            let tile = (it.isa.parse::<Isa>()?, it.form == "rows", [it.m, it.v]);
            let least = least.entry(tile).or_insert(f64::INFINITY);
            *least = least.min(*cycles);
        }
    }
    for ((isa, in_rows, tile), cycles) in least {
        cpu = cpu.with_step(isa, in_rows, tile, cycles)?;
    }
    Ok(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointwise::{Layer, Plan, PlanOptions};

    #[test]
    fn the_data_is_read_and_covers_every_kernel_on_every_cpu_that_has_its_isa() {
        let predictions: Predictions = serde_json::from_str(TEXT).unwrap();
        assert_eq!(predictions.schema, 1);
        let all = predictions.all();
        for name in Cpu::names() {
            let cpu = Cpu::named(name).unwrap();
            for kernel in kernels().iter().filter(|k| k.isa() != Isa::Scalar && cpu.runs(k.isa())) {
                let forms = all
                    .iter()
                    .filter(|p| p.cpu == name && p.kernels.contains(&kernel.name()))
                    .count();
                // Planes are read on x86 only.
                let expected = if kernel.isa() == Isa::Neon { 2 } else { 3 };
                assert_eq!(forms, expected, "{} on {name}", kernel.name());
            }
        }
        for p in &all {
            // Both figures are rounded, hence half a per cent.
            assert!(p.fma_per_cycle <= p.fma_peak * 1.005, "{p:?}");
            assert!(p.cycles_per_step >= p.published_cycles_per_step * 0.995, "{p:?}");
            assert!(!p.bound_by.is_empty(), "{p:?}");
        }
    }

    #[test]
    fn predicted_steps_change_what_is_picked_from() {
        let layer = Layer::new(256, 256, 14, 14);
        let options = PlanOptions::new();
        let cycles = |cpu: &Cpu| {
            let found = Plan::candidates_on(&layer, &options, cpu).unwrap();
            assert_eq!(found.basis, pointwise::Basis::Predicted);
            found.ranked[0].cycles
        };
        let bare = Cpu::named("cortex-a55").unwrap();
        assert_ne!(cycles(&cpu("cortex-a55").unwrap()), cycles(&bare));
        assert!(cpu("z80").is_err());
        // The steps of this CPU were measured.
        assert_eq!(cpu("zen5").unwrap(), Cpu::named("zen5").unwrap());
    }
}
