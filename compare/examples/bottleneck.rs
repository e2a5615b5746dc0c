//! A ResNet bottleneck block (He et al. 2015) as conv3_x has it: 1×1 from 512 to 128 channels,
//! 3×3, 1×1 back to 512, the input added, ReLU. All of it by tract, and with the 1×1 layers by
//! pointwise and the 3×3 by tract; both held against the block in `f64`.

use pointwise::{Activation, Layer, Layout, PackedWeights, Plan, PlanOptions, Pool};
use pointwise_compare::bottleneck::{IMAGE, NARROW, WIDE};
use pointwise_compare::{Filters, Graph, Runnable, error, exactly, race, run, show, values};
use std::error::Error;

const H: usize = IMAGE[0];
const W: usize = IMAGE[1];

struct Block {
    reduce: (Plan, PackedWeights),
    middle: Runnable,
    expand: (Plan, PackedWeights),
    reduced: Vec<f32>,
}

impl Block {
    fn new(filters: &[Filters; 3]) -> Result<Block, Box<dyn Error>> {
        let planned = |layer: Layer, f: &Filters| {
            let layer = layer.layout(Layout::Nchw).bias(true).activation(Activation::Relu);
            let plan = Plan::new(&layer, &PlanOptions::new())?;
            let packed = plan.pack(&f.weights, Some(&f.bias))?;
            Ok::<_, pointwise::Error>((plan, packed))
        };
        let mut graph = Graph::new([NARROW, H, W])?;
        let convolved = graph.convolution(graph.input, NARROW, &filters[1])?;
        let convolved = graph.relu(convolved)?;
        Ok(Block {
            reduce: planned(Layer::new(WIDE, NARROW, H, W), &filters[0])?,
            middle: graph.runnable(convolved)?,
            expand: planned(Layer::new(NARROW, WIDE, H, W).residual(true), &filters[2])?,
            reduced: vec![0.0; NARROW * H * W],
        })
    }

    fn run(&mut self, input: &[f32], output: &mut [f32]) -> Result<(), Box<dyn Error>> {
        let (plan, packed) = &self.reduce;
        plan.run(packed, input, None, &mut self.reduced, Pool::Serial)?;
        let convolved = run(&self.middle, [NARROW, H, W], &self.reduced)?;
        // Expansion, addition of the input and ReLU in one pass.
        let (plan, packed) = &self.expand;
        Ok(plan.run(packed, &convolved, Some(input), output, Pool::Serial)?)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let filters = [
        Filters::new(WIDE, NARROW, 1, 1),
        Filters::new(NARROW, NARROW, 3, 3),
        Filters::new(NARROW, WIDE, 1, 5),
    ];
    let image = [WIDE, H, W];
    let input = values(WIDE * H * W, 7, 1.0);

    let mut graph = Graph::new(image)?;
    let x = graph.convolution(graph.input, WIDE, &filters[0])?;
    let x = graph.relu(x)?;
    let x = graph.convolution(x, NARROW, &filters[1])?;
    let x = graph.relu(x)?;
    let x = graph.convolution(x, NARROW, &filters[2])?;
    let x = graph.add(x, graph.input)?;
    let x = graph.relu(x)?;
    let tract = graph.runnable(x)?;
    let theirs = run(&tract, image, &input)?;

    let mut block = Block::new(&filters)?;
    let mut ours = vec![0.0; WIDE * H * W];
    block.run(&input, &mut ours)?;

    let relu = |v: Vec<f64>| v.into_iter().map(|v| v.max(0.0)).collect::<Vec<f64>>();
    let exact_input: Vec<f64> = input.iter().map(|v| f64::from(*v)).collect();
    let x = relu(exactly(&exact_input, image, &filters[0]));
    let x = relu(exactly(&x, [NARROW, H, W], &filters[1]));
    let x = exactly(&x, [NARROW, H, W], &filters[2]);
    let exact = relu(x.iter().zip(&exact_input).map(|(a, b)| a + b).collect());
    let errors = [error(&ours, &exact), error(&theirs, &exact)];
    let times = race(
        || block.run(&input, &mut ours).expect("it ran before"),
        || drop(run(&tract, image, &input).expect("it ran before")),
    );
    show(&format!("bottleneck {WIDE}→{NARROW}→{WIDE} at {H}×{W}"), times, errors);
    Ok(())
}
