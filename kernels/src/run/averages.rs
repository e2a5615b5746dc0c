//! Global averages. The tiles of a task add to sums, and the sums are divided when the task ends.

use crate::cut::split::Task;
use crate::cut::units::Unit;
use crate::describe::arithmetic::Element;
use crate::run::executed::Executed;
use crate::run::panel::Goal;
use crate::run::{Destination, Run};

impl<A: Executed> Run<'_, A> {
    /// Adds a tile's pixels, in ascending order, to the sums, which are kept in the output.
    ///
    /// # Safety
    /// As [`Run::task`]; `tile` holds the unit's pixels, the panel's width apart.
    pub(super) unsafe fn add_to_averages(
        &self,
        goal: &Goal<'_, A>,
        unit: &Unit,
        tile: *const A::Output,
    ) {
        let at = &goal.destination.outlet.output.at;
        self.places(unit, |i, place| {
            let sums = goal.output + at.base + place.image * at.image;
            for j in 0..goal.panel.shape.outputs {
                // SAFETY: an element of the tile; an output of this panel and image, which are
                // this task's alone.
                unsafe {
                    let value = *tile.add(i * goal.panel.shape.width + j);
                    let sum = goal.destination.output.start.add(sums + j * at.channel);
                    *sum = A::add(*sum, value);
                }
            }
        });
    }

    /// Sets the sums of a task's panels to zero.
    ///
    /// # Safety
    /// As [`Run::task`].
    pub(super) unsafe fn clear_averages(&self, task: &Task) {
        // SAFETY: by contract.
        unsafe { self.each_average(task, |sum| *sum = A::Output::ZERO) };
    }

    /// Divides the sums of a task's panels by the number of pixels.
    ///
    /// # Safety
    /// As [`Run::task`].
    pub(super) unsafe fn divide_averages(&self, task: &Task) {
        let pixels = self.shape.oh * self.shape.ow;
        // SAFETY: by contract.
        unsafe { self.each_average(task, |sum| *sum = A::divide(*sum, pixels)) };
    }

    /// Calls `f` with each sum of a task's panels.
    ///
    /// # Safety
    /// As [`Run::task`].
    unsafe fn each_average(&self, task: &Task, f: impl Fn(&mut A::Output)) {
        for panel in &self.panels[task.panels.clone()] {
            let Destination { outlet, output, .. } = &self.destinations[panel.shape.outlet];
            if !outlet.layer.average {
                continue;
            }
            let at = &outlet.output.at;
            for group in 0..self.layer.groups {
                for image in 0..self.layer.n {
                    let first = at.base + image * at.image + group * outlet.output.group;
                    for k in panel.first..panel.first + panel.shape.outputs {
                        // SAFETY: outputs of this panel, which are this task's alone.
                        unsafe { f(&mut *output.start.add(first + k * at.channel)) };
                    }
                }
            }
        }
    }
}
