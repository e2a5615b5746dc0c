//! The bandwidth of each level of memory.

use super::cache::CacheLevel;
use super::lockstep::lockstep;
use crate::timing::stats;
use pulp::{Simd, WithSimd};
use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// The highest rate that one level of memory delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandwidth {
    /// `L1`, `L2`, `L3` or `memory`.
    pub level: String,
    /// The number of threads that worked at once.
    pub threads: usize,
    /// Bytes that the level holds for all those threads together; `None` for memory.
    pub capacity: Option<u64>,
    /// Bytes that all threads together went over.
    pub bytes: u64,
    /// Reading, 10⁹ bytes per second, all threads together.
    pub read_gbps: f64,
    /// Copying, 10⁹ bytes per second; bytes read and bytes written both count.
    pub copy_gbps: f64,
}

/// One level to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    /// `L1`, `L2`, `L3` or `memory`.
    level: String,
    /// As [`Bandwidth::capacity`].
    pub(super) capacity: Option<u64>,
    /// Bytes that each thread goes over.
    bytes_per_thread: usize,
}

/// The least time that a run should take, ns.
const RUN_NS: f64 = 200e3;
/// Level, bytes and sharing CPUs of caches where the system shows none. Nearly every CPU of the last
/// ten years has caches of at least these sizes.
const UNKNOWN: [(u8, u64, usize); 3] =
    [(1, 32 << 10, 1), (2, 256 << 10, 1), (3, 8 << 20, usize::MAX)];
/// The most bytes that are gone over, however large the last-level cache is said to be.
const MOST: u64 = 1 << 30;

/// The levels to measure on a machine with `caches`, for `threads` threads.
///
/// Of each cache half is gone over, which leaves room for code and for other processes. For memory
/// it is four times the last-level cache.
pub(super) fn probes(caches: &[CacheLevel], threads: usize) -> Vec<Probe> {
    let threads = threads.max(1) as u64;
    let mut levels: Vec<(u8, u64, usize)> = caches
        .iter()
        .filter(|cache| cache.holds_data())
        .map(|cache| (cache.level, cache.bytes, cache.shared_by))
        .collect();
    if levels.is_empty() {
        levels = UNKNOWN.to_vec();
    }
    // The hardware threads of one core share its L1. Threads are spread over cores first.
    let siblings = levels.first().map_or(1, |(_, _, shared_by)| (*shared_by).max(1));
    let mut probes = Vec::new();
    let mut last_total = 0;
    for (level, bytes, shared_by) in levels {
        let cores = (shared_by / siblings).max(1) as u64;
        let total = bytes * threads.div_ceil(cores);
        probes.push(Probe {
            level: format!("L{level}"),
            capacity: Some(total),
            bytes_per_thread: round(total / 2 / threads),
        });
        last_total = total;
    }
    let memory = (4 * last_total).clamp(64 << 20, MOST);
    probes.push(Probe {
        level: "memory".to_owned(),
        capacity: None,
        bytes_per_thread: round(memory / threads),
    });
    probes
}

/// Rounds down to whole blocks of the read loop, at least one.
fn round(bytes: u64) -> usize {
    (bytes as usize / 4096).max(1) * 4096
}

/// The bandwidth of one level, the best of `repeats` runs on all threads of `pool` at once.
pub(super) fn bandwidth(probe: &Probe, pool: &rayon::ThreadPool, repeats: usize) -> Bandwidth {
    let threads = pool.current_num_threads();
    let bytes = probe.bytes_per_thread;
    let read = best(
        pool,
        repeats,
        bytes,
        |_| AlignedWords::new(bytes),
        |buffer, passes| {
            Read { data: buffer.words(), passes }.run();
        },
    );
    // Both halves together take the room that the one buffer of reading took.
    let half = bytes / 2;
    let copy = best(
        pool,
        repeats,
        2 * half,
        |_| (AlignedWords::new(half), AlignedWords::new(half)),
        |(from, to), passes| {
            for _ in 0..passes {
                to.words_mut().copy_from_slice(black_box(from.words()));
                black_box(&to);
            }
        },
    );
    Bandwidth {
        level: probe.level.clone(),
        threads,
        capacity: probe.capacity,
        bytes: (bytes * threads) as u64,
        read_gbps: read,
        copy_gbps: copy,
    }
}

/// The best rate of `repeats` runs, bytes per ns over all threads. A pass moves `bytes` on each
/// thread, and a run has as many passes as make it long enough.
fn best<S>(
    pool: &rayon::ThreadPool,
    repeats: usize,
    bytes: usize,
    make: impl Fn(usize) -> S + Sync,
    work: impl Fn(&mut S, usize) + Sync,
) -> f64 {
    // The first passes over a fresh buffer are slow. The best of four leaves them out.
    let trial = pool.install(|| lockstep(4, &make, |state| work(state, 1)));
    let pass = stats::min(&trial).unwrap_or(RUN_NS);
    let passes = (RUN_NS / pass).ceil().max(1.0) as usize;
    let times = pool.install(|| lockstep(repeats.max(1) + 1, &make, |state| work(state, passes)));
    let moved = (bytes * passes * pool.current_num_threads()) as f64;
    moved / stats::min(&times).unwrap_or(f64::INFINITY)
}

/// Words that begin at a multiple of 64 bytes: a vector load that crosses two cache lines costs
/// double.
struct AlignedWords {
    words: Vec<u32>,
    start: usize,
    len: usize,
}

