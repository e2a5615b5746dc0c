//! The buffers that a case is run on: tensors without gaps or seen through views, perhaps with
//! sibling layers beside the case's own, and what the outputs must hold afterwards.

use super::dense::Tensors;
use super::spread::{Sizes, view};
use super::values::{Numbers, same_bits};
use super::{Case, POISON, Place, pool};
use pointwise::{Activation, Branch, Error, Layer, Layout, Parameters, Plan, Pool};
use pointwise::{Siblings, View, Views};

/// The buffers of a case.
pub(crate) struct Network {
    pub(crate) input: Vec<f32>,
    pub(crate) tensors: Vec<Tensors>,
    /// Each output buffer, as it must be afterwards.
    pub(crate) want: Vec<Vec<f32>>,
    pub(super) branches: Vec<Branch>,
    pub(super) input_view: Option<View>,
}

impl Case {
    /// The buffers of the case, with the views and siblings that its seed chooses.
    pub(crate) fn network(&self) -> Network {
        // Apart from the values, so that a case keeps them when its views are taken away.
        let mut numbers = Numbers::new(self.seed.wrapping_mul(31) + 7);
        let layers = self.layers(&mut numbers);
        let dense = self.dense(&layers);
        let Layer { n, c, h, w, .. } = self.layer;
        let input_view = self.views.then(|| view(&mut numbers, [n, c, h, w]));
        let mut branches: Vec<Branch> = layers.into_iter().map(Branch::new).collect();
        let shared = branches.len() > 1 && concatenate(&mut branches, &mut numbers);
        if self.views {
            for branch in &mut branches {
                if branch.layer.residual {
                    branch.residual = Some(view(&mut numbers, residual_sizes(&branch.layer)));
                }
                if !shared {
                    branch.output = Some(view(&mut numbers, output_sizes(&branch.layer)));
                }
            }
        }
        dense.placed(branches, input_view)
    }

    /// The case's layer and its siblings, which differ in what siblings may differ in.
    fn layers(&self, numbers: &mut Numbers) -> Vec<Layer> {
        let mut layers = vec![self.layer];
        let can_average = self.layer.average(true).check().is_ok();
        for _ in 0..self.siblings {
            let mut other = self.layer;
            other.k = self.layer.groups * (1 + numbers.below(40 / self.layer.groups.min(40)));
            other.bias = numbers.below(2) == 0;
            other.residual = numbers.below(4) == 0;
            other.activation = match numbers.below(4) {
                0 => Activation::PLAIN[numbers.below(Activation::PLAIN.len())],
                1 => Activation::Prelu,
                _ => self.layer.activation,
            };
            if numbers.below(4) == 0 {
                other.output_layout = Layout::ALL[numbers.below(2)];
                other.shuffle = numbers.below(2) == 0;
                other.average = can_average && numbers.below(3) == 0;
            }
            layers.push(other);
        }
        layers
    }
}

/// Lets the branches share one buffer, as the parts of a concatenated tensor, where their outputs
/// have one form and `numbers` want it; else nothing is changed.
fn concatenate(branches: &mut [Branch], numbers: &mut Numbers) -> bool {
    let first = branches[0].layer;
    let alike = |branch: &Branch| {
        (branch.layer.output_layout, branch.layer.average) == (first.output_layout, first.average)
    };
    if numbers.below(3) == 0 || !branches.iter().all(alike) {
        return false;
    }
    let [_, _, rows, columns] = output_sizes(&first);
    let layout = first.output_layout;
    let counts: Vec<usize> = branches.iter().map(|branch| branch.layer.k).collect();
    if counts.iter().all(|count| *count == first.k) {
        // Every so many channels, as a shuffle of the concatenated tensor has them.
        let whole = View::dense(layout, first.k * counts.len(), rows, columns);
        for (index, branch) in branches.iter_mut().enumerate() {
            *branch = branch.to(0, whole.every_channel(counts.len(), index));
        }
        return true;
    }
    let spare = numbers.below(3);
    let total = counts.iter().sum::<usize>() + spare;
    let mut at = spare;
    for (branch, count) in branches.iter_mut().zip(counts) {
        *branch = branch.to(0, View::of_channels(layout, total, at, rows, columns));
        at += count;
    }
    true
}

