//! A plan and its weights shared by many threads, inside pools of every kind, beside panics, and
//! after a pool has gone: the reference's bits, no deadlock, no state broken.
//!
//! A watch ends the process when one of these tests takes minutes: then something waits for ever.

use crate::case::{Case, Network, Slices};
use pointwise::{Layer, Layout, PackedWeights, Padding, Plan, Pool};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};

/// A planned layer with what it is run on.
struct Shared {
    plan: Plan,
    packed: PackedWeights,
    network: Network,
    /// Ends the watch when it is dropped.
    _watched: Sender<()>,
}

impl Shared {
    fn new(threads: usize) -> Shared {
        let padding = Padding::Explicit { top: 1, bottom: 0, left: 0, right: 1 };
        let layer = Layer::new(29, 70, 13, 11).batch(2).layout(Layout::Nchw).padding(padding);
        let case = Case::new(layer.bias(true).residual(true)).threads(threads);
        let network = case.network();
        let plan = Plan::new(&case.layer, &case.options).unwrap();
        let packed = plan.pack_parameters(&network.tensors[0].parameters()).unwrap();
        Shared { plan, packed, network, _watched: watch() }
    }

    /// Runs it in `pool` and compares.
    fn run(&self, pool: Pool<'_>) {
        let run = |slices: &mut Slices<'_>| {
            let Slices { input, residuals, outputs, .. } = slices;
            self.plan.run(&self.packed, input, residuals[0], outputs[0], pool)
        };
        self.network.check_by(run).unwrap();
    }
}

/// Ends the process, unless what it returns is dropped within minutes.
fn watch() -> Sender<()> {
    let (watched, ended) = channel();
    std::thread::spawn(move || {
        let minutes = std::time::Duration::from_secs(300);
        if ended.recv_timeout(minutes) == Err(RecvTimeoutError::Timeout) {
            eprintln!("a test of threads.rs waits for ever");
            std::process::exit(101);
        }
    });
    watched
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).panic_handler(|_| {}).build().unwrap()
}

#[test]
fn sixty_four_threads_share_a_plan() {
    let shared = Shared::new(4);
    let two = pool(2);
    std::thread::scope(|scope| {
        for index in 0..64 {
            let (shared, two) = (&shared, &two);
            scope.spawn(move || {
                for _ in 0..8 {
                    shared.run(if index % 2 == 0 { Pool::Serial } else { Pool::In(two) });
                }
            });
        }
    });
}

#[test]
fn runs_inside_tasks_of_the_same_pool() {
    let shared = Shared::new(8);
    for threads in [1, 2, 8] {
        let pool = pool(threads);
        pool.install(|| {
            (0..32).into_par_iter().for_each(|index| {
                // In the pool of the task, by either name.
                shared.run(if index % 2 == 0 { Pool::Current } else { Pool::In(&pool) });
            });
        });
    }
}

#[test]
fn pools_of_one_that_call_each_other_do_not_wait_for_ever() {
    let shared = Shared::new(4);
    let (a, b) = (pool(1), pool(1));
    std::thread::scope(|scope| {
        for (from, to) in [(&a, &b), (&b, &a)] {
            let shared = &shared;
            scope.spawn(move || {
                for _ in 0..50 {
                    from.install(|| shared.run(Pool::In(to)));
                }
            });
        }
    });
}

#[test]
fn a_plan_outlives_the_pools_it_ran_in() {
    let shared = Shared::new(4);
    for threads in [1, 3, 4] {
        let pool = pool(threads);
        shared.run(Pool::In(&pool));
        drop(pool);
        shared.run(Pool::Serial);
    }
}

#[test]
fn a_panic_elsewhere_in_the_pool_changes_nothing() {
    let shared = Shared::new(4);
    let pool = pool(3);
    for _ in 0..20 {
        pool.spawn(|| std::panic::resume_unwind(Box::new("a task of the host")));
        shared.run(Pool::In(&pool));
        // One side of a join panics while the other runs the layer.
        let joined = catch_unwind(AssertUnwindSafe(|| {
            pool.install(|| {
                rayon::join(
                    || shared.run(Pool::Current),
                    || std::panic::resume_unwind(Box::new("the other side")),
                )
            })
        }));
        assert!(joined.is_err());
        shared.run(Pool::In(&pool));
    }
}

/// A caller that panics between runs, as from a hook, leaves nothing behind.
#[test]
fn a_caller_that_panics_between_layers_can_run_again() {
    let shared = Shared::new(4);
    let pool = pool(2);
    for after in 0..4 {
        let cancelled = catch_unwind(AssertUnwindSafe(|| {
            pool.install(|| {
                for layer in 0..4 {
                    shared.run(Pool::Current);
                    if layer == after {
                        std::panic::resume_unwind(Box::new("cancelled"));
                    }
                }
            });
        }));
        assert!(cancelled.is_err());
        shared.run(Pool::In(&pool));
        shared.run(Pool::Serial);
    }
}

/// A thread that is ending has dropped its scratch, but may still run a layer.
#[test]
fn a_thread_that_is_ending_can_run() {
    struct AtEnd(std::cell::Cell<Option<std::sync::Arc<Shared>>>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            if let Some(shared) = self.0.take() {
                shared.run(Pool::Serial);
            }
        }
    }
    std::thread_local! {
        static FIRST: AtEnd = const { AtEnd(std::cell::Cell::new(None)) };
    }
    let shared = std::sync::Arc::new(Shared::new(1));
    // Whichever of the two thread locals is dropped first: before a run, and after one.
    for first in [true, false] {
        let shared = shared.clone();
        std::thread::spawn(move || {
            if first {
                shared.run(Pool::Serial);
            }
            FIRST.with(|at_end| at_end.0.set(Some(shared.clone())));
            shared.run(Pool::Serial);
        })
        .join()
        .unwrap();
    }
}
