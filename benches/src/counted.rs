//! What the instruction counts are taken of: one run of a planned and packed layer.

use pointwise::{Isa, Kernel, Layer, Layout, PackedWeights, Plan, PlanOptions, Pool, kernels};
use pointwise_harness::catalog::catalog;
use std::fmt;

/// The layers, by network and name: small ones, since every instruction is simulated, with output
/// counts that fill the lanes (48 and 16 are whole vectors of 8) and pixel counts that don't (49).
const LAYERS: [(&str, &str); 2] =
    [("googlenet", "inception_5b.5x5r"), ("googlenet", "inception_4a.5x5r")];

/// One kernel on one layer.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The kernel, by name: a plan made for it chooses no other.
    pub kernel: &'static Kernel,
    /// The layer, in the layout the case is for.
    pub layer: Layer,
}

impl Case {
    /// The kernel and the layer in letters, digits and underscores, as callgrind's files and
    /// gungraun's filters take it.
    pub fn id(&self) -> String {
        let text = format!("{} {}", self.kernel.name(), self.layer);
        text.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kernel.name(), self.layer)
    }
}

/// The layers of [`LAYERS`] in both layouts.
fn layers() -> impl Iterator<Item = Layer> {
    LAYERS.into_iter().flat_map(|(network, name)| {
        let entry = catalog().iter().find(|entry| entry.network == network && entry.name == name);
        let entry = entry.unwrap_or_else(|| panic!("the catalog has no {network} {name}"));
        Layout::ALL.map(|layout| entry.in_layout(layout))
    })
}

/// Every kernel that this CPU and valgrind can run, on every layer of the counts.
pub fn cases() -> Vec<Case> {
    // Valgrind knows no AVX-512: for those kernels there is `scripts/predict-kernels`.
    let countable = |kernel: &&Kernel| kernel.is_available() && kernel.isa() != Isa::Avx512;
    kernels()
        .iter()
        .filter(countable)
        .flat_map(|kernel| layers().map(move |layer| Case { kernel, layer }))
        .collect()
}

/// A case planned and packed, with its tensors: all that is left is the run that is counted.
pub struct Ready {
    plan: Plan,
    weights: PackedWeights,
    input: Vec<f32>,
    residual: Option<Vec<f32>>,
    output: Vec<f32>,
}

impl Ready {
    /// Plans and packs `case` and runs it once, so that scratch memory is there.
    ///
    /// # Panics
    /// If the library refuses the layer, the kernel or the data.
    pub fn new(case: Case) -> Self {
        let layer = case.layer;
        let shape = layer.check().expect("the catalog's layers are valid");
        // Instructions don't depend on the values: any finite ones will do.
        let values = |len: usize| (0..len).map(|i| (i % 7) as f32 - 3.0).collect::<Vec<f32>>();
        let bias = layer.bias.then(|| values(layer.k));
        let options = PlanOptions::new().kernel(case.kernel.name());
        let plan = Plan::new(&layer, &options).expect("a kernel that is available can be planned");
        let mut ready = Ready {
            weights: plan.pack(&values(shape.weights_len), bias.as_deref()).expect("lengths fit"),
            input: values(shape.input_len),
            residual: layer.residual.then(|| values(shape.output_len)),
            output: vec![0.0; shape.output_len],
            plan,
        };
        ready.run();
        ready
    }

    /// What is counted: from here to the return, by this name, hence never inlined.
    ///
    /// # Panics
    /// If the library refuses the run.
    #[inline(never)]
    pub fn counted_run(&mut self) {
        self.run();
    }

    fn run(&mut self) {
        let Ready { plan, weights, input, residual, output } = self;
        plan.run(weights, input, residual.as_deref(), output, Pool::Serial)
            .expect("a run that was accepted once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kernel_that_valgrind_can_run_is_counted_and_no_other() {
        let cases = cases();
        for kernel in kernels() {
            let counted = cases.iter().filter(|case| case.kernel == kernel).count();
            let expected = if kernel.is_available() && kernel.isa() != Isa::Avx512 { 4 } else { 0 };
            assert_eq!(counted, expected, "{}", kernel.name());
        }
    }

    #[test]
    fn ids_tell_cases_apart() {
        let ids: HashSet<String> = cases().iter().map(Case::id).collect();
        assert_eq!(ids.len(), cases().len());
    }

    #[test]
    fn a_case_runs_the_kernel_it_names() {
        for case in cases() {
            let ready = Ready::new(case);
            assert_eq!(ready.plan.kernel(), case.kernel);
            assert!(ready.output.iter().any(|&y| y != 0.0), "{case}");
        }
    }
}
