//! Threads on CPUs of their own when a sample begins.
//!
//! The threads of a pool sleep and wake between runs, and a scheduler that has once put two of
//! them on one CPU may leave them there for as long as a whole layer is measured: it then shows at
//! the speed of one thread. So each is sent to a CPU of its own before a sample, and let go at
//! once: nothing is pinned while it is timed, and threads of a peer that are started then may run
//! anywhere.

/// Sends each thread of the pool that this is called in to a CPU of its own, where there are as
/// many and the system can; nothing is done outside of a pool, or in one of one thread.
#[cfg(target_os = "linux")]
pub(crate) fn spread() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    if rayon::current_thread_index().is_none() || rayon::current_num_threads() < 2 {
        return;
    }
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    if rayon::current_num_threads() > cpus.len() {
        return;
    }
    rayon::broadcast(|context| {
        let mut own = CpuSet::new();
        own.set(cpus[context.index()]);
        // A system that forbids it leaves the thread where it is.
        if sched_setaffinity(None, &own).is_ok() {
            let _ = sched_setaffinity(None, &allowed);
        }
    });
}

/// Elsewhere the scheduler is trusted.
#[cfg(not(target_os = "linux"))]
pub(crate) fn spread() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::spread;
    use rustix::thread::sched_getaffinity;

    #[test]
    fn threads_may_run_where_they_might_before() {
        let pool = crate::measure::pool(2).unwrap();
        let allowed = || pool.broadcast(|_| sched_getaffinity(None).unwrap());
        let before = allowed();
        pool.install(spread);
        assert!(before == allowed());
        spread();
    }
}
