//! Numbers as people read them: three significant digits and a unit.

/// About three significant digits, never in scientific notation.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "–".to_owned()
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.995 || size == 0.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// A share of one, such as `97.8%`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}%", 100.0 * share) } else { "–".to_owned() }
}

/// A ratio of speeds or times, such as `1.15×`.
pub fn ratio(ratio: f64) -> String {
    // Near one the third decimal matters: with two, 0.996 would read 1.00.
    if (0.9..1.1).contains(&ratio) {
        format!("{ratio:.3}×")
    } else {
        format!("{}×", digits(ratio))
    }
}

/// A time given in nanoseconds, in the unit that keeps the number small.
pub fn time(ns: f64) -> String {
    let (value, unit) = match ns.abs() {
        size if size < 999.5 => (ns, "ns"),
        size if size < 999.5e3 => (ns / 1e3, "µs"),
        size if size < 999.5e6 => (ns / 1e6, "ms"),
        size if size < 59.95e9 => (ns / 1e9, "s"),
        _ => (ns / 60e9, "min"),
    };
    format!("{} {unit}", digits(value))
}

/// `1 layer`, `2 layers`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_that_mean_something() {
        let shown: Vec<String> =
            [0.0, 0.0561, 0.9949, 1.0, 9.994, 9.996, 99.94, 99.96, 1234.5, f64::NAN]
                .into_iter()
                .map(digits)
                .collect();
        assert_eq!(
            shown,
            ["0.00", "0.056", "0.995", "1.00", "9.99", "10.0", "99.9", "100", "1234", "–"]
        );
    }

    #[test]
    fn units_change_before_a_fourth_digit() {
        assert_eq!(time(999.4), "999 ns");
        assert_eq!(time(999.6), "1.00 µs");
        assert_eq!(time(48_500.0), "48.5 µs");
        assert_eq!(time(2.5e9), "2.50 s");
        assert_eq!(time(59.9e9), "59.9 s");
        assert_eq!(time(90e9), "1.50 min");
    }

    #[test]
    fn ratios_near_one_show_on_which_side_they_are() {
        assert_eq!(ratio(0.9964), "0.996×");
        assert_eq!(ratio(1.15), "1.15×");
        assert_eq!(ratio(0.42), "0.420×");
    }

    #[test]
    fn words() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(count(1, "layer"), "1 layer");
        assert_eq!(count(0, "layer"), "0 layers");
    }
}
