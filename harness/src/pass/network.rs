//! A pass through a network, with its data and the contenders that are bound to it.

use super::order::Step;
use crate::contender::{Buffer, Case, Contender, Prepared, Refusal};
use crate::data::Fill;
use crate::verify::{Expected, Mismatch};
use pointwise::{Isa, Layer};
use std::collections::HashMap;
use std::collections::hash_map::Entry::Vacant;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The steps of a network with their data. All contenders share the data.
pub struct Pass {
    steps: Vec<Step>,
    /// The expected output of each different layer.
    expected: Vec<Expected>,
    /// The index into `expected` by a layer's text.
    of_layer: HashMap<String, usize>,
    /// The input of each step.
    inputs: Vec<Buffer>,
}

/// Why a contender takes no part in a pass.
#[derive(Debug)]
pub enum Unfit {
    /// It refuses a layer.
    Refused {
        /// The layer's name.
        layer: String,
        /// The refusal.
        refusal: Refusal,
    },
    /// It computes a layer wrongly.
    Wrong(Box<Mismatch>),
}

/// For each sample the times of the units of its last pass, ns.
pub type Times = Arc<Mutex<Vec<Vec<f64>>>>;

/// What a contender runs as one piece: a layer, or all layers of a step together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The index of its step.
    pub step: usize,
    /// The index of its layer in the step; `None` for all layers together.
    pub layer: Option<usize>,
}

impl Pass {
    /// Draws the data and computes the expected output of each layer.
    ///
    /// # Errors
    /// [`Refusal::Failed`] when a layer or its size is refused.
    pub fn new(steps: Vec<Step>, seed: u64) -> Result<Pass, Refusal> {
        let mut expected: Vec<Expected> = Vec::new();
        let mut of_layer = HashMap::new();
        let mut inputs = Vec::new();
        for step in &steps {
            for entry in &step.layers {
                let text = entry.layer.to_string();
                if let Vacant(place) = of_layer.entry(text) {
                    let failed = |error: pointwise::Error| Refusal::Failed(error.to_string());
                    place.insert(expected.len());
                    expected.push(Expected::new(&entry.layer, Fill::Random, seed).map_err(failed)?);
                }
            }
            // Layers of one step have the same input sizes, and hence the same input.
            let first = &expected[of_layer[&step.layers[0].layer.to_string()]];
            inputs.push(Buffer::copy_of(&first.data().input));
        }
        Ok(Pass { steps, expected, of_layer, inputs })
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Every layer in order.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.steps.iter().flat_map(|step| &step.layers).map(|entry| &entry.layer)
    }

    /// The bytes of all tensors of a pass, each counted once.
    pub fn bytes(&self) -> usize {
        let inputs: usize = self.inputs.iter().map(|input| input.len()).sum();
        let others = |layer: &Layer| {
            let data = self.expected(layer).data();
            let residual = data.residual.as_ref().map_or(0, Vec::len);
            layer.check().map_or(0, |shape| shape.output_len) + data.weights.len() + residual
        };
        (inputs + self.layers().map(others).sum::<usize>()) * size_of::<f32>()
    }

    fn expected(&self, layer: &Layer) -> &Expected {
        &self.expected[self.of_layer[&layer.to_string()]]
    }

    /// Binds a contender to every layer, runs the pass once, and checks every output.
    ///
    /// With more than one thread, call it inside a rayon pool of that many.
    ///
    /// # Errors
    /// [`Unfit`]: a contender that lacks one layer is not timed on the others.
    pub fn prepare<'c>(
        &self,
        contender: &'c dyn Contender,
        threads: usize,
        isa: Option<Isa>,
    ) -> Result<Passing<'c>, Unfit> {
        let mut passing =
            Passing { pieces: Vec::new(), now: Vec::new(), samples: Times::default() };
        for (step, Step { name, layers }) in self.steps.iter().enumerate() {
            let case = |layer| Case {
                shared_input: Some(&self.inputs[step]),
                ..self.expected(layer).data().case(threads, isa)
            };
            let cases: Vec<Case<'_>> = layers.iter().map(|entry| case(&entry.layer)).collect();
            let refused = |name: &str| {
                let layer = name.to_owned();
                move |refusal| Unfit::Refused { layer, refusal }
            };
            if let [_, _, ..] = &cases[..]
                && let Some(together) = contender.prepare_siblings(&cases)
            {
                passing.add(Unit { step, layer: None }, together.map_err(refused(name))?);
                continue;
            }
            for (index, (entry, case)) in layers.iter().zip(&cases).enumerate() {
                let prepared = contender.prepare(case).map_err(refused(&entry.name))?;
                passing.add(Unit { step, layer: Some(index) }, prepared);
            }
        }
        let run = passing.run();
        passing.settle();
        run.map_err(|refusal| Unfit::Refused { layer: "a layer".to_owned(), refusal })?;
        self.check(contender, &mut passing).map_err(Unfit::Wrong)?;
        Ok(passing)
    }

    fn check(
        &self,
        contender: &dyn Contender,
        passing: &mut Passing<'_>,
    ) -> Result<(), Box<Mismatch>> {
        for (unit, prepared) in &mut passing.pieces {
            let layers = &self.steps[unit.step].layers;
            let layers = unit.layer.map_or(&layers[..], |index| &layers[index..=index]);
            let (kernel, output) = (prepared.kernel(), prepared.output());
            let mut rest = &output[..];
            for (index, entry) in layers.iter().enumerate() {
                let len = entry.layer.check().map_or(0, |shape| shape.output_len);
                // The last layer gets all that is left, so that an output too long is noticed.
                let last = index + 1 == layers.len();
                let (own, after) =
                    rest.split_at(if last { rest.len() } else { len.min(rest.len()) });
                rest = after;
                let expected = self.expected(&entry.layer);
                expected.check(contender.name(), &kernel, contender.exact(), own)?;
            }
        }
        Ok(())
    }
}

