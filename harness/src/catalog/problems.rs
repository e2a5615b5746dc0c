//! Layers that several networks have, each once.

use super::entry::Entry;
use pointwise::Layer;
use std::collections::HashMap;

/// One problem, and the entries that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unique<'a> {
    /// The layer.
    pub layer: Layer,
    /// Every entry that is this layer, in the order given; never empty.
    pub uses: Vec<&'a Entry>,
}

/// The different problems among `entries`, each once, in the order of first use. Layers with the
/// same text form are the same problem, so the epilogue counts.
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
    use super::super::networks::catalog;
    use super::super::parse::parse;
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn unique_problems_keep_their_uses() {
        let text = "c8h4w4k8/bias\n2 b c8h4w4k8\n3 c nhwc/n1c8h4w4k8/bias";
        let entries = parse("net", text).unwrap();
        let problems = unique(&entries);
        let count = |problem: &Unique<'_>| problem.uses.iter().map(|entry| entry.count).sum();
        let uses: Vec<(&str, usize)> =
            problems.iter().map(|p| (p.uses[0].name.as_str(), count(p))).collect();
        assert_eq!(uses, [("nhwc/n1c8h4w4k8/bias", 4), ("b", 2)]);

        let all = unique(catalog());
        let texts: HashSet<String> = all.iter().map(|p| p.layer.to_string()).collect();
        assert_eq!(texts.len(), all.len());
        assert_eq!(all.iter().map(|p| p.uses.len()).sum::<usize>(), catalog().len());
        assert!(all.len() < catalog().len(), "the networks share layers");
    }
}
