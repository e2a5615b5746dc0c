//! Ctrl-C and termination requests. They are noticed between samples instead of killing the process.

use super::failure::Failure;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Catches SIGINT and SIGTERM for the rest of the process.
pub(crate) fn install() -> Result<Interrupt, Failure> {
    Interrupt::catch()
        .map_err(|error| Failure::Machine { what: "cannot catch signals", why: error.to_string() })
}

/// Makes a write beyond the limit on a file's size (`ulimit -f`) an error, as on a full disk, instead
/// of the end of the process.
pub(crate) fn outlive_file_limits() {
    #[cfg(unix)]
    {
        // If the handler cannot be installed, such a write ends the process, as in other programs.
        let _ = flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    }
}

/// Remembers the signal that asked the process to stop. A second one ends it at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    asked: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    fn catch() -> io::Result<Self> {
        let interrupt = Interrupt::default();
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the first signal finds the flag not set and only sets it.
            flag::register_conditional_shutdown(signal, 128 + signal, interrupt.asked.clone())?;
            flag::register(signal, interrupt.asked.clone())?;
            flag::register_usize(signal, interrupt.signal.clone(), signal as usize)?;
        }
        Ok(interrupt)
    }

    /// Whether a signal came.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// The signal that came, if one did.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.asked().then(|| match self.signal.load(Ordering::Relaxed) {
            0 => SIGINT,
            signal => signal as i32,
        })
    }
}
