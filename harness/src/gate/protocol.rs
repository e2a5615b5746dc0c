//! What the gate and its workers say to each other: requests and replies, one a line, in JSON.
//!
//! The two builds of a gate may be of different commits, so that the protocol has a version.

use serde::{Deserialize, Serialize};

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// A request of the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To prepare a case.
    Prepare {
        /// The layer's text.
        layer: String,
        /// The contender's name.
        contender: String,
        /// Whether to check the result against the reference first.
        check: bool,
        /// Bytes to allocate first, so that what is allocated after them lies elsewhere each time.
        shift: usize,
    },
    /// To take one sample, after one run that is not timed.
    Sample {
        /// The number of runs in the sample.
        iterations: u64,
    },
}

/// A reply of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The case is ready.
    Ready {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The contender's kernel; empty when unknown.
        kernel: String,
        /// The commit of the program.
        commit: String,
        /// The approximate time of a run, ns.
        run_ns: f64,
    },
    /// The sample was taken.
    Sampled {
        /// The time of one run, ns.
        ns: f64,
    },
    /// The contender computes something else than the reference.
    Wrong {
        /// The wrong output.
        why: String,
    },
    /// The worker cannot do what was requested.
    Refused {
        /// The reason.
        why: String,
    },
}
