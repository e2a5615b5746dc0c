//! The networks and their 1×1 layers, read from data files.

use pointwise::{Layer, Layout};

/// One 1×1 layer of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The network's name, such as `resnet50`.
    pub network: &'static str,
    /// The layer's name in the network.
    pub name: &'static str,
    /// How often the network has it.
    pub count: usize,
    /// Whether it is a classifier head (1×1 pixels) or another layer left out of geomeans.
    pub head: bool,
    /// The layer, NHWC, batch 1, with the epilogue that the network gives it.
    pub layer: Layer,
}

impl Entry {
    /// The layer in another layout.
    pub fn in_layout(&self, layout: Layout) -> Layer {
        self.layer.layout(layout)
    }
}

/// Every layer of every network, in the order of the files.
pub fn catalog() -> Vec<Entry> {
    Vec::new()
}
