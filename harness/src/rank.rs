//! Ranking contenders: geometric means, weighted network times, and who wins how often.

mod grid;
mod table;

pub use grid::{Column, Grid, Known, OURS, Place, Role, Row, Setting, grids};
pub use table::table;

use crate::record::Record;
use crate::report::format::{count, list};
use serde::Serialize;

/// Which contenders take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The plan's choice and everyone else's code.
    Contenders,
    /// The plan's choice and our kernels by name: how far each is from the pick.
    Kernels,
}

impl Field {
    fn has(self, role: Role) -> bool {
        role == Role::Ours || (role == Role::Kernel) == (self == Field::Kernels)
    }
}

/// One contender in one setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// Its name.
    pub contender: String,
    /// What it is.
    pub role: Role,
    /// Its version.
    pub version: String,
    /// Layers it ran, heads apart.
    pub layers: usize,
    /// Whether its means are over the common layers. When not, it ran too few of them, and its
    /// means are over its own layers: only `speed_ratio` can then be compared.
    pub common: bool,
    /// Geometric mean of its GFLOP/s, over problems.
    pub gflops: f64,
    /// Geometric mean of its share of the FMA ceiling.
    pub fraction_of_ceiling: f64,
    /// Geometric mean of its speed over `pointwise`'s; absent when `pointwise` didn't run.
    pub speed_ratio: Option<f64>,
    /// Common layers on which it is the fastest.
    pub wins: usize,
}

/// The time that one run of a network's 1×1 layers takes, heads included.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkTime {
    /// The network.
    pub network: String,
    /// Layers measured, each counted once.
    pub layers: usize,
    /// Of those, the ones that every contender listed ran: what `times` sums.
    pub common_layers: usize,
    /// Contender and the sum of multiplicity × median, ns.
    pub times: Vec<(String, f64)>,
    /// Contenders left out because they ran too few of the layers.
    pub left_out: Vec<String>,
}

/// A setting's contenders, best first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// The setting.
    pub setting: Setting,
    /// Problems measured by anyone, heads apart; layers that are the same problem count once.
    pub layers: usize,
    /// Of those, the ones that every ranked contender ran: what the means are over.
    pub common_layers: usize,
    /// Heads, which the means leave out and the network times count.
    pub heads: usize,
    /// Best geometric mean first; those that ran too few layers last.
    pub standings: Vec<Standing>,
    /// One per network.
    pub networks: Vec<NetworkTime>,
    /// What a reader has to know to read the figures right.
    pub notes: Vec<String>,
}

/// `exp` of the mean of logarithms; `None` of nothing.
pub fn geomean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0usize), |(s, n), x| (s + x.ln(), n + 1));
    (count > 0).then(|| (sum / count as f64).exp())
}

/// The contenders that ran most of `rows`, and the rows that all of those ran. Whoever ran the
/// fewest drops out until the rest share at least half of the rows; `pointwise` never drops out.
fn common<'r, 'a>(rows: &'r [&'r Row<'a>], contenders: &[&str]) -> (Vec<String>, Vec<&'r Row<'a>>) {
    let coverage = |name: &str| rows.iter().filter(|row| row.get(name).is_some()).count();
    let mut kept: Vec<(&str, usize)> =
        contenders.iter().map(|name| (*name, coverage(name))).filter(|(_, n)| *n > 0).collect();
    loop {
        let shared: Vec<&Row<'a>> = rows
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
    column: &Column,
    rows: &[&Row<'_>],
    shared: Option<&[&Row<'_>]>,
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
        gflops: geomean(own.iter().map(|record| record.gflops)).unwrap_or(0.0),
        fraction_of_ceiling: geomean(own.iter().map(|record| record.fraction_of_ceiling))
            .unwrap_or(0.0),
        speed_ratio: geomean(ratios),
        wins,
    }
}

fn network_time(grid: &Grid<'_>, network: &str, contenders: &[&str]) -> NetworkTime {
    let rows: Vec<&Row<'_>> = grid.rows.iter().filter(|row| row.layer.network == network).collect();
    let (kept, shared) = common(&rows, contenders);
    let mut times: Vec<(String, f64)> = kept
        .iter()
        .map(|name| {
            let weighted = |row: &&Row<'_>| Some(row.place.count as f64 * row.get(name)?.ns_median);
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

/// Ranks one setting's contenders.
pub fn rank_grid(grid: &Grid<'_>, field: Field) -> Ranking {
    let columns: Vec<&Column> = grid.columns_of(|role| field.has(role)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.contender.as_str()).collect();
    let ran_any = |row: &&Row<'_>| names.iter().any(|name| row.get(name).is_some());
    let (of_networks, by_hand): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
        grid.problems().filter(ran_any).partition(|row| !row.layer.network.is_empty());
    // Layers given by hand are curves and trials: beside a network they would only skew its means.
    let left_out = if of_networks.is_empty() { 0 } else { by_hand.len() };
    let ran = if of_networks.is_empty() { by_hand } else { of_networks };
    let heads = ran.iter().filter(|row| row.place.head).count();
    let only_heads = heads == ran.len();
    let rows: Vec<&Row<'_>> = ran.into_iter().filter(|row| only_heads || !row.place.head).collect();
    let (kept, shared) = common(&rows, &names);
    let winner = |row: &&Row<'_>| {
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

/// Ranks the contenders of every setting in `records`. Settings in which only `pointwise` would
/// be left are kept for contenders and left out for kernels.
pub fn rank(records: &[Record], known: &Known, field: Field) -> Vec<Ranking> {
    grids(records, known)
        .iter()
        .filter(|grid| {
            field == Field::Contenders || grid.columns.iter().any(|c| c.role == Role::Kernel)
        })
        .map(|grid| rank_grid(grid, field))
        .collect()
}
