//! One layer of a network, as a line of a data file describes it.

use pointwise::{Layer, Layout};

/// One 1×1 layer of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The network's name, such as `resnet50`; empty for a layer given by hand.
    pub network: String,
    /// The layer's name in the network, or its text form.
    pub name: String,
    /// How often the network has the layer.
    pub count: usize,
    /// Whether geometric means leave it out, as they do classifier heads (1×1 pixels).
    pub head: bool,
    /// The layer with its epilogue. In the catalog its layout is NHWC and its batch 1.
    pub layer: Layer,
}

impl Entry {
    /// A layer given by hand: it has no network, and its text form is its name.
    pub fn by_hand(layer: Layer) -> Self {
        Entry { network: String::new(), name: layer.to_string(), count: 1, head: false, layer }
    }

    /// The layer with its input in `layout`. A layer that writes its output in the other layout still
    /// does so: both layouts are exchanged.
    pub fn in_layout(&self, layout: Layout) -> Layer {
        let Layer { layout: from, output_layout: to, .. } = self.layer;
        let [a, b] = Layout::ALL;
        let other = if layout == a { b } else { a };
        self.layer.layout(layout).output_layout(if from == to { layout } else { other })
    }
}
