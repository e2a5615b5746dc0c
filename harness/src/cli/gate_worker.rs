//! `pointwise gate-worker`: measures one case for `pointwise gate`, which starts it. Users do not call it.

use super::failure::{Failure, Outcome};
use super::fault;
use super::options::Options;
use pointwise_harness::contender::{self, Contender};
use pointwise_harness::gate::worker::serve;
use pointwise_harness::timing::pool::pool;

/// Measure for `pointwise gate`
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

/// The shared options that this command takes. Gates of other commits give it `--threads` and `--isa`.
pub(super) const TAKES: &str = "threads isa peers";

pub(super) fn run(options: &Options) -> Result<Outcome, Failure> {
    let all = contender::all(&contender::Options {
        peers: options.peers.clone(),
        isa: options.isa,
        ..Default::default()
    });
    let field =
        fault::planted(all.iter().map(|contender| &**contender as &dyn Contender).collect());
    let threads = options.threads();
    // Replies do not go through `Output`: it holds a lock, which the pool's thread could not take.
    let served = pool(threads)?.install(|| {
        let replies = std::fs::File::from(stdout()?);
        serve(&field, threads, options.isa, std::io::stdin().lock(), replies)
    });
    match served {
        Ok(()) => Ok(Outcome::Fine),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::ClosedPipe),
        Err(error) => Err(Failure::Output(error)),
    }
}

#[cfg(unix)]
fn stdout() -> std::io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::AsFd;
    std::io::stdout().as_fd().try_clone_to_owned()
}

#[cfg(windows)]
fn stdout() -> std::io::Result<std::os::windows::io::OwnedHandle> {
    use std::os::windows::io::AsHandle;
    std::io::stdout().as_handle().try_clone_to_owned()
}
