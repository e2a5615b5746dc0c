//! GoogLeNet's Inception module 3a (Szegedy et al. 2014). All of it by tract, and with the 1×1
//! branches by pointwise: the three that read the input planned together, and the two that end in
//! the concatenation written straight into it. 3×3, 5×5 and pool are tract's in both; both are
//! held against the module in `f64`.

use pointwise::{
    Activation, Branch, Layer, Layout, PackedWeights, Parameters, Plan, PlanOptions, Pool,
    Siblings, View, Views,
};
use pointwise_compare::inception_3a::{
    FIVE, IMAGE, INPUT as C, ONE, OUTPUT as K, POOLED, REDUCE3, REDUCE5, THREE,
};
use pointwise_compare::{Filters, Graph, Runnable, error, exactly, race, run, show, values};
use std::error::Error;

const H: usize = IMAGE[0];
const W: usize = IMAGE[1];

/// The filters of ONE, REDUCE3, REDUCE5, THREE, FIVE and POOLED.
type All = [Filters; 6];

struct Module {
    siblings: (Siblings, PackedWeights),
    three: Runnable,
    five: Runnable,
    pool: Runnable,
    pooled: (Plan, PackedWeights),
    reduced: [Vec<f32>; 2],
}

impl Module {
    fn new(filters: &All) -> Result<Module, Box<dyn Error>> {
        let layer =
            |k| Layer::new(C, k, H, W).layout(Layout::Nchw).bias(true).activation(Activation::Relu);
        let part = |first| View::of_channels(Layout::Nchw, K, first, H, W);
        let siblings = Siblings::new(
            &[
                Branch::new(layer(ONE)).to(0, part(0)),
                Branch::new(layer(REDUCE3)),
                Branch::new(layer(REDUCE5)),
            ],
            None,
            &PlanOptions::new(),
        )?;
        let parameters = |i: usize| Parameters::new(&filters[i].weights).bias(&filters[i].bias);
        let packed = siblings.pack(&[parameters(0), parameters(1), parameters(2)])?;
        let views = Views::new().output(part(ONE + THREE + FIVE));
        let pooled = Plan::with_views(&layer(POOLED), &views, &PlanOptions::new())?;
        let pooled_packed = pooled.pack_parameters(&parameters(5))?;
        let convolution = |c: usize, f: &Filters| -> Result<Runnable, Box<dyn Error>> {
            let mut graph = Graph::new([c, H, W])?;
            let x = graph.convolution(graph.input, c, f)?;
            let x = graph.relu(x)?;
            Ok(graph.runnable(x)?)
        };
        let mut graph = Graph::new([C, H, W])?;
        let pool = graph.max_pool(graph.input, C)?;
        Ok(Module {
            siblings: (siblings, packed),
            three: convolution(REDUCE3, &filters[3])?,
            five: convolution(REDUCE5, &filters[4])?,
            pool: graph.runnable(pool)?,
            pooled: (pooled, pooled_packed),
            reduced: [vec![0.0; REDUCE3 * H * W], vec![0.0; REDUCE5 * H * W]],
        })
    }

    fn run(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), Box<dyn Error>> {
        let (siblings, packed) = &self.siblings;
        let [reduced3, reduced5] = &mut self.reduced;
        let outputs = &mut [&mut output[..], &mut reduced3[..], &mut reduced5[..]];
        siblings.run(packed, input, &[], outputs, Pool::Serial)?;
        for (model, c, x, first) in [
            (&self.three, REDUCE3, &*reduced3, ONE),
            (&self.five, REDUCE5, &*reduced5, ONE + THREE),
        ] {
            let y = run(model, [c, H, W], x)?;
            output[first * H * W..][..y.len()].copy_from_slice(&y);
        }
        let pool = run(&self.pool, [C, H, W], input)?;
        let (plan, packed) = &self.pooled;
        Ok(plan.run(packed, &pool, None, output, Pool::Serial)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let filters: All = [
        Filters::new(C, ONE, 1, 1),
        Filters::new(C, REDUCE3, 1, 3),
        Filters::new(C, REDUCE5, 1, 5),
        Filters::new(REDUCE3, THREE, 3, 7),
        Filters::new(REDUCE5, FIVE, 5, 9),
        Filters::new(C, POOLED, 1, 11),
    ];
    let image = [C, H, W];
    let input = values(C * H * W, 7, 1.0);

    let mut graph = Graph::new(image)?;
    let source = graph.input;
    let mut layer = |x, c, i: usize| {
        let y = graph.convolution(x, c, &filters[i])?;
        graph.relu(y)
    };
    let one = layer(source, C, 0)?;
    let three = layer(source, C, 1)?;
    let three = layer(three, REDUCE3, 3)?;
    let five = layer(source, C, 2)?;
    let five = layer(five, REDUCE5, 4)?;
    let pooled = graph.max_pool(source, C)?;
    let pooled = graph.convolution(pooled, C, &filters[5])?;
    let pooled = graph.relu(pooled)?;
    let output = graph.concatenation(&[one, three, five, pooled])?;
    let tract = graph.runnable(output)?;
    let theirs = run(&tract, image, &input)?;

    let mut module = Module::new(&filters)?;
    let mut ours = vec![0.0; K * H * W];
    module.run(&input, &mut ours)?;

    let exact_input: Vec<f64> = input.iter().map(|v| f64::from(*v)).collect();
    let exact_layer = |x: &[f64], c: usize, i: usize| -> Vec<f64> {
        exactly(x, [c, H, W], &filters[i]).into_iter().map(|v| v.max(0.0)).collect()
    };
    let mut pool = vec![f64::NEG_INFINITY; C * H * W];
    for (at, to) in pool.iter_mut().enumerate() {
        let (plane, row, column) = (at / (H * W), at / W % H, at % W);
        for y in row.saturating_sub(1)..(row + 2).min(H) {
            for x in column.saturating_sub(1)..(column + 2).min(W) {
                *to = to.max(exact_input[(plane * H + y) * W + x]);
            }
        }
    }
    let mut exact = exact_layer(&exact_input, C, 0);
    exact.extend(exact_layer(&exact_layer(&exact_input, C, 1), REDUCE3, 3));
    exact.extend(exact_layer(&exact_layer(&exact_input, C, 2), REDUCE5, 4));
    exact.extend(exact_layer(&pool, C, 5));
    let errors = [error(&ours, &exact), error(&theirs, &exact)];
    let times = race(
        || module.run(&input, &mut ours).expect("it ran before"),
        || drop(run(&tract, image, &input).expect("it ran before")),
    );
    show(&format!("Inception 3a at {H}×{W}"), times, errors);
    Ok(())
}
