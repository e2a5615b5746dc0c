//! Every row of `refusals.md` is refused with the error that it says.

use crate::alone::process_for;
use crate::case::{Case, runnable};
use pointwise::{Branch, Error, Layer, Layout, Plan, PlanOptions, Pool, Siblings, View, Views};

/// The table that the documentation of [`Error`] shows.
const TABLE: &str = include_str!("../../refusals.md");

/// Call, what it is given, and the error due.
fn rows() -> impl Iterator<Item = [&'static str; 3]> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [call, given, due] = cells[..] else { panic!("three cells, not {cells:?}") };
        [call, given.trim_matches('`'), due]
    })
}

/// The options of `pack` and `run` rows: lengths, and the layer that weights were packed for.
struct Given<'a>(&'a str);

impl<'a> Given<'a> {
    fn word(&self, key: &str) -> Option<&'a str> {
        self.0.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn len(&self, key: &str, right: usize) -> Vec<f32> {
        vec![1.0; self.word(key).map_or(right, |len| len.parse().unwrap())]
    }

    fn optional(&self, key: &str, has: bool, right: usize) -> Option<Vec<f32>> {
        match self.word(key) {
            Some("none") => None,
            None if !has => None,
            _ => Some(self.len(key, right)),
        }
    }
}

fn layer(given: &str) -> Layer {
    given.split_whitespace().next().unwrap().parse().unwrap()
}

fn pack(given: &str) -> Result<(), Error> {
    let layer = layer(given);
    let given = Given(given);
    let plan = Plan::new(&layer, &PlanOptions::new())?;
    let weights = given.len("weights", plan.shape().weights_len);
    let bias = given.optional("bias", layer.bias, layer.k);
    plan.pack(&weights, bias.as_deref()).map(|_| ())
}

/// Nothing is written when a run is refused.
fn run(given: &str) -> Result<(), Error> {
    let layer = layer(given);
    let given = Given(given);
    let options = PlanOptions::new().kernel("f32-scalar-ol-4x4");
    let plan = Plan::new(&layer, &options)?;
    let packed_for = given.word("packed").map_or(layer, |text| text.parse().unwrap());
    let packer = Plan::new(&packed_for, &options)?;
    let bias = packed_for.bias.then(|| vec![1.0; packed_for.k]);
    let packed = packer.pack(&vec![1.0; packer.shape().weights_len], bias.as_deref())?;
    let shape = *plan.shape();
    let input = given.len("input", shape.input_len);
    let residual = given.optional("residual", layer.residual, shape.output_len);
    let mut output = given.len("output", shape.output_len);
    let result = plan.run(&packed, &input, residual.as_deref(), &mut output, Pool::Serial);
    assert!(result.is_ok() || output.iter().all(|v| *v == 1.0), "{}: written", given.0);
    result
}

/// Plans with a dense view of which one field is changed, and runs on buffers for dense ones.
fn views(given: &str) -> Result<(), Error> {
    let layer = layer(given);
    let mut views = Views::new();
    if let Some(change) = given.split_whitespace().nth(1) {
        let (which, change) = change.split_once('.').unwrap();
        let (field, value) = change.split_once('=').unwrap();
        let channels = if which == "input" { layer.c } else { layer.k };
        let mut view = View::dense(Layout::Nhwc, channels, layer.h, layer.w);
        let field = match field {
            "offset" => &mut view.offset,
            "channel" => &mut view.channel,
            "pixel" => &mut view.pixel,
            "row" => &mut view.row,
            "image" => &mut view.image,
            _ => panic!("no field `{field}`"),
        };
        *field = value.parse().unwrap();
        views = if which == "input" { views.input(view) } else { views.output(view) };
    }
    let plan = Plan::with_views(&layer, &views, &PlanOptions::new())?;
    let shape = *plan.shape();
    let packed = plan.pack(&vec![1.0; shape.weights_len], None)?;
    let mut output = vec![1.0; shape.output_len];
    let result = plan.run(&packed, &vec![2.0; shape.input_len], None, &mut output, Pool::Serial);
    assert!(result.is_ok() || output.iter().all(|v| *v == 1.0), "{given}: written");
    result
}

