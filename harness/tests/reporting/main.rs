//! Ranking, reporting and exporting records, on a made-up run whose figures are known.

mod export;
mod figures;
mod page;
mod rank;
mod run;
