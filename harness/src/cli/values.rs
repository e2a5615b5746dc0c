//! Reading the values of options, with an error that says what would be right.

use std::time::Duration;

/// A time in seconds, above 0.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = "a time is a number of seconds above 0, such as 0.5";
    let seconds = positive(text, wrong)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err(wrong.to_owned()),
    }
}

/// A percentage above 0, with or without its sign, as a share.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    positive(number, "a percentage is a number above 0").map(|percent| percent / 100.0)
}

/// A factor above 0.
pub(crate) fn factor(text: &str) -> Result<f64, String> {
    positive(text, "a factor is a number above 0")
}

fn positive(text: &str, wrong: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(wrong.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_a_range_and_a_percentage_may_have_its_sign() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!((percent("10%"), percent("2")), (Ok(0.1), Ok(0.02)));
        assert_eq!(factor("1.5"), Ok(1.5));
        for wrong in ["0", "-1", "nan", "inf", "soon", "", "5%", "1e-30", "1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        for wrong in ["0", "-1%", "nan", "%", "5%%"] {
            assert!(percent(wrong).is_err() && factor(wrong).is_err(), "{wrong}");
        }
    }
}
