//! Prices that many sums have in common, from the sums.

/// A measured sum: so many times each of some prices.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Equation {
    cycles: f64,
    /// What an error is counted relative to.
    scale: f64,
    terms: Vec<(&'static str, f64)>,
}

impl Equation {
    /// With the terms that there are any of.
    pub(super) fn new(
        cycles: f64,
        scale: f64,
        terms: impl IntoIterator<Item = (&'static str, f64)>,
    ) -> Equation {
        Equation { cycles, scale, terms: terms.into_iter().filter(|term| term.1 != 0.0).collect() }
    }
}

/// Passes over all prices: more than it takes until they stay as they are.
const PASSES: usize = 5000;

/// A price that the sums leave nothing for: none is free, and data files hold no zero.
const LEAST: f64 = 1e-3;

/// The prices, none below zero, of which the sums come nearest to the measured ones, each counted
/// relative to its scale. In the order in which they are first mentioned.
///
/// Coordinate descent on the normal equations (Franc, Hlaváč and Navara, "Sequential coordinate-wise
/// algorithm for the non-negative least squares problem", 2005).
pub(super) fn least_squares(equations: &[Equation]) -> Vec<(&'static str, f64)> {
    let mut names: Vec<&'static str> = Vec::new();
    for (name, _) in equations.iter().flat_map(|equation| &equation.terms) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let index = |name: &str| names.iter().position(|it| *it == name).unwrap_or(0);
    let count = names.len();
    // Products of the columns with one another and with the sums.
    let (mut products, mut sums) = (vec![vec![0.0; count]; count], vec![0.0; count]);
    for Equation { cycles, scale, terms } in equations {
        let weight = 1.0 / scale.max(1e-3).powi(2);
        for (name, a) in terms {
            let row = index(name);
            sums[row] += weight * a * cycles;
            for (other, b) in terms {
                products[row][index(other)] += weight * a * b;
            }
        }
    }
    let mut prices = vec![0.0; count];
    for _ in 0..PASSES {
        for row in 0..count {
            let rest: f64 = products[row].iter().zip(&prices).map(|(a, price)| a * price).sum();
            let own = products[row][row].max(1e-300);
            prices[row] = f64::max(0.0, prices[row] + (sums[row] - rest) / own);
        }
    }
    names.into_iter().zip(prices.into_iter().map(|price| price.max(LEAST))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_found_that_make_the_sums() {
        let sum = |a: f64, b: f64| Equation::new(3.0 * a + 7.0 * b, 1.0, [("a", a), ("b", b)]);
        let prices = least_squares(&[sum(1.0, 0.0), sum(1.0, 1.0), sum(2.0, 5.0), sum(9.0, 1.0)]);
        assert_eq!(prices.iter().map(|it| it.0).collect::<Vec<_>>(), ["a", "b"]);
        assert!((prices[0].1 - 3.0).abs() < 1e-6 && (prices[1].1 - 7.0).abs() < 1e-6);
    }

    #[test]
    fn no_price_is_below_zero_and_errors_count_relative_to_their_scale() {
        // The best `b` would be −1.
        let prices = least_squares(&[
            Equation::new(10.0, 1.0, [("a", 1.0)]),
            Equation::new(9.0, 1.0, [("a", 1.0), ("b", 1.0)]),
        ]);
        assert_eq!(prices[1], ("b", LEAST));
        assert!(prices[0].1 > 9.0 && prices[0].1 < 10.0, "{prices:?}");
        // Of two that disagree the relative errors are alike.
        let prices = least_squares(&[
            Equation::new(1000.0, 1000.0, [("a", 10.0)]),
            Equation::new(80.0, 80.0, [("a", 1.0)]),
        ]);
        assert!((80.0..100.0).contains(&prices[0].1), "{prices:?}");
        let errors = [prices[0].1 / 100.0 - 1.0, prices[0].1 / 80.0 - 1.0];
        assert!((errors[0] + errors[1]).abs() < 0.03, "{errors:?}");
    }

    #[test]
    fn nothing_gives_no_prices() {
        assert_eq!(least_squares(&[]), []);
        assert_eq!(least_squares(&[Equation::new(5.0, 1.0, [("a", 0.0)])]), []);
    }
}
