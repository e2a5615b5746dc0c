//! Tests that compare every network with the figures in its header.
//!
//! A header line begins with `#!`:
//!
//! - `layers N`: layers, counted with their multiplicities;
//! - `macs N`: the multiply-adds of the 1×1 layers;
//! - `part PREFIX EXPRESSION`: the multiply-adds of the layers whose names begin with PREFIX, derived
//!   as output pixels × inputs (of a group) × outputs; all parts together are the network;
//! - `other COUNT NAME KERNEL cCkK OHxOW [gG]`: a convolution of the network that is not 1×1;
//! - `published VALUE TOLERANCE SOURCE`: the multiply-adds of the network in a publication;
//!   `published-body`: without the heads; `published-part PREFIX …`: of the layers, 1×1 or not, whose
//!   names begin with PREFIX; `published-share PREFIX …`: their percentage of the network.

use super::entry::Entry;
use super::networks::{Network, networks};
use super::parse::parse;

/// A convolution that is not 1×1.
struct Other<'a> {
    name: &'a str,
    macs: u128,
}

fn macs<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> u128 {
    entries.into_iter().map(|e| e.count as u128 * e.layer.check().unwrap().macs).sum()
}

/// The value of a sum of products of numbers and of sums in brackets.
fn value(expression: &str) -> Option<u128> {
    fn sum(text: &mut &str) -> Option<u128> {
        let mut total = product(text)?;
        while let Some(rest) = text.strip_prefix('+') {
            *text = rest;
            total += product(text)?;
        }
        Some(total)
    }
    fn product(text: &mut &str) -> Option<u128> {
        let mut total = factor(text)?;
        while let Some(rest) = text.strip_prefix('*') {
            *text = rest;
            total *= factor(text)?;
        }
        Some(total)
    }
    fn factor(text: &mut &str) -> Option<u128> {
        if let Some(rest) = text.strip_prefix('(') {
            *text = rest;
            let inner = sum(text)?;
            *text = text.strip_prefix(')')?;
            return Some(inner);
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        *text = rest;
        digits.parse().ok()
    }
    let mut rest = expression;
    sum(&mut rest).filter(|_| rest.is_empty())
}

fn other<'a>(words: &[&'a str]) -> Other<'a> {
    let [count, name, kernel, channels, pixels, ref groups @ ..] = words[..] else {
        panic!("{words:?}")
    };
    let pair = |text: &str, separator: char| -> (u128, u128) {
        let (a, b) = text.split_once(separator).unwrap_or_else(|| panic!("{words:?}"));
        (a.parse().unwrap(), b.parse().unwrap())
    };
    let (kh, kw) = pair(kernel, 'x');
    let (c, k) = pair(channels.strip_prefix('c').unwrap(), 'k');
    let (oh, ow) = pair(pixels, 'x');
    let groups: u128 = groups.first().map_or(1, |g| g.strip_prefix('g').unwrap().parse().unwrap());
    assert_ne!((kh, kw), (1, 1), "{name} belongs to the catalog");
    let count: u128 = count.parse().unwrap();
    Other { name, macs: count * oh * ow * k * (c / groups) * kh * kw }
}

fn check(network: &Network) {
    let entries = parse(network.name, network.text).unwrap_or_else(|e| panic!("{e}"));
    let directives: Vec<Vec<&str>> = network
        .text
        .lines()
        .filter_map(|line| line.strip_prefix("#!"))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let others: Vec<Other<'_>> = directives
        .iter()
        .filter(|words| words[0] == "other")
        .map(|words| other(&words[1..]))
        .collect();
    let ours = |prefix: &str| macs(entries.iter().filter(|e| e.name.starts_with(prefix)));
    let theirs = |prefix: &str| -> u128 {
        others.iter().filter(|o| o.name.starts_with(prefix)).map(|o| o.macs).sum()
    };
    let heads = macs(entries.iter().filter(|e| e.head));
    let near = |measured: f64, words: &[&str]| {
        let (published, tolerance): (f64, f64) =
            (words[0].parse().unwrap(), words[1].parse().unwrap());
        assert!(words.len() > 2, "{}: {words:?} has no source", network.name);
        assert!(
            (measured - published).abs() <= tolerance,
            "{}: {measured} where {words:?}",
            network.name
        );
    };
    let (mut parts, mut seen) = (0, [false; 3]);
    for words in &directives {
        let name = network.name;
        match words[0] {
            "layers" => {
                let layers: usize = entries.iter().map(|e| e.count).sum();
                assert_eq!(layers.to_string(), words[1], "{name}");
                seen[0] = true;
            }
            "macs" => {
                assert_eq!(ours("").to_string(), words[1], "{name}");
                seen[1] = true;
            }
            "part" => {
                let derived = value(words[2]).unwrap_or_else(|| panic!("{name}: {words:?}"));
                assert_eq!(ours(words[1]), derived, "{name} {words:?}");
                parts += derived;
            }
            // The tests of `pass` read the lines of a pass.
            "other" | "pass" => {}
            "published" => {
                near((ours("") + theirs("")) as f64, &words[1..]);
                seen[2] = true;
            }
            "published-body" => {
                near((ours("") + theirs("") - heads) as f64, &words[1..]);
                seen[2] = true;
            }
            "published-part" => near((ours(words[1]) + theirs(words[1])) as f64, &words[2..]),
            "published-share" => {
                let share = ours(words[1]) as f64 / (ours("") + theirs("")) as f64;
                near(100.0 * share, &words[2..]);
            }
            unknown => panic!("{name}: no figure is called `{unknown}`"),
        }
    }
    assert_eq!(parts, ours(""), "{}: the parts are not the whole", network.name);
    assert_eq!(seen, [true; 3], "{}: layers, macs and a published figure", network.name);
}

#[test]
fn every_network_has_its_published_figures() {
    networks().iter().for_each(check);
}

#[test]
fn expressions_are_sums_of_products() {
    assert_eq!(value("2+3*4"), Some(14));
    assert_eq!(value("2*(3+4*(1+1))*5"), Some(110));
    for wrong in ["", "2+", "(2", "2)", "2-1", "a"] {
        assert_eq!(value(wrong), None, "{wrong}");
    }
}

#[test]
#[should_panic(expected = "the parts are not the whole")]
fn a_layer_too_many_is_noticed() {
    let text = "#! layers 2\n#! macs 65\n#! part a 8*8\n#! published 65 1 me\n\
                1 a c8h1w1k8\n1 b c1h1w1k1";
    check(&Network { name: "test", text });
}
