//! Values of several contenders on each layer: as groups of bars, or as points where bars would be too
//! thin.

use super::canvas::{Anchor, Canvas, px, text_width};
use super::drawing::Figure;
use super::legend::{Swatch, legend, line_key};
use super::palette::Key;
use super::scale::{Kind, Scale};

/// One contender on one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Its share of the ceiling.
    pub share: f64,
    /// The share at the median time plus the deviation.
    pub low: f64,
    /// The share at the median time less the deviation.
    pub high: f64,
}

/// The bars of one layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// The layer in few characters.
    pub label: String,
    /// The name of the layer, which may be shortened.
    pub name: String,
    /// The section of the layer. Neighbours of one section share a bracket.
    pub section: String,
    /// The tooltip.
    pub tooltip: String,
    /// A bar for each key; `None` where the contender did not run.
    pub bars: Vec<Option<Bar>>,
    /// The share of the ceiling that memory allows, where it is below one.
    pub roof: Option<f64>,
    /// The share of the best kernel of ours.
    pub best: Option<f64>,
}

/// The data of the figure: shares of the measured ceiling, a group for each layer.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// The name for files and anchors.
    pub name: String,
    /// The title.
    pub title: String,
    /// The content in words, for readers who cannot see it.
    pub description: String,
    /// GFLOP/s at a share of one, for the right axis.
    pub ceiling: f64,
    /// The keys, one for each contender.
    pub keys: Vec<Key>,
    /// The groups, one for each layer.
    pub groups: Vec<Group>,
}

const LEFT: f64 = 44.0;
const RIGHT: f64 = 48.0;
/// The width of a page. Figures fill it, and exceed it only with very many layers.
const FULL: f64 = 1080.0;
const SLANT: f64 = 60.0;

/// The part of the figure that bars and points share.
struct Frame {
    canvas: Canvas,
    y: Scale,
    top: f64,
    bottom: f64,
    step: f64,
    size: (f64, f64),
}

impl Frame {
    fn x(&self, group: usize) -> f64 {
        LEFT + group as f64 * self.step
    }
}

impl Columns {
    fn frame(&self, least: f64, most: f64, swatch: Swatch, labels: bool) -> Frame {
        let count = self.groups.len().max(1) as f64;
        let step = ((FULL - LEFT - RIGHT) / count).clamp(least, most.max(least));
        let width = (LEFT + RIGHT + count * step).max(420.0);
        let mut canvas = Canvas::new();

        let mut keys: Vec<(Key, Swatch)> = self.keys.iter().map(|k| (k.clone(), swatch)).collect();
        if swatch == Swatch::Block && self.groups.iter().any(|group| group.best.is_some()) {
            keys.push(line_key("best kernel of ours", "best line"));
        }
        if self.groups.iter().any(|group| group.roof.is_some()) {
            keys.push(line_key("all that memory allows", "ceiling dashed"));
        }
        let top = legend(&mut canvas, (LEFT, 0.0), width - LEFT, &keys) + 26.0;
        let bottom = top + if labels { 250.0 } else { 300.0 };
        let values = || self.groups.iter().flat_map(|g| g.bars.iter().flatten());
        let highest = values().map(|bar| bar.share).fold(1.0, f64::max);
        let y = Scale::new(Kind::Linear, (0.0, highest), (bottom, top));

        let end = LEFT + count * step;
        for tick in [0.0, 0.25, 0.5, 0.75] {
            let at = y.at(tick);
            canvas.line((LEFT, at), (end, at), if tick == 0.0 { "axis" } else { "grid" });
        }
        for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let at = y.at(tick) + 4.0;
            let share = format!("{:.0}%", 100.0 * tick);
            canvas.text((LEFT - 7.0, at), Anchor::End, "", &share);
            let speed = format!("{:.0}", self.ceiling * tick);
            canvas.text((end + 7.0, at), Anchor::Start, "", &speed);
        }
        let above = y.at(1.0) - 8.0;
        canvas.text((LEFT, above), Anchor::Start, "strong", "measured FMA ceiling");
        canvas.text((end + RIGHT - 4.0, above), Anchor::End, "", "GFLOP/s");

