//! Where the tasks of a run are executed.

use crate::describe::error::Error;
use rayon::prelude::*;

/// Where a run's tasks are executed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Pool<'p> {
    /// One after another on the calling thread, however many the plan was made for.
    #[default]
    Serial,
    /// In the rayon pool that the caller is in, or rayon's global one (which rayon starts at its
    /// first use).
    Current,
    /// In this pool.
    In(&'p rayon::ThreadPool),
}

/// Runs `count` tasks where the pool says.
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
