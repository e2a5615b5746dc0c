//! Records as one page that needs no network, and as figures for other documents.
//!
//! This room may import `rank`, `record`, `history`, `pass`, `pick`, `machine`, `text`, `timing`, and of
//! `contender` a name.

mod error;
mod facts;
pub mod figure;
mod history;
mod layers;
mod losses;
mod page;
mod passes;
mod picks;
mod repeat;
mod roof;
mod runs;
mod standalone;
mod sweep;
mod template;

pub use error::ReportError;
pub use losses::{Loss, Losses, Versus, losses, versus};
pub use picks::{Miss, Picks, picks};
pub use repeat::{quoted, repeat};
pub use runs::{Report, ReportRun};
