//! The look of the program's tables.

use comfy_table::{CellAlignment, Row, Table, presets};

/// A table without borders under `header`, its first `names` columns to the left and the others,
/// which hold figures, to the right. Print it with [`Table::trim_fmt`].
pub fn plain(
    header: impl Into<Row>,
    names: usize,
    rows: impl IntoIterator<Item: Into<Row>>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        // One blank between columns on the right is enough, and none before the first.
        column.set_padding((0, 2));
    }
    for column in table.column_iter_mut().skip(names) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_figures_right() {
        let table = plain(["layer", "ns"], 1, [["a", "10.5"], ["long name", "7.25"]]);
        assert_eq!(table.trim_fmt(), "layer        ns\na          10.5\nlong name  7.25");
    }
}
