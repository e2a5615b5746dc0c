//! The meaning of `--network`, `--layer` and the other filters: selecting by name.

use super::entry::Entry;
use super::parse;
use crate::text::one_line::OneLine;
use pointwise::Layer;
use regex::Regex;
use std::collections::HashSet;

/// Why nothing was selected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// The pattern is not a regular expression.
    #[error("{what} `{}` is not a regular expression: {}", OneLine(pattern), OneLine(why))]
    BadPattern {
        /// The kind of thing that it selects: `network`, `layer` and so on.
        what: &'static str,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The pattern matches nothing.
    #[error("no {what} matches `{}`{}", OneLine(pattern), OneLine(near_it(near)))]
    NoMatch {
        /// The kind of thing that it selects.
        what: &'static str,
        /// The pattern.
        pattern: String,
        /// The names that come nearest, best first.
        near: Vec<String>,
    },
    /// The pattern matches nothing. It looks like a layer's text form but is not a valid one.
    #[error(
        "no layer of the catalog matches `{}`, nor is it one: {}",
        OneLine(pattern),
        OneLine(why)
    )]
    BadLayer {
        /// The pattern.
        pattern: String,
        /// The error of reading it as a layer.
        why: String,
    },
}

/// `; near it: a, b`, or nothing without near names.
fn near_it(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; near it: {}", near.join(", ")) }
}

/// A regular expression that matches anywhere in a name.
///
/// A pattern that is itself a name, or several names joined by `|`, selects just those names:
/// `resnet50` does not select `resnet50_v1.5`, while `resnet` selects all of them.
///
/// ```
/// use pointwise_harness::catalog::Pattern;
/// let names = ["resnet50", "resnet50_v1.5", "resnet101", "nin"];
/// let pick = |text| Pattern::new("network", text)?.pick(&names);
/// assert_eq!(pick("resnet50|nin")?, ["resnet50", "nin"]);
/// assert_eq!(pick("resnet50.")?, ["resnet50_v1.5"]);
/// assert_eq!(
///     pick("resnet51").unwrap_err().to_string(),
///     "no network matches `resnet51`; near it: resnet50, resnet101, resnet50_v1.5"
/// );
/// # Ok::<(), pointwise_harness::catalog::FilterError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pattern {
    what: &'static str,
    regex: Regex,
}

impl Pattern {
    /// A pattern that selects things of the kind `what` (`network`, `kernel` …), the word in errors.
    ///
    /// # Errors
    /// [`FilterError::BadPattern`].
    pub fn new(what: &'static str, pattern: &str) -> Result<Self, FilterError> {
        match Regex::new(pattern) {
            Ok(regex) => Ok(Pattern { what, regex }),
            Err(error) => Err(FilterError::BadPattern {
                what,
                pattern: pattern.to_owned(),
                why: reason(&error),
            }),
        }
    }

    /// The pattern's text.
    pub fn text(&self) -> &str {
        self.regex.as_str()
    }

    /// The names that match, in the order of `names` and as often as they are there.
    ///
    /// # Errors
    /// [`FilterError::NoMatch`].
    pub fn pick<'a>(&self, names: &[&'a str]) -> Result<Vec<&'a str>, FilterError> {
        let exact = self.exact(names);
        let picked: Vec<&str> =
            names.iter().copied().filter(|name| self.matches(name, exact)).collect();
        if picked.is_empty() { Err(self.no_match(names)) } else { Ok(picked) }
    }

    /// Whether the pattern consists of whole names.
    fn exact(&self, names: &[&str]) -> bool {
        self.text().split('|').all(|part| names.contains(&part))
    }

    fn matches(&self, name: &str, exact: bool) -> bool {
        if exact {
            self.text().split('|').any(|part| part == name)
        } else {
            self.regex.is_match(name)
        }
    }

    fn no_match(&self, names: &[&str]) -> FilterError {
        FilterError::NoMatch {
            what: self.what,
            pattern: self.text().to_owned(),
            near: near(self.text(), names),
        }
    }
}

/// Which layers a command works on.
///
/// A network is selected by its name. A layer is selected by its name or by its text form, so that
/// `k1000` selects all layers with a thousand outputs. A whole text form, as every command prints
/// it, selects that very layer. Without a network pattern the layer need not be in the catalog.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    network: Option<Pattern>,
    layer: Option<Pattern>,
}

impl Filter {
    /// A filter by patterns on the network and on the layer; `None` selects all.
    ///
    /// # Errors
    /// [`FilterError::BadPattern`].
    pub fn new(network: Option<&str>, layer: Option<&str>) -> Result<Self, FilterError> {
        Ok(Filter {
            network: network.map(|text| Pattern::new("network", text)).transpose()?,
            layer: layer.map(|text| Pattern::new("layer", text)).transpose()?,
        })
    }

    /// The entries that match both patterns, in the order of `entries`. For a whole text form without
    /// a network pattern it is that layer, even if no entry has it.
    ///
    /// # Errors
    /// [`FilterError::NoMatch`] with the nearest names when nothing matches, or
    /// [`FilterError::BadLayer`] when the pattern looks like a text form.
    pub fn select(&self, entries: &[Entry]) -> Result<Vec<Entry>, FilterError> {
        let mut selected: Vec<&Entry> = entries.iter().collect();
        if let Some(pattern) = &self.network {
            let mut names: Vec<&str> = entries.iter().map(|e| e.network.as_str()).collect();
            names.dedup();
            let picked = pattern.pick(&names)?;
            selected.retain(|entry| picked.contains(&entry.network.as_str()));
        }
        if let Some(pattern) = &self.layer {
            let parsed = parse::layer(pattern.text());
            match &parsed {
                Ok(layer) if self.network.is_none() => return Ok(vec![Entry::by_hand(*layer)]),
                Ok(layer) => selected.retain(|entry| same_problem(entry, layer)),
                Err(_) => selected = by_name_or_text(pattern, &selected),
            }
            if selected.is_empty() {
                return Err(match parsed {
                    Err(error) if pattern.text().contains('/') => FilterError::BadLayer {
                        pattern: pattern.text().to_owned(),
                        why: error.to_string(),
                    },
                    _ => self.no_layer(pattern, entries),
                });
            }
        }
        Ok(selected.into_iter().cloned().collect())
    }

