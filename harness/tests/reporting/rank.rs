use crate::run::{known, record, records};
use pointwise_harness::catalog::Entry;
use pointwise_harness::rank::{Entrants, Known, Ranking, Role, grids, rank};
use pointwise_harness::report::losses;
use pointwise_harness::timing::stats::geometric_mean;

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * b.abs()
}

fn only(ranking: Vec<Ranking>) -> Ranking {
    assert_eq!(ranking.len(), 1);
    ranking.into_iter().next().unwrap()
}

fn names(ranking: &Ranking) -> Vec<&str> {
    ranking.standings.iter().map(|standing| standing.contender.as_str()).collect()
}

#[test]
fn means_ratios_and_wins_are_over_layers() {
    let records = [
        record("net", "a", "pointwise", 100.0),
        record("net", "a", "onednn", 200.0),
        record("net", "b", "pointwise", 400.0),
        record("net", "b", "onednn", 100.0),
        record("net", "c", "pointwise", 100.0),
        record("net", "c", "onednn", 400.0),
    ];
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!(names(&ranking), ["pointwise", "onednn"]);
    let [ours, theirs] = &ranking.standings[..] else { panic!() };
    // Times 100, 400, 100 against 200, 100, 400: ratios ½, 4 and ¼, whose product is ½.
    assert!(near(theirs.speed_ratio.unwrap(), 0.5f64.cbrt()));
    assert!(near(theirs.gflops / ours.gflops, 0.5f64.cbrt()));
    assert_eq!(ours.speed_ratio, Some(1.0));
    assert_eq!((ours.wins, theirs.wins), (2, 1));
    assert_eq!((ranking.layers, ranking.common_layers), (3, 3));
    assert!(ranking.notes.is_empty(), "{:?}", ranking.notes);
}

#[test]
fn a_product_alone_is_shown_and_wins_nothing() {
    let records = [
        record("net", "a", "pointwise", 100.0),
        record("net", "a", "openblas", 110.0),
        record("net", "a", "openblas-product", 90.0),
    ];
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!(names(&ranking), ["openblas-product", "pointwise", "openblas"]);
    let wins: Vec<usize> = ranking.standings.iter().map(|standing| standing.wins).collect();
    assert_eq!(wins, [0, 1, 0]);
    assert!(ranking.notes.iter().any(|note| note.contains("-product")), "{:?}", ranking.notes);
    let grids = grids(&records, &Known::default());
    let losses = losses(&grids, &Known::default());
    assert!(losses.plain.is_empty() && losses.own_layout.is_empty());
    assert_eq!(losses.against, ["openblas"]);
}

#[test]
fn a_missing_cell_leaves_its_layer_out_for_all_and_is_told() {
    let records = [
        record("net", "a", "pointwise", 100.0),
        record("net", "a", "onednn", 50.0),
        record("net", "b", "pointwise", 100.0),
        record("net", "b", "onednn", 100.0),
        record("net", "c", "pointwise", 1.0),
    ];
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!((ranking.layers, ranking.common_layers), (3, 2));
    let ours = ranking.standings.iter().find(|s| s.role == Role::Ours).unwrap();
    // Layer c would have made it ten times faster.
    assert!(near(ours.gflops, record("", "", "", 100.0).gflops));
    assert_eq!(ours.layers, 3);
    assert!(ranking.notes[0].contains("the 2 of 3 layers"), "{:?}", ranking.notes);
}

#[test]
fn whoever_ran_too_little_is_set_apart_instead_of_shrinking_the_rest() {
    let mut records = Vec::new();
    for layer in ["a", "b", "c", "d"] {
        records.push(record("net", layer, "pointwise", 100.0));
        records.push(record("net", layer, "onednn", 110.0));
    }
    records.push(record("net", "a", "xnnpack", 25.0));
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!(ranking.common_layers, 4);
    assert_eq!(names(&ranking), ["pointwise", "onednn", "xnnpack"]);
    let apart = &ranking.standings[2];
    assert!(!apart.common);
    assert_eq!((apart.layers, apart.wins), (1, 0));
    assert!(near(apart.speed_ratio.unwrap(), 4.0));
    assert!(ranking.notes.iter().any(|note| note.starts_with("xnnpack ran only 1 of 4")));
}

#[test]
fn heads_and_layers_by_hand_are_left_out_of_means() {
    let ranking = &rank(&records(), &known(), Entrants::Contenders)[0];
    assert_eq!((ranking.layers, ranking.heads), (5, 1));
    let ours = ranking.standings.iter().find(|s| s.role == Role::Ours).unwrap();
    // The fixture's shares, without the head and without the layer that matrixmultiply skipped.
    let expected = geometric_mean(&[0.96, 0.93, 0.92, 0.91]).unwrap();
    assert!((ours.fraction_of_ceiling - expected).abs() < 1e-4, "{}", ours.fraction_of_ceiling);
    assert!(ranking.notes[0].contains("1 classifier head"), "{:?}", ranking.notes);
    assert!(ranking.notes[0].contains("6 layers given by hand"), "{:?}", ranking.notes);
}

#[test]
fn layers_by_hand_alone_are_ranked() {
    let records = [record("", "x", "pointwise", 100.0), record("", "x", "naive", 300.0)];
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!(ranking.layers, 1);
    assert!(ranking.networks.is_empty());
}

