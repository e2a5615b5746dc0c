//! The layers that the filters let through: layers of the catalog, of a file, or given by their text.

use super::failure::Failure;
use super::options::{LayerChoice, Options};
use pointwise::Layout;
use pointwise_harness::catalog::{self, Entry, Filter, FilterError, Pattern};

/// The selected layers, once in each layout asked for: all in one layout, then all in the other.
pub(crate) fn layers(options: &Options) -> Result<Vec<Entry>, Failure> {
    let chosen = choose(options)?;
    let mut rows: Vec<Entry> = Vec::new();
    for layout in layouts(options) {
        for (entry, named) in &chosen {
            // `--layout` overrules the layout of a text.
            if options.layout.is_none() && named.is_some_and(|named| named != layout) {
                continue;
            }
            let mut row = Entry { layer: entry.in_layout(layout), ..entry.clone() };
            if row.network.is_empty() {
                row.name = row.layer.to_string();
            }
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    if options.shuffle {
        shuffle(&mut rows)?;
    }
    Ok(rows)
}

/// Makes the layers shuffle their outputs that can: grouped ones without a residual.
///
/// # Errors
/// [`Failure::Usage`] when there is none, so that `--shuffle` would change nothing.
pub(crate) fn shuffle(rows: &mut [Entry]) -> Result<(), Failure> {
    let mut shuffled = false;
    let can = |row: &&mut Entry| row.layer.groups > 1 && !row.layer.residual && !row.layer.shuffle;
    for row in rows.iter_mut().filter(can) {
        row.layer.shuffle = true;
        row.name = match row.network.as_str() {
            "" => row.layer.to_string(),
            _ => format!("{}.shuffled", row.name),
        };
        shuffled = true;
    }
    match shuffled {
        true => Ok(()),
        false => {
            let why = "`--shuffle` would change none of these layers: it shuffles the outputs of \
                       grouped layers without a residual";
            Err(Failure::Usage(why.to_owned()))
        }
    }
}

/// Whether no option selects layers.
pub(crate) fn is_open(options: &Options) -> bool {
    options.layers.is_none() && options.network.is_empty() && options.layer.is_empty()
}

/// The selected entries as the catalog or the file has them.
pub(crate) fn entries(options: &Options) -> Result<Vec<Entry>, Failure> {
    Ok(choose(options)?.into_iter().map(|(entry, _)| entry).collect())
}

/// The name of an entry: `network/name`, or the text of a layer given by hand.
pub(crate) fn label(entry: &Entry) -> String {
    match entry.network.as_str() {
        "" => entry.name.clone(),
        network => format!("{network}/{}", entry.name),
    }
}

/// The layouts asked for: both, unless `--layout` names one.
pub(crate) fn layouts(options: &Options) -> Vec<Layout> {
    match options.layout {
        Some(choice) => vec![choice.into()],
        None => vec![Layout::Nhwc, Layout::Nchw],
    }
}

/// The selected entries. Each comes with the layout in the text that selected it, if there is one.
fn choose(options: &Options) -> Result<Vec<(Entry, Option<Layout>)>, Failure> {
    let file;
    let all = match &options.layers {
        Some(path) => {
            file = catalog::load(path)?;
            file.as_slice()
        }
        None if options.network == [catalog::FORMS] => catalog::forms(),
        None => catalog::catalog(),
    };
    let network = (!options.network.is_empty()).then(|| options.network.join("|"));
    let select = |layer: Option<&str>| {
        let filter = Filter::new(network.as_deref(), layer).map_err(refused)?;
        filter.select(all).map_err(refused)
    };
    if options.layer.is_empty() {
        return Ok(select(None)?.into_iter().map(|entry| (entry, None)).collect());
    }
    let mut chosen = Vec::new();
    for choice in &options.layer {
        let (found, layout) = match choice {
            LayerChoice::Given { text, layout } => (select(Some(text))?, *layout),
            LayerChoice::Named(text) => (
                select(Some(text)).or_else(|error| by_label(text, &select(None)?).ok_or(error))?,
                None,
            ),
        };
        chosen.extend(found.into_iter().map(|entry| (entry, layout)));
    }
    Ok(chosen)
}

/// The entries whose label, `network/name`, matches the pattern.
fn by_label(pattern: &str, entries: &[Entry]) -> Option<Vec<Entry>> {
    let labels: Vec<String> = entries.iter().map(label).collect();
    let names: Vec<&str> = labels.iter().map(String::as_str).collect();
    let picked = Pattern::new("layer", pattern).and_then(|pattern| pattern.pick(&names)).ok()?;
    Some(entries.iter().filter(|entry| picked.contains(&label(entry).as_str())).cloned().collect())
}

fn refused(error: FilterError) -> Failure {
    let see = match error {
        FilterError::NoMatch { what: "network", .. } => "networks",
        _ => "layers",
    };
    Failure::Filter { error, see: Some(see) }
}
