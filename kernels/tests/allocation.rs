//! `Plan::run` allocates nothing once it has run, and an allocation that fails is an error.
//!
//! These tests are a binary of their own because they replace the memory allocator, of which a
//! process has one: theirs counts allocations and refuses large ones.

mod case;

use case::{Case, POISON, Slices};
use core::cell::Cell;
use pointwise::{
    Activation, BatchNorm, Blocking, Branch, Error, Layer, Layout, Mode, Parameters, Plan,
    PlanOptions, Pool, Siblings, View, convolve, fold_batch_norm, reference, reference_of,
};
use std::alloc::{GlobalAlloc, Layout as Memory, System};

/// The system's allocator, which counts what a thread asks for, and refuses it large pieces.
struct Watched;

std::thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// Pieces of so many bytes and more are refused,
    static REFUSED: Cell<usize> = const { Cell::new(usize::MAX) };
    /// after so many of them that are not.
    static GRANTED: Cell<usize> = const { Cell::new(0) };
}

fn refuse(bytes: usize) -> bool {
    COUNT.set(COUNT.get() + 1);
    if bytes < REFUSED.get() {
        return false;
    }
    let granted = GRANTED.get();
    GRANTED.set(granted.saturating_sub(1));
    granted == 0
}

/// Calls `f` while every piece of so many bytes and more is refused but the first few.
fn starved<R>(bytes: usize, granted: usize, f: impl FnOnce() -> R) -> R {
    GRANTED.set(granted);
    REFUSED.set(bytes);
    let result = f();
    REFUSED.set(usize::MAX);
    result
}

// SAFETY: passes everything on to the system's allocator, or gives the null that says it failed.
// The thread locals are plain cells without destructor, so that reading them allocates nothing.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, memory: Memory) -> *mut u8 {
        if refuse(memory.size()) {
            return core::ptr::null_mut();
        }
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(memory) }
    }

    unsafe fn dealloc(&self, at: *mut u8, memory: Memory) {
        // SAFETY: as above; all that was handed out came from there.
        unsafe { System.dealloc(at, memory) }
    }

    unsafe fn realloc(&self, at: *mut u8, memory: Memory, size: usize) -> *mut u8 {
        if refuse(size) {
            return core::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.realloc(at, memory, size) }
    }
}

#[global_allocator]
static WATCHED: Watched = Watched;

/// How often this thread allocates meanwhile.
fn allocations(f: impl FnOnce()) -> usize {
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

/// Layers of both layouts, dense and with stride, padding and residual, each by every kernel,
/// packed and in place.
fn cases(threads: usize) -> impl Iterator<Item = Case> {
    let padding = pointwise::Padding::Explicit { top: 1, bottom: 1, left: 1, right: 1 };
    let layers = Layout::ALL.into_iter().flat_map(move |layout| {
        let layer = Layer::new(37, 75, 7, 9).layout(layout).bias(true);
        [layer, layer.stride(2, 2).residual(true).padding(padding), layer.groups(1).batch(2)]
    });
    layers.flat_map(move |layer| {
        case::runnable().into_iter().flat_map(move |kernel| {
            [false, true].map(|pack| Case::forced(layer, kernel, 4, pack).threads(threads))
        })
    })
}

/// Runs the case twice. Fails if the second run allocates, or gives other bits than the reference.
fn assert_runs_in_place(case: &Case) {
    let run_twice = |slices: &mut Slices<'_>| {
        let Slices { input, parameters, residuals, outputs } = slices;
        let plan = Plan::new(&case.layer, &case.planned()?)?;
        let packed = plan.pack_parameters(&parameters[0])?;
        let mut run = || plan.run(&packed, input, residuals[0], outputs[0], Pool::Serial).unwrap();
        run();
        assert_eq!(allocations(&mut run), 0, "{case}");
        Ok(())
    };
    case.network().check_by(run_twice).unwrap();
}

#[test]
fn a_run_allocates_nothing_after_the_first() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1, "the count counts");
    for threads in [1, 4] {
        for case in cases(threads) {
            assert_runs_in_place(&case);
        }
    }
}

