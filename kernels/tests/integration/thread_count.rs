//! No thread starts unless it was asked for.
//!
//! The test runs in a process of its own, since it counts the threads of the whole process.
#![cfg(target_os = "linux")]

use crate::alone::alone;
use pointwise::{Layer, Plan, PlanOptions, Pool, convolve};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn no_thread_starts_that_was_not_asked_for() {
    alone("thread_count::no_thread_starts_that_was_not_asked_for", || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        // So that its threads are there.
        pool.broadcast(|_| ());
        let before = threads();
        let layer = Layer::new(64, 64, 14, 14);
        let (input, weights) = (vec![1.0; 64 * 196], vec![1.0; 64 * 64]);
        convolve(&layer, &input, &weights, None, None).unwrap();
        let plan = Plan::new(&layer, &PlanOptions::new().threads(4)).unwrap();
        assert!(plan.threads() > 1);
        let packed = plan.pack(&weights, None).unwrap();
        let mut output = vec![0.0; 64 * 196];
        plan.run(&packed, &input, None, &mut output, Pool::Serial).unwrap();
        plan.run(&packed, &input, None, &mut output, Pool::In(&pool)).unwrap();
        pool.install(|| plan.run(&packed, &input, None, &mut output, Pool::Current)).unwrap();
        assert_eq!(threads(), before);
        // Outside of any pool, `Current` is rayon's global one, which is then asked for.
        plan.run(&packed, &input, None, &mut output, Pool::Current).unwrap();
        assert!(threads() > before, "the count counts");
    });
}
