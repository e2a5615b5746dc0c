//! Threads on CPUs of their own while a sample is taken.
//!
//! The threads of a pool sleep and wake between runs, and a scheduler that has once put two of
//! them on one CPU may leave them there for as long as a whole layer is measured: it then shows at
//! the speed of one thread. So each is kept on a CPU of its own during a sample, and whatever else
//! this process runs, the threads of a peer above all, off the CPU of the thread that calls it.
//! Between samples all may run anywhere: threads that a peer starts must not inherit one CPU.

#[cfg(target_os = "linux")]
pub(crate) use linux::Apart;
#[cfg(target_os = "linux")]
pub(super) use linux::{cpus_for, keep_on, wait_for_others};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Apart;
#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{cpus_for, keep_on, wait_for_others};

/// Whether this is called in a pool of several threads. (Outside of any, asking for their number
/// would start rayon's own.)
pub(super) fn parallel() -> bool {
    rayon::current_thread_index().is_some() && rayon::current_num_threads() > 1
}

#[cfg(target_os = "linux")]
mod linux {
    use super::parallel;
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    /// Whether somebody has parted the threads of this process.
    static PARTED: AtomicBool = AtomicBool::new(false);

    /// While it lives, the threads keep apart.
    pub(crate) struct Apart(Option<Before>);

    /// How it was.
    struct Before {
        allowed: CpuSet,
        /// Threads that had chosen their CPUs themselves.
        left: Vec<Pid>,
    }

    impl Apart {
        /// Parts the threads of the pool that this is called in, where there are as many CPUs and
        /// the system lets it; nothing is done outside of a pool, in one of one thread, or while
        /// another sample is taken.
        pub(crate) fn keep() -> Apart {
            let (Some(own), true) = (rayon::current_thread_index(), parallel()) else {
                return Apart(None);
            };
            let Some(cpus) = cpus_for(rayon::current_num_threads()) else { return Apart(None) };
            let Ok(allowed) = sched_getaffinity(None) else { return Apart(None) };
            // Not waiting for another sample: it may wait for this thread.
            if PARTED.swap(true, Ordering::Acquire) {
                return Apart(None);
            }
            let pool = rayon::broadcast(|context| {
                keep_on(cpus[context.index()]);
                gettid()
            });
            let mut elsewhere = allowed;
            elsewhere.unset(cpus[own]);
            // One goes through the threads; the others stay awake meanwhile, as those of a peer do.
            // (A virtual CPU that was idle is slow for a while.)
            let done = AtomicBool::new(false);
            let left = rayon::broadcast(|context| {
                let mut left = Vec::new();
                if context.index() == own {
                    for thread in tasks().filter(|thread| !pool.contains(thread)) {
                        match sched_getaffinity(Some(thread)) {
                            Ok(now) if now == allowed => {
                                // One that ends meanwhile need not be moved.
                                let _ = sched_setaffinity(Some(thread), &elsewhere);
                            }
                            _ => left.push(thread),
                        }
                    }
                    done.store(true, Ordering::Release);
                }
                while !done.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                left
            });
            let left = left.concat();
            Apart(Some(Before { allowed, left }))
        }

        #[cfg(test)]
        pub(in crate::measure) fn is_kept(&self) -> bool {
            self.0.is_some()
        }
    }

    impl Drop for Apart {
        fn drop(&mut self) {
            if let Some(Before { allowed, left }) = &self.0 {
                // Threads that were started meanwhile have inherited what now ends.
                for thread in tasks().filter(|thread| !left.contains(thread)) {
                    let _ = sched_setaffinity(Some(thread), allowed);
                }
                PARTED.store(false, Ordering::Release);
            }
        }
    }

    /// The threads of this process.
    fn tasks() -> impl Iterator<Item = Pid> {
        let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
    }

    /// Waits until no other thread of this process runs, at most so long: a peer's threads may
    /// spin for milliseconds after their work.
    pub(in crate::measure) fn wait_for_others(most: Duration) {
        let (own, start) = (gettid(), Instant::now());
        let runs = |thread: Pid| {
            let path = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
            // The state follows the name, which may hold anything.
            let stat = std::fs::read_to_string(path).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
        };
        while tasks().any(|thread| thread != own && runs(thread)) && start.elapsed() < most {
            std::thread::yield_now();
        }
    }

