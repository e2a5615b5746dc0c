//! Pools of threads that measurements run in.

use super::affinity::{cpus_for, pin_to};

/// Why there is no pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Zero threads, or more than the limit.
    #[error("{threads} threads cannot measure anything: 1 to {most} can")]
    Count {
        /// The number asked for.
        threads: usize,
        /// The limit.
        most: usize,
    },
    /// The operating system refused to start the threads.
    #[error("cannot start {threads} threads: {reason}")]
    Refused {
        /// The number asked for.
        threads: usize,
        /// The system's own words.
        reason: String,
    },
}

/// No pool has more threads: a larger number is a typing error, not a machine.
const MOST: usize = 4096;

/// A pool of exactly `threads` threads.
///
/// # Errors
/// [`PoolError`]: zero threads, more than 4096 or rayon's limit, or a refusal of the system.
pub fn pool(threads: usize) -> Result<rayon::ThreadPool, PoolError> {
    build(threads, |_| ())
}

/// A pool of exactly `threads` threads, each pinned to a CPU of its own where there are as many
/// CPUs. What one candidate gains over another must not depend on where the scheduler put threads.
///
/// # Errors
/// As [`pool`].
pub fn pinned_pool(threads: usize) -> Result<rayon::ThreadPool, PoolError> {
    let cpus = (threads > 1).then(|| cpus_for(threads)).flatten();
    build(threads, move |index| {
        if let Some(cpus) = &cpus {
            pin_to(cpus[index]);
        }
    })
}

fn build(
    threads: usize,
    start: impl Fn(usize) + Send + Sync + 'static,
) -> Result<rayon::ThreadPool, PoolError> {
    // Above its own limit rayon would silently start fewer threads.
    let most = rayon::max_num_threads().min(MOST);
    if threads == 0 || threads > most {
        return Err(PoolError::Count { threads, most });
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("pointwise-{index}"))
        .start_handler(start)
        .build()
        .map_err(|error| PoolError::Refused { threads, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_have_as_many_threads_as_asked() {
        for threads in [1, 2, 3] {
            assert_eq!(pool(threads).unwrap().install(rayon::current_num_threads), threads);
        }
        assert!(matches!(pool(0), Err(PoolError::Count { threads: 0, .. })));
        assert!(matches!(pool(usize::MAX), Err(PoolError::Count { .. })));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_threads_of_a_pinned_pool_have_a_cpu_each() {
        let pool = pinned_pool(2).unwrap();
        if cpus_for(2).is_none() {
            eprintln!("skipped: one CPU");
            return;
        }
        let allowed = pool.broadcast(|_| rustix::thread::sched_getaffinity(None).unwrap());
        assert!(allowed.iter().all(|cpus| cpus.count() == 1));
        assert!(allowed[0] != allowed[1]);
    }
}