/// In a pool nothing is allocated by any of its threads once each has run.
#[test]
fn a_run_inside_a_pool_allocates_nothing_after_the_first() {
    let pool = case::pool(4);
    for case in cases(4) {
        let run_often = |slices: &mut Slices<'_>| {
            let Slices { input, parameters, residuals, outputs } = slices;
            let plan = Plan::new(&case.layer, &case.options)?;
            let packed = plan.pack_parameters(&parameters[0])?;
            // Each thread has run all of it, so that whichever takes a task later has its scratch.
            pool.broadcast(|_| {
                let mut output = vec![POISON; outputs[0].len()];
                plan.run(&packed, input, residuals[0], &mut output, Pool::Serial).unwrap();
            });
            let counts = || pool.broadcast(|_| COUNT.get());
            // What `broadcast` itself allocates in a thread.
            let (first, second) = (counts(), counts());
            pool.install(|| {
                let allocated = allocations(|| {
                    for _ in 0..20 {
                        plan.run(&packed, input, residuals[0], outputs[0], Pool::Current).unwrap();
                    }
                });
                assert_eq!(allocated, 0, "{case}");
            });
            let third = counts();
            for index in 0..4 {
                // `install` comes from outside and may have one of the pool's threads grow a queue.
                let own = second[index] - first[index];
                let during = third[index] - second[index];
                assert!(during <= own + 2, "{case}: {during} allocations in thread {index}");
            }
            Ok(())
        };
        case.network().check_by(run_often).unwrap();
    }
}

/// Whichever of the large allocations fails, the call says so.
#[test]
fn an_allocation_that_fails_is_an_error() {
    const LARGE: usize = 64 << 10;
    let out_of_memory = |result: Result<(), Error>| match result {
        Err(Error::OutOfMemory { bytes }) => assert!(bytes >= LARGE, "{bytes}"),
        other => panic!("{other:?}"),
    };
    for layout in Layout::ALL {
        let layer = Layer::new(256, 256, 20, 20).layout(layout).stride(2, 2);
        let network = Case::new(layer).network();
        let (input, weights) = (&network.input, &network.tensors[0].weights);
        out_of_memory(starved(LARGE, 0, || convolve(&layer, input, weights, None, None).map(drop)));
        out_of_memory(starved(LARGE, 0, || {
            reference(&layer, input, weights, None, None).map(drop)
        }));
        for kernel in case::runnable() {
            let case = Case::forced(layer, kernel, Blocking::MOST_UNITS, true);
            let plan = starved(LARGE, 0, || Plan::new(&layer, &case.options)).unwrap();
            out_of_memory(starved(LARGE, 0, || plan.pack(weights, None).map(drop)));
            // A thread of its own has no scratch yet.
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let packed = plan.pack(weights, None).unwrap();
                    let fail_then_run = |slices: &mut Slices<'_>| {
                        let output = &mut slices.outputs[0];
                        let mut run = || plan.run(&packed, input, None, output, Pool::Serial);
                        out_of_memory(starved(LARGE, 0, &mut run));
                        // The same plan and weights serve once there is memory.
                        run()
                    };
                    network.check_by(fail_then_run).unwrap();
                });
            });
        }
    }
    // Valid, and larger than any machine's memory: the output of a single input value.
    let padding = pointwise::Padding::Explicit { top: 0, bottom: 1 << 58, left: 0, right: 0 };
    let layer = Layer::new(1, 1, 1, 1).padding(padding);
    let refused = Error::OutOfMemory { bytes: (1 << 60) + 4 };
    assert_eq!(convolve(&layer, &[1.0], &[1.0], None, None), Err(refused.clone()));
    assert_eq!(reference(&layer, &[1.0], &[1.0], None, None), Err(refused));
}

