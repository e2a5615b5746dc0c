//! A record of the kinds of tiles that ran on this thread, for tests.

use crate::cut::tile_kind::TileKind;
use std::cell::RefCell;
use std::collections::HashMap;

std::thread_local! {
    static RAN: RefCell<HashMap<TileKind, usize>> = RefCell::default();
}

pub(super) fn note(kind: &TileKind) {
    RAN.with_borrow_mut(|ran| *ran.entry(*kind).or_default() += 1);
}

/// The kinds of tiles that ran since the last call, each with the number of such tiles.
pub(crate) fn take() -> HashMap<TileKind, usize> {
    RAN.take()
}
