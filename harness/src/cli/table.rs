//! Tables for the terminal. A row stays on one line if possible, so that a layer's text can be copied
//! whole. On a narrow terminal the least needed columns are left out.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table as Grid, TableStyle};
use console::measure_text_width;

const GAP: usize = 2;

/// The side of a column at which its text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

struct Column {
    title: String,
    side: Side,
    /// Columns with the highest number are left out first. A column with 0 is always shown.
    spare: u8,
}

/// Rows of text under titles.
#[derive(Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a column that is always shown, with its text at the left.
    pub(crate) fn text(self, title: impl Into<String>) -> Self {
        self.column(title, Side::Left, 0)
    }

    /// Adds a column that is always shown, with its numbers at the right.
    pub(crate) fn figure(self, title: impl Into<String>) -> Self {
        self.column(title, Side::Right, 0)
    }

    /// Adds a column. On a narrow terminal columns with the highest `spare` are left out first; a column
    /// with 0 is always shown.
    pub(crate) fn column(mut self, title: impl Into<String>, side: Side, spare: u8) -> Self {
        self.columns.push(Column { title: title.into(), side, spare });
        self
    }

    /// Adds a row with one cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table in at most `width` columns of the terminal, and the titles that were left out for that.
    pub(crate) fn fitted(&self, width: Option<usize>) -> (String, Vec<&str>) {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width_of(at)).collect();
        // A column that is empty in every row is left out without being told.
        let says = |at: &usize| self.rows.iter().any(|row| !row[*at].is_empty());
        let mut shown: Vec<usize> = (0..self.columns.len()).filter(says).collect();
        let mut dropped = Vec::new();
        if let Some(width) = width {
            let needed = |shown: &[usize]| {
                shown.iter().map(|at| widths[*at] + GAP).sum::<usize>().saturating_sub(GAP)
            };
            while needed(&shown) > width {
                let spare = shown
                    .iter()
                    .enumerate()
                    .filter(|(_, at)| self.columns[**at].spare > 0)
                    .max_by_key(|(_, at)| self.columns[**at].spare);
                let Some((position, _)) = spare else { break };
                dropped.push(self.columns[shown.remove(position)].title.as_str());
            }
        }
        let mut grid = Grid::new();
        grid.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─')));
        if let Some(width) = width {
            grid.set_content_arrangement(ContentArrangement::Dynamic);
            grid.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        } else {
            grid.set_content_arrangement(ContentArrangement::Disabled);
        }
        grid.set_header(shown.iter().map(|at| self.columns[*at].title.as_str()));
        for row in &self.rows {
            grid.add_row(shown.iter().map(|at| row[*at].as_str()));
        }
        let last = shown.len().saturating_sub(1);
        for (position, at) in shown.iter().enumerate() {
            if let Some(column) = grid.column_mut(position) {
                column.set_padding((0, if position == last { 0 } else { GAP as u16 }));
                column.set_cell_alignment(match self.columns[*at].side {
                    Side::Left => CellAlignment::Left,
                    Side::Right => CellAlignment::Right,
                });
            }
        }
        (grid.trim_fmt(), dropped)
    }

    fn width_of(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| measure_text_width(&row[at]));
        cells.fold(measure_text_width(&self.columns[at].title), usize::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::default()
            .text("layer")
            .column("kernel", Side::Left, 2)
            .column("ns", Side::Right, 1)
            .figure("gflops");
        table.row(["nhwc/n1c64h56w56k256".into(), "tile".into(), "1234".into(), "99.5".into()]);
        table
    }

    #[test]
    fn everything_is_shown_on_one_line_where_it_fits() {
        let table = sample();
        let (text, dropped) = table.fitted(None);
        assert!(dropped.is_empty());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[2], "nhwc/n1c64h56w56k256  tile    1234    99.5");
        assert_eq!(sample().fitted(Some(lines[2].len())).0, text);
    }

    #[test]
    fn a_column_in_which_nothing_is_said_is_left_out() {
        let mut table = Table::default().text("name").text("layer");
        table.row([String::new(), "nhwc/n1c64h56w56k256".into()]);
        let (text, dropped) = table.fitted(None);
        assert!(dropped.is_empty() && text.starts_with("layer"), "{text}");
    }

    #[test]
    fn the_sparest_column_goes_first_and_the_layer_stays_whole() {
        let table = sample();
        let full = table.fitted(None).0.lines().last().unwrap().len();
        let (text, dropped) = table.fitted(Some(full - 1));
        assert_eq!(dropped, ["kernel"]);
        assert!(text.contains("nhwc/n1c64h56w56k256  1234    99.5"), "{text}");
        let (text, dropped) = table.fitted(Some(30));
        assert_eq!(dropped, ["kernel", "ns"]);
        assert!(text.lines().all(|line| measure_text_width(line) <= 30), "{text}");
    }
}
