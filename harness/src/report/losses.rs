//! Layers on which others are faster. The page shows them first.

use super::layers::{long_name, shape};
use super::repeat::repeat;
use crate::rank::{Grid, GridColumn, GridRow, Known, OURS, Role};
use crate::record::Record;
use crate::timing::stats::geometric_mean;
use serde::Serialize;

/// A layer on which another contender is faster than `pointwise`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// The setting in short form.
    pub setting: String,
    /// The layer's network and name.
    pub layer: String,
    /// Other networks that have the same problem.
    pub shared_by: Vec<String>,
    /// Its sizes.
    pub shape: String,
    /// The fastest contender.
    pub contender: String,
    /// Its speed ÷ ours, which is above one.
    pub ratio: f64,
    /// Our GFLOP/s.
    pub ours: f64,
    /// Its GFLOP/s.
    pub theirs: f64,
    /// Our share of the ceiling.
    pub share: f64,
    /// Whether the medians differ by more than both deviations together.
    pub clear: bool,
    /// Further contenders that are faster than `pointwise`.
    pub also: Vec<String>,
    /// The command that measures both again.
    pub repeat: String,
}

/// `pointwise` compared with the best other contender on each layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versus {
    /// The number of problems compared, heads left out.
    pub layers: usize,
    /// The geometric mean of our speed ÷ theirs.
    pub geomean: f64,
    /// The lowest of these ratios.
    pub lowest: f64,
    /// The layer of the lowest ratio.
    pub lowest_at: String,
    /// The contender of the lowest ratio.
    pub lowest_by: String,
}

/// All losses of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Losses {
    /// The losses in the layout that was asked for, the worst first.
    pub plain: Vec<Loss>,
    /// The losses to contenders in a layout of their own, conversion not timed, the worst first.
    pub own_layout: Vec<Loss>,
    /// The number of problems on which `pointwise` and another contender ran, summed over settings.
    pub compared: usize,
    /// The other contenders.
    pub against: Vec<String>,
}

fn in_plain_layout(role: Role) -> bool {
    matches!(role, Role::Peer | Role::Naive)
}

/// Whether the medians differ by more than both deviations together.
fn clear(ours: &Record, theirs: &Record) -> bool {
    ours.ns_median - theirs.ns_median > ours.ns_mad + theirs.ns_mad
}

fn loss(
    grid: &Grid<'_>,
    row: &GridRow<'_>,
    known: &Known,
    wanted: fn(Role) -> bool,
) -> Option<Loss> {
    let ours = row.get(OURS)?;
    let theirs = row.best(wanted).filter(|best| best.ns_median < ours.ns_median)?;
    let faster = |column: &&GridColumn| {
        column.contender != theirs.contender
            && row.get(&column.contender).is_some_and(|r| r.ns_median < ours.ns_median)
    };
    Some(Loss {
        setting: grid.setting.short(),
        layer: long_name(ours),
        shared_by: shared_by(grid, row),
        shape: shape(ours),
        contender: theirs.contender.clone(),
        ratio: ours.ns_median / theirs.ns_median,
        ours: ours.gflops,
        theirs: theirs.gflops,
        share: ours.fraction_of_ceiling,
        clear: clear(ours, theirs),
        also: grid.columns_of(wanted).filter(faster).map(|c| c.contender.clone()).collect(),
        repeat: repeat(ours, &[OURS, &theirs.contender], known),
    })
}

/// The other networks that have the problem of `row`.
fn shared_by(grid: &Grid<'_>, row: &GridRow<'_>) -> Vec<String> {
    let mut networks: Vec<String> = Vec::new();
    for other in grid.rows.iter().filter(|other| other.problem == row.problem) {
        let network = &other.layer.network;
        if *network != row.layer.network && !network.is_empty() && !networks.contains(network) {
            networks.push(network.clone());
        }
    }
    networks
}

/// Collects the losses of all settings.
pub fn losses(grids: &[Grid<'_>], known: &Known) -> Losses {
    let mut all = Losses::default();
    for grid in grids {
        for row in grid.problems() {
            let beside = row.best(|role| in_plain_layout(role) || role == Role::OwnLayout);
            all.compared += usize::from(row.get(OURS).is_some() && beside.is_some());
            all.plain.extend(loss(grid, row, known, in_plain_layout));
            all.own_layout.extend(loss(grid, row, known, |role| role == Role::OwnLayout));
        }
        for column in
            grid.columns_of(|role| !matches!(role, Role::Ours | Role::Kernel | Role::Partial))
        {
            if !all.against.contains(&column.contender) {
                all.against.push(column.contender.clone());
            }
        }
    }
    for found in [&mut all.plain, &mut all.own_layout] {
        found.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    }
    all
}

/// Compares `pointwise` with the best other contender, layer by layer; `None` without any. Heads are
/// left out, and layers given by hand too where there are networks, as in rankings.
pub fn versus(grid: &Grid<'_>) -> Option<Versus> {
    let by_hand = grid.rows.iter().all(|row| row.layer.network.is_empty());
    let pairs: Vec<(f64, &Record, &Record)> = grid
        .problems()
        .filter(|row| !row.place.head && (by_hand || !row.layer.network.is_empty()))
        .filter_map(|row| {
            let (ours, theirs) = (row.get(OURS)?, row.best(in_plain_layout)?);
            Some((theirs.ns_median / ours.ns_median, ours, theirs))
        })
        .collect();
    let lowest = pairs.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Versus {
        layers: pairs.len(),
        geomean: geometric_mean(&pairs.iter().map(|(ratio, ..)| *ratio).collect::<Vec<_>>())?,
        lowest: lowest.0,
        lowest_at: format!("{}, {}", long_name(lowest.1), shape(lowest.1)),
        lowest_by: lowest.2.contender.clone(),
    })
}
