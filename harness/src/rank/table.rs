//! A ranking as text for a terminal.

use super::{Ranking, Role, Standing};
use crate::report::format::{digits, percent, ratio, time};
use crate::table::plain;
use comfy_table::Table;

fn standing_row(standing: &Standing) -> Vec<String> {
    vec![
        if standing.common {
            standing.contender.clone()
        } else {
            format!("{} *", standing.contender)
        },
        digits(standing.gflops),
        percent(standing.fraction_of_ceiling),
        standing.speed_ratio.map_or_else(|| "–".to_owned(), ratio),
        if standing.common && standing.role != Role::Partial {
            standing.wins.to_string()
        } else {
            "–".to_owned()
        },
        standing.layers.to_string(),
    ]
}

fn networks(ranking: &Ranking) -> Option<Table> {
    let names: Vec<&str> = ranking
        .standings
        .iter()
        .map(|standing| standing.contender.as_str())
        .filter(|name| {
            ranking.networks.iter().any(|network| network.times.iter().any(|(n, _)| n == name))
        })
        .collect();
    if ranking.networks.is_empty() || names.is_empty() {
        return None;
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for network in &ranking.networks {
        let layers = if network.common_layers == network.layers {
            network.layers.to_string()
        } else {
            format!("{} of {}", network.common_layers, network.layers)
        };
        let times = names.iter().map(|name| {
            let found = network.times.iter().find(|(contender, _)| contender == name);
            found.map_or_else(|| "–".to_owned(), |(_, ns)| time(*ns))
        });
        rows.push([network.network.clone(), layers].into_iter().chain(times).collect());
    }
    let header: Vec<&str> = ["network", "layers"].into_iter().chain(names).collect();
    Some(plain(header, 1, rows))
}

/// The standings, the weighted network times and the notes of one setting, as lines of text.
pub fn table(ranking: &Ranking) -> String {
    let header = ["contender", "GFLOP/s", "of ceiling", "speed ÷ pointwise", "wins", "layers"];
    let standings = plain(header, 1, ranking.standings.iter().map(standing_row));
    let mut text = format!("{}: geometric means\n{}\n", ranking.setting, standings.trim_fmt());
    if let Some(networks) = networks(ranking) {
        text += &format!(
            "\nTime of each network's 1×1 layers, times multiplicity\n{}\n",
            networks.trim_fmt()
        );
    }
    for note in &ranking.notes {
        text += &format!("{note}\n");
    }
    if ranking.standings.iter().any(|standing| !standing.common) {
        text += "* not over the common layers\n";
    }
    text
}
