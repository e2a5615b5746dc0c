use crate::run::{environment, known, record, records, report, run};
use pointwise_harness::rank::{Known, grids};
use pointwise_harness::record::Record;
use pointwise_harness::report::{Report, ReportError, ReportRun, losses, picks, repeat, versus};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::json;
use std::collections::HashSet;

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| {
        let at = error.pos();
        let line = page.lines().nth(at.row as usize - 1).unwrap_or_default();
        panic!("{error}: {line}")
    })
}

fn page_of(records: Vec<Record>) -> String {
    Report::new(vec![run(records)], known()).unwrap().page().unwrap()
}

fn by_id<'a>(document: &'a Document<'_>, id: &str) -> Node<'a, 'a> {
    document.descendants().find(|node| node.attribute("id") == Some(id)).unwrap()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter_map(|n| if n.is_text() { n.text() } else { None }).collect()
}

fn body_rows<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    let bodies = node.descendants().filter(|n| n.has_tag_name("tbody"));
    bodies.flat_map(|body| body.children().filter(|n| n.has_tag_name("tr"))).collect()
}

#[test]
fn the_page_is_well_formed_and_brings_everything() {
    let page = report().page().unwrap();
    let document = parse(&page);
    for node in document.descendants() {
        assert!(!["img", "iframe", "object", "embed"].contains(&node.tag_name().name()));
        for name in ["src", "href", "srcset", "action", "data"] {
            let Some(target) = node.attribute(name) else { continue };
            assert!(target.starts_with('#') || target == "data:,", "{name}={target}");
        }
        if ["style", "script"].contains(&node.tag_name().name()) {
            let code = node.text().unwrap();
            for fetches in ["url(", "@import", "fetch(", "http:", "https:", "//cdn"] {
                assert!(!code.contains(fetches), "{fetches}");
            }
        }
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn ids_are_unique_and_references_lead_somewhere() {
    let page = report().page().unwrap();
    let document = parse(&page);
    let mut ids = HashSet::new();
    for id in document.descendants().filter_map(|node| node.attribute("id")) {
        assert!(ids.insert(id), "twice: {id}");
    }
    for node in document.descendants() {
        let links = node.attribute("href").and_then(|target| target.strip_prefix('#'));
        let labels = node.attribute("aria-labelledby").unwrap_or("").split_whitespace();
        for id in links.into_iter().chain(labels) {
            assert!(ids.contains(id), "{id}");
        }
    }
}

#[test]
fn figures_and_tables_say_what_they_are() {
    let page = report().page().unwrap();
    let document = parse(&page);
    for table in document.descendants().filter(|node| node.has_tag_name("table")) {
        assert!(table.children().any(|node| node.has_tag_name("caption")));
    }
    let drawings: Vec<_> = document.descendants().filter(|n| n.has_tag_name("svg")).collect();
    // Two overviews, three groups of layers of which one has a single layout, roofline, curve.
    assert_eq!(drawings.len(), 2 + 5 + 1 + 1);
    for svg in drawings {
        for part in ["title", "desc"] {
            let node = svg.children().find(|n| n.tag_name().name() == part).unwrap();
            assert!(!text(node).trim().is_empty());
        }
    }
}

#[test]
fn losses_come_first_and_are_all_there() {
    let page = report().page().unwrap();
    let document = parse(&page);
    let main = document.descendants().find(|node| node.has_tag_name("main")).unwrap();
    let first = main.children().find(|node| node.has_tag_name("section")).unwrap();
    assert_eq!(first.attribute("id"), Some("losses"));
    let tables: Vec<_> = first.descendants().filter(|n| n.has_tag_name("table")).collect();
    let rows = body_rows(tables[0]);
    assert_eq!(rows.len(), 1);
    let row = text(rows[0]);
    for part in ["googlenet/inception_3a.5x5r", "onednn", "1.065×", "NHWC"] {
        assert!(row.contains(part), "{part}: {row}");
    }
    assert!(text(first).contains("On 1 of 18 layers"), "{}", text(first));
}

#[test]
fn losses_are_judged_against_the_noise() {
    let mut records = vec![
        record("net", "clear", "pointwise", 100.0),
        record("net", "clear", "onednn", 90.0),
        record("net", "clear", "xnnpack", 95.0),
        record("net", "unclear", "pointwise", 100.0),
        record("net", "unclear", "onednn", 99.0),
        record("net", "won", "pointwise", 100.0),
        record("net", "won", "onednn", 101.0),
        record("net", "alone", "pointwise", 100.0),
        record("net", "own layout", "pointwise", 100.0),
        record("net", "own layout", "onednn-any", 50.0),
    ];
    // A kernel of ours is no loss.
    let mut kernel = record("net", "won", "avx2-6x16", 50.0);
    kernel.kernel = kernel.contender.clone();
    records.push(kernel);
    let known = Known::default();
    let grids = grids(&records, &known);
    let all = losses(&grids, &known);
    assert_eq!(all.compared, 4);
    let found: Vec<_> = all.plain.iter().map(|loss| (loss.layer.as_str(), loss.clear)).collect();
    assert_eq!(found, [("net/clear", true), ("net/unclear", false)]);
    assert_eq!(all.plain[0].contender, "onednn");
    assert_eq!(all.plain[0].also, ["xnnpack"]);
    assert!((all.plain[0].ratio - 100.0 / 90.0).abs() < 1e-12);
    assert_eq!(all.own_layout.len(), 1);
    let versus = versus(&grids[0]).unwrap();
    assert_eq!((versus.layers, versus.lowest_by.as_str()), (3, "onednn"));
    assert!((versus.lowest - 0.9).abs() < 1e-12);
}

#[test]
fn without_others_the_page_claims_no_victory() {
    let ours = records().into_iter().filter(|record| record.contender == "pointwise");
    let page = page_of(ours.collect());
    assert!(text(by_id(&parse(&page), "losses")).contains("Nobody else ran beside pointwise"));
    let slower = records().into_iter().filter(|record| record.contender != "onednn");
    let page = page_of(slower.collect());
    assert!(text(by_id(&parse(&page), "losses")).contains("Nowhere in this run"));
}

#[test]
fn every_record_is_a_row_with_the_command_that_repeats_it() {
    let page = report().page().unwrap();
    let document = parse(&page);
    let rows = body_rows(by_id(&document, "rows"));
    assert_eq!(rows.len(), records().len());
    let commands: HashSet<String> = rows
        .iter()
        .map(|row| text(row.descendants().find(|n| n.has_tag_name("code")).unwrap()))
        .collect();
    assert_eq!(commands.len(), rows.len(), "no two rows are repeated by the same command");
    assert!(commands.iter().all(|command| command.starts_with("pointwise bench --layer ")));
}

#[test]
fn commands_name_the_layer_by_its_text_where_it_is_known() {
    let records = records();
    let find = |layer: &str| records.iter().find(|record| record.layer == layer).unwrap();
    let known = known();
    assert_eq!(
        repeat(find("conv2_x.1x1a"), &["pointwise"], &known),
        "pointwise bench --layer nhwc/n1c256h56w56k64/bias+relu --layout nhwc \
         --contender '^pointwise$' --threads 1 --cache hot"
    );
    assert_eq!(
        repeat(find("inception_4a.1x1"), &["pointwise", "onednn"], &known),
        r"pointwise bench --layer '^googlenet/inception_4a\.1x1$' --layout nhwc --contender '^(pointwise|onednn)$' --threads 1 --cache hot"
    );
    let by_hand = find("nhwc/n1c256h14w14k8/bias+relu");
    assert!(repeat(by_hand, &["x"], &known).contains("--layer nhwc/n1c256h14w14k8/bias+relu "));
}

#[test]
fn hostile_names_stay_text() {
    let nasty = r#"</title><script>alert("1")</script>&'"#;
    let mut records = records();
    for record in &mut records {
        record.version = nasty.to_owned();
        record.layer += nasty;
        if record.contender == "naive" {
            record.contender = nasty.to_owned();
        }
    }
    let environment = environment(|json| json["cpu"]["brand"] = json!(nasty));
    let run = ReportRun { name: nasty.to_owned(), environment, records };
    let report = Report::new(vec![run], known()).unwrap();
    let page = report.page().unwrap();
    let scripts = parse(&page).descendants().filter(|n| n.has_tag_name("script")).count();
    assert_eq!(scripts, 1);
    for figure in report.figures() {
        let svg = figure.standalone();
        assert!(!Document::parse(&svg).unwrap().descendants().any(|n| n.has_tag_name("script")));
    }
}

#[test]
fn the_machine_is_described_or_said_to_be_unknown() {
    let page = report().page().unwrap();
    let document = parse(&page);
    let machine = text(by_id(&document, "machine"));
    for part in ["Example CPU", "48 KiB", "200 GFLOP/s", "rustc 0.0.0"] {
        assert!(machine.contains(part), "{part}");
    }
    let run = ReportRun { environment: None, ..run(records()) };
    let page = Report::new(vec![run], known()).unwrap().page().unwrap();
    assert!(page.contains("No environment tells the machine of run.jsonl"));
    assert!(text(by_id(&parse(&page), "roofline")).contains("FMA ceiling: 200 GFLOP/s"));
}

#[test]
fn what_weakens_the_figures_is_said_at_the_top() {
    let mut records = records();
    records[0].verified = false;
    let mut first = run(records.clone());
    first.environment = environment(|json| {
        json["build"]["dirty"] = json!(true);
        json["trust"]["grade"] = json!("D");
    });
    let mut second = run(records);
    second.environment = environment(|json| json["build"]["commit"] = json!("1".repeat(40)));
    let page = Report::new(vec![first, second], known()).unwrap().page().unwrap();
    let document = parse(&page);
    let warn = |node: &Node<'_, '_>| node.attribute("class") == Some("card warn");
    let warnings = text(document.descendants().find(warn).unwrap());
    for part in ["2 of 160 rows were not checked", "000000000000+ and 111111111111", "grade D"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}

#[test]
fn runs_of_different_cpus_are_refused() {
    let mut other = run(records());
    other.name = "other.jsonl".to_owned();
    other.environment = environment(|json| json["cpu"]["brand"] = json!("Another CPU"));
    let error = Report::new(vec![run(records()), other], known()).unwrap_err();
    let told = error.to_string();
    for part in ["run.jsonl", "Example CPU", "other.jsonl", "Another CPU"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(Report::new(vec![run(Vec::new())], known()).unwrap_err(), ReportError::NoRecords);
}

#[test]
fn picks_are_judged_by_the_best_kernel() {
    let records = records();
    let known = known();
    let grids = grids(&records, &known);
    let picks = picks(&grids[0], &known).unwrap();
    assert_eq!(picks.layers, 5);
    assert_eq!(picks.worst.len(), 1);
    let miss = &picks.worst[0];
    assert_eq!((miss.pick.as_str(), miss.best.as_str()), ("avx512-14x32", "avx2-6x16"));
    assert!((miss.regret - 0.98 / 0.92).abs() < 1e-4, "{}", miss.regret);
    // Where the pick is faster than any kernel by itself, its regret is one, not less.
    assert!((picks.regret - miss.regret.powf(0.2)).abs() < 1e-6, "{}", picks.regret);
}

#[test]
fn runs_of_several_commits_make_a_history() {
    let run_of = |started: &str, commit: &str, ns: f64| {
        let environment = environment(|json| {
            json["started"] = json!(started);
            json["build"]["commit"] = json!(commit);
        });
        let rows = ["a", "b"].map(|layer| record("net", layer, "pointwise", ns));
        let rows = rows.into_iter().enumerate();
        // Two layers, not one problem twice.
        let records = rows.map(|(at, row)| Record { c: row.c + at, ..row }).collect();
        ReportRun { name: format!("{commit}.jsonl"), environment, records }
    };
    let later = run_of("2026-06-02T00:00:00Z", "bbbbbbbbbbbbbbbb", 80.0);
    let earlier = run_of("2026-06-01T00:00:00Z", "aaaaaaaaaaaaaaaa", 100.0);
    let page = |runs| Report::new(runs, known()).unwrap().page().unwrap();
    assert!(!page(vec![later.clone()]).contains("id=\"history\""), "one run has no history");

    let page = page(vec![later, earlier]);
    let document = parse(&page);
    let section = by_id(&document, "history");
    let figures: Vec<_> = section.descendants().filter(|n| n.has_tag_name("figure")).collect();
    assert_eq!(figures.len(), 3, "the mean and two layers");
    for figure in figures {
        let told = text(figure);
        let (first, last) = (told.find("aaaaaaa").unwrap(), told.find("bbbbbbb").unwrap());
        assert!(first < last, "in the order of time: {told}");
        let bands = figure.descendants().filter(|n| {
            n.attribute("class").is_some_and(|class| class.split(' ').any(|c| c == "band"))
        });
        assert_eq!(bands.count(), 1);
    }
}