fn siblings(given: &str) -> Result<(), Error> {
    let shared: Vec<usize> = Given(given)
        .word("shared")
        .map_or(Vec::new(), |firsts| firsts.split(',').map(|at| at.parse().unwrap()).collect());
    let layers: Vec<Layer> = given
        .split_whitespace()
        .filter(|word| !word.starts_with("shared="))
        .map(|word| word.parse().unwrap())
        .collect();
    let total = layers.iter().map(|layer| layer.k).sum();
    let branch = |(index, layer): (usize, &Layer)| {
        let branch = Branch::new(*layer);
        match shared.get(index) {
            Some(first) => {
                let part = View::of_channels(Layout::Nhwc, total, *first, layer.h, layer.w);
                branch.to(0, part)
            }
            None => branch,
        }
    };
    let branches: Vec<Branch> = layers.iter().enumerate().map(branch).collect();
    Siblings::new(&branches, None, &PlanOptions::new()).map(|_| ())
}

#[test]
fn every_row_is_refused_as_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for [call, given, due] in rows() {
        let got = match call {
            "parse" => given.parse::<Layer>().map(|_| ()).map_err(|e| e.to_string()),
            "plan" => {
                let case: Case = given.parse().unwrap_or_else(|e| panic!("{given}: {e}"));
                Plan::new(&case.layer, &case.options).map(|_| ()).map_err(|e| e.to_string())
            }
            "pack" => pack(given).map_err(|e| e.to_string()),
            "run" => run(given).map_err(|e| e.to_string()),
            "views" => views(given).map_err(|e| e.to_string()),
            "siblings" => siblings(given).map_err(|e| e.to_string()),
            "environment" => planned_under(given),
            _ => panic!("no call `{call}`"),
        };
        count += 1;
        if got.as_ref().err().map(String::as_str) != Some(due) {
            let got = got.map_or_else(|e| e, |()| "ACCEPTED".to_owned());
            wrong.push(format!("| {call} | `{given}` | {got} |"));
        }
    }
    assert!(wrong.is_empty(), "{} rows get another error:\n{}", wrong.len(), wrong.join("\n"));
    println!("{count} inputs refused, each with its error");
    assert!(count >= 40, "{count} rows");
}

