//! The networks and their 1×1 layers, read from data files.
//!
//! A layer is one line of a file in `data/networks`; a network is one file and one line in
//! `NETWORKS`. The header of a file says where its sizes come from and holds the published
//! figures that the tests check. [`parse`] and [`load`] read a user's own file of the same form.

mod filter;
mod parse;

#[cfg(test)]
mod figures;

pub use filter::{Filter, FilterError, Pattern};
pub use parse::{CatalogError, Problem, load, parse};

use pointwise::{Layer, Layout};
use std::collections::HashMap;
use std::sync::LazyLock;

/// One 1×1 layer of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The network's name, such as `resnet50`; empty for a layer given by hand.
    pub network: String,
    /// The layer's name in the network, or its text form.
    pub name: String,
    /// How often the network has it.
    pub count: usize,
    /// Whether it is a classifier head (1×1 pixels) or another layer left out of geomeans.
    pub head: bool,
    /// The layer with the epilogue that the network gives it; in the catalog NHWC and batch 1.
    pub layer: Layer,
}

impl Entry {
    /// A layer given by hand: no network, named by its text form.
    pub fn by_hand(layer: Layer) -> Self {
        Entry { network: String::new(), name: layer.to_string(), count: 1, head: false, layer }
    }

    /// The layer in another layout. One that changes the layout then changes it the other way.
    pub fn in_layout(&self, layout: Layout) -> Layer {
        let Layer { layout: from, output_layout: to, .. } = self.layer;
        let [a, b] = Layout::ALL;
        let other = if layout == a { b } else { a };
        self.layer.layout(layout).output_layout(if from == to { layout } else { other })
    }
}

/// One network of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name, such as `resnet50`.
    pub name: &'static str,
    /// Its data file, header and all.
    pub text: &'static str,
}

impl Network {
    /// What it is, in one line: the first line of its file.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
    }

    /// Its layers, in the order of its file.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        let name = self.name;
        catalog().iter().filter(move |entry| entry.network == name)
    }
}

/// Makes a [`Network`] of each name and its data file.
macro_rules! networks {
    ($($name:literal)*) => {
        &[$(Network {
            name: $name,
            text: include_str!(concat!("../../data/networks/", $name, ".txt")),
        }),*]
    };
}

static NETWORKS: &[Network] = networks![
    "resnet18"
    "resnet34"
    "resnet50"
    "resnet50_v1.5"
    "resnet101"
    "resnet152"
    "googlenet"
    "inception_v3"
    "inception_v4"
    "inception_resnet_v2"
    "nin"
    "shufflenet_v1_g1"
    "shufflenet_v1_g2"
    "shufflenet_v1_g3"
    "shufflenet_v1_g4"
    "shufflenet_v1_g8"
    "mobilenet_v1"
    "mobilenet_v2"
];

/// The networks of the catalog.
pub fn networks() -> &'static [Network] {
    NETWORKS
}

/// Every layer of every network, in the order of [`networks`] and of their files.
pub fn catalog() -> &'static [Entry] {
    static CATALOG: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        NETWORKS
            .iter()
            // The files are part of the program and a test reads each of them, so this cannot
            // fail in a program that passed its tests.
            .flat_map(|network| parse(network.name, network.text).unwrap_or_else(|e| panic!("{e}")))
            .collect()
    });
    &CATALOG
}

/// The name that stands for [`forms`] where networks are named.
pub const FORMS: &str = "forms";

/// Layers of the forms that no network's own lines have: shuffled channels, averages, changes of
/// layout, each activation. Small; `verify` checks them with the catalog.
pub fn forms() -> &'static [Entry] {
    static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        // As for the catalog.
        parse(FORMS, include_str!("../../data/forms.txt")).unwrap_or_else(|e| panic!("{e}"))
    });
    &ALL
}

/// One problem, and where it occurs.
#[derive(Clone, Debug, PartialEq)]
pub struct Unique<'a> {
    /// The layer.
    pub layer: Layer,
    /// Every entry that is this layer, in the order given; never empty.
    pub uses: Vec<&'a Entry>,
}

