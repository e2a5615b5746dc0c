//! The text form of a layer: one line, which every command of the harness prints and takes.
//!
//! An example is `nhwc/n1c64h56w56k256/s2x2/p0.1.0.1/g1/bias+residual+relu`. The parts are:
//!
//! - the layout, NHWC if it is left out. A layer that changes the layout names both: `nchw-nhwc`.
//! - the sizes in any order. `n` is 1 if it is left out.
//! - stride, padding (`pvalid`, `psame`, or `ptop.bottom.left.right`) and groups. Each may be left
//!   out.
//! - the epilogue, which may be left out: words of `bias`, `residual`, an activation, `shuffle` and
//!   `average`, joined by `+`.

use crate::describe::activation::Activation;
use crate::describe::error::Error;
use crate::describe::layer::{Layer, Layout, Padding};
use core::fmt;
use core::str::FromStr;

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layer { n, c, k, h, w, stride: [sh, sw], groups, .. } = *self;
        let mut text = self.layout.to_string();
        if self.output_layout != self.layout {
            text += &format!("-{}", self.output_layout);
        }
        text += &format!("/n{n}c{c}h{h}w{w}k{k}");
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
            Activation::Clamp { lo, hi } => Some(format!("clamp={lo}..{hi}")),
            Activation::LeakyRelu { slope } => Some(format!("leaky={slope}")),
            plain => Some(plain.name().to_owned()),
        };
        let epilogue: Vec<String> = [
            self.bias.then(|| "bias".to_owned()),
            self.residual.then(|| "residual".to_owned()),
            activation,
            self.shuffle.then(|| "shuffle".to_owned()),
            self.average.then(|| "average".to_owned()),
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
        let mut seen = Vec::new();
        for (index, part) in text.split('/').enumerate() {
            let bad = |part: &str, expected| Error::BadLayerText {
                text: text.to_owned(),
                part: part.to_owned(),
                expected,
            };
            if index == 0
                && let Some((input, output)) = layouts(part)
            {
                layer = layer.layout(input).output_layout(output);
            } else if !sizes_seen {
                sizes(&mut layer, part).map_err(|expected| bad(part, expected))?;
                sizes_seen = true;
            } else if let Some(stride) = part.strip_prefix('s').filter(starts_with_digit) {
                once(&mut seen, "the only stride").map_err(|expected| bad(part, expected))?;
                let (rows, columns) = stride.split_once('x').unwrap_or((stride, stride));
                layer.stride = match (number(rows), number(columns)) {
                    (Some(rows), Some(columns)) => [rows, columns],
                    _ => return Err(bad(part, "a stride such as `s2` or `s2x1`")),
                };
            } else if let Some(padding) = part.strip_prefix('p').filter(is_padding) {
                once(&mut seen, "the only padding").map_err(|expected| bad(part, expected))?;
                layer.padding = parse_padding(padding).ok_or_else(|| {
                    bad(part, "`pvalid`, `psame` or `ptop.bottom.left.right` such as `p0.1.0.1`")
                })?;
            } else if let Some(groups) = part.strip_prefix('g').filter(starts_with_digit) {
                once(&mut seen, "the only number of groups")
                    .map_err(|expected| bad(part, expected))?;
                layer.groups =
                    number(groups).ok_or_else(|| bad(part, "a number of groups such as `g3`"))?;
            } else {
                for word in part.split('+') {
                    let what = match word {
                        "bias" => "the only bias",
                        "residual" => "the only residual",
                        "shuffle" => "the only shuffle",
                        "average" => "the only average",
                        _ => "the only activation",
                    };
                    epilogue(&mut layer, word)
                        .and_then(|()| once(&mut seen, what))
                        .map_err(|expected| bad(word, expected))?;
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

fn layouts(part: &str) -> Option<(Layout, Layout)> {
    let layout = |name| Layout::ALL.into_iter().find(|layout| layout.name() == name);
    match part.split_once('-') {
        Some((input, output)) => Some((layout(input)?, layout(output)?)),
        None => layout(part).map(|both| (both, both)),
    }
}

/// Records that a part was given. A part that was given before is refused.
fn once(seen: &mut Vec<&'static str>, what: &'static str) -> Result<(), &'static str> {
    if seen.contains(&what) {
        return Err(what);
    }
    seen.push(what);
    Ok(())
}

/// The number that the text is, if it has digits only.
fn number(text: &str) -> Option<usize> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn starts_with_digit(text: &&str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_padding(text: &&str) -> bool {
    starts_with_digit(text) || ["valid", "same"].contains(text)
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
            let sides: Vec<usize> = text.split('.').map(number).collect::<Option<_>>()?;
            let [top, bottom, left, right] = sides[..] else { return None };
            Some(Padding::Explicit { top, bottom, left, right })
        }
    }
}

fn epilogue(layer: &mut Layer, word: &str) -> Result<(), &'static str> {
    const EXPECTED: &str = "`s…`, `p…`, `g…`, or words of `bias`, `residual`, `shuffle`, \
                            `average`, `relu`, `relu6`, `clamp=lo..hi`, `leaky=slope`, `prelu`, \
                            `hardswish`, `hardsigmoid`, `sigmoid`, `silu`, `tanh`, `gelu` joined \
                            by `+`";
    let named = Activation::PLAIN.into_iter().chain([Activation::Prelu]);
    if let Some(activation) = named.into_iter().find(|activation| activation.name() == word) {
        layer.activation = activation;
        return Ok(());
    }
    match word {
        "bias" => layer.bias = true,
        "residual" => layer.residual = true,
        "shuffle" => layer.shuffle = true,
        "average" => layer.average = true,
        _ => layer.activation = with_parameters(word).ok_or(EXPECTED)?,
    }
    Ok(())
}

/// An activation that is written with its parameters.
fn with_parameters(word: &str) -> Option<Activation> {
    if let Some(slope) = word.strip_prefix("leaky=") {
        return Some(Activation::LeakyRelu { slope: slope.parse().ok()? });
    }
    let (lo, hi) = word.strip_prefix("clamp=")?.split_once("..")?;
    Some(Activation::Clamp { lo: lo.parse().ok()?, hi: hi.parse().ok()? })
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
            "nchw-nhwc/n1c1h1w1k1/leaky=0.01",
            "nhwc-nchw/n1c4h1w1k4/g2/prelu+shuffle",
            "nhwc/n1c4h1w1k4/hardswish",
            "nhwc/n1c4h1w1k4/hardsigmoid",
            "nhwc/n1c4h1w1k4/sigmoid",
            "nhwc/n1c4h1w1k4/silu",
            "nhwc/n1c4h1w1k4/tanh",
            "nhwc/n1c4h1w1k4/residual+gelu+average",
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
            ("c1h1w1k1/s2/s3", "s3"),
            ("c1h1w1k1/relu+relu6", "relu6"),
            ("c1h1w1k1/s2x+1", "s2x+1"),
            ("c1h1w1k1/p1.1", "p1.1"),
            ("c1h1w1k1/gx", "gx"),
            ("c1h1w1k1/bias+gelu9", "gelu9"),
            ("c1h1w1k1/clamp=a..b", "clamp=a..b"),
            ("c1h1w1k1/leaky=", "leaky="),
            ("nchw-nwhc/c1h1w1k1", "nchw-nwhc"),
            ("é1", "é1"),
        ] {
            match text.parse::<Layer>() {
                Err(Error::BadLayerText { part: found, .. }) => assert_eq!(found, part, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
