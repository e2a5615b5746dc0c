//! Records on the terminal.

use super::{PASS, Record};
use crate::table::plain;

/// The records as a table for the terminal, one line each, in their order.
pub fn table(records: &[Record]) -> String {
    let header = [
        "network",
        "layer",
        "problem",
        "contender",
        "kernel",
        "thr",
        "cache",
        "\u{b5}s",
        "\u{b1}%",
        "GFLOP/s",
        "%ceiling",
        "%roofline",
        "",
    ];
    let rows = records.iter().map(|record| {
        let whole = record.is_of_a_pass() && record.layer == PASS;
        let problem = if whole { String::new() } else { record.problem() };
        [
            record.network.clone(),
            // A layer given by hand is its own name.
            if record.network.is_empty() { String::new() } else { record.layer.clone() },
            if record.network.is_empty() { record.layer.clone() } else { problem },
            record.contender.clone(),
            record.kernel.clone(),
            record.threads.to_string(),
            record.cache.clone(),
            microseconds(record.ns_median),
            format!("{:.1}", 100.0 * record.ns_mad / record.ns_median),
            format!("{:.1}", record.gflops),
            format!("{:.1}", 100.0 * record.fraction_of_ceiling),
            format!("{:.1}", 100.0 * record.fraction_of_roofline),
            if record.verified { String::new() } else { "not verified".to_owned() },
        ]
    });
    plain(header, 5, rows).trim_fmt()
}

/// Nanoseconds as microseconds, to four digits.
fn microseconds(ns: f64) -> String {
    let us = ns / 1e3;
    match us {
        ..10.0 => format!("{us:.3}"),
        10.0..100.0 => format!("{us:.2}"),
        100.0..1000.0 => format!("{us:.1}"),
        _ => format!("{us:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn tables_hold_a_line_for_each_record() {
        let slow = Record { verified: false, ns_median: 123_456.0, ..record() };
        let text = table(&[record(), slow]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        let words: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(
            words,
            [
                "resnet50",
                "conv1",
                "nhwc/n1c64h8w8k256/s2x2",
                "pointwise",
                "f32-avx2-ol-6x16",
                "1",
                "hot",
                "8.192",
                "0.0",
                "64.0",
                "50.0",
                "50.0"
            ]
        );
        assert!(lines[2].contains("123.5") && lines[2].ends_with("not verified"), "{text}");
    }

    #[test]
    fn times_keep_four_digits() {
        let times = [1.0, 9_876.5, 12_345.0, 123_456.0, 12_345_678.0].map(microseconds);
        assert_eq!(times, ["0.001", "9.877", "12.35", "123.5", "12346"]);
    }
}
