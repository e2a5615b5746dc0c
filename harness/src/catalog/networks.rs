//! The networks that are part of the program.

use super::entry::Entry;
use super::parse::parse;
use std::sync::LazyLock;

/// One network of the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its name, such as `resnet50`.
    pub name: &'static str,
    /// Its data file, header and all.
    pub text: &'static str,
}

impl Network {
    /// The first line of its file, which says what the network is.
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
            // The files are part of the program, and a test reads each of them.
            .flat_map(|network| parse(network.name, network.text).unwrap_or_else(|e| panic!("{e}")))
            .collect()
    });
    &CATALOG
}

/// The name of [`forms`] where networks are named.
pub const FORMS: &str = "forms";

/// Small layers of the forms that no network of the catalog has: shuffled channels, averages, changes
/// of layout, each activation. `verify` checks them together with the catalog.
pub fn forms() -> &'static [Entry] {
    static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        // The file is part of the program, and a test reads it.
        parse(FORMS, include_str!("../../data/forms.txt")).unwrap_or_else(|e| panic!("{e}"))
    });
    &ALL
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointwise::{Activation, Layer, Layout};
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

    /// The figures in the headers depend on the pixels after a stride only, so this test checks the
    /// strides and the pixels before them.
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
}