impl Unique<'_> {
    /// `network/name` of its first use, or the layer's text form if it was given by hand.
    pub fn name(&self) -> String {
        let first = self.uses[0];
        if first.network.is_empty() {
            first.name.clone()
        } else {
            format!("{}/{}", first.network, first.name)
        }
    }
}

/// The different problems among `entries`, each once, in order of first use. Layers are the same
/// problem if their text forms are, so the epilogue counts.
pub fn unique<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Unique<'a>> {
    let mut problems: Vec<Unique<'a>> = Vec::new();
    let mut index = HashMap::new();
    for entry in entries {
        let at = *index.entry(entry.layer.to_string()).or_insert(problems.len());
        match problems.get_mut(at) {
            Some(problem) => problem.uses.push(entry),
            None => problems.push(Unique { layer: entry.layer, uses: vec![entry] }),
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointwise::Activation;
    use std::collections::HashSet;

    #[test]
    fn every_layer_is_valid_and_named_once() {
        let mut names = HashSet::new();
        let mut problems = HashSet::new();
        for entry in catalog() {
            let Entry { network, name, layer, .. } = entry;
            layer.check().unwrap_or_else(|e| panic!("{network} {name}: {e}"));
            assert_eq!((layer.n, layer.layout), (1, Layout::Nhwc), "{network} {name}");
            assert!(layer.bias, "{network} {name}: folded batch norm leaves a bias");
            assert_eq!(entry.head, (layer.h, layer.w) == (1, 1), "{network} {name}");
            assert!(names.insert((network, name)), "{network} {name} is there twice");
            assert!(
                problems.insert((network, layer.to_string())),
                "{network} {name}: {layer} has a line already; raise its count"
            );
            for layout in Layout::ALL {
                let text = entry.in_layout(layout).to_string();
                assert_eq!(text.parse(), Ok(layer.layout(layout)), "{text}");
            }
        }
    }

    #[test]
    fn every_file_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/networks");
        let files: HashSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let listed = NETWORKS.iter().map(|network| format!("{}.txt", network.name)).collect();
        assert_eq!(files, listed);
        for network in NETWORKS {
            assert!(network.title().contains("pixels"), "{}: {}", network.name, network.title());
            assert!(network.entries().next().is_some(), "{}", network.name);
        }
    }

    #[test]
    fn known_layers_are_there() {
        let find = |network: &str, name: &str| {
            let mut found = catalog().iter().filter(|e| e.network == network && e.name == name);
            let entry = found.next().unwrap_or_else(|| panic!("{network} {name}"));
            (entry.count, entry.head, entry.layer.to_string())
        };
        for (network, name, count, text) in [
            ("resnet50", "conv3_1.1x1a", 1, "nhwc/n1c256h56w56k128/s2x2/bias+relu"),
            ("resnet50_v1.5", "conv3_1.1x1a", 1, "nhwc/n1c256h56w56k128/bias+relu"),
            ("resnet50", "conv4_x.1x1b", 6, "nhwc/n1c256h14w14k1024/bias+residual+relu"),
            ("resnet152", "conv4_x.1x1a", 35, "nhwc/n1c1024h14w14k256/bias+relu"),
            ("resnet34", "conv5_1.proj", 1, "nhwc/n1c256h14w14k512/s2x2/bias"),
            ("googlenet", "inception_4bc.5x5r", 2, "nhwc/n1c512h14w14k24/bias+relu"),
            ("inception_v3", "conv_3b", 1, "nhwc/n1c64h73w73k80/bias+relu"),
            ("inception_resnet_v2", "block8_10.up", 1, "nhwc/n1c448h8w8k2080/bias+residual"),
            ("shufflenet_v1_g3", "stage2_1.gconv1", 1, "nhwc/n1c24h56w56k60/bias+relu"),
            ("shufflenet_v1_g3", "stage3_1.gconv2", 1, "nhwc/n1c120h14w14k240/g3/bias+relu"),
            ("mobilenet_v2", "block3_x.project", 2, "nhwc/n1c192h28w28k32/bias+residual"),
        ] {
            assert_eq!(find(network, name), (count, false, text.to_owned()), "{network} {name}");
        }
        let head = (1, true, "nhwc/n1c2048h1w1k1000/bias".to_owned());
        assert_eq!(find("resnet50", "fc"), head);
        assert_eq!(find("inception_v3", "fc"), head);
    }

    /// Strides and the pixels before them: the figures in the headers only see those after.
    #[test]
    fn shortcuts_of_resnets_halve_the_pixels_of_their_stage() {
        let shortcuts: Vec<_> =
            catalog().iter().filter(|entry| entry.name.ends_with(".proj")).collect();
        assert_eq!(shortcuts.len(), 2 * 3 + 4 * 4);
        for entry in shortcuts {
            let Layer { h, w, stride, activation, .. } = entry.layer;
            let expected = match &entry.name[..5] {
                "conv2" => (56, [1, 1]),
                "conv3" => (56, [2, 2]),
                "conv4" => (28, [2, 2]),
                _ => (14, [2, 2]),
            };
            assert_eq!((h, w), (expected.0, expected.0), "{entry:?}");
            assert_eq!((stride, activation), (expected.1, Activation::None), "{entry:?}");
            let first = catalog().iter().find(|other| {
                other.network == entry.network && other.name == entry.name.replace("proj", "1x1a")
            });
            let Some(Entry { layer: first, .. }) = first else { continue };
            let stride = if entry.network.ends_with("v1.5") { [1, 1] } else { stride };
            assert_eq!((first.c, first.h, first.stride), (entry.layer.c, h, stride), "{entry:?}");
        }
    }

    #[test]
    fn the_forms_have_what_the_networks_lack() {
        let has = |form: fn(&Layer) -> bool| forms().iter().any(|entry| form(&entry.layer));
        for groups in [2, 3, 4, 8] {
            assert!(forms().iter().any(|e| e.layer.shuffle && e.layer.groups == groups));
        }
        assert!(has(|layer| layer.average && layer.groups == 1));
        assert!(has(|layer| layer.average && layer.shuffle));
        assert!(has(|layer| layer.output_layout != layer.layout));
        assert!(has(|layer| layer.output_layout != layer.layout && layer.average));
        for activation in Activation::PLAIN.into_iter().chain([Activation::Prelu]) {
            let of = |e: &&Entry| e.layer.activation == activation;
            assert!(forms().iter().filter(of).any(|e| e.layer.residual), "{activation:?}");
        }
        let changes = forms().iter().find(|e| e.layer.output_layout != e.layer.layout).unwrap();
        for layout in Layout::ALL {
            let layer = changes.in_layout(layout);
            assert_eq!(layer.layout, layout);
            assert_ne!(layer.output_layout, layout);
        }
    }

    #[test]
    fn unique_problems_keep_their_uses() {
        let text = "c8h4w4k8/bias\n2 b c8h4w4k8\n3 c nhwc/n1c8h4w4k8/bias";
        let entries = parse("net", text).unwrap();
        let problems = unique(&entries);
        let uses: Vec<(String, usize)> =
            problems.iter().map(|p| (p.name(), p.uses.iter().map(|e| e.count).sum())).collect();
        let first = "net/nhwc/n1c8h4w4k8/bias".to_owned();
        assert_eq!(uses, [(first, 4), ("net/b".to_owned(), 2)]);

        let all = unique(catalog());
        let texts: HashSet<String> = all.iter().map(|p| p.layer.to_string()).collect();
        assert_eq!(texts.len(), all.len());
        assert_eq!(all.iter().map(|p| p.uses.len()).sum::<usize>(), catalog().len());
        assert!(all.len() < catalog().len(), "the networks share layers");
    }
}
