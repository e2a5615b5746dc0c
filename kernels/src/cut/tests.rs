//! The shapes of units and panels, which are priced with their counts, are those of the units and panels
//! that a run goes over one by one.

use super::*;
use crate::cut::outlet::dense;
use crate::cut::panels::PanelShape;
use crate::cut::split::{Split, splits};
use crate::cut::units::UnitShape;
use crate::describe::layer::{Layer, Layout, Padding};
use crate::micro::registry::kernels;
use std::collections::HashMap;

/// The layers of the stored times: those of the catalog, and random ones.
fn stored_layers() -> Vec<Layer> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../reports/picking/zen5.txt");
    let text = std::fs::read_to_string(path).expect("the stored times");
    let named = text.lines().filter_map(|line| line.strip_prefix("layer "));
    let mut texts: Vec<&str> = named.filter_map(|rest| rest.split(' ').next()).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.iter().map(|text| text.parse().expect("a layer")).collect()
}

/// Small layers with all properties that change how a layer is cut.
fn odd_layers() -> Vec<Layer> {
    let pad = Padding::Explicit { top: 1, bottom: 0, left: 2, right: 1 };
    let mut layers = Vec::new();
    for layout in Layout::ALL {
        for output in Layout::ALL {
            for (n, c, k, h, w, groups) in [
                (1, 5, 24, 7, 7, 1),
                (3, 8, 20, 6, 5, 4),
                (2, 3, 33, 1, 1, 1),
                (1, 6, 130, 19, 23, 2),
            ] {
                let layer = Layer::new(c, k, h, w).batch(n).groups(groups).layout(layout);
                let layer = layer.output_layout(output);
                layers.push(layer);
                layers.push(layer.stride(2, 2));
                layers.push(layer.stride(1, 3).padding(pad));
                layers.push(layer.shuffle(true));
                layers.push(layer.average(true));
            }
        }
    }
    layers.retain(|layer| layer.check().is_ok());
    layers
}

fn check(layer: &Layer) {
    let (pixels, outlet) = dense(layer).expect("a layer");
    let outlets = &[outlet];
    for kernel in kernels() {
        let panels = &Panels::new(core::iter::once(layer), kernel);
        let list = panels.list().expect("panels");
        assert_eq!(list.len(), panels.count());
        for pack in [false, true] {
            if !pack && !can_read_in_place(&pixels, kernel) {
                continue;
            }
            let blocking = Blocking::new(8, pack);
            let cut = Cut { kernel, blocking, pixels: &pixels, outlets, panels };
            for threads in [1, 2, 7] {
                let all: Vec<Split> = splits(threads, pixels.len(), panels.count()).collect();
                for split in all {
                    let tasks = cut.tasks(split);
                    let size = tasks.iter().map(|t| t.pixels.len()).max();
                    assert_eq!(size, Some(cut.heaviest(split).pixels.len()), "{layer}");
                    for task in tasks {
                        let name = format!("{layer} {kernel:?} {blocking:?} {task:?}");
                        let mut walked: HashMap<(UnitShape, bool), usize> = HashMap::new();
                        let mut next = task.pixels.start;
                        cut.for_each_unit(task.pixels.clone(), |unit| {
                            assert_eq!(unit.span.first + unit.shape.again, next, "{name}");
                            assert_eq!(unit.span.count, unit.shape.pixels, "{name}");
                            assert_eq!(unit.place, pixels.place(unit.span.first), "{name}");
                            if !unit.shape.packed {
                                assert_eq!(unit.span.input, pixels.input.at(unit.place), "{name}");
                            }
                            next = unit.span.first + unit.shape.pixels;
                            *walked.entry((unit.shape, unit.uneven)).or_default() += 1;
                        });
                        assert_eq!(next, task.pixels.end, "{name}");
                        let mut listed = HashMap::new();
                        cut.for_each_unit_shape(task.pixels.clone(), |shape, uneven, count| {
                            *listed.entry((shape, uneven)).or_default() += count;
                        });
                        assert_eq!(walked, listed, "{name}");
                        let walked: Vec<PanelShape> =
                            list[task.panels.clone()].iter().map(|panel| panel.shape).collect();
                        let mut listed = Vec::new();
                        panels.for_each_shape(task.panels.clone(), |shape, count| {
                            listed.extend(core::iter::repeat_n(shape, count));
                        });
                        assert_eq!(walked, listed, "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_listed_is_what_is_walked_in_layers_of_every_kind() {
    odd_layers().iter().for_each(check);
}

#[test]
fn what_is_listed_is_what_is_walked_in_the_layers_of_the_stored_times() {
    stored_layers().iter().for_each(check);
}

#[test]
fn tasks_cover_each_pixel_of_each_panel_once() {
    for layer in odd_layers() {
        let (pixels, outlet) = dense(&layer).expect("a layer");
        for kernel in kernels() {
            let panels = &Panels::new(core::iter::once(&layer), kernel);
            let outlets = std::slice::from_ref(&outlet);
            let blocking = Blocking::new(1, true);
            let cut = Cut { kernel, blocking, pixels: &pixels, outlets, panels };
            for split in [Split { pixels: 3, panels: 2 }, Split { pixels: 1, panels: 1 }] {
                let mut seen = vec![0; pixels.len() * panels.count()];
                for task in cut.tasks(split) {
                    for p in task.pixels.clone() {
                        for k in task.panels.clone() {
                            seen[p * panels.count() + k] += 1;
                        }
                    }
                }
                assert!(seen.iter().all(|n| *n == 1), "{layer} {kernel:?} {split:?}");
            }
        }
    }
}
