//! Speed over arithmetic intensity, under the measured limits of the machine.

use super::canvas::{Anchor, Canvas, Marker, px, text_width};
use super::drawing::Figure;
use super::legend::{Swatch, legend};
use super::palette::Key;
use super::scale::{Kind, Scale, tick_text};
use crate::text::numbers::digits;

/// A measured limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Roof {
    /// The ISA or level of memory that it is the limit of, such as `avx512` or `L2`.
    pub label: String,
    /// GFLOP/s of a ceiling, or 10⁹ bytes per second of a bandwidth.
    pub value: f64,
}

/// One layer of one contender.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// FLOP per byte, when every byte moves once.
    pub intensity: f64,
    /// GFLOP/s.
    pub speed: f64,
    /// The index of its key.
    pub key: usize,
    /// The tooltip.
    pub tooltip: String,
    /// The text beside the point, if any.
    pub label: String,
}

/// The data of the figure.
#[derive(Clone, Debug, Default)]
pub struct Roofline {
    /// The name for files and anchors.
    pub name: String,
    /// The title.
    pub title: String,
    /// The content in words, for readers who cannot see it.
    pub description: String,
    /// The FMA ceilings.
    pub ceilings: Vec<Roof>,
    /// The bandwidths.
    pub bandwidths: Vec<Roof>,
    /// The keys, one for each kind of point.
    pub keys: Vec<Key>,
    /// The points.
    pub spots: Vec<Spot>,
}

const WIDTH: f64 = 560.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 20.0;
const PLOT: f64 = 330.0;

/// Draws the figure with logarithmic axes.
pub fn roofline(data: &Roofline) -> Figure {
    let usable = |value: &f64| value.is_finite() && *value > 0.0;
    let peak = data.ceilings.iter().map(|roof| roof.value).filter(usable).fold(0.0, f64::max);
    let speeds = || data.spots.iter().map(|spot| spot.speed).filter(usable);
    let intensities = || data.spots.iter().map(|spot| spot.intensity).filter(usable);
    let highest = speeds().fold(peak, f64::max).max(1.0);
    let lowest = speeds().fold(highest / 4.0, f64::min);
    // The axis begins far enough left that the slope of memory is seen to meet the ceiling.
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
        canvas.text((x.at(tick), bottom + 17.0), Anchor::Middle, "", &tick_text(tick));
    }
    for tick in y.ticks(7) {
        canvas.line((LEFT, y.at(tick)), (end, y.at(tick)), "grid");
        canvas.text((LEFT - 7.0, y.at(tick) + 4.0), Anchor::End, "", &tick_text(tick));
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

/// Draws the slopes, each up to the highest ceiling.
fn bandwidths(canvas: &mut Canvas, data: &Roofline, (x, y): (&Scale, &Scale), peak: f64) {
    let ((left, right), (low, high)) = (x.range(), y.range());
    for roof in data.bandwidths.iter().filter(|roof| roof.value > 0.0) {
        let start = left.max(low / roof.value);
        let stop = (peak / roof.value).min(right);
        let label = format!("{} {} GB/s", roof.label, digits(roof.value));
        if start >= stop {
            // The slope meets the ceiling left of the figure, so that it limits nothing here.
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

/// Draws the ceilings as horizontal lines, from the slope of the fastest level to the right.
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
    // A label goes below its point, where a roofline leaves room, and further down where another
    // label is. Near the axis it goes above the point.
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
