//! The legend of a figure.

use super::canvas::{Anchor, Canvas, Marker, text_width};
use super::palette::Key;

/// Draws keys from the left, in as many rows as needed, and returns their height.
pub(super) fn legend(
    canvas: &mut Canvas,
    (x, y): (f64, f64),
    width: f64,
    keys: &[(Key, Swatch)],
) -> f64 {
    let (mut at, mut row) = (x, y);
    for (key, swatch) in keys {
        let wide = 22.0 + text_width(&key.label, 12.0) + 14.0;
        if at > x && at + wide > x + width {
            (at, row) = (x, row + 18.0);
        }
        let middle = row + 7.0;
        match swatch {
            Swatch::Block => {
                let class = format!("bar {}", key.colour());
                canvas.area((at, middle - 5.0), (12.0, 10.0), &class, "");
            }
            Swatch::Point => {
                let class = format!("dot {}", key.colour());
                canvas.marker((at + 6.0, middle), key.marker, 4.5, &class, "");
            }
            Swatch::Line(class) => canvas.line((at, middle), (at + 14.0, middle), class),
        }
        canvas.text((at + 20.0, middle + 4.0), Anchor::Start, "strong", &key.label);
        at += wide;
    }
    if keys.is_empty() { 0.0 } else { row + 18.0 - y }
}

/// The sign before a name in a legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Swatch {
    Block,
    Point,
    /// A line with this class.
    Line(&'static str),
}

/// The key of a line that does not belong to a contender.
pub(super) fn line_key(label: &str, class: &'static str) -> (Key, Swatch) {
    let key = Key { class: String::new(), marker: Marker::Dash, label: label.to_owned() };
    (key, Swatch::Line(class))
}
