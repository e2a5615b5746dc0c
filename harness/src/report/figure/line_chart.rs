//! Values over a number: time over outputs, share over batches, speed over commits.

use super::canvas::{Anchor, Canvas, px, text_width};
use super::drawing::Figure;
use super::legend::{Swatch, legend};
use super::palette::Key;
use super::scale::{Kind, Scale, tick_text};

/// One measured value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// The number.
    pub x: f64,
    /// The value.
    pub y: f64,
    /// The lowest and highest value, drawn as a band.
    pub spread: Option<(f64, f64)>,
    /// The tooltip, if any.
    pub tooltip: String,
}

/// The points of one contender, joined in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The look and the name.
    pub key: Key,
    /// The points from left to right.
    pub points: Vec<Point>,
}

/// A horizontal line for comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// The name of the line.
    pub label: String,
    /// The value of the line.
    pub y: f64,
}

/// The data of the figure.
#[derive(Clone, Debug)]
pub struct LineChart {
    /// The name for files and anchors.
    pub name: String,
    /// The title.
    pub title: String,
    /// The content in words, for readers who cannot see it.
    pub description: String,
    /// The quantity of the horizontal axis.
    pub x_label: String,
    /// The kind of the horizontal axis.
    pub x_kind: Kind,
    /// Ticks with given labels, such as commits; empty for ticks at round numbers.
    pub x_ticks: Vec<(f64, String)>,
    /// The quantity of the vertical axis, which is linear and begins at zero.
    pub y_label: String,
    /// Whether values are shares, shown as percentages.
    pub y_percent: bool,
    /// Lines for comparison.
    pub references: Vec<Reference>,
    /// The series.
    pub series: Vec<Series>,
}

impl Default for LineChart {
    fn default() -> Self {
        LineChart {
            name: String::new(),
            title: String::new(),
            description: String::new(),
            x_label: String::new(),
            x_kind: Kind::Linear,
            x_ticks: Vec::new(),
            y_label: String::new(),
            y_percent: false,
            references: Vec::new(),
            series: Vec::new(),
        }
    }
}

const WIDTH: f64 = 560.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 18.0;
const PLOT: f64 = 250.0;

impl LineChart {
    fn points(&self) -> impl Iterator<Item = &Point> {
        let all = self.series.iter().flat_map(|series| &series.points);
        all.filter(|point| point.x.is_finite() && point.y.is_finite())
    }

    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        let fold = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let x = fold(&mut self.points().map(|point| point.x));
        let lows = self.points().map(|point| point.spread.map_or(point.y, |(low, _)| low));
        let highs = self.points().map(|point| point.spread.map_or(point.y, |(_, high)| high));
        let references = self.references.iter().map(|reference| reference.y);
        let (low, high) = fold(&mut lows.chain(highs).chain(references));
        (x, (low.min(0.0), high * 1.04))
    }
}

/// Draws the figure.
pub fn line_chart(data: &LineChart) -> Figure {
    let mut canvas = Canvas::new();
    let keys: Vec<_> = data.series.iter().map(|s| (s.key.clone(), Swatch::Point)).collect();
    let top = legend(&mut canvas, (LEFT, 0.0), WIDTH - LEFT, &keys) + 26.0;
    let (bottom, end) = (top + PLOT, WIDTH - RIGHT);
    let (xs, ys) = data.ranges();
    let x = Scale::new(data.x_kind, xs, (LEFT + 8.0, end - 8.0));
    let y = Scale::new(Kind::Linear, ys, (bottom, top));

    canvas.text((LEFT - 40.0, top - 12.0), Anchor::Start, "", &data.y_label);
    for tick in y.ticks(6) {
        let at = y.at(tick);
        let class = if at == bottom { "axis" } else { "grid" };
        canvas.line((LEFT, at), (end, at), class);
        let label =
            if data.y_percent { format!("{}%", tick_text(100.0 * tick)) } else { tick_text(tick) };
        canvas.text((LEFT - 7.0, at + 4.0), Anchor::End, "", &label);
    }
    let ticks = if data.x_ticks.is_empty() {
        x.ticks(10).into_iter().map(|tick| (tick, tick_text(tick))).collect()
    } else {
        data.x_ticks.clone()
    };
    let mut free = f64::NEG_INFINITY;
    for (tick, label) in ticks {
        let (at, half) = (x.at(tick), text_width(&label, 12.0) / 2.0);
        canvas.line((at, bottom), (at, bottom + 4.0), "axis");
        if at - half > free {
            canvas.text((at, bottom + 18.0), Anchor::Middle, "", &label);
            free = at + half + 4.0;
        }
    }
    canvas.line((LEFT, bottom), (end, bottom), "axis");
    canvas.text(((LEFT + end) / 2.0, bottom + 38.0), Anchor::Middle, "", &data.x_label);
    for reference in &data.references {
        let at = y.at(reference.y);
        canvas.line((LEFT, at), (end, at), "ceiling");
        canvas.text((end - 4.0, at - 6.0), Anchor::End, "strong small halo", &reference.label);
    }
    // The first series is ours and is drawn last, on top.
    for series in data.series.iter().rev() {
        lines(&mut canvas, series, (&x, &y));
    }
    Figure::new(&data.name, &data.title, &data.description, (WIDTH, bottom + 46.0), canvas)
}

fn lines(canvas: &mut Canvas, series: &Series, (x, y): (&Scale, &Scale)) {
    let colour = series.key.colour();
    let points: Vec<&Point> =
        series.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
    let path = |along: &mut dyn Iterator<Item = (f64, f64)>, first: char| {
        let mut letter = first;
        let mut commands = String::new();
        for (px_x, px_y) in along {
            commands += &format!("{letter}{} {}", px(px_x), px(px_y));
            letter = 'L';
        }
        commands
    };
    if points.iter().any(|point| point.spread.is_some()) {
        let edge = |point: &&Point, high: bool| {
            let (low, top) = point.spread.unwrap_or((point.y, point.y));
            (x.at(point.x), y.at(if high { top } else { low }))
        };
        let over = path(&mut points.iter().map(|point| edge(point, true)), 'M');
        let under = path(&mut points.iter().rev().map(|point| edge(point, false)), 'L');
        canvas.path(&format!("band {colour}"), &format!("{over}{under}Z"));
    }
    let line = path(&mut points.iter().map(|point| (x.at(point.x), y.at(point.y))), 'M');
    canvas.path(&format!("line {colour}"), &line);
    let size = if points.len() > 40 { 2.2 } else { 3.6 };
    for point in points {
        let at = (x.at(point.x), y.at(point.y));
        canvas.marker(at, series.key.marker, size, &format!("dot {colour}"), &point.tooltip);
    }
}
