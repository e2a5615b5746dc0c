//! The process that measures one case for the gate: it reads requests, one a line, and answers
//! each with a line. Both are JSON; the two builds of a gate may be of different commits, so the
//! protocol has a version.

use crate::contender::{Contender, Prepared, Refusal};
use crate::data::{Data, Fill};
use crate::machine::Build;
use crate::measure::{Apart, Clock, Monotonic};
use crate::verify::{Checker, Failure};
use pointwise::{Isa, Layer};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;

/// What the gate asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To get a case ready.
    Prepare {
        /// The layer's text.
        layer: String,
        /// The contender's name.
        contender: String,
        /// Whether to hold it against the reference first.
        check: bool,
        /// Bytes to take from the heap first, so that what follows lies elsewhere each time.
        shift: usize,
    },
    /// For one sample of so many runs, after one that is not timed.
    Sample {
        /// Runs.
        iterations: u64,
    },
}

/// What it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The case is ready.
    Ready {
        /// [`PROTOCOL`].
        protocol: u32,
        /// The kernel that does the work; empty when it cannot be told.
        kernel: String,
        /// The commit that the program was built from.
        commit: String,
        /// About how long a run takes, ns.
        run_ns: f64,
    },
    /// The sample.
    Sampled {
        /// ns per run.
        ns: f64,
    },
    /// It computes something else than the reference.
    Wrong {
        /// What and where.
        why: String,
    },
    /// It cannot do this.
    Refused {
        /// Why not.
        why: String,
    },
}

/// How long it runs before the first sample, ns.
const WARM_UP: u64 = 2_000_000;

/// The seed of the data.
const SEED: u64 = 1;

/// Answers requests until there are no more. Call it within the pool that contenders run on.
///
/// # Errors
/// When a request cannot be read or an answer not be written.
pub fn serve(
    contenders: &[&dyn Contender],
    threads: usize,
    isa: Option<Isa>,
    requests: impl BufRead,
    mut replies: impl Write,
) -> std::io::Result<()> {
    let clock = Monotonic::new();
    let mut prepared: Option<Box<dyn Prepared + '_>> = None;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for line in requests.lines() {
        let reply = match serde_json::from_str(&line?) {
            Ok(Request::Prepare { layer, contender, check, shift }) => {
                kept.push(Vec::with_capacity(shift));
                let found = contenders.iter().find(|other| other.name() == contender);
                match found {
                    None => Reply::Refused { why: format!("no contender `{contender}`") },
                    Some(found) => match ready(*found, &layer, check, threads, isa, &clock) {
                        Ok((ready, reply)) => {
                            prepared = Some(ready);
                            reply
                        }
                        Err(reply) => reply,
                    },
                }
            }
            Ok(Request::Sample { iterations }) => match &mut prepared {
                None => Reply::Refused { why: "nothing is prepared".to_owned() },
                Some(prepared) => match sample(prepared.as_mut(), iterations, &clock) {
                    Ok(ns) => Reply::Sampled { ns },
                    Err(refusal) => refused(&refusal),
                },
            },
            Err(error) => Reply::Refused { why: format!("unknown request: {error}") },
        };
        serde_json::to_writer(&mut replies, &reply)?;
        replies.write_all(b"\n")?;
        replies.flush()?;
    }
    Ok(())
}

fn refused(refusal: &Refusal) -> Reply {
    Reply::Refused { why: refusal.to_string() }
}

fn ready<'a>(
    contender: &'a dyn Contender,
    layer: &str,
    check: bool,
    threads: usize,
    isa: Option<Isa>,
    clock: &dyn Clock,
) -> Result<(Box<dyn Prepared + 'a>, Reply), Reply> {
    let refuse = |error: pointwise::Error| Reply::Refused { why: error.to_string() };
    let layer: Layer = layer.parse().map_err(refuse)?;
    if check {
        Checker::new(&layer, SEED).check(contender, threads, isa).map_err(
            |failure| match failure {
                Failure::Mismatch(mismatch) => Reply::Wrong { why: mismatch.to_string() },
                Failure::Refused(refusal) => refused(&refusal),
            },
        )?;
    }
    let data = Data::new(&layer, Fill::Random, SEED).map_err(refuse)?;
    let warm = || {
        let mut prepared = contender.prepare(&data.case(threads, isa))?;
        let start = clock.now();
        let mut fastest = u64::MAX;
        loop {
            let before = clock.now();
            prepared.run()?;
            let after = clock.now();
            fastest = fastest.min(after - before);
            if after - start >= WARM_UP {
                break;
            }
        }
        prepared.settle();
        Ok::<_, Refusal>((prepared, fastest))
    };
    let (prepared, fastest) = warm().map_err(|refusal| refused(&refusal))?;
    let reply = Reply::Ready {
        protocol: PROTOCOL,
        kernel: prepared.kernel(),
        commit: Build::this().short_commit(),
        run_ns: fastest.max(1) as f64,
    };
    Ok((prepared, reply))
}

fn sample(prepared: &mut dyn Prepared, iterations: u64, clock: &dyn Clock) -> Result<f64, Refusal> {
    let iterations = iterations.max(1);
    // Also what starts threads again that were settled, before they are parted.
    prepared.run()?;
    let apart = Apart::keep();
    let start = clock.now();
    for _ in 0..iterations {
        prepared.run()?;
    }
    let elapsed = clock.now() - start;
    drop(apart);
    prepared.settle();
    // A run below the timer's resolution still took some time: ratios must stay finite.
    Ok(elapsed.max(1) as f64 / iterations as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender;

    fn answers(requests: &[Request]) -> Vec<Reply> {
        let all = contender::all(&contender::Options::default());
        let field: Vec<&dyn Contender> = all.iter().map(|c| &**c).collect();
        let lines: Vec<String> =
            requests.iter().map(|r| serde_json::to_string(r).unwrap()).collect();
        let mut replies = Vec::new();
        serve(&field, 1, None, lines.join("\n").as_bytes(), &mut replies).unwrap();
        let replies = String::from_utf8(replies).unwrap();
        replies.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn prepare(layer: &str, contender: &str) -> Request {
        let (layer, contender) = (layer.to_owned(), contender.to_owned());
        Request::Prepare { layer, contender, check: true, shift: 640 }
    }

    #[test]
    fn a_case_is_prepared_and_sampled() {
        let replies =
            answers(&[prepare("nhwc/n1c8h4w4k8", "naive"), Request::Sample { iterations: 3 }]);
        let [Reply::Ready { protocol, run_ns, .. }, Reply::Sampled { ns }] = &replies[..] else {
            panic!("{replies:?}")
        };
        assert_eq!(*protocol, PROTOCOL);
        assert!(*run_ns >= 1.0 && *ns > 0.0, "{replies:?}");
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_the_next_request_answered() {
        let replies = answers(&[
            Request::Sample { iterations: 1 },
            prepare("nhwc/n1c8h4w4", "naive"),
            prepare("nhwc/n1c8h4w4k8", "nobody"),
            prepare("nhwc/n1c8h4w4k8", "naive"),
        ]);
        let refused = |reply: &Reply| matches!(reply, Reply::Refused { .. });
        assert_eq!(replies.iter().map(refused).collect::<Vec<_>>(), [true, true, true, false]);
    }
}
