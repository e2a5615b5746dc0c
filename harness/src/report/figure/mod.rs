//! Figures as SVG, drawn here rather than by a plotting library: these carry classes instead of
//! colours, so that one drawing serves a light page, a dark one and print, and they have titles,
//! descriptions and tooltips. `plotters` writes colours into every element and none of the rest.

pub mod bars;
pub mod canvas;
pub mod heat_map;
pub mod line_chart;
pub mod palette;
pub mod roofline;
pub mod scale;

pub use bars::{Bar, Columns, Group};
pub use heat_map::{HeatMap, heat_map};
pub use line_chart::{LineChart, Point, Reference, Series, line_chart};
pub use palette::{Key, Palette};
pub use roofline::{Roof, Roofline, Spot, roofline};

use crate::report::template;
use canvas::{Anchor, Canvas, Marker, px, text_width};
use palette::Mode;
use serde::Serialize;
use svg::Document;
use svg::node::element::{Description, Rectangle, Style, Title};

/// A drawing and what it says.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Names the file and the elements that refer to each other.
    pub name: String,
    /// What it shows, in a few words.
    pub title: String,
    /// Under what conditions; written below the title of a figure that stands alone.
    pub subtitle: String,
    /// What a reader who can't see it would want to know.
    pub description: String,
    /// Width of the drawing at its natural size.
    pub width: f64,
    /// Its height.
    pub height: f64,
    body: svg::node::element::Group,
}

/// Room around a drawing that stands alone.
const PAD: f64 = 20.0;
/// Room above it for its title.
const HEAD: f64 = 38.0;
/// More room when there is a subtitle.
const SUBTITLE: f64 = 20.0;

impl Figure {
    fn new(name: &str, title: &str, description: &str, size: (f64, f64), body: Canvas) -> Figure {
        Figure {
            name: name.to_owned(),
            title: title.to_owned(),
            subtitle: String::new(),
            description: description.to_owned(),
            width: size.0,
            height: size.1,
            body: body.into_group(),
        }
    }

    /// Says under what conditions it holds.
    #[must_use]
    pub fn subtitled(mut self, subtitle: impl Into<String>) -> Figure {
        self.subtitle = subtitle.into();
        self
    }

    fn document(&self, width: f64, height: f64) -> Document {
        let (title, about) = (format!("{}-title", self.name), format!("{}-desc", self.name));
        Document::new()
            .set("viewBox", format!("0 0 {} {}", px(width), px(height)))
            .set("width", px(width))
            .set("height", px(height))
            .set("class", "figure")
            .set("role", "img")
            .set("aria-labelledby", format!("{title} {about}"))
            .add(Title::new(&self.title).set("id", title))
            .add(Description::new().set("id", about).add(svg::node::Text::new(&self.description)))
    }

    /// For a page that brings the style sheet and a caption.
    pub fn inline(&self) -> String {
        self.document(self.width, self.height).add(self.body.clone()).to_string()
    }

    /// A file of its own, with its title, style and background.
    pub fn standalone(&self) -> String {
        let head_height = if self.subtitle.is_empty() { HEAD } else { HEAD + SUBTITLE };
        let (width, height) = (self.width + 2.0 * PAD, self.height + 2.0 * PAD + head_height);
        let mut head = Canvas::new();
        head.text((PAD, PAD + 15.0), Anchor::Start, "title", &self.title);
        head.text((PAD, PAD + 35.0), Anchor::Start, "", &self.subtitle);
        let body =
            self.body.clone().set("transform", format!("translate({PAD} {})", PAD + head_height));
        let background = Rectangle::new()
            .set("class", "surface")
            .set("width", px(width))
            .set("height", px(height))
            .set("rx", 6);
        self.document(width, height)
            .add(Style::new(style()))
            .add(background)
            .add(head.into_group())
            .add(body)
            .to_string()
            + "\n"
    }
}

/// The style sheet that figures need, in both modes.
pub fn style() -> String {
    #[derive(Serialize)]
    struct Modes {
        light: Mode,
        dark: Mode,
    }
    let modes = Modes { light: palette::LIGHT, dark: palette::DARK };
    // Template and colours are both part of the program, and a test fills one with the other.
    template::fill("figure.css", include_str!("../../../templates/figure.css"), &modes)
        .unwrap_or_default()
}

/// Draws keys in rows from the left, as many to a row as fit; returns the height they take.
fn legend(canvas: &mut Canvas, (x, y): (f64, f64), width: f64, keys: &[(Key, Swatch)]) -> f64 {
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

/// What stands before a name in a legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swatch {
    Block,
    Point,
    /// A line of this class.
    Line(&'static str),
}

/// A key for a line that is no contender.
fn line_key(label: &str, class: &'static str) -> (Key, Swatch) {
    let key = Key { class: String::new(), marker: Marker::Bar, label: label.to_owned() };
    (key, Swatch::Line(class))
}