/// A contender bound to every layer of a pass.
pub struct Passing<'a> {
    pieces: Vec<(Unit, Box<dyn Prepared + 'a>)>,
    /// The times of the units in the last pass, ns.
    now: Vec<f64>,
    samples: Times,
}

impl<'a> Passing<'a> {
    fn add(&mut self, unit: Unit, prepared: Box<dyn Prepared + 'a>) {
        self.pieces.push((unit, prepared));
        self.now.push(0.0);
    }

    /// The units, in the order in which they are run.
    pub fn units(&self) -> Vec<Unit> {
        self.pieces.iter().map(|(unit, _)| *unit).collect()
    }

    /// The kernel of each unit; empty when unknown.
    pub fn kernels(&self) -> Vec<String> {
        self.pieces.iter().map(|(_, prepared)| prepared.kernel()).collect()
    }

    /// The times of the units, which grow by one entry with each sample.
    pub fn times(&self) -> Times {
        Arc::clone(&self.samples)
    }
}

impl Prepared for Passing<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        // A reading of the clock takes some tens of nanoseconds, a layer tens of microseconds.
        let mut before = Instant::now();
        for ((_, prepared), ns) in self.pieces.iter_mut().zip(&mut self.now) {
            prepared.run()?;
            let after = Instant::now();
            *ns = (after - before).as_nanos() as f64;
            before = after;
        }
        Ok(())
    }

    fn output(&mut self) -> Vec<f32> {
        self.pieces.iter_mut().flat_map(|(_, prepared)| prepared.output()).collect()
    }

    fn kernel(&self) -> String {
        String::new()
    }

    fn settle(&mut self) {
        // All units of a contender share its threads.
        if let Some((_, prepared)) = self.pieces.last_mut() {
            prepared.settle();
        }
    }

    fn sampled(&mut self) {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(self.now.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::order;
    use super::*;
    use crate::catalog::parse;
    use crate::contender::{Options, SIBLINGS, all};

    const FILE: &str = "#! pass 1 b m=[a c] d\n#! pass 1 a\n\
                        2 a c8h4w4k8/bias+relu\n1 b c8h4w4k16/bias\n\
                        1 c c8h4w4k5/bias+relu\n1 d c4h3w3k7/bias+residual+relu\n";

    fn pass() -> Pass {
        Pass::new(order(&parse("net", FILE).unwrap(), FILE).unwrap(), 1).unwrap()
    }

    #[test]
    fn layers_run_in_order_and_siblings_together_where_they_can() {
        let contenders = all(&Options::default());
        let find = |name: &str| contenders.iter().find(|c| c.name() == name).unwrap();
        let pass = pass();
        let own = |step, layer| Unit { step, layer: Some(layer) };
        let apart = pass.prepare(&**find("pointwise"), 1, None).unwrap();
        assert_eq!(apart.units(), [own(0, 0), own(1, 0), own(1, 1), own(2, 0), own(3, 0)]);
        let mut together = pass.prepare(&**find(SIBLINGS), 1, None).unwrap();
        let both = Unit { step: 1, layer: None };
        assert_eq!(together.units(), [own(0, 0), both, own(2, 0), own(3, 0)]);
        together.run().unwrap();
        together.sampled();
        let times = together.times().lock().unwrap().clone();
        assert!(times.len() == 1 && times[0].len() == 4, "{times:?}");
    }

    #[test]
    fn every_contender_that_is_here_passes() {
        let pass = pass();
        for contender in all(&Options::default()) {
            if contender.available().is_err() {
                continue;
            }
            match pass.prepare(&*contender, 1, None) {
                // Some have one layout only.
                Ok(_) | Err(Unfit::Refused { refusal: Refusal::Unsupported(_), .. }) => {}
                Err(unfit) => panic!("{}: {unfit:?}", contender.name()),
            }
        }
    }

    #[test]
    fn what_is_computed_wrongly_is_found() {
        struct Wrong;
        struct Zeros(usize);
        impl Prepared for Zeros {
            fn run(&mut self) -> Result<(), Refusal> {
                Ok(())
            }
            fn output(&mut self) -> Vec<f32> {
                vec![0.0; self.0]
            }
            fn kernel(&self) -> String {
                String::new()
            }
        }
        impl Contender for Wrong {
            fn name(&self) -> &str {
                "wrong"
            }
            fn version(&self) -> String {
                String::new()
            }
            fn available(&self) -> Result<(), Refusal> {
                Ok(())
            }
            fn exact(&self) -> bool {
                true
            }
            fn prepacks(&self) -> bool {
                false
            }
            fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
                Ok(Box::new(Zeros(case.layer.check().unwrap().output_len)))
            }
        }
        assert!(matches!(pass().prepare(&Wrong, 1, None), Err(Unfit::Wrong(_))));
    }

    #[test]
    fn siblings_read_the_same_memory_and_each_step_its_own() {
        let pass = pass();
        assert_eq!(pass.inputs.len(), pass.steps().len());
        assert_ne!(pass.inputs[0].as_ptr(), pass.inputs[1].as_ptr());
        // Three of the four steps read 8·16 elements and one 4·9.
        let inputs = 3 * 8 * 16 + 4 * 9;
        let outputs = 16 * (16 + 8 + 5 + 8) + 9 * 7;
        let weights = 8 * (16 + 8 + 5 + 8) + 4 * 7;
        assert_eq!(pass.bytes(), 4 * (inputs + outputs + weights + 9 * 7));
    }
}
