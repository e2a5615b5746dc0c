//! Where others are faster: what a reader should see before anything else.

use super::layers::{long_name, shape};
use super::repeat::repeat;
use crate::rank::{Grid, Known, OURS, Role, Row, geomean};
use crate::record::Record;
use serde::Serialize;

/// A layer on which someone is faster than `pointwise`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Loss {
    /// Layout, threads and caches.
    pub setting: String,
    /// The layer's network and name.
    pub layer: String,
    /// Other networks that have the same problem.
    pub shared_by: Vec<String>,
    /// Its sizes.
    pub shape: String,
    /// The fastest of those who are faster.
    pub contender: String,
    /// Its speed over ours: above one.
    pub ratio: f64,
    /// Our GFLOP/s.
    pub ours: f64,
    /// Its GFLOP/s.
    pub theirs: f64,
    /// Our share of the ceiling.
    pub share: f64,
    /// Whether the medians are further apart than both deviations together.
    pub clear: bool,
    /// Others that are faster too.
    pub also: Vec<String>,
    /// Measures both again.
    pub repeat: String,
}

/// How `pointwise` stands against whoever is best on each layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Versus {
    /// Problems compared, heads apart.
    pub layers: usize,
    /// Geometric mean of our speed over theirs.
    pub geomean: f64,
    /// The lowest of those.
    pub lowest: f64,
    /// Where that is.
    pub lowest_at: String,
    /// Who that is.
    pub lowest_by: String,
}

/// All losses of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Losses {
    /// In the layout that was asked for, worst first.
    pub plain: Vec<Loss>,
    /// To contenders whose own layout nobody had to convert to, worst first.
    pub own_layout: Vec<Loss>,
    /// Problems on which `pointwise` ran beside someone else, each setting counted.
    pub compared: usize,
    /// Who ran beside it.
    pub against: Vec<String>,
}

fn in_plain_layout(role: Role) -> bool {
    matches!(role, Role::Peer | Role::Naive)
}

/// Whether the medians are further apart than the deviations of both.
fn clear(ours: &Record, theirs: &Record) -> bool {
    ours.ns_median - theirs.ns_median > ours.ns_mad + theirs.ns_mad
}

fn loss(grid: &Grid<'_>, row: &Row<'_>, known: &Known, wanted: fn(Role) -> bool) -> Option<Loss> {
    let ours = row.get(OURS)?;
    let theirs = row.best(wanted).filter(|best| best.ns_median < ours.ns_median)?;
    let faster = |column: &&crate::rank::Column| {
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
fn shared_by(grid: &Grid<'_>, row: &Row<'_>) -> Vec<String> {
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

/// Compares `pointwise` with the best of the others, layer by layer; nothing when there is none.
/// Heads, and layers given by hand beside networks, are left out, as in rankings.
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
        geomean: geomean(pairs.iter().map(|(ratio, ..)| *ratio))?,
        lowest: lowest.0,
        lowest_at: format!("{}, {}", long_name(lowest.1), shape(lowest.1)),
        lowest_by: lowest.2.contender.clone(),
    })
}