/// Whichever of the allocations that grow with the layer is refused, first, second or last, each
/// call says so: none of them ends the process.
#[test]
fn every_allocation_that_grows_with_the_layer_may_fail() {
    const LARGE: usize = 32 << 10;
    /// Lets one allocation more succeed each time, until none is refused: how many there are.
    fn one_after_another<R>(what: &str, mut f: impl FnMut() -> Result<R, Error>) -> usize {
        for granted in 0..10_000 {
            match starved(LARGE, granted, &mut f) {
                Ok(_) => return granted,
                Err(Error::OutOfMemory { bytes }) => assert!(bytes >= LARGE, "{what}: {bytes}"),
                Err(other) => panic!("{what}: {other}"),
            }
        }
        panic!("{what}: no end of allocations");
    }
    // So many outputs that whatever there is for each of them is large.
    let prelu = Layer::new(2, 9000, 3, 1).bias(true).activation(Activation::Prelu);
    let options = PlanOptions::new;
    for layer in [prelu.residual(true), prelu.average(true), prelu.residual(true).groups(2)] {
        let shape = layer.check().unwrap();
        let (input, weights) = (vec![0.5; shape.input_len], vec![0.25; shape.weights_len]);
        let (bias, slopes) = (vec![1.0; layer.k], vec![0.5; layer.k]);
        let residual = vec![2.0; shape.residual_len];
        let residual = layer.residual.then_some(&residual[..]);
        let parameters = Parameters::new(&weights).bias(&bias).slopes(&slopes);
        for kernel in case::runnable() {
            let options = options().kernel(kernel.name());
            let planned = one_after_another("plan", || Plan::new(&layer, &options));
            assert!(planned <= 1, "the list of panels, where they are narrow");
            let plan = Plan::new(&layer, &options).unwrap();
            let packed = one_after_another("pack", || plan.pack_parameters(&parameters));
            assert_eq!(packed, 3 + planned, "weights, bias and slopes, and the panels");
            // Zeros for input, weights, bias, slopes, residual and output; plans and their weights.
            let measure = options.mode(Mode::Measure);
            assert!(one_after_another("measure", || Plan::new(&layer, &measure)) > 5);
        }
        let computed = || reference_of(&layer, &input, &parameters, residual);
        assert!(one_after_another("reference", computed) >= 2);
        let relu = layer.activation(Activation::Relu);
        let convolved = || convolve(&relu, &input, &weights, Some(&bias), residual);
        assert!(one_after_another("convolve", convolved) >= 3);
    }

    let mut weights = vec![1.0; 18_000];
    let ones = vec![1.0; 9000];
    let norm =
        BatchNorm { scale: &ones, shift: &ones, mean: &ones, variance: &ones, epsilon: 1.0e-5 };
    let folded = || fold_batch_norm(&mut weights, None, &norm);
    assert_eq!(one_after_another("fold", folded), 1);

    // Branches between one another, whose places are marked, since their pitches differ.
    let layer = Layer::new(2, 9000, 10, 10).layout(Layout::Nhwc).bias(true);
    let first = View::of_channels(Layout::Nhwc, 18_000, 0, 10, 10);
    let second = View { image: 7, ..View::of_channels(Layout::Nhwc, 18_000, 9000, 10, 10) };
    let branches = [Branch::new(layer).to(0, first), Branch::new(layer).to(0, second)];
    let siblings = || Siblings::new(&branches, None, &options());
    assert!(one_after_another("siblings", siblings) > 0);
    let plan = siblings().unwrap();
    let (weights, bias) = (vec![0.25; 18_000], vec![1.0; 9000]);
    let parameters = [Parameters::new(&weights).bias(&bias); 2];
    assert!(one_after_another("pack siblings", || plan.pack(&parameters)) >= 2);
}

/// Siblings, views, shuffled and ragged groups, heads and changes of layout allocate nothing
/// either.
#[test]
fn networks_layers_allocate_nothing_after_the_first_run() {
    let image = |c, k, layout| Layer::new(c, k, 6, 7).layout(layout).bias(true);
    for layout in Layout::ALL {
        let other = Layout::ALL[usize::from(layout == Layout::ALL[0])];
        let layers = [
            image(24, 60, layout).groups(3),
            image(24, 48, layout).groups(4).shuffle(true),
            image(24, 40, layout).groups(8).shuffle(true).activation(Activation::Silu),
            image(24, 60, layout).groups(3).residual(true),
            image(24, 40, layout).average(true),
            image(24, 40, layout).output_layout(other),
        ];
        for (layer, threads) in layers.into_iter().flat_map(|layer| [(layer, 1), (layer, 3)]) {
            // With more threads the split that has the most parts, else the model's choice.
            let parts = usize::from(threads > 1);
            assert_runs_in_place(&Case { parts, ..Case::new(layer).threads(threads) });
        }

        // Three branches, two of them in one buffer, the input a part of a larger tensor.
        let branch = |k| image(24, k, layout).activation(Activation::Relu);
        let layers = [branch(40), branch(17), branch(20)];
        let part = |first| View::of_channels(layout, 90, first, 6, 7);
        let branches = [
            Branch::new(layers[0]).to(0, part(3)),
            Branch::new(layers[1]),
            Branch::new(layers[2]).to(0, part(50)),
        ];
        let input = View::of_channels(layout, 30, 2, 6, 7);
        let network = Case::new(layers[0]).dense(&layers).placed(branches.to_vec(), Some(input));
        for threads in [1, 3] {
            let run_twice = |slices: &mut Slices<'_>| {
                let options = PlanOptions::new().threads(threads);
                let siblings = Siblings::new(&branches, Some(input), &options)?;
                let packed = siblings.pack(&slices.parameters)?;
                let (input, outputs) = (slices.input, &mut slices.outputs);
                let mut run = || siblings.run(&packed, input, &[], outputs, Pool::Serial).unwrap();
                run();
                assert_eq!(allocations(&mut run), 0, "{layout}, {threads} threads");
                Ok(())
            };
            network.check_by(run_twice).unwrap();
        }
    }
}
