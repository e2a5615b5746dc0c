//! Reading a file of layers.

use super::entry::Entry;
use crate::text::one_line::OneLine;
use pointwise::Layer;
use std::collections::HashMap;
use std::path::Path;

/// Why a file of layers was refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The file could not be read.
    #[error("can't read layers from {}: {why}", OneLine(file))]
    Read {
        /// Its path.
        file: String,
        /// The system's own words.
        why: String,
    },
    /// The file holds no layer.
    #[error("{} holds no layer; {EXPECTED}", OneLine(file))]
    Empty {
        /// Its name.
        file: String,
    },
    /// A line is wrong.
    #[error("{}:{line}: {}", OneLine(file), OneLine(problem))]
    Line {
        /// The file's name.
        file: String,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineError,
    },
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It does not have one, three or four columns.
    #[error("{found} columns; {EXPECTED}")]
    Columns {
        /// How many it has.
        found: usize,
    },
    /// The multiplicity is not a number from 1 up.
    #[error("the multiplicity `{given}` is not a whole number from 1 up; {EXPECTED}")]
    Count {
        /// The text in its place.
        given: String,
    },
    /// The fourth column is not `head`.
    #[error("`{given}` after the layer; only `head` can stand there")]
    Mark {
        /// The text in its place.
        given: String,
    },
    /// The layer can't be read, or [`Layer::check`] refuses it.
    #[error("{}{why}", quoted_unless_in(given, why))]
    Layer {
        /// The text in its place.
        given: String,
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// An earlier line has the same name.
    #[error(
        "line {first} is already named `{name}`; raise its multiplicity or choose another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The line that has it.
        first: usize,
    },
}

/// `` `given`: ``, or nothing where the reason quotes the text itself, as errors about a text do.
fn quoted_unless_in(given: &str, why: &str) -> String {
    if why.contains(given) { String::new() } else { format!("`{given}`: ") }
}

const EXPECTED: &str = "a line is `COUNT NAME LAYER`, `COUNT NAME LAYER head` or `LAYER`, such as \
                        `3 conv2_x.1x1b c64h56w56k256/bias+relu`";

/// Reads layers from text, one a line.
///
/// A line is `COUNT NAME LAYER`, with `head` after it for a layer that geometric means leave out, or a
/// layer alone, whose name is then its text form. A `#` at the start of a word begins a comment.
/// Empty lines are skipped.
///
/// `network` is the name that the entries and errors carry.
///
/// ```
/// use pointwise_harness::catalog::parse;
/// let entries = parse("mine", "# my network\n3 reduce c256h56w56k64/bias+relu\nc64h7w7k8\n")?;
/// assert_eq!((entries[0].count, entries[0].name.as_str()), (3, "reduce"));
/// assert_eq!(entries[1].name, "nhwc/n1c64h7w7k8");
/// let error = parse("mine", "many reduce c256h56w56k64").unwrap_err();
/// assert!(error.to_string().starts_with("mine:1: the multiplicity `many` is not"));
/// # Ok::<(), pointwise_harness::catalog::CatalogError>(())
/// ```
///
/// # Errors
/// [`CatalogError::Line`] for the first line that is wrong, [`CatalogError::Empty`] if there is
/// no layer.
pub fn parse(network: &str, text: &str) -> Result<Vec<Entry>, CatalogError> {
    read(network, network, text)
}

/// Reads a file of layers; see [`parse`]. The network has the name of the file without its extension.
///
/// # Errors
/// [`CatalogError`]: the file can't be read, isn't UTF-8, has a wrong line, or holds no layer.
pub fn load(path: &Path) -> Result<Vec<Entry>, CatalogError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CatalogError::Read { file: file.clone(), why: error.to_string() })?;
    let network = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    read(&network, &file, &text)
}

fn read(network: &str, file: &str, text: &str) -> Result<Vec<Entry>, CatalogError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut lines = HashMap::new();
    // Some editors write a byte-order mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, content) in (1..).zip(text.lines()) {
        let columns: Vec<&str> =
            content.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        let fail = |problem| CatalogError::Line { file: file.to_owned(), line, problem };
        let Some(entry) = entry(network, &columns).map_err(fail)? else { continue };
        if let Some(first) = lines.insert(entry.name.clone(), line) {
            return Err(fail(LineError::NameTaken { name: entry.name, first }));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(CatalogError::Empty { file: file.to_owned() });
    }
    Ok(entries)
}

