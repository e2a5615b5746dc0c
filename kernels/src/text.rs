//! A layer as one line of text, which every command of the harness prints and takes.
//!
//! `nhwc/n1c64h56w56k256/s2x2/p0.1.0.1/g1/bias+residual+relu`: layout, sizes in any order, then
//! stride, padding (`pvalid`, `psame`, or `ptop.bottom.left.right`), groups and epilogue, each
//! of which may be left out. The layout may be left out too and is then NHWC; `n` is then 1.

use crate::{Activation, Error, Layer, Layout, Padding};
use core::fmt;
use core::str::FromStr;

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layer { n, c, k, h, w, stride: [sh, sw], groups, .. } = *self;
        let mut text = format!("{}/n{n}c{c}h{h}w{w}k{k}", self.layout);
        if (sh, sw) != (1, 1) {
            text += &format!("/s{sh}x{sw}");
        }
        match self.padding {
            Padding::Valid => {}
            Padding::Same => text += "/psame",
            Padding::Explicit { top, bottom, left, right } => {
                text += &format!("/p{top}.{bottom}.{left}.{right}");
            }
        }
        if groups != 1 {
            text += &format!("/g{groups}");
        }
        let activation = match self.activation {
            Activation::None => None,
            Activation::Relu => Some("relu".to_owned()),
            Activation::Relu6 => Some("relu6".to_owned()),
            Activation::Clamp { lo, hi } => Some(format!("clamp={lo}..{hi}")),
        };
        let epilogue: Vec<String> = [
            self.bias.then(|| "bias".to_owned()),
            self.residual.then(|| "residual".to_owned()),
            activation,
        ]
        .into_iter()
        .flatten()
        .collect();
        if !epilogue.is_empty() {
            text += &format!("/{}", epilogue.join("+"));
        }
        f.pad(&text)
    }
}

impl FromStr for Layer {
    type Err = Error;

    /// Reads the text form. The layer is not [checked](Layer::check).
    ///
    /// # Errors
    /// [`Error::BadLayerText`], naming the part that is wrong and what would be right.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut layer = Layer::new(0, 0, 0, 0);
        let mut sizes_seen = false;
        for (index, part) in text.split('/').enumerate() {
            let bad = |part: &str, expected| Error::BadLayerText {
                text: text.to_owned(),
                part: part.to_owned(),
                expected,
            };
            if index == 0
                && let Some(layout) = Layout::ALL.into_iter().find(|l| l.name() == part)
            {
                layer.layout = layout;
            } else if !sizes_seen {
                sizes(&mut layer, part).map_err(|expected| bad(part, expected))?;
                sizes_seen = true;
            } else if let Some(stride) = part.strip_prefix('s').filter(starts_with_digit) {
                let (rows, columns) = stride.split_once('x').unwrap_or((stride, stride));
                layer.stride = match (rows.parse(), columns.parse()) {
                    (Ok(rows), Ok(columns)) => [rows, columns],
                    _ => return Err(bad(part, "a stride such as `s2` or `s2x1`")),
                };
            } else if let Some(padding) = part.strip_prefix('p') {
                layer.padding = parse_padding(padding).ok_or_else(|| {
                    bad(part, "`pvalid`, `psame` or `ptop.bottom.left.right` such as `p0.1.0.1`")
                })?;
            } else if let Some(groups) = part.strip_prefix('g') {
                layer.groups =
                    groups.parse().map_err(|_| bad(part, "a number of groups such as `g3`"))?;
            } else {
                for word in part.split('+') {
                    epilogue(&mut layer, word).map_err(|expected| bad(word, expected))?;
                }
            }
        }
        if !sizes_seen {
            return Err(Error::BadLayerText {
                text: text.to_owned(),
                part: String::new(),
                expected: "a set of sizes such as `n1c64h56w56k256`",
            });
        }
        Ok(layer)
    }
}

fn starts_with_digit(text: &&str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn sizes(layer: &mut Layer, part: &str) -> Result<(), &'static str> {
    const EXPECTED: &str = "a set of sizes such as `n1c64h56w56k256` (c, h, w and k once each; n \
                            may be left out)";
    let mut seen = [None::<usize>; 5];
    let mut rest = part;
    while let Some(letter) = rest.chars().next() {
        let slot = "nchwk".find(letter).ok_or(EXPECTED)?;
        rest = &rest[1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let value = rest[..digits].parse().map_err(|_| EXPECTED)?;
        if seen[slot].replace(value).is_some() {
            return Err(EXPECTED);
        }
        rest = &rest[digits..];
    }
    let [n, Some(c), Some(h), Some(w), Some(k)] = seen else { return Err(EXPECTED) };
    (layer.n, layer.c, layer.h, layer.w, layer.k) = (n.unwrap_or(1), c, h, w, k);
    Ok(())
}

fn parse_padding(text: &str) -> Option<Padding> {
    match text {
        "valid" => Some(Padding::Valid),
        "same" => Some(Padding::Same),
        _ => {
            let sides: Vec<usize> =
                text.split('.').map(|side| side.parse().ok()).collect::<Option<_>>()?;
            let [top, bottom, left, right] = sides[..] else { return None };
            Some(Padding::Explicit { top, bottom, left, right })
        }
    }
}

fn epilogue(layer: &mut Layer, word: &str) -> Result<(), &'static str> {
    match word {
        "bias" => layer.bias = true,
        "residual" => layer.residual = true,
        "relu" => layer.activation = Activation::Relu,
        "relu6" => layer.activation = Activation::Relu6,
        _ => {
            const EXPECTED: &str = "`s…`, `p…`, `g…`, or words of `bias`, `residual`, `relu`, \
                                    `relu6`, `clamp=lo..hi` joined by `+`";
            let (lo, hi) = word
                .strip_prefix("clamp=")
                .and_then(|bounds| bounds.split_once(".."))
                .ok_or(EXPECTED)?;
            layer.activation = match (lo.parse(), hi.parse()) {
                (Ok(lo), Ok(hi)) => Activation::Clamp { lo, hi },
                _ => return Err(EXPECTED),
            };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_survives_a_round_trip() {
        for text in [
            "nhwc/n1c64h56w56k256",
            "nchw/n8c3h7w9k5/s2x1/p0.1.2.3/bias+residual+clamp=-1.5..2",
            "nchw/n1c240h28w28k240/psame/g3/bias+relu6",
            "nhwc/n1c1h1w1k1/residual",
        ] {
            assert_eq!(text.parse::<Layer>().unwrap().to_string(), text);
        }
        let short: Layer = "k8c4w2h3/s2/pvalid/relu".parse().unwrap();
        assert_eq!(short.to_string(), "nhwc/n1c4h3w2k8/s2x2/relu");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", ""),
            ("nhwc", ""),
            ("nhcw/c1h1w1k1", "nhcw"),
            ("c1h1w1", "c1h1w1"),
            ("c1c1h1w1k1", "c1c1h1w1k1"),
            ("c-1h1w1k1", "c-1h1w1k1"),
            ("c1h1w1k99999999999999999999999", "c1h1w1k99999999999999999999999"),
            ("c1h1w1k1/s2x", "s2x"),
            ("c1h1w1k1/p1.1", "p1.1"),
            ("c1h1w1k1/gx", "gx"),
            ("c1h1w1k1/bias+gelu9", "gelu9"),
            ("c1h1w1k1/clamp=a..b", "clamp=a..b"),
            ("é1", "é1"),
        ] {
            match text.parse::<Layer>() {
                Err(Error::BadLayerText { part: found, .. }) => assert_eq!(found, part, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
