//! Speed against arithmetic intensity, under what the machine was seen to do at best.

use super::canvas::{Anchor, Canvas, Marker, px, text_width};
use super::scale::{Kind, Scale};
use super::{Figure, Key, Swatch, legend};
use crate::report::format::digits;

/// A measured limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Roof {
    /// What it is the limit of, such as `avx512` or `L2`.
    pub label: String,
    /// GFLOP/s of a ceiling, 10⁹ bytes per second of a bandwidth.
    pub value: f64,
}

/// One layer as one contender ran it.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// FLOP per byte moved at least.
    pub intensity: f64,
    /// GFLOP/s.
    pub speed: f64,
    /// Which of the keys.
    pub key: usize,
    /// All of it in words.
    pub tooltip: String,
    /// Written beside the point unless empty.
    pub label: String,
}

/// What the figure shows.
#[derive(Clone, Debug, Default)]
pub struct Roofline {
    /// Names the file and the anchors.
    pub name: String,
    /// Title.
    pub title: String,
    /// For those who can't see it.
    pub description: String,
    /// FMA ceilings.
    pub ceilings: Vec<Roof>,
    /// Bandwidths.
    pub bandwidths: Vec<Roof>,
    /// One per kind of point.
    pub keys: Vec<Key>,
    /// Points.
    pub spots: Vec<Spot>,
}

const WIDTH: f64 = 560.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 20.0;
const PLOT: f64 = 330.0;

/// Draws it, both axes logarithmic.
pub fn roofline(data: &Roofline) -> Figure {
    let usable = |value: &f64| value.is_finite() && *value > 0.0;
    let peak = data.ceilings.iter().map(|roof| roof.value).filter(usable).fold(0.0, f64::max);
    let speeds = || data.spots.iter().map(|spot| spot.speed).filter(usable);
    let intensities = || data.spots.iter().map(|spot| spot.intensity).filter(usable);
    let highest = speeds().fold(peak, f64::max).max(1.0);
    let lowest = speeds().fold(highest / 4.0, f64::min);
    // Far enough left for the slowest memory's slope to be seen meeting something.
    let left = intensities().fold(4.0, f64::min) / 1.6;
    let right = intensities().fold(left * 16.0, f64::max) * 1.6;

    let mut canvas = Canvas::new();
    let keys: Vec<_> = data.keys.iter().map(|key| (key.clone(), Swatch::Point)).collect();
    let top = legend(&mut canvas, (LEFT, 0.0), WIDTH - LEFT, &keys) + 14.0;
    let bottom = top + PLOT;
    let end = WIDTH - RIGHT;
    let x = Scale::new(Kind::Log, (left, right), (LEFT, end));
    let y = Scale::new(Kind::Log, (lowest / 1.8, highest * 1.35), (bottom, top));

    for tick in x.ticks(9) {
        canvas.line((x.at(tick), top), (x.at(tick), bottom), "grid");
        canvas.text((x.at(tick), bottom + 17.0), Anchor::Middle, "", &plain(tick));
    }
    for tick in y.ticks(7) {
        canvas.line((LEFT, y.at(tick)), (end, y.at(tick)), "grid");
        canvas.text((LEFT - 7.0, y.at(tick) + 4.0), Anchor::End, "", &plain(tick));
    }
    canvas.line((LEFT, bottom), (end, bottom), "axis");
    let middle = (LEFT + end) / 2.0;
    canvas.text((middle, bottom + 36.0), Anchor::Middle, "", "FLOP per byte moved at least once");
    let turned = format!("translate(11 {}) rotate(-90)", px((top + bottom) / 2.0));
    canvas.push(
        svg::node::element::Text::new("GFLOP/s")
            .set("text-anchor", "middle")
            .set("transform", turned),
    );

    bandwidths(&mut canvas, data, (&x, &y), if peak > 0.0 { peak } else { highest });
    ceilings(&mut canvas, data, (&x, &y), peak);
    spots(&mut canvas, data, (&x, &y));
    let size = (WIDTH, bottom + 44.0);
    Figure::new(&data.name, &data.title, &data.description, size, canvas)
}

