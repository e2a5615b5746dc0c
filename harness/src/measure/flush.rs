//! Emptying the caches before a cold run.

use crate::machine::CacheLevel;

/// Empties the caches as far as it can.
pub(super) trait Evict: Send {
    /// Empties them on every thread of the current rayon pool. This is never timed.
    fn evict(&mut self);
}

/// Reads buffers that are larger than the caches: all of them together larger than the last level,
/// and the buffer of each thread larger than the thread's own caches.
///
/// It reads rather than writes, because written lines would be stored during the timed run.
#[derive(Debug)]
pub(super) struct Flush {
    /// One per thread.
    buffers: Vec<Vec<u64>>,
}

impl Flush {
    /// Buffers for twice the last-level cache of `caches` in all, and for each thread four times the
    /// largest of the nearer caches. Without known caches they have 64 MiB in all.
    pub(super) fn new(caches: &[CacheLevel], threads: usize) -> Self {
        let bytes = flush_bytes(caches, threads.max(1));
        let words = bytes.div_ceil(size_of::<u64>());
        // The words are ones: pages of zeros might all be the same physical page.
        Flush { buffers: (0..threads.max(1)).map(|_| vec![1; words]).collect() }
    }
}

/// Bytes that each of `threads` threads reads.
fn flush_bytes(caches: &[CacheLevel], threads: usize) -> usize {
    const UNKNOWN: u64 = 32 << 20;
    let mut levels: Vec<&CacheLevel> = caches.iter().filter(|cache| cache.holds_data()).collect();
    levels.sort_by_key(|cache| cache.level);
    let last = levels.pop().map_or(UNKNOWN, |cache| cache.bytes);
    let nearer = levels.iter().map(|cache| cache.bytes).max().unwrap_or(0);
    (2 * last / threads as u64).max(4 * nearer) as usize
}

impl Evict for Flush {
    fn evict(&mut self) {
        let buffers = &self.buffers;
        let sums = rayon::broadcast(|context| {
            let buffer = buffers.get(context.index() % buffers.len());
            // Reading one word loads its 64-byte line.
            buffer.map_or(0, |words| words.iter().step_by(8).fold(0u64, |sum, word| sum ^ word))
        });
        std::hint::black_box(sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::CacheKind;

    fn cache(level: u8, kib: u64, shared_by: usize) -> CacheLevel {
        CacheLevel {
            level,
            kind: CacheKind::Unified,
            bytes: kib << 10,
            ways: 8,
            line: 64,
            shared_by,
        }
    }

    #[test]
    fn the_buffers_outgrow_every_cache() {
        let caches = [cache(1, 32, 1), cache(2, 1024, 1), cache(3, 32768, 8)];
        assert_eq!(flush_bytes(&caches, 1), 64 << 20);
        assert_eq!(flush_bytes(&caches, 2), 32 << 20);
        // With many threads the L2 decides.
        assert_eq!(flush_bytes(&caches, 64), 4 << 20);
        assert_eq!(flush_bytes(&[], 2), 32 << 20);
    }

    #[test]
    fn every_thread_has_a_buffer() {
        let mut flush = Flush::new(&[cache(1, 4, 1)], 3);
        assert_eq!(flush.buffers.len(), 3);
        crate::timing::pool::pool(3).unwrap().install(|| flush.evict());
        // Outside of a pool it runs on rayon's global pool, whose size differs.
        flush.evict();
    }
}