    /// A CPU for each of so many threads, of those that this one may run on; none where there are
    /// not as many.
    pub(in crate::measure) fn cpus_for(threads: usize) -> Option<Vec<usize>> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cpus: Vec<usize> =
            (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        cpus.truncate(threads);
        (cpus.len() == threads).then_some(cpus)
    }

    /// Keeps this thread on a CPU.
    pub(in crate::measure) fn keep_on(cpu: usize) {
        let mut own = CpuSet::new();
        own.set(cpu);
        // A system that forbids it leaves the thread where it is.
        let _ = sched_setaffinity(None, &own);
    }
}

/// Elsewhere the scheduler is trusted.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    pub(crate) struct Apart;

    impl Apart {
        pub(crate) fn keep() -> Apart {
            Apart
        }
    }

    pub(in crate::measure) fn wait_for_others(_most: std::time::Duration) {}

    pub(in crate::measure) fn cpus_for(_threads: usize) -> Option<Vec<usize>> {
        None
    }

    pub(in crate::measure) fn keep_on(_cpu: usize) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Apart, cpus_for, wait_for_others};
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity};
    use std::sync::mpsc::{Sender, channel};
    use std::time::{Duration, Instant};

    fn allowed(thread: Option<Pid>) -> CpuSet {
        sched_getaffinity(thread).unwrap()
    }

    /// A thread of a peer, as it were, until what is returned with it is dropped.
    fn idle() -> (Pid, Sender<()>) {
        let (tell, told) = channel();
        let (end, ended) = channel();
        std::thread::spawn(move || {
            tell.send(gettid()).unwrap();
            let _ = ended.recv();
        });
        (told.recv().unwrap(), end)
    }

    #[test]
    fn threads_keep_apart_during_a_sample_and_may_then_run_where_they_might_before() {
        let Some(cpus) = cpus_for(2) else {
            eprintln!("skipped: one CPU");
            return;
        };
        let (other_id, end_other) = idle();
        let pool = crate::measure::pool(2).unwrap();
        let before = allowed(None);
        let all = || pool.broadcast(|_| allowed(None));
        assert!(all().iter().all(|now| *now == before));
        pool.install(|| {
            // Other tests of this process measure, too.
            let kept = core::iter::repeat_with(Apart::keep).find(Apart::is_kept);
            let apart = kept.unwrap();
            let kept = rayon::broadcast(|_| allowed(None));
            assert!(kept.iter().all(|now| now.count() == 1) && kept[0] != kept[1]);
            let own = kept[rayon::current_thread_index().unwrap()];
            let others = allowed(Some(other_id));
            assert!(others.count() + 1 == before.count());
            assert!(cpus.iter().all(|cpu| !(others.is_set(*cpu) && own.is_set(*cpu))));
            let (started, _end) = idle();
            drop(apart);
            assert!(allowed(Some(started)) == before);
        });
        assert!(all().iter().all(|now| *now == before));
        assert!(allowed(Some(other_id)) == before);
        drop(end_other);
        // Outside of a pool there is nothing to part.
        let _apart = Apart::keep();
        assert!(allowed(None) == before);
    }

    #[test]
    fn who_spins_is_waited_for() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let most = Duration::from_millis(50);
        let (spins, ends) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                spins.store(true, Ordering::Relaxed);
                while !ends.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            while !spins.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let start = Instant::now();
            wait_for_others(most);
            // Nothing ends this one's wait but the time.
            assert!(start.elapsed() >= most);
            ends.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn pinned_threads_stay_apart() {
        let pool = crate::measure::pinned_pool(2).unwrap();
        if cpus_for(2).is_none() {
            eprintln!("skipped: one CPU");
            return;
        }
        let allowed = pool.broadcast(|_| allowed(None));
        assert!(allowed.iter().all(|cpus| cpus.count() == 1));
        assert!(allowed[0] != allowed[1]);
    }
}
