//! Ranking contenders: geometric means, weighted network times, and wins.
//!
//! [`grids`] arranges records for comparison, and [`rank`] ranks the contenders of each grid. This
//! room may import `record`, `catalog`, `pass`, `timing`, `text`, and of `contender` a name.

mod grid;
mod ranking;

pub use grid::{Grid, GridColumn, GridRow, Known, OURS, Place, Role, Setting, grids};
pub use ranking::{Entrants, NetworkTime, Ranking, Standing, rank, rank_grid};
