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
    use rustix::thread::{sched_getaffinity, sched_setaffinity};
    if rayon::current_thread_index().is_none() || rayon::current_num_threads() < 2 {
        return;
    }
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cpus = cpus();
    let threads = rayon::current_num_threads();
    rayon::broadcast(|context| {
        if keep_apart(context.index(), threads, &cpus) {
            let _ = sched_setaffinity(None, &allowed);
        }
    });
}

/// The CPUs that this thread may run on.
#[cfg(target_os = "linux")]
pub(super) fn cpus() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(None);
    let is = |cpu: &usize| allowed.as_ref().is_ok_and(|allowed| allowed.is_set(*cpu));
    (0..CpuSet::MAX_CPU).filter(is).collect()
}

/// Keeps this thread, one of so many, on one of the CPUs where there is one for each; whether it
/// is kept there.
#[cfg(target_os = "linux")]
pub(super) fn keep_apart(index: usize, threads: usize, cpus: &[usize]) -> bool {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if threads < 2 || threads > cpus.len() {
        return false;
    }
    let mut own = CpuSet::new();
    own.set(cpus[index]);
    // A system that forbids it leaves the thread where it is.
    sched_setaffinity(None, &own).is_ok()
}

/// Elsewhere the scheduler is trusted.
#[cfg(not(target_os = "linux"))]
pub(crate) fn spread() {}

#[cfg(not(target_os = "linux"))]
pub(super) fn cpus() -> Vec<usize> {
    Vec::new()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep_apart(_index: usize, _threads: usize, _cpus: &[usize]) -> bool {
    false
}

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

    #[test]
    fn pinned_threads_stay_apart() {
        let pool = crate::measure::pinned_pool(2).unwrap();
        let allowed = pool.broadcast(|_| sched_getaffinity(None).unwrap());
        if super::cpus().len() < 2 {
            eprintln!("skipped: one CPU");
            return;
        }
        assert!(allowed.iter().all(|cpus| cpus.count() == 1));
        assert!(allowed[0] != allowed[1]);
    }
}