#[test]
fn heads_alone_are_ranked() {
    let mut records =
        [record("net", "fc", "pointwise", 100.0), record("net", "fc", "naive", 300.0)];
    for record in &mut records {
        (record.h, record.w) = (1, 1);
    }
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!((ranking.layers, ranking.heads), (1, 0));
    assert_eq!(names(&ranking), ["pointwise", "naive"]);
}

#[test]
fn network_times_weigh_layers_by_how_often_they_occur() {
    let records = records();
    let ranking = &rank(&records, &known(), Entrants::Contenders)[0];
    let network = ranking.networks.iter().find(|n| n.network == "resnet50").unwrap();
    // matrixmultiply skipped one of the three, so two are summed, one of them three times.
    assert_eq!((network.layers, network.common_layers), (3, 2));
    let ns = |layer: &str| {
        let ours = |r: &&_| is(r, "nhwc", layer, "pointwise");
        records.iter().find(ours).unwrap().ns_median
    };
    let ours = network.times.iter().find(|(name, _)| name == "pointwise").unwrap().1;
    assert!(near(ours, 3.0 * ns("conv2_x.1x1a") + ns("fc")));
    assert!(network.times.windows(2).all(|pair| pair[0].1 <= pair[1].1));
}

fn is(r: &pointwise_harness::record::Record, layout: &str, layer: &str, contender: &str) -> bool {
    r.layout == layout && r.layer == layer && r.contender == contender
}

#[test]
fn of_two_measurements_the_later_counts_and_useless_ones_do_not() {
    let records = [
        record("net", "a", "pointwise", 100.0),
        record("net", "a", "pointwise", 50.0),
        record("net", "a", "onednn", f64::INFINITY),
        record("net", "b", "onednn", 0.0),
    ];
    let ranking = only(rank(&records, &Known::default(), Entrants::Contenders));
    assert_eq!(names(&ranking), ["pointwise"]);
    assert!(near(ranking.standings[0].gflops, records[1].gflops));
}

#[test]
fn kernels_are_ranked_apart() {
    let rankings = rank(&records(), &known(), Entrants::Kernels);
    let ranking = only(rankings);
    assert_eq!(names(&ranking), ["pointwise", "avx512-14x32", "avx2-6x16"]);
    let contenders = &rank(&records(), &known(), Entrants::Contenders)[0];
    assert!(contenders.standings.iter().all(|standing| standing.role != Role::Kernel));
}

#[test]
fn settings_are_ranked_apart_and_in_order() {
    let mut records = Vec::new();
    for (layout, threads, cache) in
        [("nchw", 1, "cold"), ("nchw", 2, "hot"), ("nchw", 1, "hot"), ("nhwc", 1, "hot")]
    {
        let mut one = record("net", "a", "pointwise", 100.0);
        (one.layout, one.threads, one.cache) = (layout.to_owned(), threads, cache.to_owned());
        records.push(one);
    }
    let rankings = rank(&records, &Known::default(), Entrants::Contenders);
    let slugs: Vec<String> = rankings.iter().map(|ranking| ranking.setting.slug()).collect();
    assert_eq!(slugs, ["nhwc-1t-hot", "nchw-1t-hot", "nchw-2t-hot", "nchw-1t-cold"]);
}

#[test]
fn rankings_serialise_with_their_field_names() {
    let ranking = &rank(&records(), &known(), Entrants::Contenders)[0];
    let json = serde_json::to_value(ranking).unwrap();
    assert_eq!(json["setting"]["layout"], "nhwc");
    let ours = json["standings"].as_array().unwrap().iter().find(|s| s["role"] == "ours").unwrap();
    for field in ["contender", "gflops", "fraction_of_ceiling", "speed_ratio", "wins", "layers"] {
        assert!(!ours[field].is_null(), "{field}");
    }
    assert!(json["networks"][0]["times"][0][1].as_f64().unwrap() > 0.0);
}

#[test]
fn a_problem_that_networks_share_counts_once_in_means_and_in_each_network() {
    let mut records = Vec::new();
    for network in ["resnet50", "resnet101"] {
        for (contender, ns) in [("pointwise", 100.0), ("onednn", 50.0)] {
            records.push(record(network, "shared", contender, ns));
        }
    }
    records.push(record("resnet50", "other", "pointwise", 100.0));
    records.push(record("resnet50", "other", "onednn", 100.0));
    let entry = |network: &str, name: &str, text: &str| Entry {
        network: network.into(),
        name: name.into(),
        count: 2,
        head: false,
        layer: text.parse().unwrap(),
    };
    let known = Known::new(vec![
        entry("resnet50", "shared", "c8h4w4k8/relu"),
        entry("resnet101", "shared", "c8h4w4k8/relu"),
        // The same sizes, but another problem.
        entry("resnet50", "other", "c8h4w4k8/bias"),
    ]);
    let ranking = only(rank(&records, &known, Entrants::Contenders));
    assert_eq!(ranking.layers, 2);
    let theirs = ranking.standings.iter().find(|s| s.contender == "onednn").unwrap();
    assert!(near(theirs.speed_ratio.unwrap(), 2f64.sqrt()));
    let times: Vec<f64> = ranking.networks.iter().map(|network| network.times[0].1).collect();
    assert_eq!(times, [300.0, 100.0]);
    let losses = losses(&grids(&records, &known), &known);
    assert_eq!(losses.plain.len(), 1);
    assert_eq!(losses.plain[0].shared_by, ["resnet101"]);
}