impl AlignedWords {
    fn new(bytes: usize) -> Self {
        let len = bytes / size_of::<u32>();
        // The thread that will read the words writes them, so that their pages lie near it. Pages
        // of zeros that nobody wrote may all be the same physical page.
        let words = vec![1u32; len + 64 / size_of::<u32>()];
        let start = words.as_ptr().align_offset(64).min(64 / size_of::<u32>());
        AlignedWords { words, start, len }
    }

    fn words(&self) -> &[u32] {
        &self.words[self.start..self.start + self.len]
    }

    fn words_mut(&mut self) -> &mut [u32] {
        &mut self.words[self.start..self.start + self.len]
    }
}

/// Loads every vector of `data`, `passes` times.
struct Read<'d> {
    data: &'d [u32],
    passes: usize,
}

/// Vectors of one step. Each has a chain of ORs of its own.
const STEP: usize = 8;

impl Read<'_> {
    /// Runs with the widest vectors of this CPU.
    fn run(self) {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            if let Some(simd) = pulp::x86::V4::try_new() {
                return Simd::vectorize(simd, self);
            }
            if let Some(simd) = pulp::x86::V3::try_new() {
                return Simd::vectorize(simd, self);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(simd) = pulp::aarch64::Neon::try_new() {
            return Simd::vectorize(simd, self);
        }
        pulp::Scalar::new().vectorize(self);
    }
}

impl WithSimd for Read<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut any = [simd.splat_u32s(0); STEP];
        for _ in 0..self.passes {
            // `black_box` in every pass, or the compiler would go over the data once.
            let (vectors, _) = S::as_simd_u32s(black_box(self.data));
            for step in vectors.as_chunks::<STEP>().0 {
                for (any, vector) in any.iter_mut().zip(step) {
                    *any = simd.or_u32s(*any, *vector);
                }
            }
        }
        black_box(any);
    }
}

#[cfg(test)]
mod tests {
    use super::super::cache::CacheKind;
    use super::*;

    fn cache(level: u8, kind: CacheKind, kib: u64, shared_by: usize) -> CacheLevel {
        CacheLevel { level, kind, bytes: kib << 10, ways: 8, line: 64, shared_by }
    }

    #[test]
    fn probes_fit_in_their_level_and_not_in_the_one_before() {
        let caches = [
            cache(1, CacheKind::Data, 48, 1),
            cache(1, CacheKind::Instruction, 32, 1),
            cache(2, CacheKind::Unified, 1024, 1),
            cache(3, CacheKind::Unified, 32 << 10, 8),
        ];
        for threads in [1, 2, 3] {
            let probes = probes(&caches, threads);
            let names: Vec<&str> = probes.iter().map(|probe| probe.level.as_str()).collect();
            assert_eq!(names, ["L1", "L2", "L3", "memory"]);
            let total = |index: usize| (probes[index].bytes_per_thread * threads) as u64;
            assert_eq!(probes[0].capacity, Some((48 << 10) * threads as u64));
            assert_eq!(probes[2].capacity, Some(32 << 20));
            for (inner, outer) in [(0, 1), (1, 2), (2, 3)] {
                assert!(total(inner) <= probes[inner].capacity.unwrap());
                assert!(total(outer) > probes[inner].capacity.unwrap(), "{probes:?}");
            }
        }
    }

    #[test]
    fn hardware_threads_share_caches_but_cores_do_not() {
        let caches = [
            cache(1, CacheKind::Data, 32, 2),
            cache(2, CacheKind::Unified, 1024, 2),
            cache(3, CacheKind::Unified, 16 << 10, 8),
        ];
        let capacity = |threads| {
            let probes = probes(&caches, threads);
            probes.iter().filter_map(|probe| probe.capacity).map(|c| c >> 10).collect::<Vec<_>>()
        };
        assert_eq!(capacity(1), [32, 1024, 16 << 10]);
        // Four threads on four cores of one L3; six cores need a second.
        assert_eq!(capacity(4), [128, 4096, 16 << 10]);
        assert_eq!(capacity(6), [192, 6144, 32 << 10]);
    }

    #[test]
    fn unknown_and_absurd_caches_still_give_probes() {
        assert_eq!(probes(&[], 1).len(), 4);
        let huge = probes(&[cache(3, CacheKind::Unified, 1 << 20, 64)], 1);
        assert_eq!(huge.last().unwrap().bytes_per_thread as u64, MOST);
        assert!(probes(&[cache(1, CacheKind::Data, 1, 1)], 64)[0].bytes_per_thread >= 4096);
    }

    #[test]
    fn buffers_are_aligned_and_whole() {
        for bytes in [4096, 8192] {
            let mut buffer = AlignedWords::new(bytes);
            assert_eq!(buffer.words().len() * 4, bytes);
            assert_eq!(buffer.words().as_ptr().align_offset(64), 0);
            assert_eq!(buffer.words_mut().len() * 4, bytes);
        }
    }

    #[test]
    fn every_level_gives_a_finite_rate() {
        let pool = crate::timing::pool::pool(2).unwrap();
        let probe = Probe { level: "L1".to_owned(), capacity: Some(16384), bytes_per_thread: 8192 };
        let bandwidth = bandwidth(&probe, &pool, 2);
        assert_eq!((bandwidth.threads, bandwidth.bytes), (2, 16384));
        for rate in [bandwidth.read_gbps, bandwidth.copy_gbps] {
            assert!(rate.is_finite() && rate > 0.0, "{bandwidth:?}");
        }
    }
}
