//! The worker: the process that measures one case for the gate. It reads requests and answers each.

use super::protocol::{PROTOCOL, Reply, Request};
use crate::contender::{Contender, Prepared, Refusal};
use crate::data::{Data, Fill};
use crate::machine::Build;
use crate::timing::affinity::Separation;
use crate::timing::clock::{Clock, Monotonic};
use crate::verify::{CheckFailure, Checker};
use pointwise::{Isa, Layer};
use std::io::{BufRead, Write};

/// The time for which a contender runs before its first sample, ns.
const WARM_UP: u64 = 2_000_000;

/// The seed of the data.
const SEED: u64 = 1;

/// Answers requests until there are no more. Call it within the pool that contenders run on.
///
/// # Errors
/// When a request cannot be read, or a reply cannot be written.
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
                CheckFailure::Mismatch(mismatch) => Reply::Wrong { why: mismatch.to_string() },
                CheckFailure::Refused(refusal) => refused(&refusal),
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
    // This run also wakes threads that were settled. They must not wake within the separation.
    prepared.run()?;
    let separation = Separation::begin();
    let start = clock.now();
    for _ in 0..iterations {
        prepared.run()?;
    }
    let elapsed = clock.now() - start;
    drop(separation);
    prepared.settle();
    // Ratios must stay finite, even for a run that is shorter than the timer's resolution.
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
