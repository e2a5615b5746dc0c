use crate::run::{record, records, report, run};
use pointwise_harness::rank::Known;
use pointwise_harness::report::Report;
use pointwise_harness::report::figure::bars::{Bar, Columns, Group};
use pointwise_harness::report::figure::canvas::Marker;
use pointwise_harness::report::figure::drawing::Figure;
use pointwise_harness::report::figure::line_chart::{
    LineChart, Point, Reference, Series, line_chart,
};
use pointwise_harness::report::figure::palette::Key;
use pointwise_harness::report::figure::roofline::{Roof, Roofline, Spot, roofline};
use pointwise_harness::report::figure::scale::Kind;
use roxmltree::{Document, Node};

fn key(class: &str) -> Key {
    Key { class: class.to_owned(), marker: Marker::Square, label: class.to_owned() }
}

/// The elements whose classes include all of `wanted`.
fn with<'a>(document: &'a Document<'_>, wanted: &[&str]) -> Vec<Node<'a, 'a>> {
    let has = |node: &Node<'_, '_>| {
        let classes: Vec<&str> = node.attribute("class").unwrap_or("").split(' ').collect();
        wanted.iter().all(|class| classes.contains(class))
    };
    document.descendants().filter(has).collect()
}

fn number(node: &Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// The numbers of a path's commands.
fn numbers(path: &str) -> Vec<f64> {
    let split = |c: char| !(c.is_ascii_digit() || c == '.' || c == '-');
    path.split(split).filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect()
}

fn group(bars: &[Option<f64>]) -> Group {
    let bar = |share| Bar { share, low: share - 0.05, high: share + 0.05 };
    Group { bars: bars.iter().map(|share| share.map(bar)).collect(), ..Group::default() }
}

fn columns(groups: Vec<Group>) -> Columns {
    let keys = vec![key("pointwise"), key("naive")];
    Columns { name: "x".to_owned(), ceiling: 200.0, keys, groups, ..Columns::default() }
}

/// The ceiling's y, and each bar of a class as its bottom and top.
fn bars(figure: &Figure, class: &str) -> (f64, Vec<(f64, f64)>) {
    let svg = figure.inline();
    let document = Document::parse(&svg).unwrap();
    let ceiling =
        with(&document, &["ceiling"]).into_iter().find(|n| n.has_tag_name("line")).unwrap();
    let path = with(&document, &["bar", class]).into_iter().find(|node| node.has_tag_name("path"));
    let all = path.map_or_else(Vec::new, |path| numbers(path.attribute("d").unwrap()));
    // M x bottom V top h width V bottom Z
    let bars = all.as_chunks::<5>().0.iter().map(|[_, bottom, top, ..]| (*bottom, *top));
    (number(&ceiling, "y1"), bars.collect())
}

#[test]
fn bars_are_as_high_as_their_share_of_the_ceiling() {
    let figure = columns(vec![group(&[Some(1.0), Some(0.25)]), group(&[Some(0.5), None])]).bars();
    let (ceiling, ours) = bars(&figure, "s-pointwise");
    assert_eq!(ours.len(), 2);
    let height = ours[0].0 - ceiling;
    assert!((ours[0].1 - ceiling).abs() < 0.2, "a bar of 100% touches the ceiling");
    assert!(((ours[1].0 - ours[1].1) / height - 0.5).abs() < 0.01);
    let (_, naive) = bars(&figure, "s-naive");
    assert_eq!(naive.len(), 1, "no bar where the contender didn't run");
    assert!(((naive[0].0 - naive[0].1) / height - 0.25).abs() < 0.01);
}

#[test]
fn whoever_beats_the_ceiling_still_fits() {
    let figure = columns(vec![group(&[Some(1.3), Some(1.0)])]).bars();
    let (ceiling, ours) = bars(&figure, "s-pointwise");
    assert!(ours[0].1 < ceiling, "it stands above the line");
    assert!(ours[0].1 >= 0.0, "and within the drawing");
}

#[test]
fn thirty_five_layers_of_five_keep_to_the_page() {
    let groups = (0..35).map(|_| group(&[Some(0.9); 5])).collect();
    let mut data = columns(groups);
    data.keys = ["pointwise", "onednn", "xnnpack", "matrixmultiply", "naive"].map(key).to_vec();
    let figure = data.bars();
    assert!(figure.width <= 1080.0, "{}", figure.width);
    let (_, ours) = bars(&figure, "s-pointwise");
    assert_eq!(ours.len(), 35);
}

#[test]
fn dots_are_one_for_each_value() {
    let svg =
        columns(vec![group(&[Some(0.9), Some(0.1)]), group(&[Some(0.8), None])]).dots().inline();
    let document = Document::parse(&svg).unwrap();
    // One more each for the legend.
    assert_eq!(with(&document, &["dot", "s-pointwise"]).len(), 3);
    assert_eq!(with(&document, &["dot", "s-naive"]).len(), 2);
}

fn point(x: f64, y: f64) -> Point {
    Point { x, y, spread: Some((0.9 * y, 1.1 * y)), tooltip: "here".to_owned() }
}

#[test]
fn lines_rise_with_their_values_and_skip_what_is_no_number() {
    let series = Series {
        key: key("pointwise"),
        points: vec![point(1.0, 10.0), point(2.0, f64::NAN), point(4.0, 20.0), point(8.0, 40.0)],
    };
    for x_kind in [Kind::Linear, Kind::Log] {
        let references = vec![Reference { label: "limit".to_owned(), y: 60.0 }];
        let series = vec![series.clone()];
        let data = LineChart { x_kind, references, series, ..LineChart::default() };
        let svg = line_chart(&data).inline();
        let document = Document::parse(&svg).unwrap();
        let line = with(&document, &["line", "s-pointwise"])[0];
        let all = numbers(line.attribute("d").unwrap());
        assert_eq!(all.len(), 6, "three points");
        assert!(all[0] < all[2] && all[2] < all[4], "to the right");
        assert!(all[1] > all[3] && all[3] > all[5], "upwards");
        if x_kind == Kind::Log {
            assert!(((all[4] - all[2]) * 2.0 - (all[2] - all[0])).abs() < 0.5, "by ratio");
        }
        let limit = with(&document, &["ceiling"])[0];
        assert!(number(&limit, "y1") < all[5], "the limit is above all of them");
        assert_eq!(with(&document, &["band"]).len(), 1);
    }
}

#[test]
fn a_line_chart_of_nothing_is_still_a_drawing() {
    let svg = line_chart(&LineChart::default()).standalone();
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    Document::parse(&svg).unwrap();
}

#[test]
fn slopes_end_where_they_meet_the_ceiling() {
    let spot = |intensity, speed, label: &str| Spot {
        intensity,
        speed,
        key: 0,
        tooltip: "spot".to_owned(),
        label: label.to_owned(),
    };
    let data = Roofline {
        ceilings: vec![Roof { label: "avx512".to_owned(), value: 100.0 }],
        bandwidths: vec![Roof { label: "memory".to_owned(), value: 20.0 }],
        keys: vec![key("nhwc")],
        spots: vec![spot(1.0, 20.0, "slow"), spot(50.0, 99.0, ""), spot(f64::NAN, 1.0, "")],
        ..Roofline::default()
    };
    let svg = roofline(&data).inline();
    assert!(!svg.contains("NaN"));
    let document = Document::parse(&svg).unwrap();
    let ceiling = with(&document, &["roof"])[0];
    let slope = with(&document, &["slope"])[0];
    assert_eq!(number(&ceiling, "x1"), number(&slope, "x2"));
    assert_eq!(number(&ceiling, "y1"), number(&slope, "y2"));
    let spots: Vec<_> = document
        .descendants()
        .filter(|n| n.has_tag_name("title") && n.text() == Some("spot"))
        .collect();
    assert_eq!(spots.len(), 2);
    // On the memory's line, so the marker's middle lies on the slope.
    let start = (number(&slope, "x1"), number(&slope, "y1"));
    let rise = (number(&slope, "y2") - start.1) / (number(&slope, "x2") - start.0);
    let corners = numbers(spots[0].parent().unwrap().attribute("d").unwrap());
    let middle = ((corners[0] + corners[4]) / 2.0, (corners[1] + corners[5]) / 2.0);
    assert!((start.1 + rise * (middle.0 - start.0) - middle.1).abs() < 0.5, "{middle:?}");
    assert!(document.descendants().any(|node| node.text().map(str::trim) == Some("slow")));
}

#[test]
fn the_figures_for_other_documents() {
    let figures = report().figures();
    let names: Vec<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names, ["speed_nhwc", "speed_nchw", "roofline"]);
    for figure in &figures {
        let svg = figure.standalone();
        let document = Document::parse(&svg).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        for id in root.attribute("aria-labelledby").unwrap().split(' ') {
            let named = document.descendants().find(|n| n.attribute("id") == Some(id)).unwrap();
            assert!(!named.text().unwrap().trim().is_empty(), "{}: {id}", figure.name);
        }
        let style = document.descendants().find(|n| n.has_tag_name("style")).unwrap();
        let style = style.text().unwrap();
        assert!(style.contains("prefers-color-scheme: dark"));
        assert!(!style.contains("url(") && !style.contains("@import"));
        assert!(svg.contains("Example CPU"), "{}", figure.name);
        assert!(!svg.contains("NaN"), "{}", figure.name);
        // Whatever is drawn lies within the drawing.
        let (width, height) = (number(&root, "width"), number(&root, "height"));
        for line in document.descendants().filter(|node| node.has_tag_name("line")) {
            for (name, limit) in [("x1", width), ("x2", width), ("y1", height), ("y2", height)] {
                assert!((0.0..=limit).contains(&number(&line, name)), "{}: {line:?}", figure.name);
            }
        }
    }
}

#[test]
fn the_overview_shows_each_shape_once_and_no_heads() {
    let svg = report().figures()[0].inline();
    let document = Document::parse(&svg).unwrap();
    assert_eq!(with(&document, &["hover"]).len(), 5);
    let mut twice = records();
    let mut again = twice[0].clone();
    "inception_v3".clone_into(&mut again.network);
    twice.push(again);
    let figures = Report::new(vec![run(twice)], Known::default()).unwrap().figures();
    let svg = figures[0].inline();
    assert_eq!(with(&Document::parse(&svg).unwrap(), &["hover"]).len(), 5);
}

#[test]
fn few_points_make_no_curve_and_networks_none() {
    let sweep = |network: &str, count: usize| {
        let records = (1..=count).map(|k| {
            let mut one = record(network, &format!("layer{k}"), "pointwise", 100.0);
            one.k = 8 * k;
            one
        });
        let report = Report::new(vec![run(records.collect())], Known::default()).unwrap();
        report.page().unwrap().matches("<figure id=\"sweep-").count()
    };
    assert_eq!(sweep("", 4), 0);
    assert_eq!(sweep("", 5), 1);
    assert_eq!(sweep("net", 9), 0);
}
