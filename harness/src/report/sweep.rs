//! Curves: layers given by hand that differ in one size only.

use super::figure::line_chart::{LineChart, Point, Reference, Series};
use super::figure::palette::Palette;
use super::figure::scale::Kind;
use super::layers::sizes;
use crate::rank::{Grid, GridColumn, GridRow, Role};
use crate::record::Record;
use crate::text::numbers::{count, digits, percent, time};
use std::collections::HashMap;

/// The fewest points of a curve.
const LEAST: usize = 5;
/// The most points for which each has a tick of its own.
const MOST_NAMED: usize = 10;

/// The size in which the layers of a curve differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Axis {
    Outputs,
    Inputs,
    Batch,
    Pixels,
}

impl Axis {
    const ALL: [Axis; 4] = [Axis::Outputs, Axis::Inputs, Axis::Batch, Axis::Pixels];

    fn value(self, record: &Record) -> usize {
        match self {
            Axis::Outputs => record.k,
            Axis::Inputs => record.c,
            Axis::Batch => record.n,
            Axis::Pixels => record.h * record.w,
        }
    }

    /// The other sizes, which are equal along a curve.
    fn rest(self, record: &Record) -> [usize; 8] {
        let [mut n, mut c, mut k, mut h, mut w, stride_h, stride_w, groups] = sizes(record);
        match self {
            Axis::Outputs => k = 0,
            Axis::Inputs => c = 0,
            Axis::Batch => n = 0,
            Axis::Pixels => (h, w) = (0, 0),
        }
        [n, c, k, h, w, stride_h, stride_w, groups]
    }

    fn label(self) -> &'static str {
        match self {
            Axis::Outputs => "output channels",
            Axis::Inputs => "input channels",
            Axis::Batch => "images in the batch",
            Axis::Pixels => "pixels",
        }
    }

    /// The fixed sizes in words.
    fn fixed(self, record: &Record) -> String {
        let Record { n, c, k, h, w, .. } = *record;
        let mut parts = Vec::new();
        match self {
            Axis::Outputs => parts.push(format!("{c} input channels")),
            Axis::Inputs => parts.push(format!("{k} output channels")),
            _ => parts.push(format!("{c}→{k}")),
        }
        if self != Axis::Pixels {
            parts.push(format!("{h}×{w}"));
        }
        if self != Axis::Batch && n != 1 {
            parts.push(count(n, "image"));
        }
        parts.join(", ")
    }
}

/// The curves of one setting, of layers without a network.
///
/// Over outputs and inputs they show the time: a step down would mean that more work takes less time.
/// Over batches and pixels they show the share of the ceiling, which should stay flat.
pub(super) fn sweeps(grid: &Grid<'_>, palette: &Palette) -> Vec<LineChart> {
    let rows: Vec<&GridRow<'_>> =
        grid.rows.iter().filter(|row| row.layer.network.is_empty()).collect();
    let mut charts = Vec::new();
    for axis in Axis::ALL {
        let mut families: Vec<Vec<&GridRow<'_>>> = Vec::new();
        let mut family_of: HashMap<[usize; 8], usize> = HashMap::new();
        for row in &rows {
            let at = *family_of.entry(axis.rest(row.layer)).or_insert_with(|| {
                families.push(Vec::new());
                families.len() - 1
            });
            families[at].push(row);
        }
        for mut family in families {
            family.sort_by_key(|row| axis.value(row.layer));
            family.dedup_by_key(|row| axis.value(row.layer));
            if family.len() >= LEAST {
                charts.push(chart(grid, axis, &family, palette));
            }
        }
    }
    charts
}

fn series(axis: Axis, rows: &[&GridRow<'_>], column: &GridColumn, palette: &Palette) -> Series {
    let in_time = matches!(axis, Axis::Outputs | Axis::Inputs);
    let point = |row: &&GridRow<'_>| {
        let record = row.get(&column.contender)?;
        let share = |ns: f64| record.fraction_of_ceiling * record.ns_median / ns.max(1e-9);
        let (slow, fast) = (
            record.ns_median + record.ns_mad,
            (record.ns_median - record.ns_mad).max(record.ns_min),
        );
        let (y, spread) = if in_time {
            (record.ns_median / 1e3, (fast / 1e3, slow / 1e3))
        } else {
            (record.fraction_of_ceiling, (share(slow), share(fast)))
        };
        let tooltip = format!(
            "{}, {} {}: {}, {} GFLOP/s, {} of the ceiling",
            column.contender,
            axis.value(record),
            axis.label(),
            time(record.ns_median),
            digits(record.gflops),
            percent(record.fraction_of_ceiling)
        );
        Some(Point { x: axis.value(record) as f64, y, spread: Some(spread), tooltip })
    };
    Series { key: palette.key(column), points: rows.iter().filter_map(point).collect() }
}

fn chart(grid: &Grid<'_>, axis: Axis, rows: &[&GridRow<'_>], palette: &Palette) -> LineChart {
    let first = rows[0].layer;
    let in_time = matches!(axis, Axis::Outputs | Axis::Inputs);
    let (low, high) = (axis.value(first), axis.value(rows[rows.len() - 1].layer));
    let fixed = axis.fixed(first);
    let tick = |row: &&GridRow<'_>| {
        let value = axis.value(row.layer);
        (value as f64, value.to_string())
    };
    let named = rows.iter().map(tick).collect();
    let slug: String = sizes(first).map(|size| size.to_string()).join("-");
    // The curves of times show small steps, which the times of naive loops would flatten.
    let hidden = |role: Role| match role {
        Role::Kernel | Role::Partial => true,
        Role::Naive => in_time,
        _ => false,
    };
    LineChart {
        name: format!("sweep-{axis:?}-{slug}-{}", grid.setting.slug()).to_lowercase(),
        title: format!("{low} to {high} {}: {fixed}; {}", axis.label(), grid.setting),
        description: format!(
            "{} over {low} to {high} {}, with {fixed}.",
            if in_time { "Median time" } else { "Share of the measured FMA ceiling" },
            axis.label()
        ),
        x_label: axis.label().to_owned(),
        // Batches and images are doubled from point to point, outputs and inputs grow by one.
        x_kind: if in_time || high < 4 * low { Kind::Linear } else { Kind::Log },
        x_ticks: if rows.len() <= MOST_NAMED { named } else { Vec::new() },
        y_label: if in_time { "time, µs" } else { "share of the FMA ceiling" }.to_owned(),
        y_percent: !in_time,
        references: if in_time {
            Vec::new()
        } else {
            vec![Reference { label: "measured FMA ceiling".to_owned(), y: 1.0 }]
        },
        series: grid
            .columns_of(|role| !hidden(role))
            .map(|column| series(axis, rows, column, palette))
            .filter(|series| !series.points.is_empty())
            .collect(),
    }
}
