//! Figures of layers: the names of layers, and how fast each contender runs them.

use super::figure::bars::{Bar, Columns, Group};
use super::figure::palette::{Key, Palette};
use crate::rank::{Grid, GridColumn, GridRow, OURS, Role};
use crate::record::Record;
use crate::text::numbers::{digits, list, percent, time};
use crate::timing::stats::geometric_mean;
use std::collections::HashSet;
use std::fmt::Write;

/// Input and output channels, with stride, groups and batch where they are not 1: `256→512 s2`.
pub(super) fn channels(record: &Record) -> String {
    let Record { n, c, k, stride_h, stride_w, groups, .. } = *record;
    let mut text = format!("{c}→{k}");
    if stride_h == stride_w && stride_h != 1 {
        let _ = write!(text, " s{stride_h}");
    } else if stride_h != stride_w {
        let _ = write!(text, " s{stride_h}×{stride_w}");
    }
    if groups != 1 {
        let _ = write!(text, " g{groups}");
    }
    if n != 1 {
        let _ = write!(text, " n{n}");
    }
    text
}

/// The rows and columns of the input: `56×56`.
pub(super) fn pixels(record: &Record) -> String {
    format!("{}×{}", record.h, record.w)
}

/// The sizes of a layer: `256→512 s2 at 56×56`.
pub(super) fn shape(record: &Record) -> String {
    format!("{} at {}", channels(record), pixels(record))
}

/// The name of a record's layer: `network/name`, or the text of a layer given by hand.
pub(super) fn long_name(record: &Record) -> String {
    if record.network.is_empty() {
        record.layer.clone()
    } else {
        format!("{}/{}", record.network, record.layer)
    }
}

/// The sizes of a layer. Layers of several networks may have the same.
type Sizes = [usize; 8];

/// The sizes of a record's layer.
pub(super) fn sizes(record: &Record) -> Sizes {
    let Record { n, c, k, h, w, stride_h, stride_w, groups, .. } = *record;
    [n, c, k, h, w, stride_h, stride_w, groups]
}

/// The contenders that figures show: all but our kernels by themselves, and products alone.
fn shown<'g>(grid: &'g Grid<'_>) -> Vec<&'g GridColumn> {
    grid.columns_of(|role| !matches!(role, Role::Kernel | Role::Partial)).collect()
}

fn bar(record: &Record) -> Bar {
    let share = |ns: f64| record.fraction_of_ceiling * record.ns_median / ns.max(1e-9);
    Bar {
        share: record.fraction_of_ceiling,
        low: share(record.ns_median + record.ns_mad),
        high: share((record.ns_median - record.ns_mad).max(record.ns_min)),
    }
}

fn group(row: &GridRow<'_>, columns: &[&GridColumn], section: String) -> Group {
    let layer = row.layer;
    let mut tooltip = format!("{}: {}", long_name(layer), shape(layer));
    if row.place.count > 1 {
        let _ = write!(tooltip, ", {} times", row.place.count);
    }
    for column in columns {
        let Some(record) = row.get(&column.contender) else { continue };
        let _ = write!(
            tooltip,
            "\n{}: {} GFLOP/s, {} of the ceiling, {}",
            column.contender,
            digits(record.gflops),
            percent(record.fraction_of_ceiling),
            time(record.ns_median)
        );
        if !record.kernel.is_empty() && record.kernel != column.contender {
            let _ = write!(tooltip, " ({})", record.kernel);
        }
    }
    let best = row.best(|role| role == Role::Kernel);
    if let Some(best) = best {
        let speed = digits(best.gflops);
        let _ = write!(tooltip, "\nbest kernel of ours: {}, {speed} GFLOP/s", best.contender);
    }
    let anyone = columns.iter().find_map(|column| row.get(&column.contender)).unwrap_or(layer);
    let roof = anyone.roofline_gflops / anyone.ceiling_gflops;
    Group {
        label: channels(layer),
        name: layer.layer.clone(),
        section,
        tooltip,
        bars: columns.iter().map(|c| row.get(&c.contender).map(bar)).collect(),
        roof: (roof < 0.995).then_some(roof),
        best: best.map(|record| record.fraction_of_ceiling),
    }
}