fn entry(network: &str, columns: &[&str]) -> Result<Option<Entry>, LineError> {
    let (count, name, text, mark) = match *columns {
        [] => return Ok(None),
        [text] => ("1", None, text, None),
        [count, name, text] => (count, Some(name), text, None),
        [count, name, text, mark] => (count, Some(name), text, Some(mark)),
        _ => return Err(LineError::Columns { found: columns.len() }),
    };
    let count = count
        .parse()
        .ok()
        .filter(|count| *count >= 1)
        .ok_or_else(|| LineError::Count { given: count.to_owned() })?;
    if let Some(mark) = mark.filter(|mark| *mark != "head") {
        return Err(LineError::Mark { given: mark.to_owned() });
    }
    let layer = layer(text)
        .map_err(|error| LineError::Layer { given: text.to_owned(), why: error.to_string() })?;
    let name = name.map_or_else(|| layer.to_string(), str::to_owned);
    Ok(Some(Entry { network: network.to_owned(), name, count, head: mark.is_some(), layer }))
}

/// Reads and checks a layer's text form.
pub(super) fn layer(text: &str) -> Result<Layer, pointwise::Error> {
    let layer: Layer = text.parse()?;
    layer.check()?;
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_form() {
        let text = "\u{feff}# header\r\n\r\n  2 a c4h3w3k5/bias # why\r\n1 fc c8h1w1k9 head\n\
                    \tnchw/n2c4h3w3k5\n#! figures 3\n1 issue#7 c1h1w1k1";
        let entries = parse("mine", text).unwrap();
        let short: Vec<_> = entries
            .iter()
            .map(|e| (e.network.as_str(), e.name.as_str(), e.count, e.head, e.layer.to_string()))
            .collect();
        let own = |text: &str| text.to_owned();
        assert_eq!(
            short,
            [
                ("mine", "a", 2, false, own("nhwc/n1c4h3w3k5/bias")),
                ("mine", "fc", 1, true, own("nhwc/n1c8h1w1k9")),
                ("mine", "nchw/n2c4h3w3k5", 1, false, own("nchw/n2c4h3w3k5")),
                ("mine", "issue#7", 1, false, own("nhwc/n1c1h1w1k1")),
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let given = |text: &str| text.to_owned();
        for (text, line, problem) in [
            ("a c4h3w3k5", 1, LineError::Columns { found: 2 }),
            ("# x\n\n1 a c4h3w3k5 head b", 3, LineError::Columns { found: 5 }),
            ("0 a c4h3w3k5", 1, LineError::Count { given: given("0") }),
            ("-1 a c4h3w3k5", 1, LineError::Count { given: given("-1") }),
            ("two a c4h3w3k5", 1, LineError::Count { given: given("two") }),
            (
                "99999999999999999999999 a c4h3w3k5",
                1,
                LineError::Count { given: given("99999999999999999999999") },
            ),
            ("1 a c4h3w3k5 tail", 1, LineError::Mark { given: given("tail") }),
            (
                "1 a c4h3w3k5\n2 b c4h3w3k5\n1 a c8h3w3k5",
                3,
                LineError::NameTaken { name: given("a"), first: 1 },
            ),
            (
                "c4h3w3k5\nnhwc/n1c4h3w3k5",
                2,
                LineError::NameTaken { name: given("nhwc/n1c4h3w3k5"), first: 1 },
            ),
        ] {
            let expected = CatalogError::Line { file: given("f"), line, problem };
            assert_eq!(parse("f", text), Err(expected), "{text}");
        }
        for (text, part) in [
            ("1 a c4h3w3", "c4h3w3"),
            ("1 a c4h0w3k5", "c4h0w3k5"),
            ("1 a c4h3w3k5/g3", "c4h3w3k5/g3"),
            ("1 a c4h3w3k5/s0", "c4h3w3k5/s0"),
            ("1 a c4h3w3k5/clamp=2..1", "clamp"),
            ("nhwc/c4294967296h4294967296w4294967296k1", "input"),
        ] {
            let error = parse("f", text).unwrap_err();
            assert!(matches!(
                &error,
                CatalogError::Line { line: 1, problem: LineError::Layer { .. }, .. }
            ));
            let said = error.to_string();
            assert!(said.starts_with("f:1: ") && said.contains(part), "{said}");
            assert_eq!(said.lines().count(), 1);
        }
        for text in ["", "\n\n", "# only\n#comments", "\u{feff}"] {
            assert_eq!(parse("f", text), Err(CatalogError::Empty { file: given("f") }), "{text:?}");
        }
    }

    #[test]
    fn files_are_named_in_errors_and_name_the_network() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.net.txt");
        let missing = load(&path).unwrap_err().to_string();
        assert!(missing.contains("my.net.txt"), "{missing}");
        std::fs::write(&path, "2 a c4h3w3k5\n").unwrap();
        assert_eq!(load(&path).unwrap()[0].network, "my.net");
        std::fs::write(&path, "2 a\n").unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("my.net.txt:1: 2 columns"));
        std::fs::write(&path, b"\xff\xfe").unwrap();
        assert!(matches!(load(&path), Err(CatalogError::Read { .. })));
    }
}
