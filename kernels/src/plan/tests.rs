//! The tiles that run are the tiles that were priced.

use crate::cut::Cut;
use crate::cut::blocking::Blocking;
use crate::cut::split::{Split, splits};
use crate::cut::tile_kind::TileKind;
use crate::describe::layer::{Layer, Layout};
use crate::micro::registry::{Kernel, kernels};
use crate::plan::Plan;
use crate::plan::options::PlanOptions;
use crate::run::pool::Pool;
use crate::run::trace;
use std::collections::HashMap;

fn layers() -> Vec<Layer> {
    let mut layers = Vec::new();
    for layout in Layout::ALL {
        for output in Layout::ALL {
            for (n, c, k, h, w, groups) in [
                (1, 5, 24, 7, 7, 1),
                (3, 8, 20, 6, 5, 4),
                (2, 3, 33, 1, 1, 1),
                (1, 6, 130, 9, 23, 2),
            ] {
                let layer = Layer::new(c, k, h, w).batch(n).groups(groups);
                let layer = layer.layout(layout).output_layout(output);
                let strided = layer.stride(2, 2);
                layers.extend([layer, strided, layer.shuffle(true), layer.average(true)]);
            }
        }
    }
    layers
}

/// The kinds of the tiles of every task, as they are listed for pricing.
fn priced(plan: &Plan) -> HashMap<TileKind, usize> {
    let bound = &plan.bound;
    let (geometry, panels) = (&bound.geometry, &bound.panels);
    let cut = Cut {
        kernel: bound.kernel,
        blocking: bound.blocking,
        pixels: &geometry.pixels,
        outlets: &geometry.outlets,
        panels,
    };
    let mut kinds = HashMap::new();
    for task in &bound.tasks {
        panels.for_each_shape(task.panels.clone(), |panel, of_panel| {
            cut.for_each_unit_shape(task.pixels.clone(), |unit, uneven, of_unit| {
                let kind = cut.tile_kind(&panel, &unit, uneven);
                *kinds.entry(kind).or_default() += of_panel * of_unit * geometry.layer.groups;
            });
        });
    }
    kinds
}

#[test]
fn the_tiles_that_run_are_those_that_were_priced() {
    let runnable: Vec<&Kernel> = kernels().iter().filter(|kernel| kernel.is_available()).collect();
    let mut compared = 0;
    for layer in layers() {
        let shape = layer.check().expect("a layer");
        let input = vec![1.0; shape.input_len];
        let weights = vec![1.0; shape.weights_len];
        let mut output = vec![0.0; shape.output_len];
        for kernel in &runnable {
            for (units, pack) in [(1, false), (8, false), (3, true)] {
                let options =
                    PlanOptions::new().kernel(kernel.name()).blocking(Blocking::new(units, pack));
                for split in splits(3, 100, 100).chain([Split { pixels: 3, panels: 1 }]) {
                    let mut options = options.clone().threads(3);
                    options.split = Some(split);
                    // Not every layer can be split so.
                    let Ok(plan) = Plan::new(&layer, &options) else { continue };
                    let packed = plan.pack(&weights, None).expect("weights");
                    trace::take();
                    plan.run(&packed, &input, None, &mut output, Pool::Serial).expect("a run");
                    assert_eq!(trace::take(), priced(&plan), "{layer} {}", plan.explain());
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}
