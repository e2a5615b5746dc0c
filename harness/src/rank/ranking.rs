//! The contenders of a grid, best first.

use super::grid::{Grid, GridColumn, GridRow, Known, OURS, Role, Setting, grids};
use crate::record::Record;
use crate::text::numbers::{count, list};
use crate::timing::stats::geometric_mean;
use serde::Serialize;

/// The contenders that are ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrants {
    /// The plan's choice, and everything that is not ours.
    Contenders,
    /// The plan's choice, and each kernel of ours by itself.
    Kernels,
}

impl Entrants {
    fn has(self, role: Role) -> bool {
        role == Role::Ours || (role == Role::Kernel) == (self == Entrants::Kernels)
    }
}

/// One contender in one setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Its name.
    pub contender: String,
    /// Its kind.
    pub role: Role,
    /// Its version.
    pub version: String,
    /// The number of layers that it ran, heads left out.
    pub layers: usize,
    /// Whether its means are over the common layers. If not, it ran too few of them, and its means
    /// are over its own layers. Of those only `speed_ratio` can be compared.
    pub common: bool,
    /// The geometric mean of its GFLOP/s over problems.
    pub gflops: f64,
    /// The geometric mean of its share of the FMA ceiling.
    pub fraction_of_ceiling: f64,
    /// The geometric mean of its speed ÷ the speed of `pointwise`; absent without `pointwise`.
    pub speed_ratio: Option<f64>,
    /// The number of common layers on which it is the fastest.
    pub wins: usize,
}

/// The time of one run of a network's 1×1 layers, heads included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkTime {
    /// The network.
    pub network: String,
    /// The number of layers measured, each counted once.
    pub layers: usize,
    /// The number of those that every contender in `times` ran. `times` are sums over them.
    pub common_layers: usize,
    /// For each contender the sum of multiplicity × median, ns.
    pub times: Vec<(String, f64)>,
    /// Contenders left out because they ran too few of the layers.
    pub left_out: Vec<String>,
}

/// The contenders of one setting, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// The setting.
    pub setting: Setting,
    /// The number of problems that any contender ran, heads left out. Layers that are the same problem
    /// count once.
    pub layers: usize,
    /// The number of those that every ranked contender ran. The means are over them.
    pub common_layers: usize,
    /// The number of heads, which means leave out and network times count.
    pub heads: usize,
    /// The best geometric mean first, and contenders that ran too few layers last.
    pub standings: Vec<Standing>,
    /// The time of each network.
    pub networks: Vec<NetworkTime>,
    /// Remarks that a reader needs for reading the figures right.
    pub notes: Vec<String>,
}

/// The contenders that ran most of `rows`, and the rows that all of those ran.
///
/// The contender with the fewest rows drops out until the others share at least half of the rows.
/// `pointwise` never drops out.
fn common<'r, 'a>(
    rows: &'r [&'r GridRow<'a>],
    contenders: &[&str],
) -> (Vec<String>, Vec<&'r GridRow<'a>>) {
    let coverage = |name: &str| rows.iter().filter(|row| row.get(name).is_some()).count();
    let mut kept: Vec<(&str, usize)> =
        contenders.iter().map(|name| (*name, coverage(name))).filter(|(_, n)| *n > 0).collect();
    loop {
        let shared: Vec<&GridRow<'a>> = rows
            .iter()
            .copied()
            .filter(|row| kept.iter().all(|(name, _)| row.get(name).is_some()))
            .collect();
        let fewest = kept
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| *name != OURS)
            .min_by_key(|(at, (_, n))| (*n, std::cmp::Reverse(*at)))
            .map(|(at, _)| at);
        match fewest {
            Some(at) if 2 * shared.len() < rows.len() && kept.len() > 1 => {
                kept.remove(at);
            }
            _ => return (kept.iter().map(|(name, _)| (*name).to_owned()).collect(), shared),
        }
    }
}