/// Images, channels, rows and columns of a layer's residual.
pub(super) fn residual_sizes(layer: &Layer) -> Sizes {
    let shape = layer.check().unwrap();
    [layer.n, layer.k, shape.oh, shape.ow]
}

/// Images, channels, rows and columns of a layer's output.
pub(super) fn output_sizes(layer: &Layer) -> Sizes {
    let [n, k, rows, columns] = residual_sizes(layer);
    if layer.average { [n, k, 1, 1] } else { [n, k, rows, columns] }
}

/// The slices that a run is given, in whatever memory.
pub(crate) struct Slices<'a> {
    pub(crate) input: &'a [f32],
    pub(crate) parameters: Vec<Parameters<'a>>,
    pub(crate) residuals: Vec<Option<&'a [f32]>>,
    pub(crate) outputs: Vec<&'a mut [f32]>,
}

impl Network {
    /// Plans, packs and runs the case: by a plan, or where there are siblings by their plan.
    pub(crate) fn run(&self, case: &Case, slices: &mut Slices<'_>) -> Result<(), Error> {
        let Slices { input, parameters, residuals, outputs } = slices;
        if let [branch] = &self.branches[..] {
            let mut views = Views::new();
            (views.input, views.output) = (self.input_view, branch.output);
            views.residual = branch.residual;
            let plan = Plan::with_views(&case.layer, &views, &case.planned()?)?;
            let packed = plan.pack_parameters(&parameters[0])?;
            return case
                .in_its_place(|pool| plan.run(&packed, input, residuals[0], outputs[0], pool));
        }
        let plan = Siblings::new(&self.branches, self.input_view, &case.options)?;
        let packed = plan.pack(parameters)?;
        case.in_its_place(|pool| plan.run(&packed, input, residuals, outputs, pool))
    }

    /// Slices of these buffers, with outputs that a run may write.
    fn slices<'a>(&'a self, outputs: &'a mut [Vec<f32>]) -> Slices<'a> {
        Slices {
            input: &self.input,
            parameters: self.tensors.iter().map(Tensors::parameters).collect(),
            residuals: self.tensors.iter().map(|of| of.residual.as_deref()).collect(),
            outputs: outputs.iter_mut().map(Vec::as_mut_slice).collect(),
        }
    }

    /// Calls `run` and compares what it wrote to the outputs: the number of outputs compared, or
    /// what is wrong.
    pub(crate) fn check_by(
        &self,
        run: impl FnOnce(&mut Slices<'_>) -> Result<(), Error>,
    ) -> Result<usize, String> {
        let mut got: Vec<Vec<f32>> =
            self.want.iter().map(|want| vec![POISON; want.len()]).collect();
        run(&mut self.slices(&mut got)).map_err(|e| e.to_string())?;
        let compared: Result<Vec<usize>, String> =
            got.iter().enumerate().map(|(index, got)| self.compare(index, got)).collect();
        Ok(compared?.into_iter().sum())
    }

    /// Runs the case on these buffers, which are those of its layer, and compares. The kernel, the
    /// blocking, the threads and the pool of the case count; its values, views and siblings do not.
    pub(crate) fn check(&self, case: &Case) -> Result<usize, String> {
        self.check_by(|slices| self.run(case, slices))
    }

    /// [`check`](Network::check), with the case and where its tensors lie if it fails.
    pub(crate) fn assert(&self, case: &Case) {
        if let Err(why) = self.check(case) {
            panic!("{why}: {case}\n{:?} from {:?}", self.branches, self.input_view);
        }
    }

    /// Compares a buffer with what it must hold, a NaN with any NaN: the number of outputs, or
    /// the first difference.
    pub(crate) fn compare(&self, index: usize, got: &[f32]) -> Result<usize, String> {
        let want = &self.want[index];
        same_bits(got, want).map_err(|why| format!("buffer {index}: {why}"))?;
        Ok(want.iter().filter(|v| v.to_bits() != POISON.to_bits()).count())
    }
}

impl Case {
    /// Calls `run` where the case says.
    fn in_its_place<T: Send>(&self, run: impl FnOnce(Pool<'_>) -> T + Send) -> T {
        match self.place {
            Place::Serial => run(Pool::Serial),
            Place::In => run(Pool::In(pool(self.options.threads))),
            Place::Current => pool(self.options.threads).install(|| run(Pool::Current)),
        }
    }
}
