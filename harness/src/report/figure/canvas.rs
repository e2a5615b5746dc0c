//! Drawing primitives: SVG elements with classes of the style sheet instead of colours.

use svg::node::element::{Circle, Group, Line, Path, Rectangle, Text, Title};

/// The side of its point on which a text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// To the right of it.
    Start,
    /// Around it.
    Middle,
    /// To the left of it.
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        }
    }
}

/// A coordinate with as many digits as a screen can show.
pub fn px(value: f64) -> f64 {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded == 0.0 || !rounded.is_finite() { 0.0 } else { rounded }
}

/// The approximate width of a text in the system's font.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.6
}

/// A group of elements that grows.
#[derive(Clone, Debug, Default)]
pub struct Canvas {
    group: Group,
}

impl Canvas {
    /// An empty canvas.
    pub fn new() -> Canvas {
        Canvas::default()
    }

    /// The elements.
    pub fn into_group(self) -> Group {
        self.group
    }

    /// Adds an element.
    pub fn push(&mut self, node: impl Into<Box<dyn svg::Node>>) {
        svg::Node::append(&mut self.group, node);
    }

    /// Adds a text on one line, unless it is empty.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, class: &str, content: &str) {
        if content.is_empty() {
            return;
        }
        self.push(
            Text::new(content)
                .set("class", class)
                .set("x", px(x))
                .set("y", px(y))
                .set("text-anchor", anchor.name()),
        );
    }

    /// Adds a text that rises by `degrees` and ends at its point.
    pub fn slanted(&mut self, (x, y): (f64, f64), degrees: f64, class: &str, content: &str) {
        let turn = format!("translate({} {}) rotate(-{degrees})", px(x), px(y));
        self.push(
            Text::new(content).set("class", class).set("text-anchor", "end").set("transform", turn),
        );
    }

    /// Adds a straight line.
    pub fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        self.push(
            Line::new()
                .set("class", class)
                .set("x1", px(x1))
                .set("y1", px(y1))
                .set("x2", px(x2))
                .set("y2", px(y2)),
        );
    }

    /// Adds a rectangle, with a tooltip unless that is empty.
    pub fn area(&mut self, (x, y): (f64, f64), (w, h): (f64, f64), class: &str, tooltip: &str) {
        let mut rectangle = Rectangle::new()
            .set("class", class)
            .set("x", px(x))
            .set("y", px(y))
            .set("width", px(w.max(0.0)))
            .set("height", px(h.max(0.0)));
        if !tooltip.is_empty() {
            rectangle = rectangle.add(Title::new(tooltip));
        }
        self.push(rectangle);
    }

    /// Adds a path, unless it has no commands.
    pub fn path(&mut self, class: &str, commands: &str) {
        if !commands.is_empty() {
            self.push(Path::new().set("class", class).set("d", commands));
        }
    }

    /// Adds a marker, with a tooltip unless that is empty.
    pub fn marker(
        &mut self,
        at: (f64, f64),
        marker: Marker,
        size: f64,
        class: &str,
        tooltip: &str,
    ) {
        let (x, y) = at;
        if marker == Marker::Circle {
            let mut circle =
                Circle::new().set("class", class).set("cx", px(x)).set("cy", px(y)).set("r", size);
            if !tooltip.is_empty() {
                circle = circle.add(Title::new(tooltip));
            }
            return self.push(circle);
        }
        let mut path = Path::new().set("class", class).set("d", marker.outline(at, size));
        if !tooltip.is_empty() {
            path = path.add(Title::new(tooltip));
        }
        self.push(path);
    }
}

/// The shape of a point. It tells series apart without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Up,
    /// ◆
    Diamond,
    /// ▼
    Down,
    /// ✚
    Plus,
    /// ✖
    Cross,
    /// ▬
    Dash,
}

impl Marker {
    /// All shapes, for contenders without a fixed one.
    pub const ALL: [Marker; 8] = [
        Marker::Circle,
        Marker::Square,
        Marker::Up,
        Marker::Diamond,
        Marker::Down,
        Marker::Plus,
        Marker::Cross,
        Marker::Dash,
    ];

    fn outline(self, (x, y): (f64, f64), size: f64) -> String {
        let polygon = |corners: &[(f64, f64)]| {
            let mut commands = String::new();
            for (index, (dx, dy)) in corners.iter().enumerate() {
                let letter = if index == 0 { 'M' } else { 'L' };
                commands += &format!("{letter}{} {}", px(x + dx * size), px(y + dy * size));
            }
            commands + "Z"
        };
        let arm = 0.36;
        let plus = [
            (-arm, -1.1),
            (arm, -1.1),
            (arm, -arm),
            (1.1, -arm),
            (1.1, arm),
            (arm, arm),
            (arm, 1.1),
            (-arm, 1.1),
            (-arm, arm),
            (-1.1, arm),
            (-1.1, -arm),
            (-arm, -arm),
        ];
        let half = std::f64::consts::FRAC_1_SQRT_2;
        match self {
            Marker::Circle => String::new(),
            Marker::Square => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
            Marker::Up => polygon(&[(0.0, -1.15), (1.1, 0.8), (-1.1, 0.8)]),
            Marker::Down => polygon(&[(0.0, 1.15), (1.1, -0.8), (-1.1, -0.8)]),
            Marker::Diamond => polygon(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]),
            Marker::Plus => polygon(&plus),
            Marker::Cross => polygon(&plus.map(|(dx, dy)| (half * (dx - dy), half * (dx + dy)))),
            Marker::Dash => polygon(&[(-1.2, -0.5), (1.2, -0.5), (1.2, 0.5), (-1.2, 0.5)]),
        }
    }
}
