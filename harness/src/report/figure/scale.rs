//! Axes: the coordinates of values, and the values with a label.

/// A mapping from values to coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    kind: Kind,
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

/// How distances on an axis grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Equal differences are equally far apart.
    Linear,
    /// Equal ratios are equally far apart. Values must be positive.
    Log,
}

impl Scale {
    /// Maps the values `from..=to` to the coordinates `start..=end`, which may fall as values rise. An
    /// empty range, or one that the kind cannot have, is widened.
    pub fn new(kind: Kind, (from, to): (f64, f64), (start, end): (f64, f64)) -> Scale {
        let (mut from, mut to) = if from <= to { (from, to) } else { (to, from) };
        if !(from.is_finite() && to.is_finite()) {
            (from, to) = (1.0, 2.0);
        }
        if kind == Kind::Log {
            to = if to > 0.0 { to } else { 1.0 };
            from = if from > 0.0 { from } else { to / 10.0 };
        }
        if from == to {
            to = if from == 0.0 { 1.0 } else { from + from.abs() };
        }
        Scale { kind, from, to, start, end }
    }

    /// The coordinate of a value. A value outside of the range lies outside of the axis.
    pub fn at(&self, value: f64) -> f64 {
        let share = match self.kind {
            Kind::Linear => (value - self.from) / (self.to - self.from),
            Kind::Log => {
                (value.max(f64::MIN_POSITIVE) / self.from).ln() / (self.to / self.from).ln()
            }
        };
        self.start + share * (self.end - self.start)
    }

    /// The range of values.
    pub fn range(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Round values within the range, about `wanted` of them, in ascending order.
    pub fn ticks(&self, wanted: usize) -> Vec<f64> {
        match self.kind {
            Kind::Linear => self.linear_ticks(wanted.max(2)),
            Kind::Log => self.log_ticks(wanted.max(2)),
        }
    }

    fn linear_ticks(&self, wanted: usize) -> Vec<f64> {
        let rough = (self.to - self.from) / wanted as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|digit| digit * power)
            .find(|step| *step >= rough * (1.0 - 1e-9))
            .unwrap_or(10.0 * power);
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }

    fn log_ticks(&self, wanted: usize) -> Vec<f64> {
        let within = |ticks: Vec<f64>| -> Vec<f64> {
            let (low, high) = (self.from * (1.0 - 1e-9), self.to * (1.0 + 1e-9));
            ticks.into_iter().filter(|tick| (low..=high).contains(tick)).collect()
        };
        let decades = self.from.log10().floor() as i32..=self.to.log10().ceil() as i32;
        for digits in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
            let all = decades
                .clone()
                .flat_map(|decade| digits.iter().map(move |digit| digit * 10f64.powi(decade)));
            let ticks = within(all.collect());
            if ticks.len() <= wanted + 1 {
                return ticks;
            }
        }
        let step = decades.clone().count().div_ceil(wanted);
        within(decades.step_by(step).map(|decade| 10f64.powi(decade)).collect())
    }
}

/// The text of a tick's value, without zeros at its end.
pub(super) fn tick_text(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_map_to_ends() {
        for kind in [Kind::Linear, Kind::Log] {
            let scale = Scale::new(kind, (2.0, 200.0), (300.0, 10.0));
            assert!((scale.at(2.0) - 300.0).abs() < 1e-9);
            assert!((scale.at(200.0) - 10.0).abs() < 1e-9);
        }
        let scale = Scale::new(Kind::Log, (1.0, 100.0), (0.0, 2.0));
        assert!((scale.at(10.0) - 1.0).abs() < 1e-9);
        let scale = Scale::new(Kind::Linear, (0.0, 4.0), (0.0, 8.0));
        assert!((scale.at(3.0) - 6.0).abs() < 1e-9);
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = |kind, from, to, wanted| Scale::new(kind, (from, to), (0.0, 1.0)).ticks(wanted);
        assert_eq!(ticks(Kind::Linear, 0.0, 240.0, 5), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(ticks(Kind::Linear, 0.0, 1.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(ticks(Kind::Log, 0.5, 60.0, 8), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(ticks(Kind::Log, 1.0, 1e6, 4), [1.0, 1e2, 1e4, 1e6]);
    }

    #[test]
    fn ranges_without_extent_still_give_coordinates() {
        for kind in [Kind::Linear, Kind::Log] {
            for range in [(0.0, 0.0), (7.0, 7.0), (-1.0, 0.0), (f64::NAN, 1.0), (5.0, 3.0)] {
                let scale = Scale::new(kind, range, (0.0, 100.0));
                assert!(scale.at(1.0).is_finite(), "{kind:?} {range:?}");
                assert!(scale.ticks(5).len() < 30, "{kind:?} {range:?}");
            }
        }
    }
}
