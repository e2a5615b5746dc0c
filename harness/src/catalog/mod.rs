//! The networks and their 1×1 layers, read from data files.
//!
//! A layer is one line of a file in `data/networks`; a network is one file and one line in
//! [`networks`]. The header of a file says where its sizes come from and holds the published figures
//! that the tests check. [`parse`] and [`load`] read a user's own file of the same form.
//!
//! This room may import `text`.

mod entry;
mod filter;
mod networks;
mod parse;
mod problems;

#[cfg(test)]
mod published;

pub use entry::Entry;
pub use filter::{Filter, FilterError, Pattern};
pub use networks::{FORMS, Network, catalog, forms, networks};
pub use parse::{CatalogError, LineError, load, parse};
pub use problems::{Unique, unique};
