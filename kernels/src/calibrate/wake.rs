//! Cycles until another thread of a pool starts on its part.

use super::clock::{Clock, chain};
use crate::describe::error::Error;
use crate::run::pool::{Pool, spread};

/// Cycles of each thread's part: longer than a thread takes to wake.
const PART: usize = 400_000;

/// Measures so many times in the pool; none if it has one thread, or if something else kept the
/// second thread from its core.
///
/// Two equal parts are run as a layer's are. What they take longer than one part alone is the time
/// until the second thread began. The lower quartile counts: to wake takes no fixed time, and
/// disturbances add to it.
///
/// # Errors
/// None but those of a pool that refuses.
pub(super) fn measure(
    pool: Pool<'_>,
    repeats: usize,
    clock: &mut Clock,
) -> Result<Option<f64>, Error> {
    let threads = match pool {
        Pool::Serial => 1,
        Pool::Current => rayon::current_num_threads(),
        Pool::In(pool) => pool.current_num_threads(),
    };
    if threads < 2 {
        return Ok(None);
    }
    let part = |_| {
        chain(PART);
        Ok(())
    };
    let mut waits = Vec::with_capacity(repeats);
    // The first run starts or wakes the threads; those after it find them as layers do.
    spread(2, pool, part)?;
    for _ in 0..repeats {
        let mut done = Ok(());
        let both = clock.cycles(|| done = spread(2, pool, part));
        done?;
        let one = clock.cycles(|| chain(PART));
        waits.push(both - one);
    }
    Ok(quartile(waits))
}

/// The lower quartile of the waits, at least a cycle; none if it is most of a part, which says that
/// the parts ran one after the other.
fn quartile(mut waits: Vec<f64>) -> Option<f64> {
    waits.sort_by(f64::total_cmp);
    let wait = *waits.get(waits.len() / 4)?;
    (wait < PART as f64 / 2.0).then(|| wait.max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_quartile_counts() {
        let waits = [9e5, 700.0, 500.0, 600.0, 4e5, 800.0, 3e5, -20.0];
        assert_eq!(quartile(waits.to_vec()), Some(600.0));
        assert_eq!(quartile(vec![-5.0]), Some(1.0));
        assert_eq!(quartile(Vec::new()), None);
        assert_eq!(quartile(vec![PART as f64; 9]), None);
    }

    #[test]
    fn one_thread_wakes_nobody() {
        let mut clock = Clock::start();
        assert_eq!(measure(Pool::Serial, 3, &mut clock), Ok(None));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(measure(Pool::In(&pool), 3, &mut clock), Ok(None));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        assert!(measure(Pool::In(&pool), 3, &mut clock).unwrap().is_none_or(|wait| wait >= 1.0));
    }
}