/// The figure in words: a sentence on each contender.
fn described(rows: &[&GridRow<'_>], columns: &[&GridColumn]) -> String {
    let sentences: Vec<String> = columns
        .iter()
        .filter_map(|column| {
            let shares: Vec<f64> = rows
                .iter()
                .filter_map(|row| Some(row.get(&column.contender)?.fraction_of_ceiling))
                .collect();
            let mean = geometric_mean(&shares)?;
            let lowest = shares.iter().copied().fold(f64::INFINITY, f64::min);
            Some(format!(
                "{}: geometric mean {}, lowest {}",
                column.contender,
                percent(mean),
                percent(lowest)
            ))
        })
        .collect();
    format!("Share of the measured FMA ceiling on {} layers. {}.", rows.len(), sentences.join("; "))
}

/// The median of the rows' ceilings, which differ a little: the ceiling is measured between layers.
fn ceiling(rows: &[&GridRow<'_>]) -> f64 {
    let mut all: Vec<f64> = rows.iter().map(|row| row.layer.ceiling_gflops).collect();
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(1.0)
}

fn figure_of(
    rows: &[&GridRow<'_>],
    columns: &[&GridColumn],
    palette: &Palette,
    section: impl Fn(&Record) -> String,
) -> Columns {
    Columns {
        description: described(rows, columns),
        ceiling: ceiling(rows),
        keys: columns.iter().map(|column| palette.key(column)).collect::<Vec<Key>>(),
        groups: rows.iter().map(|row| group(row, columns, section(row.layer))).collect(),
        ..Columns::default()
    }
}

/// The layers of one network under one setting; `None` when there are none.
pub(super) fn of_network(grid: &Grid<'_>, network: &str, palette: &Palette) -> Option<Columns> {
    let rows: Vec<&GridRow<'_>> = grid.rows.iter().filter(|r| r.layer.network == network).collect();
    let columns: Vec<&GridColumn> = shown(grid)
        .into_iter()
        .filter(|column| rows.iter().any(|row| row.get(&column.contender).is_some()))
        .collect();
    if rows.is_empty() || columns.is_empty() {
        return None;
    }
    let called = if network.is_empty() { "Layers given by hand" } else { network };
    let slug: String =
        called.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Some(Columns {
        name: format!("layers-{slug}-{}", grid.setting.slug()),
        title: format!("{called}, {}", grid.setting),
        ..figure_of(&rows, &columns, palette, pixels)
    })
}

/// The networks of the overview, as far as they were measured.
const OVERVIEW: [&str; 3] = ["resnet50", "googlenet", "inception_v3"];

/// The different layers of the best-known networks under one setting, heads left out.
pub(super) fn overview(grid: &Grid<'_>, palette: &Palette) -> Option<Columns> {
    let measured = grid.networks();
    let mut networks: Vec<&str> =
        OVERVIEW.into_iter().filter(|network| measured.contains(network)).collect();
    if networks.is_empty() {
        networks = measured.into_iter().take(OVERVIEW.len()).collect();
    }
    let mut seen: HashSet<Sizes> = HashSet::new();
    let rows: Vec<&GridRow<'_>> = networks
        .iter()
        .flat_map(|network| grid.rows.iter().filter(move |row| row.layer.network == *network))
        .filter(|row| !row.place.head && row.get(OURS).is_some() && seen.insert(sizes(row.layer)))
        .collect();
    let columns: Vec<&GridColumn> = shown(grid)
        .into_iter()
        .filter(|column| rows.iter().any(|row| row.get(&column.contender).is_some()))
        .collect();
    if rows.is_empty() {
        return None;
    }
    let layout = grid.setting.layout.to_uppercase();
    let named: Vec<&str> = networks.into_iter().filter(|network| !network.is_empty()).collect();
    let of = if named.is_empty() { String::new() } else { format!(" of {}", list(&named)) };
    Some(Columns {
        name: format!("speed_{}", grid.setting.layout),
        title: format!("{layout}: share of the measured FMA ceiling on the 1×1 layers{of}"),
        ..figure_of(&rows, &columns, palette, |record| record.network.clone())
    })
}
