//! The order in which a network runs its 1×1 layers, and the layers that read one input.
//!
//! Lines of the network's file that begin with `#! pass` give the order: a number of times, then
//! layers by name. `NAME=[A B C]` is a group: layers that read the same input. `NAME` is the name of
//! the group, such as that of a module. Every layer is named as often as its multiplicity says. A
//! file without such lines runs its layers from top to bottom, each as often as its multiplicity.

use crate::catalog::{Entry, Network, networks};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The layers that read one input, mostly one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The layer's name, or the name of the group.
    pub name: String,
    /// The layers, in the layout that is run.
    pub layers: Vec<Entry>,
}

/// Why the order in a file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A line does not begin with a number.
    #[error("line {line}: `#! pass` is followed by a number of times, not `{found}`")]
    Times {
        /// The number of the line, from 1.
        line: usize,
        /// The text that is there.
        found: String,
    },
    /// No layer has the name.
    #[error("line {line}: no layer is called `{name}`")]
    Unknown {
        /// The number of the line, from 1.
        line: usize,
        /// The text that is there.
        name: String,
    },
    /// A bracket lacks its other half or a name.
    #[error("line {line}: layers that read one input are written `NAME=[A B]`, not `{found}`")]
    Bracket {
        /// The number of the line, from 1.
        line: usize,
        /// The text that is there.
        found: String,
    },
    /// The layers of a group cannot read the same input.
    #[error("line {line}: `{name}` is a group, but `{layer}` reads another input, or otherwise")]
    Input {
        /// The number of the line, from 1.
        line: usize,
        /// The group.
        name: String,
        /// The layer that differs from the first.
        layer: String,
    },
    /// The order has a layer more or less often than the network.
    #[error("`{name}` is run {runs} times, but the network has it {count} times")]
    Count {
        /// The layer.
        name: String,
        /// The number of times that the order names it.
        runs: usize,
        /// Its multiplicity.
        count: usize,
    },
}

/// The steps of one pass through `entries`, as the lines of `text` say.
///
/// # Errors
/// [`OrderError`].
pub fn order(entries: &[Entry], text: &str) -> Result<Vec<Step>, OrderError> {
    let mut steps = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let Some(rest) = content.trim().strip_prefix("#! pass ") else { continue };
        let mut words = rest.split_whitespace();
        let times = words.next().unwrap_or_default();
        let times: usize =
            times.parse().map_err(|_| OrderError::Times { line, found: times.to_owned() })?;
        let once = line_of(entries, line, words)?;
        steps.extend((0..times).flat_map(|_| once.iter().cloned()));
    }
    if steps.is_empty() {
        let single = |entry: &Entry| Step { name: entry.name.clone(), layers: vec![entry.clone()] };
        let repeated = |entry| std::iter::repeat_n(single(entry), entry.count);
        return Ok(entries.iter().flat_map(repeated).collect());
    }
    let mut runs: HashMap<&str, usize> = HashMap::new();
    for layer in steps.iter().flat_map(|step| &step.layers) {
        *runs.entry(&layer.name).or_default() += 1;
    }
    for Entry { name, count, .. } in entries {
        let runs = runs.get(name.as_str()).copied().unwrap_or(0);
        if runs != *count {
            return Err(OrderError::Count { name: name.clone(), runs, count: *count });
        }
    }
    Ok(steps)
}

/// Whether `layer`, a name in records, is the name of a group of a network of the catalog.
pub fn is_group(network: &str, layer: &str) -> bool {
    static GROUPS: LazyLock<HashSet<(&str, String)>> = LazyLock::new(|| {
        let of = |network: &'static Network| {
            let entries: Vec<Entry> = network.entries().cloned().collect();
            // A test reads the order of every network, so that this cannot fail.
            let steps = order(&entries, network.text).unwrap_or_default();
            steps
                .into_iter()
                .filter(|step| step.layers.len() > 1)
                .map(|step| (network.name, step.name))
        };
        networks().iter().flat_map(of).collect()
    });
    GROUPS.contains(&(network, layer.to_owned()))
}

