//! The same work on every thread of a pool, started at the same moment.

use crate::timing::clock::{Clock, Monotonic};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `work` on every thread of the current pool, `repeats` times, and returns the time of each
/// repeat, ns: from the start of the first thread to the end of the last. Each thread works on a
/// state that it made itself with `make`, which is given the thread's index.
///
/// Threads wait for one another by spinning. A barrier of the operating system would wake them tens
/// of microseconds apart.
pub(super) fn lockstep<S>(
    repeats: usize,
    make: impl Fn(usize) -> S + Sync,
    work: impl Fn(&mut S) + Sync,
) -> Vec<f64> {
    let threads = rayon::current_num_threads();
    let arrived = AtomicUsize::new(0);
    // With fewer CPUs than threads, a spinning thread keeps its CPU from a thread that it waits for.
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let patience = if threads > cpus { 1 } else { 1 << 12 };
    let clock = Monotonic::new();
    let spans: Vec<Vec<(u64, u64)>> = rayon::broadcast(|context| {
        let mut state = make(context.index());
        (1..=repeats)
            .map(|repeat| {
                wait(&arrived, repeat * threads, patience);
                let start = clock.now();
                work(&mut state);
                (start, clock.now())
            })
            .collect()
    });
    (0..repeats)
        .map(|repeat| {
            let spans = || spans.iter().map(|thread| thread[repeat]);
            let first = spans().map(|(start, _)| start).min().unwrap_or(0);
            let last = spans().map(|(_, end)| end).max().unwrap_or(0);
            (last - first).max(1) as f64
        })
        .collect()
}

/// Counts this thread as arrived and spins until `all` have, yielding every `patience` spins.
fn wait(arrived: &AtomicUsize, all: usize, patience: u32) {
    arrived.fetch_add(1, Ordering::AcqRel);
    let mut spins = 0u32;
    while arrived.load(Ordering::Acquire) < all {
        spins = spins.wrapping_add(1);
        if spins.is_multiple_of(patience) {
            std::thread::yield_now();
        }
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_thread_works_in_every_repeat_and_none_runs_ahead() {
        let pool = crate::timing::pool::pool(3).unwrap();
        let log = Mutex::new(Vec::new());
        let times = pool.install(|| {
            lockstep(
                4,
                |index| (index, 0),
                |(index, repeat)| {
                    log.lock().unwrap().push((*repeat, *index));
                    *repeat += 1;
                },
            )
        });
        assert_eq!(times.len(), 4);
        assert!(times.iter().all(|ns| *ns >= 1.0));
        let log = log.into_inner().unwrap();
        assert_eq!(log.len(), 12);
        assert!(log.is_sorted_by_key(|(repeat, _)| *repeat), "{log:?}");
        let mut seen = log;
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 12);
    }
}
