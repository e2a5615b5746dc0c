//! Pools: the threads on which the tasks of a run are executed.

use crate::describe::error::Error;
use rayon::prelude::*;

/// The threads on which the tasks of a run are executed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Pool<'p> {
    /// The calling thread, on which the tasks run one after another, however many threads the plan was
    /// made for.
    #[default]
    Serial,
    /// The rayon pool that the caller runs in. If the caller runs in none, it is rayon's global pool,
    /// which rayon starts at its first use.
    Current,
    /// This pool.
    In(&'p rayon::ThreadPool),
}

/// Runs `count` tasks on the threads of `pool`.
pub(crate) fn spread(
    count: usize,
    pool: Pool<'_>,
    task: impl Fn(usize) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let parallel = || (0..count).into_par_iter().with_max_len(1).try_for_each(&task);
    match pool {
        _ if count == 1 => task(0),
        Pool::Serial => (0..count).try_for_each(task),
        Pool::Current => parallel(),
        Pool::In(pool) => pool.install(parallel),
    }
}
