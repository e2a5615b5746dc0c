//! Rooflines: the layers of the plan's choice under the measured limits.

use super::facts::{bandwidths, ceilings};
use super::figure::canvas::Marker;
use super::figure::drawing::Figure;
use super::figure::palette::Key;
use super::figure::roofline::{Roof, Roofline, Spot, roofline};
use super::layers::{long_name, shape, sizes};
use super::runs::Report;
use crate::rank::{Grid, Known, OURS};
use crate::record::Record;
use crate::record::environment::Environment;
use crate::text::numbers::{count, digits, percent};
use pointwise::Layer;
use std::collections::HashSet;

/// Operations per byte when every tensor moves once: the input pixels that outputs depend on, weights,
/// bias, output and residual.
pub(super) fn intensity(record: &Record, known: &Known) -> Option<f64> {
    let text = known.text(record);
    let layer = text.and_then(|text| text.parse::<Layer>().ok()).unwrap_or_else(|| {
        let Record { n, c, k, h, w, stride_h, stride_w, groups, .. } = *record;
        Layer::new(c, k, h, w).batch(n).stride(stride_h, stride_w).groups(groups)
    });
    let shape = layer.check().ok()?;
    let seen = layer.n * layer.c * shape.rows.len() * shape.columns.len();
    let bias = if layer.bias { layer.k } else { 0 };
    let residual = if layer.residual { shape.output_len } else { 0 };
    let elements = seen + shape.weights_len + bias + shape.output_len + residual;
    Some(2.0 * shape.macs as f64 / (elements as f64 * size_of::<f32>() as f64))
}

fn key(layout: &str) -> Key {
    let marker = if layout == "nhwc" { Marker::Circle } else { Marker::Square };
    Key { class: layout.to_owned(), marker, label: format!("pointwise, {}", layout.to_uppercase()) }
}

/// The number of points with a name: those furthest below the roofline.
const NAMED: usize = 3;

/// The rooflines of a report: a figure for each number of threads and state of the caches, with both
/// layouts in it.
pub(super) fn figures(report: &Report, grids: &[Grid<'_>]) -> Vec<Figure> {
    let key = |grid: &Grid<'_>| {
        (grid.setting.dtype.clone(), grid.setting.threads, grid.setting.cache.clone())
    };
    let mut keys: Vec<_> = Vec::new();
    for grid in grids {
        if !keys.contains(&key(grid)) {
            keys.push(key(grid));
        }
    }
    let figures = keys.iter().filter_map(|wanted| {
        let alike: Vec<&Grid<'_>> = grids.iter().filter(|grid| key(grid) == *wanted).collect();
        let (_, threads, _) = wanted;
        roofline_of(&alike, report.environment_of(*threads), &report.known)
    });
    figures.map(|data| roofline(&data)).collect()
}

fn roofline_of(
    grids: &[&Grid<'_>],
    environment: Option<&Environment>,
    known: &Known,
) -> Option<Roofline> {
    let setting = &grids.first()?.setting;
    let mut data = Roofline {
        ceilings: environment.map(|e| ceilings(e, setting.threads)).unwrap_or_default(),
        bandwidths: environment.map(|e| bandwidths(e, setting.threads)).unwrap_or_default(),
        ..Roofline::default()
    };
    // The environment has a ceiling for each ISA. Without an environment the records have one.
    let highest = grids
        .iter()
        .flat_map(|grid| &grid.rows)
        .filter_map(|row| row.get(OURS))
        .map(|record| record.ceiling_gflops)
        .fold(0.0, f64::max);
    if data.ceilings.is_empty() && highest > 0.0 {
        let label = "FMA ceiling".to_owned();
        data.ceilings.push(Roof { label, value: highest });
    }
    // Layers given by hand are curves over one size, whose points would hide the layers of networks.
    let by_hand = |grid: &&Grid<'_>| grid.rows.iter().all(|row| row.layer.network.is_empty());
    let by_hand = grids.iter().all(by_hand);
    let mut furthest: Vec<(f64, usize, String)> = Vec::new();
    for (at, grid) in grids.iter().enumerate() {
        data.keys.push(key(&grid.setting.layout));
        let mut once = HashSet::new();
        for row in grid.rows.iter().filter(|row| by_hand || !row.layer.network.is_empty()) {
            let Some(record) = row.get(OURS).filter(|record| once.insert(sizes(record))) else {
                continue;
            };
            let Some(intensity) = intensity(record, known) else { continue };
            let tooltip = format!(
                "{}: {}\n{} GFLOP/s at {} FLOP per byte\n{} of the FMA ceiling, {} of the roofline",
                long_name(record),
                shape(record),
                digits(record.gflops),
                digits(intensity),
                percent(record.fraction_of_ceiling),
                percent(record.fraction_of_roofline)
            );
            furthest.push((record.fraction_of_roofline, data.spots.len(), shape(record)));
            let (speed, label) = (record.gflops, String::new());
            data.spots.push(Spot { intensity, speed, key: at, tooltip, label });
        }
    }
    if data.spots.is_empty() {
        return None;
    }
    furthest.sort_by(|a, b| a.0.total_cmp(&b.0));
    // A layer that is far below in both layouts gets its name once.
    let mut named = HashSet::new();
    let different = furthest.iter().filter(|(_, _, label)| named.insert(label));
    for (_, spot, label) in different.take(NAMED) {
        data.spots[*spot].label.clone_from(label);
    }
    let threads = count(setting.threads, "thread");
    let (lowest, _, name) = &furthest[0];
    data.name = format!("roofline-{}t-{}", setting.threads, setting.cache);
    data.title = format!("Roofline: pointwise on {threads}, {} cache", setting.cache);
    data.description = format!(
        "{} layers under the measured FMA ceilings and bandwidths, both axes logarithmic. \
         Furthest below the roofline: {name}, at {} of it.",
        data.spots.len(),
        percent(*lowest)
    );
    Some(data)
}