/// Slopes, each up to the highest ceiling and no further.
fn bandwidths(canvas: &mut Canvas, data: &Roofline, (x, y): (&Scale, &Scale), peak: f64) {
    let ((left, right), (low, high)) = (x.range(), y.range());
    for roof in data.bandwidths.iter().filter(|roof| roof.value > 0.0) {
        let start = left.max(low / roof.value);
        let stop = (peak / roof.value).min(right);
        let label = format!("{} {} GB/s", roof.label, digits(roof.value));
        if start >= stop {
            // It crosses the ceiling left of all there is to see: it limits nothing here.
            continue;
        }
        let from = (x.at(start), y.at((start * roof.value).min(high)));
        let to = (x.at(stop), y.at((stop * roof.value).min(high)));
        canvas.line(from, to, "slope");
        let angle = (from.1 - to.1).atan2(to.0 - from.0).to_degrees();
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        if length > text_width(&label, 10.5) + 16.0 {
            let turn = format!(
                "translate({} {}) rotate({})",
                px(from.0 + 8.0 * angle.to_radians().cos()),
                px(from.1 - 8.0 * angle.to_radians().sin()),
                px(-angle)
            );
            canvas.push(
                svg::node::element::Text::new(label)
                    .set("class", "small halo")
                    .set("y", -4)
                    .set("transform", turn),
            );
        }
    }
}

/// Horizontal lines, from where the fastest memory feeds them to the right.
fn ceilings(canvas: &mut Canvas, data: &Roofline, (x, y): (&Scale, &Scale), peak: f64) {
    let (left, right) = x.range();
    let (low, _) = y.range();
    let fastest = data.bandwidths.iter().map(|roof| roof.value).fold(0.0, f64::max);
    let mut taken: Vec<f64> = Vec::new();
    let mut roofs: Vec<&Roof> = data.ceilings.iter().filter(|roof| roof.value > low).collect();
    roofs.sort_by(|a, b| b.value.total_cmp(&a.value));
    for roof in roofs {
        let start = if fastest > 0.0 { left.max(roof.value / fastest) } else { left };
        let at = y.at(roof.value);
        let class = if roof.value == peak { "roof" } else { "ceiling dashed" };
        canvas.line((x.at(start.min(right)), at), (x.at(right), at), class);
        if taken.iter().all(|other| (other - at).abs() > 13.0) {
            let label = format!("{}: {} GFLOP/s", roof.label, digits(roof.value));
            canvas.text((x.at(right) - 4.0, at - 6.0), Anchor::End, "strong small halo", &label);
            taken.push(at);
        }
    }
}

fn spots(canvas: &mut Canvas, data: &Roofline, (x, y): (&Scale, &Scale)) {
    let mut named: Vec<((f64, f64), &str)> = Vec::new();
    for spot in &data.spots {
        if ![spot.intensity, spot.speed].into_iter().all(|value| value.is_finite() && value > 0.0) {
            continue;
        }
        let at = (x.at(spot.intensity), y.at(spot.speed));
        let (class, marker) = data.keys.get(spot.key).map_or_else(
            || ("dot".to_owned(), Marker::Circle),
            |key| (format!("dot {}", key.colour()), key.marker),
        );
        canvas.marker(at, marker, 3.8, &class, &spot.tooltip);
        if !spot.label.is_empty() {
            named.push((at, &spot.label));
        }
    }
    // Names go below their points, where a roofline leaves room, and further down where one
    // already stands; above where the axis is too near.
    let (lowest, _) = y.range();
    let bottom = y.at(lowest) - 4.0;
    let mut taken: Vec<(f64, f64)> = Vec::new();
    named.sort_by(|a, b| b.0.1.total_cmp(&a.0.1));
    for (at, label) in named {
        let wide = text_width(label, 10.5);
        let left = (at.0 + 6.0).min(WIDTH - RIGHT - wide);
        let free = |base: f64| {
            let near =
                |(x, y): &(f64, f64)| (x - left).abs() < wide + 4.0 && (y - base).abs() < 13.0;
            !taken.iter().any(near)
        };
        let below = (0..8).map(|row| at.1 + 20.0 + 13.0 * f64::from(row));
        let above = (0..8).map(|row| at.1 - 12.0 - 13.0 * f64::from(row));
        let mut places = below.filter(|base| *base <= bottom).chain(above);
        let Some(base) = places.find(|base| free(*base)) else { continue };
        taken.push((left, base));
        let (start, end) = if base > at.1 { (5.0, -8.0) } else { (-5.0, 2.0) };
        canvas.line((at.0, at.1 + start), (left + 1.0, base + end), "axis");
        canvas.text((left, base), Anchor::Start, "strong small halo", label);
    }
}

/// A tick's value without zeros that say nothing.
pub(super) fn plain(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    rounded.to_string()
}
