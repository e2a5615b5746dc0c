//! The colour and marker of each contender, the same in all figures.

use super::canvas::Marker;
use crate::rank::{GridColumn, Role};
use serde::Serialize;

/// The colours of one mode, by the names that the style sheets use.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Mode {
    /// The background of the page.
    pub page: &'static str,
    /// The background of figures and tables.
    pub surface: &'static str,
    /// Text.
    pub ink: &'static str,
    /// Secondary text.
    pub muted: &'static str,
    /// Grid lines.
    pub grid: &'static str,
    /// The measured ceiling.
    pub ceiling: &'static str,
    /// The colours of contenders and layouts, by class.
    pub series: [(&'static str, &'static str); 15],
}

/// The colours for paper and light screens. Readers with protanopia, deuteranopia or tritanopia can tell
/// the series apart: their distances are at least 7 (mostly 11) in OKLab × 100, and each has its own
/// marker.
const LIGHT: Mode = Mode {
    page: "#f6f7f9",
    surface: "#ffffff",
    ink: "#14181f",
    muted: "#5b6472",
    grid: "#e3e6eb",
    ceiling: "#14181f",
    series: [
        ("pointwise", "#2f62f0"),
        ("kernel", "#8fb0fa"),
        ("onednn", "#e4580b"),
        ("onednn-any", "#74140a"),
        ("xnnpack", "#3b1683"),
        ("openblas", "#c9ae00"),
        ("gemm", "#f48fd0"),
        ("matrixmultiply", "#1c9c7c"),
        ("naive", "#5d6671"),
        ("other-0", "#0f7fa8"),
        ("other-1", "#8c6a2f"),
        ("other-2", "#a0307a"),
        ("other-3", "#4c7a1d"),
        ("nhwc", "#2f62f0"),
        ("nchw", "#c02a6b"),
    ],
};

/// The colours for dark screens. They are chosen for the dark surface, not inverted.
const DARK: Mode = Mode {
    page: "#0d1014",
    surface: "#14171c",
    ink: "#e9ecf1",
    muted: "#98a1ae",
    grid: "#2a2f37",
    ceiling: "#e9ecf1",
    series: [
        ("pointwise", "#5b9cff"),
        ("kernel", "#35558c"),
        ("onednn", "#dd861c"),
        ("onednn-any", "#c62f25"),
        ("xnnpack", "#9440c8"),
        ("openblas", "#ecec5c"),
        ("gemm", "#f9c3f4"),
        ("matrixmultiply", "#1fd29a"),
        ("naive", "#66707b"),
        ("other-0", "#45b8d8"),
        ("other-1", "#c79a55"),
        ("other-2", "#d46bb0"),
        ("other-3", "#8fc257"),
        ("nhwc", "#5b9cff"),
        ("nchw", "#f0709f"),
    ],
};

/// Both modes, as the templates of style sheets take them.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Modes {
    /// On paper and light screens.
    pub light: Mode,
    /// On dark screens.
    pub dark: Mode,
}

/// The colours of this program.
pub const MODES: Modes = Modes { light: LIGHT, dark: DARK };

/// The look and the name of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its class without the leading `s-`.
    pub class: String,
    /// The shape of its points.
    pub marker: Marker,
    /// Its name.
    pub label: String,
}

impl Key {
    /// The class that gives an element the colour of the series.
    pub fn colour(&self) -> String {
        format!("s-{}", self.class)
    }
}

/// The keys of the contenders of a page.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    strangers: Vec<String>,
}

impl Palette {
    /// The palette for all contenders of a page. A contender has one colour on the whole page.
    pub fn of<'c>(columns: impl IntoIterator<Item = &'c GridColumn>) -> Palette {
        let mut strangers: Vec<String> = columns
            .into_iter()
            .filter(|column| !matches!(column.role, Role::Kernel | Role::Partial))
            .filter(|column| !is_known(&column.contender))
            .map(|column| column.contender.clone())
            .collect();
        strangers.sort();
        strangers.dedup();
        Palette { strangers }
    }

    /// The key of one contender.
    pub fn key(&self, column: &GridColumn) -> Key {
        let name = column.contender.as_str();
        let (class, marker) = match name {
            "pointwise" => (name.to_owned(), Marker::Circle),
            "onednn" => (name.to_owned(), Marker::Diamond),
            "onednn-any" => (name.to_owned(), Marker::Dash),
            "xnnpack" => (name.to_owned(), Marker::Up),
            "openblas" => (name.to_owned(), Marker::Down),
            "gemm" => (name.to_owned(), Marker::Plus),
            "matrixmultiply" => (name.to_owned(), Marker::Square),
            "naive" => (name.to_owned(), Marker::Cross),
            _ if column.role == Role::Kernel => ("kernel".to_owned(), Marker::Dash),
            _ => {
                let at = self.strangers.iter().position(|stranger| stranger == name).unwrap_or(0);
                (format!("other-{}", at % 4), Marker::ALL[(at + 1) % Marker::ALL.len()])
            }
        };
        Key { class, marker, label: name.to_owned() }
    }
}

fn is_known(name: &str) -> bool {
    LIGHT.series.iter().any(|(class, _)| *class == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(contender: &str, role: Role) -> GridColumn {
        GridColumn { contender: contender.to_owned(), role, version: String::new() }
    }

    #[test]
    fn every_contender_has_a_look_of_its_own() {
        let columns = [
            column("pointwise", Role::Ours),
            column("onednn", Role::Peer),
            column("onednn-any", Role::OwnLayout),
            column("xnnpack", Role::Peer),
            column("openblas", Role::Peer),
            column("gemm", Role::Peer),
            column("matrixmultiply", Role::Peer),
            column("naive", Role::Naive),
            column("a new one", Role::Peer),
            column("another", Role::Peer),
        ];
        let palette = Palette::of(&columns);
        let mut looks: Vec<(String, String)> = columns
            .iter()
            .map(|column| palette.key(column))
            .map(|key| (key.colour(), format!("{:?}", key.marker)))
            .collect();
        looks.sort();
        looks.dedup();
        assert_eq!(looks.len(), columns.len());
    }

    #[test]
    fn both_modes_colour_the_same_classes() {
        let classes = |mode: Mode| mode.series.map(|(class, _)| class);
        assert_eq!(classes(LIGHT), classes(DARK));
    }

    /// The relative luminance after WCAG 2.
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let share = f64::from(value) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_marks_can_be_read_in_both_modes() {
        for mode in [LIGHT, DARK] {
            for surface in [mode.page, mode.surface] {
                assert!(contrast(mode.ink, surface) >= 7.0);
                assert!(contrast(mode.muted, surface) >= 4.5, "{} {surface}", mode.muted);
            }
            for (class, colour) in mode.series {
                let least = if class == "pointwise" { 4.5 } else { 2.0 };
                assert!(contrast(colour, mode.surface) >= least, "{class}");
            }
        }
    }
}