    /// The error for a layer pattern that matches nothing, with near names from the selected networks.
    fn no_layer(&self, pattern: &Pattern, entries: &[Entry]) -> FilterError {
        let only_network = Filter { network: self.network.clone(), layer: None };
        let entries = only_network.select(entries).unwrap_or_default();
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        pattern.no_match(&names)
    }
}

fn same_problem(entry: &Entry, layer: &Layer) -> bool {
    entry.in_layout(layer.layout) == *layer
}

fn by_name_or_text<'a>(pattern: &Pattern, entries: &[&'a Entry]) -> Vec<&'a Entry> {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let exact = pattern.exact(&names);
    let text_matches = |entry: &Entry| !exact && pattern.regex.is_match(&entry.layer.to_string());
    entries
        .iter()
        .copied()
        .filter(|entry| pattern.matches(&entry.name, exact) || text_matches(entry))
        .collect()
}

/// The reason of a regex error. It is the last line of the error, and the lines before it draw the
/// place.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// The names nearest to `pattern` by Jaro-Winkler similarity, at most five, best first.
fn near(pattern: &str, names: &[&str]) -> Vec<String> {
    const ENOUGH: f64 = 0.75;
    let pattern = pattern.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let contained = !pattern.is_empty() && lower.contains(&pattern);
            (if contained { 1.0 } else { strsim::jaro_winkler(&pattern, &lower) }, *name)
        })
        .filter(|(score, _)| *score >= ENOUGH)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut seen = HashSet::new();
    scored.retain(|(_, name)| seen.insert(*name));
    scored.into_iter().take(5).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::networks::catalog;
    use super::*;
    use std::collections::BTreeSet;

    fn select(network: Option<&str>, layer: Option<&str>) -> Result<Vec<Entry>, FilterError> {
        Filter::new(network, layer)?.select(catalog())
    }

    fn networks(entries: &[Entry]) -> BTreeSet<&str> {
        entries.iter().map(|entry| entry.network.as_str()).collect()
    }

    #[test]
    fn whole_names_select_themselves_and_patterns_search() {
        assert_eq!(select(None, None).unwrap(), catalog());
        let one = select(Some("resnet50"), None).unwrap();
        assert_eq!(networks(&one), BTreeSet::from(["resnet50"]));
        assert_eq!(one.len(), 17);
        let two = select(Some("resnet50|googlenet"), None).unwrap();
        assert_eq!(networks(&two), BTreeSet::from(["resnet50", "googlenet"]));
        let all = select(Some("^resnet"), None).unwrap();
        assert_eq!(networks(&all).len(), 6);
        let first = select(Some("resnet50"), Some("conv2_x.1x1a")).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].layer.to_string(), "nhwc/n1c256h56w56k64/bias+relu");
        // In a regular expression the plus would be an operator.
        let merged = select(Some("nin"), Some("cccp1+cccp2")).unwrap();
        assert_eq!(merged.len(), 1);
        assert_eq!(select(Some("resnet50"), Some("1x1a")).unwrap().len(), 8);
        let residual = select(None, Some("residual")).unwrap();
        assert!(residual.iter().all(|entry| entry.layer.residual) && residual.len() > 20);
    }

    #[test]
    fn a_text_form_stands_for_itself() {
        let text = "nchw/n3c5h2w2k7/bias";
        let by_hand = select(None, Some(text)).unwrap();
        assert_eq!(by_hand, [Entry::by_hand(text.parse().unwrap())]);
        assert_eq!((by_hand[0].network.as_str(), by_hand[0].name.as_str()), ("", text));
        let known = "nchw/n1c256h56w56k64/bias+relu";
        let found = select(Some("resnet50"), Some(known)).unwrap();
        assert_eq!(found[0].name, "conv2_x.1x1a");
        assert!(matches!(
            select(Some("resnet50"), Some(text)),
            Err(FilterError::NoMatch { what: "layer", .. })
        ));
    }

    #[test]
    fn a_miss_says_what_is_near() {
        let miss = |network, layer| select(network, layer).unwrap_err();
        let FilterError::NoMatch { what: "network", near, .. } = miss(Some("ResNet50"), None)
        else {
            panic!()
        };
        assert_eq!(&near[..2], ["resnet50", "resnet50_v1.5"]);
        let FilterError::NoMatch { what: "layer", near, .. } =
            miss(Some("resnet50"), Some("conv2_x1.1x1c"))
        else {
            panic!()
        };
        assert!(near.contains(&"conv2_x.1x1a".to_owned()) && near.len() <= 5, "{near:?}");
        assert_eq!(miss(Some("zzz"), None).to_string(), "no network matches `zzz`");
        let FilterError::BadPattern { what: "layer", why, .. } = miss(None, Some("conv(")) else {
            panic!()
        };
        assert!(!why.is_empty() && !why.contains('\n'), "{why}");
        let FilterError::BadLayer { why, .. } = miss(None, Some("nhwc/n1c4h3w3k5/bais")) else {
            panic!()
        };
        assert!(why.contains("bais"), "{why}");
        let FilterError::BadLayer { why, .. } = miss(None, Some("nhwc/n1c4h3w3k5/g3")) else {
            panic!()
        };
        assert!(why.contains("3 groups"), "{why}");
    }
}
