//! A matrix of shares: how near each kernel comes to the best on each layer.

use super::canvas::{Anchor, Canvas, px, text_width};
use super::drawing::Figure;
use super::scale::{Kind, Scale};

/// The data of the figure.
#[derive(Clone, Debug, Default)]
pub struct HeatMap {
    /// The name for files and anchors.
    pub name: String,
    /// The title.
    pub title: String,
    /// The content in words, for readers who cannot see it.
    pub description: String,
    /// The names of the rows.
    pub rows: Vec<String>,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The values, row by row; `None` where there is no value.
    pub cells: Vec<Vec<Option<f64>>>,
    /// The row and column of each marked cell: the picks.
    pub marked: Vec<(usize, usize)>,
    /// The meaning of a mark.
    pub mark_label: String,
    /// The values with the first and the last colour. Values outside of the range get these colours too.
    pub range: (f64, f64),
    /// The meaning of the colours.
    pub value_label: String,
}

const CELL: (f64, f64) = (36.0, 20.0);
const STEPS: usize = 7;

impl HeatMap {
    /// The step of the ramp for a value.
    fn step(&self, value: f64) -> usize {
        let scale = Scale::new(Kind::Linear, self.range, (0.0, STEPS as f64));
        // The cast saturates, so that a value below the range gets the first step.
        (scale.at(value) as usize).min(STEPS - 1)
    }

    /// Draws the legend (the ramp with its ends, and the mark) and returns its right end.
    fn key(&self, canvas: &mut Canvas, left: f64) -> f64 {
        canvas.text((left, 11.0), Anchor::Start, "", &self.value_label);
        let mut at = left + text_width(&self.value_label, 12.0) + 10.0;
        let percent = |value: f64| format!("{:.0}%", 100.0 * value);
        let low = format!("≤ {}", percent(self.range.0));
        canvas.text((at, 11.0), Anchor::Start, "", &low);
        at += text_width(&low, 12.0) + 8.0;
        for step in 0..STEPS {
            let x = at + 16.0 * step as f64;
            canvas.area((x, 1.0), (16.0, 12.0), &format!("q{step}"), "");
        }
        at += 16.0 * STEPS as f64 + 8.0;
        canvas.text((at, 11.0), Anchor::Start, "", &percent(self.range.1));
        if !self.marked.is_empty() {
            at += 44.0;
            canvas.area((at, 1.0), (16.0, 12.0), "winner", "");
            at += 23.0;
            canvas.text((at, 11.0), Anchor::Start, "", &self.mark_label);
            at += text_width(&self.mark_label, 12.0);
        }
        at
    }
}

/// Draws the figure.
pub fn heat_map(data: &HeatMap) -> Figure {
    let longest =
        |names: &[String]| names.iter().map(|name| text_width(name, 12.0)).fold(0.0, f64::max);
    let left = (longest(&data.rows) + 14.0).max(60.0);
    let slant: f64 = 50.0;
    let head = 30.0 + longest(&data.columns) * slant.to_radians().sin() + 12.0;
    let lean = longest(&data.columns) * slant.to_radians().cos();
    let (width, height) = CELL;
    let mut canvas = Canvas::new();
    let key = data.key(&mut canvas, 0.0);
    for (at, name) in data.columns.iter().enumerate() {
        let x = left + (at as f64 + 0.5) * width;
        canvas.push(svg::node::element::Text::new(name.as_str()).set("class", "strong").set(
            "transform",
            format!("translate({} {}) rotate(-{slant})", px(x + 3.0), px(head - 6.0)),
        ));
    }
    for (row, name) in data.rows.iter().enumerate() {
        let y = head + row as f64 * height;
        canvas.text((left - 8.0, y + 14.0), Anchor::End, "strong", name);
        for (column, label) in data.columns.iter().enumerate() {
            let at = (left + column as f64 * width + 0.5, y + 0.5);
            let size = (width - 1.0, height - 1.0);
            let value = data.cells.get(row).and_then(|cells| cells.get(column)).copied().flatten();
            let Some(value) = value.filter(|value| value.is_finite()) else {
                canvas.area(at, size, "none", &format!("{name}, {label}: not measured"));
                continue;
            };
            let step = data.step(value);
            let tooltip = format!("{name}, {label}: {:.1}%", 100.0 * value);
            canvas.area(at, size, &format!("q{step}"), &tooltip);
            let middle = (at.0 + size.0 / 2.0, at.1 + 13.5);
            let share = format!("{:.0}", 100.0 * value);
            canvas.text(middle, Anchor::Middle, &format!("small on-q{step}"), &share);
        }
    }
    for (row, column) in &data.marked {
        let (x, y) = (left + *column as f64 * width, head + *row as f64 * height);
        canvas.area((x + 1.0, y + 1.0), (width - 2.0, height - 2.0), "winner", "");
    }
    let size = (
        (left + data.columns.len() as f64 * width + lean).max(key),
        head + data.rows.len() as f64 * height + 4.0,
    );
    Figure::new(&data.name, &data.title, &data.description, size, canvas)
}
