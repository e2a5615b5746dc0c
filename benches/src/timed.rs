//! What the wall-clock benches time: problems of the catalog, and contenders of the harness.

use pointwise::{Layer, Layout};
use pointwise_harness::catalog::{Entry, catalog, unique};
use pointwise_harness::contender::{Case, Contender, Options, Prepared, Refusal, all};

/// One layer to time.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Its name in the network.
    pub name: String,
    /// The layer in the layout asked for.
    pub layer: Layer,
    /// Floating-point operations of one run: two per multiply-add.
    pub flops: u64,
}

/// The problems that `network` is the first of `networks` to have, heads apart, in `layout`.
pub fn problems(networks: &[&str], network: &str, layout: Layout) -> Vec<Problem> {
    // In the order of `networks`, since a problem goes to the first network that has it.
    let entries: Vec<&Entry> = networks
        .iter()
        .flat_map(|&name| catalog().iter().filter(move |entry| entry.network == name))
        .collect();
    unique(entries)
        .into_iter()
        .map(|problem| problem.uses[0])
        .filter(|entry| entry.network == network && !entry.head)
        .map(|entry| Problem {
            name: entry.name.clone(),
            layer: entry.in_layout(layout),
            flops: flops(&entry.layer),
        })
        .collect()
}

fn flops(layer: &Layer) -> u64 {
    let shape = layer.check().expect("the catalog's layers are valid");
    2 * shape.output_len as u64 * (layer.c / layer.groups) as u64
}

/// Naive loops do about a tenth of a GFLOP/s at worst; beyond this their runs take too long.
const LONGEST_NAIVE: u64 = 10_000_000;

/// One of the harness's contenders, and the layers it is timed on.
pub struct Timed {
    contender: Box<dyn Contender>,
    longest: u64,
}

impl Timed {
    /// The name that records carry.
    pub fn name(&self) -> &str {
        self.contender.name()
    }

    /// Whether it is timed on layers of that many floating-point operations.
    pub fn times(&self, flops: u64) -> bool {
        flops <= self.longest
    }

    /// Binds it to a layer and its data.
    ///
    /// # Errors
    /// As [`Contender::prepare`].
    pub fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
        self.contender.prepare(case)
    }
}

/// The plan's choice, matrixmultiply and naive loops.
pub fn contenders() -> Vec<Timed> {
    all(&Options::default())
        .into_iter()
        .filter_map(|contender| {
            let longest = match contender.name() {
                "pointwise" | "matrixmultiply" => u64::MAX,
                "naive" => LONGEST_NAIVE,
                _ => return None,
            };
            Some(Timed { contender, longest })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_timed_once() {
        let networks = ["resnet50", "googlenet", "inception_v3"];
        let mut seen = Vec::new();
        for network in networks {
            let problems = problems(&networks, network, Layout::Nchw);
            assert!(!problems.is_empty(), "{network}");
            seen.extend(problems.into_iter().map(|problem| problem.layer.to_string()));
        }
        let timed = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), timed);
        // 64→64 at 56×56 is in ResNet-50 and in GoogLeNet.
        assert!(seen.iter().any(|layer| layer.starts_with("nchw/n1c64h56w56k64/")));
    }

    #[test]
    fn operations_are_two_per_multiply_add() {
        let layer = "c64h56w56k256/s2x2/bias+relu".parse().unwrap();
        assert_eq!(flops(&layer), 2 * 64 * 256 * 28 * 28);
    }

    #[test]
    fn the_contenders_are_there() {
        let names: Vec<String> = contenders().iter().map(|c| c.name().to_owned()).collect();
        assert_eq!(names, ["pointwise", "naive", "matrixmultiply"]);
    }
}