/// `Plan::new` in a process of its own that has the variable, since a process has one environment.
fn planned_under(variable: &str) -> Result<(), String> {
    let (name, value) = variable.split_once('=').unwrap();
    let mut command = process_for("refusals::the_environment_is_asked");
    let output = command.env(name, value).output().unwrap();
    assert!(output.status.success(), "{variable}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let error = text.lines().find_map(|line| line.split_once("refused: "));
    error.map_or(Ok(()), |(_, error)| Err(error.to_owned()))
}

#[test]
fn the_environment_is_asked() {
    if let Err(error) = Plan::new(&Layer::new(3, 4, 5, 6), &PlanOptions::new()) {
        println!("refused: {error}");
    }
}

/// Layers that are valid and larger than any memory are planned at once: it is their tensors that
/// cannot be had.
#[test]
fn huge_layers_are_planned_in_no_memory() {
    const HUGE: usize = isize::MAX as usize / 4;
    let layers = [
        Layer::new(HUGE, 1, 1, 1),
        Layer::new(1 << 59, 1, 1, 1),
        Layer::new(1, HUGE, 1, 1),
        Layer::new(1, 1, HUGE, 1),
        Layer::new(1, 1, 1, HUGE),
        Layer::new(1, 1, 1 << 30, 1 << 30),
        Layer::new(1, 1, 1, 1).batch(HUGE),
        Layer::new(1 << 60, 1 << 60, 1, 1).groups(1 << 60),
        Layer::new(3, 5, 1 << 29, 1 << 29).stride(1 << 20, 3),
    ];
    for layer in layers {
        for layout in pointwise::Layout::ALL {
            for kernel in runnable() {
                for threads in [1, 7, usize::MAX] {
                    let options = PlanOptions::new().kernel(kernel.name()).threads(threads);
                    match Plan::new(&layer.layout(layout), &options) {
                        Ok(plan) => assert!((1..=1024).contains(&plan.threads())),
                        Err(Error::OutOfMemory { bytes }) if layer.k > 1 << 40 => {
                            assert!(bytes > 1 << 40);
                        }
                        Err(error) => panic!("{layer}: {error}"),
                    }
                }
            }
        }
    }
}

/// However many threads are asked for, the candidates are those of the most that count, at once.
#[test]
fn candidates_are_found_for_any_number_of_threads() {
    let layer = Layer::new(64, 64, 56, 56);
    let isa = runnable()
        .iter()
        .map(|kernel| kernel.isa())
        .max_by_key(|isa| isa.lanes())
        .expect("a kernel");
    let ranked = |threads| {
        let options = PlanOptions::new().threads(threads).isa(isa);
        Plan::candidates(&layer, &options).unwrap().ranked
    };
    let most = ranked(1024);
    for threads in [1025, 1 << 40, usize::MAX] {
        let many = ranked(threads);
        assert_eq!(many.len(), most.len());
        assert!(many.iter().zip(&most).all(|(a, b)| (a.kernel, a.split) == (b.kernel, b.split)));
    }
    let options = PlanOptions::new().threads(usize::MAX).isa(isa);
    let elsewhere = Plan::candidates_on(&layer, &options, pointwise::Cpu::host()).unwrap();
    assert_eq!(elsewhere.ranked.len(), most.len());
}

/// On every CPU that is known, a cap leaves the kernels of plainer ISAs, and a kernel named must be
/// one that CPU runs.
#[test]
fn every_cap_leaves_candidates_on_every_cpu() {
    let layer = Layer::new(64, 64, 56, 56);
    for name in pointwise::Cpu::names() {
        let cpu = pointwise::Cpu::named(name).expect("a CPU that is listed");
        for cap in pointwise::Isa::ALL {
            let options = PlanOptions::new().isa(cap);
            let ranked = Plan::candidates_on(&layer, &options, &cpu).expect("candidates").ranked;
            let isa =
                pointwise::Isa::ALL.into_iter().filter(|isa| isa.is_within(cap) && cpu.runs(*isa));
            let widest = isa.max_by_key(|isa| isa.lanes()).expect("scalar at least");
            assert!(ranked.iter().any(|one| one.kernel.isa() == widest), "{name} {cap}");
            assert!(ranked.iter().all(|one| one.kernel.isa().is_within(widest)), "{name} {cap}");
        }
        for kernel in pointwise::kernels() {
            let options = PlanOptions::new().kernel(kernel.name());
            match Plan::candidates_on(&layer, &options, &cpu) {
                Ok(found) => {
                    assert!(cpu.runs(kernel.isa()));
                    assert!(found.ranked.iter().all(|one| one.kernel.name() == kernel.name()));
                }
                Err(error) => {
                    assert!(!cpu.runs(kernel.isa()));
                    assert!(matches!(error, Error::KernelUnavailable { .. }), "{error}");
                }
            }
        }
    }
}

/// A NaN in an error makes it unequal to itself, but nothing else goes wrong with it.
#[test]
fn errors_are_one_line_whatever_names_they_were_given() {
    for name in ["a\nb", "\u{1b}[31m", "", "é", "\0"] {
        let errors = [
            Plan::new(&Layer::new(1, 1, 1, 1), &PlanOptions::new().kernel(name)).unwrap_err(),
            name.parse::<pointwise::Isa>().unwrap_err(),
            name.parse::<Layer>().unwrap_err(),
        ];
        for error in errors {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

/// One channel may have any pitch, 0 too.
#[test]
fn branches_of_one_channel_at_one_place_overlap() {
    let layer = Layer::new(2, 1, 1, 2);
    let view = View { channel: 0, ..View::dense(Layout::Nhwc, 1, 1, 2) };
    let branches = [Branch::new(layer).to(0, view), Branch::new(layer).to(0, view)];
    let refused = Siblings::new(&branches, None, &PlanOptions::new()).map(drop);
    assert_eq!(refused, Err(Error::BranchesOverlap { first: 0, second: 1, buffer: 0 }));
}
