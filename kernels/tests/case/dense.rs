//! The tensors of layers that share an input, without gaps, and what must come out of each layer.

use super::network::{output_sizes, residual_sizes};
use super::spread::{place, spread};
use super::values::Generator;
use super::{Case, Network, POISON, Values};
use pointwise::{Activation, Branch, Layer, Parameters, View, reference_of};

/// Tensors without gaps.
pub(crate) struct Dense {
    pub(crate) layers: Vec<Layer>,
    pub(crate) input: Vec<f32>,
    pub(crate) tensors: Vec<Tensors>,
    /// What the library's reference computes for each layer.
    pub(crate) outputs: Vec<Vec<f32>>,
}

/// The tensors of one layer, but for its output and for the input, which layers share.
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
    /// The tensors of these layers, which share an input, with the values that the case says.
    pub(crate) fn dense(&self, layers: &[Layer]) -> Dense {
        let shape = layers[0].check().unwrap();
        let mut fill = self.values.generator(self.seed, layers[0].c / layers[0].groups);
        let input = fill.take(shape.input_len);
        let mut dense =
            Dense { layers: layers.to_vec(), input, tensors: Vec::new(), outputs: Vec::new() };
        for layer in layers {
            let of = self.tensors(layer, &mut fill);
            let parameters = of.parameters();
            let output = reference_of(layer, &dense.input, &parameters, of.residual.as_deref());
            dense.outputs.push(output.unwrap());
            dense.tensors.push(of);
        }
        dense
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
}

impl Dense {
    /// The buffers of these tensors as they are, an output buffer for each layer.
    pub(crate) fn whole(self) -> Network {
        let branches = self.layers.iter().copied().map(Branch::new).collect();
        self.placed(branches, None)
    }

    /// The buffers of these tensors where `branches` and the view of the input say. `branches` are
    /// those of the layers, in their order.
    pub(crate) fn placed(self, branches: Vec<Branch>, input_view: Option<View>) -> Network {
        let Dense { layers, input, mut tensors, outputs } = self;
        assert!(branches.iter().map(|branch| branch.layer).eq(layers));
        let mut want: Vec<Vec<f32>> = Vec::new();
        for ((branch, of), output) in branches.iter().zip(&mut tensors).zip(outputs) {
            let layer = &branch.layer;
            if let (Some(view), Some(residual)) = (branch.residual, &mut of.residual) {
                let sizes = residual_sizes(layer);
                *residual = spread(residual, view, layer.output_layout, sizes, f32::NAN);
            }
            let index = branch.buffer.unwrap_or(want.len());
            want.resize_with(want.len().max(index + 1), Vec::new);
            let buffer = &mut want[index];
            match branch.output {
                Some(view) => {
                    let sizes = output_sizes(layer);
                    let len = buffer.len().max(view.check("output", sizes).unwrap());
                    buffer.resize(len, POISON);
                    place(&output, view, layer.output_layout, sizes, buffer);
                }
                None => *buffer = output,
            }
        }
        let input = match input_view {
            // What lies between the elements of a view spoils whatever it gets into.
            Some(view) => {
                let Layer { n, c, h, w, layout, .. } = branches[0].layer;
                spread(&input, view, layout, [n, c, h, w], f32::NAN)
            }
            None => input,
        };
        Network { input, tensors, want, branches, input_view }
    }
}
