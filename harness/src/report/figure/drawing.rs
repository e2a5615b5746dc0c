//! A figure: a drawing with its title and description.

use super::canvas::{Anchor, Canvas, px};
use super::palette::MODES;
use crate::report::template;
use svg::Document;
use svg::node::element::{Description, Rectangle, Style, Title};

/// A drawing with its title and description.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The name of the file, and of the elements that refer to each other.
    pub name: String,
    /// The title.
    pub title: String,
    /// The conditions of the measurement, which a file of its own shows below the title.
    pub subtitle: String,
    /// The content in words, for readers who cannot see it.
    pub description: String,
    /// The width of the drawing at its natural size.
    pub width: f64,
    /// The height of the drawing at its natural size.
    pub height: f64,
    body: svg::node::element::Group,
}

/// The margin of a file of its own.
const PAD: f64 = 20.0;
/// The height of its title.
const HEAD: f64 = 38.0;
/// The height of its subtitle.
const SUBTITLE: f64 = 20.0;

impl Figure {
    pub(super) fn new(
        name: &str,
        title: &str,
        description: &str,
        size: (f64, f64),
        body: Canvas,
    ) -> Figure {
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

    /// The same with a subtitle.
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

    /// The drawing for a page that has the style sheet and a caption.
    pub fn inline(&self) -> String {
        self.document(self.width, self.height).add(self.body.clone()).to_string()
    }

    /// The drawing as a file of its own, with title, style and background.
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

/// The style sheet of figures, for light and dark mode.
pub fn style() -> String {
    // The template and the colours are part of the program, and a test fills the one with the other.
    template::fill("figure.css", include_str!("../../../templates/figure.css"), &MODES)
        .unwrap_or_default()
}
