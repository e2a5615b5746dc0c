//! Which CPUs threads run on while a sample is taken.
//!
//! The threads of a pool sleep and wake between runs. A scheduler that has once put two of them on
//! one CPU may leave them there for as long as a whole layer is measured, and the layer then shows
//! the speed of one thread. During a sample each thread of the pool is therefore pinned to a CPU of
//! its own, and every other thread of the process (a peer's threads above all) is kept off the CPU
//! of the thread that takes the sample. Between samples all threads may run anywhere: a thread
//! inherits the CPUs of the thread that starts it, and a peer's threads must not inherit one CPU.

#[cfg(target_os = "linux")]
pub(crate) use linux::Separation;
#[cfg(target_os = "linux")]
pub(crate) use linux::{cpus_for, pin_to, wait_for_others};

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Separation;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{cpus_for, pin_to, wait_for_others};

/// Whether this is called in a pool of several threads.
///
/// Outside of any pool the answer is no. Asking rayon for its number of threads there would start
/// rayon's global pool.
pub(crate) fn parallel() -> bool {
    rayon::current_thread_index().is_some() && rayon::current_num_threads() > 1
}

#[cfg(target_os = "linux")]
mod linux {
    use super::parallel;
    use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_setaffinity};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    /// Whether a [`Separation`] is in force in this process.
    static SEPARATED: AtomicBool = AtomicBool::new(false);

    /// While it lives, each thread of the pool is pinned to a CPU of its own.
    pub(crate) struct Separation(Option<Before>);

    /// What is restored at the end.
    struct Before {
        allowed: CpuSet,
        /// Threads that had chosen their CPUs themselves, and were left alone.
        untouched: Vec<Pid>,
    }

    impl Separation {
        /// Pins the threads of the pool that this is called in.
        ///
        /// It does nothing outside of a pool, in a pool of one thread, where the process may use
        /// fewer CPUs than the pool has threads, where the system forbids it, and while another
        /// separation is in force.
        pub(crate) fn begin() -> Separation {
            let (Some(own), true) = (rayon::current_thread_index(), parallel()) else {
                return Separation(None);
            };
            let Some(cpus) = cpus_for(rayon::current_num_threads()) else {
                return Separation(None);
            };
            let Ok(allowed) = sched_getaffinity(None) else { return Separation(None) };
            // Waiting for the other separation could deadlock: it may wait for this thread.
            if SEPARATED.swap(true, Ordering::Acquire) {
                return Separation(None);
            }
            let pool = rayon::broadcast(|context| {
                pin_to(cpus[context.index()]);
                gettid()
            });
            let mut elsewhere = allowed;
            elsewhere.unset(cpus[own]);
            // One thread moves the threads of the process. The pool's other threads stay awake
            // meanwhile, as a peer's threads do: a virtual CPU that was idle is slow for a while.
            let done = AtomicBool::new(false);
            let untouched = rayon::broadcast(|context| {
                let mut untouched = Vec::new();
                if context.index() == own {
                    for thread in tasks().filter(|thread| !pool.contains(thread)) {
                        match sched_getaffinity(Some(thread)) {
                            Ok(now) if now == allowed => {
                                // This fails for a thread that has just ended, which is no matter.
                                let _ = sched_setaffinity(Some(thread), &elsewhere);
                            }
                            _ => untouched.push(thread),
                        }
                    }
                    done.store(true, Ordering::Release);
                }
                while !done.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                untouched
            });
            let untouched = untouched.concat();
            Separation(Some(Before { allowed, untouched }))
        }

        #[cfg(test)]
        fn is_in_force(&self) -> bool {
            self.0.is_some()
        }
    }

    impl Drop for Separation {
        fn drop(&mut self) {
            if let Some(Before { allowed, untouched }) = &self.0 {
                // Threads that were started during the sample inherited its CPUs and are reset too.
                for thread in tasks().filter(|thread| !untouched.contains(thread)) {
                    let _ = sched_setaffinity(Some(thread), allowed);
                }
                SEPARATED.store(false, Ordering::Release);
            }
        }
    }

    /// The threads of this process.
    fn tasks() -> impl Iterator<Item = Pid> {
        let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
    }

    /// Waits until no other thread of this process runs, but no longer than `most`: a peer's
    /// threads may spin for milliseconds after their work.
    pub(crate) fn wait_for_others(most: Duration) {
        let (own, start) = (gettid(), Instant::now());
        let runs = |thread: Pid| {
            let path = format!("/proc/self/task/{}/stat", thread.as_raw_nonzero());
            // The thread's name comes before its state and may hold any text, brackets included.
            let stat = std::fs::read_to_string(path).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
        };
        while tasks().any(|thread| thread != own && runs(thread)) && start.elapsed() < most {
            std::thread::yield_now();
        }
    }

    /// One CPU for each of `threads` threads, out of those that this thread may run on; `None`
    /// where there are fewer CPUs than threads.
    pub(crate) fn cpus_for(threads: usize) -> Option<Vec<usize>> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut cpus: Vec<usize> =
            (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
        cpus.truncate(threads);
        (cpus.len() == threads).then_some(cpus)
    }

    /// Pins this thread to a CPU. A system that forbids it leaves the thread where it is.
    pub(crate) fn pin_to(cpu: usize) {
        let mut own = CpuSet::new();
        own.set(cpu);
        let _ = sched_setaffinity(None, &own);
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::sync::mpsc::{Sender, channel};

        fn allowed(thread: Option<Pid>) -> CpuSet {
            sched_getaffinity(thread).unwrap()
        }

        /// A thread that sleeps, as a peer's would, until the sender is dropped.
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
        fn threads_are_separated_during_a_sample_and_free_again_after_it() {
            let Some(cpus) = cpus_for(2) else {
                eprintln!("skipped: one CPU");
                return;
            };
            let (other_id, end_other) = idle();
            let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
            let before = allowed(None);
            let all = || pool.broadcast(|_| allowed(None));
            assert!(all().iter().all(|now| *now == before));
            pool.install(|| {
                // Other tests of this process take samples too, so the first try may do nothing.
                let mut tries = core::iter::repeat_with(Separation::begin);
                let separation = tries.find(Separation::is_in_force).unwrap();
                let pinned = rayon::broadcast(|_| allowed(None));
                assert!(pinned.iter().all(|now| now.count() == 1) && pinned[0] != pinned[1]);
                let own = pinned[rayon::current_thread_index().unwrap()];
                let others = allowed(Some(other_id));
                assert!(others.count() + 1 == before.count());
                assert!(cpus.iter().all(|cpu| !(others.is_set(*cpu) && own.is_set(*cpu))));
                let (started, _end) = idle();
                drop(separation);
                assert!(allowed(Some(started)) == before);
            });
            assert!(all().iter().all(|now| *now == before));
            assert!(allowed(Some(other_id)) == before);
            drop(end_other);
            // Outside of a pool there is nothing to separate.
            let _separation = Separation::begin();
            assert!(allowed(None) == before);
        }

        #[test]
        fn a_spinning_thread_is_waited_for() {
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
                // The thread spins on, so only the limit can have ended the wait.
                assert!(start.elapsed() >= most);
                ends.store(true, Ordering::Relaxed);
            });
        }
    }
}

/// On other systems the scheduler decides.
#[cfg(not(target_os = "linux"))]
mod elsewhere {
    pub(crate) struct Separation;

    impl Separation {
        pub(crate) fn begin() -> Separation {
            Separation
        }
    }

    pub(crate) fn wait_for_others(_most: std::time::Duration) {}

    pub(crate) fn cpus_for(_threads: usize) -> Option<Vec<usize>> {
        None
    }

    pub(crate) fn pin_to(_cpu: usize) {}
}
