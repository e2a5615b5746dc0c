//! Layers and plan options out of a fuzzer's bytes: small, and of every kind.

use arbitrary::Arbitrary;
use pointwise::{Activation, Blocking, Layer, Layout, Padding, PlanOptions, kernels};

/// A layer of any kind, mostly one that checks, and how to plan it.
#[derive(Arbitrary, Debug)]
pub struct Described {
    /// Batch, channels and outputs of a group, rows, columns.
    sizes: [u8; 5],
    strides: [u8; 2],
    padding: Option<[u8; 4]>,
    groups: u8,
    layouts: [bool; 2],
    bias: bool,
    residual: bool,
    shuffle: bool,
    average: bool,
    activation: u8,
    parameters: [f32; 2],
    kernel: u8,
    blocking: Option<(u8, bool)>,
    /// Threads to plan for.
    pub threads: u8,
}

impl Described {
    /// The layer, not checked.
    pub fn layer(&self) -> Layer {
        let [n, c, k, h, w] = self.sizes.map(usize::from);
        let padding = match self.padding {
            None => [Padding::Valid, Padding::Same][usize::from(self.sizes[0] >> 7)],
            Some(sides) => {
                let [top, bottom, left, right] = sides.map(|side| usize::from(side % 16));
                Padding::Explicit { top, bottom, left, right }
            }
        };
        let groups = usize::from(self.groups % 8);
        let layout = |nchw: bool| if nchw { Layout::Nchw } else { Layout::Nhwc };
        let [lo, hi] = self.parameters;
        let plain = Activation::PLAIN.len();
        let activation = match usize::from(self.activation) % (plain + 3) {
            index if index < plain => Activation::PLAIN[index],
            index if index == plain => Activation::Clamp { lo, hi },
            index if index == plain + 1 => Activation::LeakyRelu { slope: lo },
            _ => Activation::Prelu,
        };
        Layer::new((c % 48) * groups, (k % 80) * groups, h % 24, w % 24)
            .batch(n % 4)
            .layout(layout(self.layouts[0]))
            .output_layout(layout(self.layouts[1]))
            .stride(usize::from(self.strides[0] % 6), usize::from(self.strides[1] % 6))
            .padding(padding)
            .groups(groups)
            .bias(self.bias)
            .residual(self.residual)
            .shuffle(self.shuffle)
            .average(self.average)
            .activation(activation)
    }

    /// The options, some of which are refused.
    pub fn options(&self) -> PlanOptions {
        let mut options = PlanOptions::new().threads(usize::from(self.threads % 10));
        if let Some(kernel) = kernels().get(usize::from(self.kernel)) {
            options = options.kernel(kernel.name());
        }
        if let Some((units, pack)) = self.blocking {
            options = options.blocking(Blocking::new(usize::from(units), pack));
        }
        options
    }
}