/// The steps of one line.
fn line_of<'w>(
    entries: &[Entry],
    line: usize,
    words: impl Iterator<Item = &'w str>,
) -> Result<Vec<Step>, OrderError> {
    let find = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name).cloned();
        entry.ok_or_else(|| OrderError::Unknown { line, name: name.to_owned() })
    };
    let mut steps: Vec<Step> = Vec::new();
    let mut open = false;
    for word in words {
        let bracket = || OrderError::Bracket { line, found: word.to_owned() };
        let (name, first) = match word.split_once("=[") {
            Some((name, first)) => (Some(name), first),
            None => (None, word),
        };
        let (layer, closes) = match first.strip_suffix(']') {
            Some(layer) => (layer, true),
            None => (first, false),
        };
        let starts = name.is_some();
        if starts == open && (open || starts) || (closes && !open && !starts) {
            return Err(bracket());
        }
        if name == Some("") || layer.is_empty() {
            return Err(bracket());
        }
        let entry = find(layer)?;
        match steps.last_mut().filter(|_| open) {
            Some(group) => {
                if !reads_alike(&group.layers[0], &entry) {
                    let (name, layer) = (group.name.clone(), entry.name);
                    return Err(OrderError::Input { line, name, layer });
                }
                group.layers.push(entry);
            }
            None => {
                let name = name.unwrap_or(layer).to_owned();
                steps.push(Step { name, layers: vec![entry] });
            }
        }
        open = (open || starts) && !closes;
    }
    match steps.last() {
        Some(step) if open => {
            Err(OrderError::Bracket { line, found: format!("{}=[ without ]", step.name) })
        }
        _ => Ok(steps),
    }
}

fn reads_alike(a: &Entry, b: &Entry) -> bool {
    let read = |entry: &Entry| {
        let layer = &entry.layer;
        (
            [layer.n, layer.c, layer.h, layer.w, layer.groups],
            layer.layout,
            layer.stride,
            layer.padding,
        )
    };
    read(a) == read(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::parse;

    const FILE: &str = "2 a c8h4w4k8\n1 b c8h4w4k16\n1 other c4h4w4k4\n";

    fn steps(lines: &str) -> Result<Vec<String>, OrderError> {
        let steps = order(&parse("net", FILE).unwrap(), lines)?;
        let names = |step: &Step| {
            let layers: Vec<&str> = step.layers.iter().map(|l| l.name.as_str()).collect();
            format!("{}:{}", step.name, layers.join(","))
        };
        Ok(steps.iter().map(names).collect())
    }

    #[test]
    fn without_lines_the_file_is_the_order() {
        assert_eq!(steps("").unwrap(), ["a:a", "a:a", "b:b", "other:other"]);
    }

    #[test]
    fn lines_give_order_repetition_and_groups() {
        let order = steps("#! pass 1 other m=[a b]\n#! pass 1 a").unwrap();
        assert_eq!(order, ["other:other", "m:a,b", "a:a"]);
        let order = steps("#! pass 2 a\n#! pass 1 b other").unwrap();
        assert_eq!(order, ["a:a", "a:a", "b:b", "other:other"]);
    }

    #[test]
    fn errors_name_the_line_and_the_text() {
        for (lines, part) in [
            ("#! pass a b", "line 1: `#! pass` is followed by a number of times, not `a`"),
            ("\n#! pass 1 c", "line 2: no layer is called `c`"),
            ("#! pass 1 m=[a b", "m=[ without ]"),
            ("#! pass 1 a b]", "`b]`"),
            ("#! pass 1 m=[a n=[b]", "`n=[b]`"),
            ("#! pass 1 =[a b]", "`=[a`"),
            ("#! pass 1 m=[a other]", "`other` reads another input"),
            ("#! pass 1 a b other", "`a` is run 1 times, but the network has it 2 times"),
            ("#! pass 3 a b other", "`a` is run 3 times"),
        ] {
            let error = steps(lines).unwrap_err().to_string();
            assert!(error.contains(part), "{lines}: {error}");
        }
    }

    #[test]
    fn every_network_of_the_catalog_runs_each_layer_as_often_as_it_has_it() {
        for network in networks() {
            let entries: Vec<Entry> = network.entries().cloned().collect();
            let steps = order(&entries, network.text).unwrap_or_else(|e| {
                panic!("{}: {e}", network.name);
            });
            let layers: usize = steps.iter().map(|step| step.layers.len()).sum();
            assert_eq!(layers, entries.iter().map(|entry| entry.count).sum::<usize>());
        }
    }

    #[test]
    fn inception_modules_are_groups() {
        let groups = |name: &str| {
            let network = networks().iter().find(|network| network.name == name).unwrap();
            let entries: Vec<Entry> = network.entries().cloned().collect();
            let steps = order(&entries, network.text).unwrap();
            steps.iter().filter(|step| step.layers.len() > 1).count()
        };
        assert_eq!((groups("googlenet"), groups("inception_v3")), (9, 10));
        // The projection and the first 1×1 layer of a stage read the same pixels, unless only one of
        // them has the stride.
        assert_eq!((groups("resnet50"), groups("resnet50_v1.5")), (4, 1));
        assert!(is_group("googlenet", "inception_3a") && is_group("resnet50", "conv3_1"));
        assert!(!is_group("googlenet", "inception_3a.1x1") && !is_group("nin", "inception_3a"));
    }
}
