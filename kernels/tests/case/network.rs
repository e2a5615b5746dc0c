//! What a case comes to: tensors, perhaps seen through views, perhaps with sibling layers beside
//! the case's own, the buffers they lie in, and what those must hold afterwards.

use super::spread::{Sizes, place, spread, view};
use super::values::{Generator, Numbers, same_bits};
use super::{Case, POISON, Place, Values, pool};
use pointwise::{
    Activation, Branch, Error, Layer, Layout, Parameters, Plan, Pool, Siblings, View, Views,
    reference_of,
};

/// The buffers of a case.
pub(crate) struct Network {
    pub(crate) input: Vec<f32>,
    pub(crate) tensors: Vec<Tensors>,
    /// Each output buffer, as it must be afterwards.
    pub(crate) want: Vec<Vec<f32>>,
    branches: Vec<Branch>,
    input_view: Option<View>,
}

/// The tensors of one layer, but for those that layers share.
pub(crate) struct Tensors {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
    pub(crate) slopes: Option<Vec<f32>>,
    pub(crate) residual: Option<Vec<f32>>,
}

impl Tensors {
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        let mut parameters = Parameters::new(&self.weights);
        parameters.bias = self.bias.as_deref();
        parameters.slopes = self.slopes.as_deref();
        parameters
    }
}

impl Case {
    /// The tensors of the case, and what must come out.
    pub(crate) fn network(&self) -> Network {
        let layer = &self.layer;
        let shape = layer.check().unwrap();
        let mut fill = self.values.generator(self.seed, layer.c / layer.groups);
        // Apart from the values, so that a case keeps them when its views are taken away.
        let mut numbers = Numbers::new(self.seed.wrapping_mul(31) + 7);
        let layers = self.layers(&mut numbers);
        let input = fill.take(shape.input_len);
        let sizes = [layer.n, layer.c, layer.h, layer.w];
        let input_view = self.views.then(|| view(&mut numbers, sizes));
        let mut branches: Vec<Branch> = layers.iter().copied().map(Branch::new).collect();
        let shared = layers.len() > 1 && concatenate(&mut branches, &mut numbers);
        let mut want = Vec::new();
        let mut tensors = Vec::new();
        for (layer, branch) in layers.iter().zip(&mut branches) {
            let residual_sizes = residual_sizes(layer);
            let mut of = self.tensors(layer, &mut fill);
            let out = reference_of(layer, &input, &of.parameters(), of.residual.as_deref());
            let out = out.unwrap();
            if self.views {
                if let Some(residual) = &mut of.residual {
                    let view = view(&mut numbers, residual_sizes);
                    branch.residual = Some(view);
                    *residual =
                        spread(residual, view, layer.output_layout, residual_sizes, f32::NAN);
                }
                if !shared {
                    branch.output = Some(view(&mut numbers, output_sizes(layer)));
                }
            }
            let buffer = branch.buffer.unwrap_or(want.len());
            want.resize_with(want.len().max(buffer + 1), Vec::new);
            let buffer: &mut Vec<f32> = &mut want[buffer];
            match branch.output {
                Some(view) => {
                    let sizes = output_sizes(layer);
                    let len = buffer.len().max(view.check("output", sizes).unwrap());
                    buffer.resize(len, POISON);
                    place(&out, view, layer.output_layout, sizes, buffer);
                }
                None => *buffer = out,
            }
            tensors.push(of);
        }
        let input = match input_view {
            // What lies between the elements of a view spoils whatever it gets into.
            Some(view) => spread(&input, view, layer.layout, sizes, f32::NAN),
            None => input,
        };
        Network { input, tensors, want, branches, input_view }
    }

    fn tensors(&self, layer: &Layer, fill: &mut Generator) -> Tensors {
        let shape = layer.check().unwrap();
        let weights = fill.take(shape.weights_len);
        let bias = layer.bias.then(|| fill.take(layer.k));
        let residual = layer.residual.then(|| fill.take(shape.residual_len));
        let prelu = layer.activation == Activation::Prelu;
        let slopes = prelu.then(|| Values::Plain.generator(self.seed, 1).take(layer.k));
        Tensors { weights, bias, slopes, residual }
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

fn residual_sizes(layer: &Layer) -> Sizes {
    let shape = layer.check().unwrap();
    [layer.n, layer.k, shape.oh, shape.ow]
}

fn output_sizes(layer: &Layer) -> Sizes {
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