        let below = self.below(&mut canvas, step, bottom, labels);
        Frame { canvas, y, top, bottom, step, size: (width, below) }
    }

    /// Draws labels and brackets and returns their lower end.
    fn below(&self, canvas: &mut Canvas, step: f64, bottom: f64, labels: bool) -> f64 {
        let both = step >= 27.0;
        let mut deepest = bottom + 6.0;
        if labels {
            for (at, group) in self.groups.iter().enumerate() {
                let middle = LEFT + (at as f64 + 0.5) * step;
                let shift = if both { -3.0 } else { 3.0 };
                canvas.slanted((middle + shift, bottom + 13.0), SLANT, "strong", &group.label);
                let mut long = text_width(&group.label, 12.0);
                if both {
                    let name = shortened(&group.name, 20);
                    canvas.slanted((middle + 11.0, bottom + 13.0), SLANT, "small", &name);
                    long = long.max(text_width(&name, 10.5));
                }
                deepest = deepest.max(bottom + 18.0 + long * SLANT.to_radians().sin());
            }
        }
        let mut from = 0;
        let mut bracketed = false;
        for at in 1..=self.groups.len() {
            let section = &self.groups[from].section;
            if self.groups.get(at).is_some_and(|group| group.section == *section) {
                continue;
            }
            if !section.is_empty() {
                bracketed = true;
                let (start, end) = (LEFT + from as f64 * step, LEFT + at as f64 * step);
                let y = deepest + 6.0;
                let bracket = format!("M{} {}v4H{}v-4", px(start + 3.0), px(y), px(end - 3.0));
                canvas.path("axis", &bracket);
                let room = ((end - start) / 6.0) as usize;
                let name = if room < 4 { String::new() } else { shortened(section, room) };
                canvas.text(((start + end) / 2.0, y + 18.0), Anchor::Middle, "strong", &name);
            }
            from = at;
        }
        deepest + if bracketed { 30.0 } else { 4.0 }
    }

    fn hover(&self, frame: &mut Frame) {
        for (at, group) in self.groups.iter().enumerate() {
            let (x, top) = (frame.x(at), frame.top);
            let size = (frame.step, frame.bottom - top);
            frame.canvas.area((x, top), size, "hover", &group.tooltip);
        }
    }

    /// Draws the ceiling over the bars, and the limits that memory sets below it.
    fn limits(&self, frame: &mut Frame) {
        let end = LEFT + self.groups.len().max(1) as f64 * frame.step;
        let ceiling = frame.y.at(1.0);
        frame.canvas.line((LEFT, ceiling), (end, ceiling), "ceiling");
        for (at, group) in self.groups.iter().enumerate() {
            if let Some(roof) = group.roof {
                let (x, y) = (frame.x(at), frame.y.at(roof.min(1.0)));
                frame.canvas.line((x + 1.0, y), (x + frame.step - 1.0, y), "ceiling dashed");
            }
        }
    }

    /// The figure with bars, and whiskers of one deviation.
    pub fn bars(&self) -> Figure {
        let keys = self.keys.len().max(1) as f64;
        let most = (14.0 * keys + 12.0).clamp(34.0, 84.0);
        let mut frame = self.frame((3.0 * keys + 6.0).max(14.0), most, Swatch::Block, true);
        let gap = (0.2 * frame.step).clamp(4.0, 14.0);
        let wide = (frame.step - gap) / keys;
        let space = if wide > 6.0 { 1.0 } else { 0.5 };
        for (index, key) in self.keys.iter().enumerate() {
            let (mut bars, mut spreads) = (String::new(), String::new());
            for (at, group) in self.groups.iter().enumerate() {
                let Some(bar) = group.bars.get(index).copied().flatten() else { continue };
                let x = frame.x(at) + gap / 2.0 + index as f64 * wide;
                let (top, bottom) = (frame.y.at(bar.share), frame.bottom);
                // A bar too short to be seen would look like a missing one.
                let top = top.min(bottom - 1.0);
                bars += &format!(
                    "M{} {}V{}h{}V{}Z",
                    px(x),
                    px(bottom),
                    px(top),
                    px(wide - space),
                    px(bottom)
                );
                let (low, high) = (frame.y.at(bar.low), frame.y.at(bar.high));
                if low - high >= 1.0 {
                    let middle = px(x + (wide - space) / 2.0);
                    spreads += &format!("M{middle} {}V{}", px(low), px(high));
                }
            }
            frame.canvas.path(&format!("bar {}", key.colour()), &bars);
            frame.canvas.path("spread", &spreads);
        }
        let mut best = String::new();
        for (at, group) in self.groups.iter().enumerate() {
            let Some(share) = group.best else { continue };
            let x = frame.x(at) + gap / 2.0;
            best += &format!("M{} {}h{}", px(x - 1.5), px(frame.y.at(share)), px(wide + 2.0));
        }
        frame.canvas.path("best line", &best);
        self.with_limits(frame)
    }

    /// The figure with points. The points of the first key are joined within sections.
    pub fn dots(&self) -> Figure {
        let mut frame = self.frame(9.0, 40.0, Swatch::Point, self.groups.len() <= 40);
        let size = (0.32 * frame.step).clamp(2.6, 4.2);
        for (index, key) in self.keys.iter().enumerate().rev() {
            let place = |at: usize, group: &Group| {
                let bar = group.bars.get(index).copied().flatten()?;
                Some((frame.x(at) + frame.step / 2.0, frame.y.at(bar.share)))
            };
            let mut joined = String::new();
            let mut points = Vec::new();
            let mut before: Option<&Group> = None;
            for (at, group) in self.groups.iter().enumerate() {
                let Some((x, y)) = place(at, group) else {
                    before = None;
                    continue;
                };
                let continues = before.is_some_and(|before| before.section == group.section);
                joined += &format!("{}{} {}", if continues { 'L' } else { 'M' }, px(x), px(y));
                points.push((x, y));
                before = Some(group);
            }
            if index == 0 {
                frame.canvas.path(&format!("line thin {}", key.colour()), &joined);
            }
            for point in points {
                let class = format!("dot {}", key.colour());
                frame.canvas.marker(point, key.marker, size, &class, "");
            }
        }
        self.with_limits(frame)
    }

    /// Completes the figure with its limits and tooltips.
    fn with_limits(&self, mut frame: Frame) -> Figure {
        self.limits(&mut frame);
        self.hover(&mut frame);
        Figure::new(&self.name, &self.title, &self.description, frame.size, frame.canvas)
    }
}

/// A text of at most `most` characters, which ends in an ellipsis if it was longer.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