fn standing(
    column: &GridColumn,
    rows: &[&GridRow<'_>],
    shared: Option<&[&GridRow<'_>]>,
    wins: usize,
) -> Standing {
    let over = shared.unwrap_or(rows);
    let own: Vec<&Record> = over.iter().filter_map(|row| row.get(&column.contender)).collect();
    let ratios: Vec<f64> = over
        .iter()
        .filter_map(|row| Some(row.get(OURS)?.ns_median / row.get(&column.contender)?.ns_median))
        .collect();
    Standing {
        contender: column.contender.clone(),
        role: column.role,
        version: column.version.clone(),
        layers: rows.iter().filter(|row| row.get(&column.contender).is_some()).count(),
        common: shared.is_some(),
        gflops: mean(&own, |record| record.gflops).unwrap_or(0.0),
        fraction_of_ceiling: mean(&own, |record| record.fraction_of_ceiling).unwrap_or(0.0),
        speed_ratio: geometric_mean(&ratios),
        wins,
    }
}

/// The geometric mean of a figure over records; `None` without any.
fn mean(records: &[&Record], figure: fn(&Record) -> f64) -> Option<f64> {
    geometric_mean(&records.iter().map(|record| figure(record)).collect::<Vec<_>>())
}

fn network_time(grid: &Grid<'_>, network: &str, contenders: &[&str]) -> NetworkTime {
    let rows: Vec<&GridRow<'_>> =
        grid.rows.iter().filter(|row| row.layer.network == network).collect();
    let (kept, shared) = common(&rows, contenders);
    let mut times: Vec<(String, f64)> = kept
        .iter()
        .map(|name| {
            let weighted =
                |row: &&GridRow<'_>| Some(row.place.count as f64 * row.get(name)?.ns_median);
            (name.clone(), shared.iter().filter_map(weighted).sum())
        })
        .collect();
    times.sort_by(|a, b| a.1.total_cmp(&b.1));
    let ran = |name: &str| rows.iter().any(|row| row.get(name).is_some());
    let left_out = contenders
        .iter()
        .filter(|name| ran(name) && !kept.iter().any(|k| k == *name))
        .map(|name| (*name).to_owned())
        .collect();
    NetworkTime {
        network: network.to_owned(),
        layers: rows.len(),
        common_layers: shared.len(),
        times,
        left_out,
    }
}

/// Ranks the contenders of one grid.
pub fn rank_grid(grid: &Grid<'_>, field: Entrants) -> Ranking {
    let columns: Vec<&GridColumn> = grid.columns_of(|role| field.has(role)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.contender.as_str()).collect();
    let ran_any = |row: &&GridRow<'_>| names.iter().any(|name| row.get(name).is_some());
    let (of_networks, by_hand): (Vec<&GridRow<'_>>, Vec<&GridRow<'_>>) =
        grid.problems().filter(ran_any).partition(|row| !row.layer.network.is_empty());
    // Beside a network, layers given by hand would skew its means: they are curves and trials.
    let left_out = if of_networks.is_empty() { 0 } else { by_hand.len() };
    let ran = if of_networks.is_empty() { by_hand } else { of_networks };
    let heads = ran.iter().filter(|row| row.place.head).count();
    let only_heads = heads == ran.len();
    let rows: Vec<&GridRow<'_>> =
        ran.into_iter().filter(|row| only_heads || !row.place.head).collect();
    let (kept, shared) = common(&rows, &names);
    let winner = |row: &&GridRow<'_>| {
        kept.iter()
            .filter_map(|name| row.get(name))
            .filter(|record| Role::of(record) != Role::Partial)
            .min_by(|a, b| a.ns_median.total_cmp(&b.ns_median))
            .map(|record| record.contender.clone())
    };
    let winners: Vec<String> = shared.iter().filter_map(winner).collect();
    let mut standings: Vec<Standing> = columns
        .iter()
        .map(|column| {
            let name = &column.contender;
            let ranked = kept.contains(name);
            let wins = winners.iter().filter(|winner| *winner == name).count();
            standing(column, &rows, ranked.then_some(&shared[..]), wins)
        })
        .filter(|standing| standing.layers > 0)
        .collect();
    standings.sort_by(|a, b| b.common.cmp(&a.common).then(b.gflops.total_cmp(&a.gflops)));

    let mut notes = Vec::new();
    let heads = if only_heads { 0 } else { heads };
    let mut apart = Vec::new();
    if heads > 0 {
        apart.push(format!("{} (network times count them)", count(heads, "classifier head")));
    }
    if left_out > 0 {
        apart.push(format!("{} given by hand", count(left_out, "layer")));
    }
    if !apart.is_empty() {
        notes.push(format!("Means leave out {}.", list(&apart)));
    }
    if shared.len() < rows.len() {
        notes.push(format!(
            "Means are over the {} of {} layers that every ranked contender ran.",
            shared.len(),
            rows.len()
        ));
    }
    for apart in standings.iter().filter(|standing| !standing.common) {
        notes.push(format!(
            "{} ran only {} of {} layers: its means are over those, and it is not ranked.",
            apart.contender,
            apart.layers,
            rows.len()
        ));
    }
    if standings.iter().any(|standing| standing.role == Role::Partial) {
        notes.push(
            "A -product leaves bias, residual and activation out of its time, and wins nothing."
                .to_owned(),
        );
    }
    if standings.iter().any(|standing| standing.role == Role::OwnLayout) {
        notes.push(
            "onednn-any keeps tensors in a layout of its own; converting them is not in its time."
                .to_owned(),
        );
    }
    Ranking {
        setting: grid.setting.clone(),
        layers: rows.len(),
        common_layers: shared.len(),
        heads,
        standings,
        networks: grid
            .networks()
            .into_iter()
            .filter(|network| !network.is_empty())
            .map(|network| network_time(grid, network, &names))
            .collect(),
        notes,
    }
}

/// Ranks the contenders of every setting in `records`. For [`Entrants::Kernels`] settings without any
/// kernel of ours are left out.
pub fn rank(records: &[Record], known: &Known, field: Entrants) -> Vec<Ranking> {
    grids(records, known)
        .iter()
        .filter(|grid| {
            field == Entrants::Contenders || grid.columns.iter().any(|c| c.role == Role::Kernel)
        })
        .map(|grid| rank_grid(grid, field))
        .collect()
}
