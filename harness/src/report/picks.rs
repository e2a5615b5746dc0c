//! Our kernels compared: the fastest on each layer, and the cost of the plan's choice.

use super::layers::{long_name, shape};
use super::repeat::repeat;
use crate::pick::filled;
use crate::rank::{Grid, Known, OURS, Role};
use crate::record::Record;
use crate::timing::stats::geometric_mean;
use serde::Serialize;

/// A layer on which another kernel than the plan's choice is the fastest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Miss {
    /// The layer's network and name.
    pub layer: String,
    /// Its sizes.
    pub shape: String,
    /// The kernel of the plan's choice.
    pub pick: String,
    /// The fastest kernel.
    pub best: String,
    /// The time of the choice ÷ the time of the fastest.
    pub regret: f64,
    /// The filled lanes and the tiles of both; `None` for a kernel that this program does not have.
    pub why: Option<String>,
    /// The command that measures both again.
    pub repeat: String,
}

/// The choices under one setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Picks {
    /// The setting.
    pub setting: String,
    /// The number of layers with a choice and at least one kernel by itself.
    pub layers: usize,
    /// The geometric mean of the time of the choice ÷ the time of the fastest, each at least 1.
    pub regret: f64,
    /// The worst layers, the worst first.
    pub worst: Vec<Miss>,
}

/// The number of worst layers that are shown.
const SHOWN: usize = 5;

/// Judges the choices; `None` when no kernel was timed by itself.
pub fn picks(grid: &Grid<'_>, known: &Known) -> Option<Picks> {
    let mut regrets = Vec::new();
    let mut worst = Vec::new();
    for row in grid.problems() {
        let (Some(pick), Some(best)) = (row.get(OURS), row.best(|r| r == Role::Kernel)) else {
            continue;
        };
        let regret = (pick.ns_median / best.ns_median).max(1.0);
        regrets.push(regret);
        if best.contender != pick.kernel && regret > 1.0 {
            worst.push(Miss {
                layer: long_name(pick),
                shape: shape(pick),
                pick: pick.kernel.clone(),
                best: best.contender.clone(),
                regret,
                why: why(pick, &pick.kernel, &best.contender),
                repeat: repeat(pick, &[OURS, &best.contender], known),
            });
        }
    }
    worst.sort_by(|a, b| b.regret.total_cmp(&a.regret));
    worst.truncate(SHOWN);
    let setting = grid.setting.to_string();
    Some(Picks { setting, layers: regrets.len(), regret: geometric_mean(&regrets)?, worst })
}

/// The filled lanes and the tiles of the choice and of the best kernel. Where these do not differ, the
/// reason is in blocking or caches.
fn why(record: &Record, pick: &str, best: &str) -> Option<String> {
    let pixels = |size: usize, stride: usize| size.div_ceil(stride.max(1));
    let pixels = record.n * pixels(record.h, record.stride_h) * pixels(record.w, record.stride_w);
    let outputs = record.k / record.groups.max(1);
    let of = |name: &str| {
        let kernel = pointwise::kernels().iter().find(|kernel| kernel.name() == name)?;
        let (lanes, tiles) = filled(kernel, outputs, pixels);
        Some(format!("{:.0}% of the lanes in {} tiles", lanes * 100.0, tiles * record.groups))
    };
    Some(format!("{} against {}", of(pick)?, of(best)?))
}
