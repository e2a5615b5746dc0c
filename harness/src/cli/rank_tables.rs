//! Rankings on the terminal.

use super::failure::Failure;
use super::output::Output;
use super::table::Table;
use pointwise_harness::rank::{Ranking, Role, Standing};
use pointwise_harness::text::numbers::{digits, percent, ratio, time};

/// Prints the standings, the weighted network times and the notes of one setting.
pub(super) fn print(ranking: &Ranking, output: &mut Output) -> Result<(), Failure> {
    output.line(format_args!("{}: geometric means", ranking.setting))?;
    output.table(&standings(ranking))?;
    let networks = networks(ranking);
    if !networks.is_empty() {
        output.line("\nTime of each network's 1×1 layers, times multiplicity")?;
        output.table(&networks)?;
    }
    for note in &ranking.notes {
        output.line(note)?;
    }
    if ranking.standings.iter().any(|standing| !standing.common) {
        output.line("* not over the common layers")?;
    }
    Ok(())
}

fn standings(ranking: &Ranking) -> Table {
    let mut table = Table::default()
        .text("contender")
        .figure("GFLOP/s")
        .figure("of ceiling")
        .figure("speed ÷ pointwise")
        .figure("wins")
        .figure("layers");
    for standing in &ranking.standings {
        let Standing { contender, common, .. } = standing;
        table.row([
            if *common { contender.clone() } else { format!("{contender} *") },
            digits(standing.gflops),
            percent(standing.fraction_of_ceiling),
            standing.speed_ratio.map_or_else(|| "–".to_owned(), ratio),
            if *common && standing.role != Role::Partial {
                standing.wins.to_string()
            } else {
                "–".to_owned()
            },
            standing.layers.to_string(),
        ]);
    }
    table
}

/// A row for each network, a column for each contender with a time.
fn networks(ranking: &Ranking) -> Table {
    let has_time = |name: &&str| {
        ranking.networks.iter().any(|network| network.times.iter().any(|(n, _)| n == name))
    };
    let contenders = ranking.standings.iter().map(|standing| standing.contender.as_str());
    let names: Vec<&str> = contenders.filter(has_time).collect();
    let mut table = Table::default().text("network").figure("layers");
    if names.is_empty() {
        return table;
    }
    for name in &names {
        table = table.figure(*name);
    }
    for network in &ranking.networks {
        let layers = match network.common_layers == network.layers {
            true => network.layers.to_string(),
            false => format!("{} of {}", network.common_layers, network.layers),
        };
        let times = names.iter().map(|name| {
            let found = network.times.iter().find(|(contender, _)| contender == name);
            found.map_or_else(|| "–".to_owned(), |(_, ns)| time(*ns))
        });
        table.row([network.network.clone(), layers].into_iter().chain(times));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointwise_harness::rank::{NetworkTime, Role, Setting};

    fn standing(contender: &str, common: bool) -> Standing {
        Standing {
            contender: contender.to_owned(),
            role: Role::Peer,
            version: String::new(),
            layers: 3,
            common,
            gflops: 12.5,
            fraction_of_ceiling: 0.5,
            speed_ratio: Some(2.0),
            wins: 1,
        }
    }

    fn ranking() -> Ranking {
        Ranking {
            setting: Setting {
                dtype: "f32".to_owned(),
                layout: "nhwc".to_owned(),
                threads: 1,
                cache: "hot".to_owned(),
            },
            layers: 3,
            common_layers: 3,
            heads: 0,
            standings: vec![standing("pointwise", true), standing("xnnpack", false)],
            networks: vec![NetworkTime {
                network: "nin".to_owned(),
                layers: 3,
                common_layers: 2,
                times: vec![("pointwise".to_owned(), 1500.0)],
                left_out: Vec::new(),
            }],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_contender_that_ran_too_little_is_marked_and_has_no_wins() {
        let text = standings(&ranking()).fitted(None).0;
        let words = |start: &str| -> Vec<&str> {
            text.lines().find(|line| line.starts_with(start)).unwrap().split_whitespace().collect()
        };
        assert_eq!(words("pointwise"), ["pointwise", "12.5", "50.0%", "2.00×", "1", "3"]);
        assert_eq!(words("xnnpack"), ["xnnpack", "*", "12.5", "50.0%", "2.00×", "–", "3"]);
    }

    #[test]
    fn networks_show_the_contenders_with_a_time() {
        let text = networks(&ranking()).fitted(None).0;
        assert!(text.contains("2 of 3") && text.contains("1.50 µs"), "{text}");
        assert!(!text.contains("xnnpack"), "{text}");
        let none = Ranking { networks: Vec::new(), ..ranking() };
        assert!(networks(&none).is_empty());
    }
}
