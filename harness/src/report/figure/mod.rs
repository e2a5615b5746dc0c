//! Figures as SVG.
//!
//! The figures are drawn here rather than by a plotting library. They carry classes instead of
//! colours, so that one drawing serves a light page, a dark page and print, and they have titles,
//! descriptions and tooltips. `plotters` writes colours into every element, and has none of these.
//!
//! This room may import `rank` for the columns of a palette, `text`, and the templates of `report`.

pub mod bars;
pub mod canvas;
pub mod drawing;
mod legend;
pub mod line_chart;
pub mod palette;
pub mod roofline;
pub mod scale;
