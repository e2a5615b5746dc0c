//! The measuring loop.

use super::clock::{Clock, Monotonic, overhead};
use super::flush::{Evict, Flush};
use super::progress::Progress;
use super::settings::{Cache, Settings};
use super::spread::{Apart, cpus_for, parallel, wait_for_others};
use super::stats::Samples;
use crate::contender::{Prepared, Refusal};
use crate::machine::CoreProbe;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::time::Duration;

/// Runs longer than this are not preceded by an untimed one: refilling the caches, a few
/// milliseconds at most, no longer shows in them.
const LONG_RUN_NS: f64 = 100e6;

/// How long threads are waited for that spin on after their work.
const LONGEST_SPIN: Duration = Duration::from_millis(100);

/// How often a sample is taken again, at most.
const MOST_AGAIN: usize = 8;

/// Tells when a sample on several threads is to be taken again.
pub trait Cores: Send {
    /// Whether the threads of the current rayon pool, each on a CPU of its own, still share a core.
    /// When it says so, it has waited until they no longer do; where that is in vain it says no.
    fn were_shared(&mut self) -> bool;
}

/// Measures case after case with the same settings, clock and flush buffer.
pub struct Session {
    settings: Settings,
    clock: Box<dyn Clock>,
    evict: Option<Box<dyn Evict>>,
    cores: Option<Box<dyn Cores>>,
    overhead: f64,
    /// Samples that were taken again.
    again: u64,
    rng: StdRng,
}

/// Runs in a sample of something that takes no time at all.
const MOST_RUNS: u64 = 1 << 24;

/// One contender while its case is measured.
struct Racer<'c, 'a> {
    prepared: &'c mut (dyn Prepared + 'a),
    iterations: u64,
    untimed_first: bool,
    spent: u64,
    ns: Vec<f64>,
    failure: Option<Refusal>,
}

impl Session {
    /// A session on this machine, whose `caches` are flushed before each run if `settings` ask for
    /// cold ones; for measuring in a pool of `threads` threads.
    pub fn new(settings: Settings, caches: &[crate::machine::CacheLevel], threads: usize) -> Self {
        let evict = settings
            .cache
            .is_flushed()
            .then(|| Box::new(Flush::new(caches, threads)) as Box<dyn Evict>);
        let several = threads > 1 && cpus_for(threads).is_some();
        let cores = several.then(|| Box::new(CoreProbe::new()) as Box<dyn Cores>);
        Session { cores, ..Session::with(settings, Box::new(Monotonic::new()), evict) }
    }

    /// A session with another clock and another way to flush the caches.
    pub fn with(settings: Settings, clock: Box<dyn Clock>, evict: Option<Box<dyn Evict>>) -> Self {
        let overhead = overhead(&*clock);
        let rng = StdRng::seed_from_u64(settings.seed);
        Session { settings, clock, evict, cores: None, overhead, again: 0, rng }
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Measures the contenders of one case, interleaved, and returns the samples of each in their
    /// order. A contender that refuses to run is left out from then on; the others go on. One that
    /// has spent its budget is not sampled any more, so that a slow one does not hold up the rest;
    /// sample `i` is of round `i` for all of them.
    ///
    /// It ends early when `progress` says so; then there may be few samples, or none.
    ///
    /// Call it within the pool that the contenders are to run on. Their results must have been
    /// checked before.
    pub fn measure<'a>(
        &mut self,
        contenders: &mut [Box<dyn Prepared + 'a>],
        progress: &dyn Progress,
    ) -> Vec<Result<Samples, Refusal>> {
        let mut racers: Vec<Racer<'_, 'a>> =
            contenders.iter_mut().map(|prepared| Racer::new(&mut **prepared)).collect();
        for racer in racers.iter_mut().filter(|_| !progress.stopped()) {
            racer.attempt(|racer| self.warm_up(racer));
            progress.pulse();
        }
        let mut order: Vec<usize> = (0..racers.len()).collect();
        for round in 0..self.settings.max_rounds.max(1) {
            order.shuffle(&mut self.rng);
            let mut sampled = false;
            for &index in &order {
                let racer = &mut racers[index];
                if progress.stopped() || racer.failure.is_some() || self.is_done(racer, round) {
                    continue;
                }
                racer.attempt(|racer| self.sample(racer));
                sampled = true;
                progress.pulse();
            }
            if !sampled {
                break;
            }
        }
        racers.into_iter().map(Racer::result).collect()
    }

    /// Whether the racer has had its share when `round` begins.
    fn is_done(&self, racer: &Racer<'_, '_>, round: usize) -> bool {
        round >= self.settings.min_rounds.max(1)
            && Duration::from_nanos(racer.spent) >= self.settings.budget
    }

    /// Runs until the warm-up is over, in batches that double until they can be timed, and sets
    /// the iterations that make a sample.
    fn warm_up(&mut self, racer: &mut Racer<'_, '_>) -> Result<(), Refusal> {
        if self.settings.cache != Cache::Hot {
            // Pages are touched and code is bound; more would warm what is flushed anyway, or
            // what a pass through a network takes the caches from.
            racer.untimed_first = self.time(racer, 1)? < LONG_RUN_NS;
            return Ok(());
        }
        let target = self.settings.sample.as_nanos() as f64;
        let enough = self.settings.warm_up.as_nanos() as u64;
        let (mut batch, mut total) = (1u64, 0u64);
        loop {
            let ns = self.time(racer, batch)?;
            total = total.saturating_add(ns as u64);
            let run = ns / batch as f64;
            let timed = ns * 2.0 >= target || batch >= MOST_RUNS;
            if timed && (total >= enough || batch >= MOST_RUNS) {
                racer.iterations = ((target / run).round() as u64).clamp(1, MOST_RUNS);
                racer.untimed_first = run < LONG_RUN_NS;
                return Ok(());
            }
            if !timed {
                batch *= 2;
            }
        }
    }

    /// Samples that were taken again, for threads had shared a core.
    pub fn taken_again(&self) -> u64 {
        self.again
    }

    /// Takes one sample.
    fn sample(&mut self, racer: &mut Racer<'_, '_>) -> Result<(), Refusal> {
        for _ in 0..MOST_AGAIN {
            if self.try_sample(racer, false)? {
                return Ok(());
            }
            self.again += 1;
        }
        self.try_sample(racer, true).map(|_| ())
    }

    /// Takes one sample, and says whether it was kept, as the `last` is in any case.
    fn try_sample(&mut self, racer: &mut Racer<'_, '_>, last: bool) -> Result<bool, Refusal> {
        if parallel() {
            // Of the contender before: not every peer's threads can be told to stop.
            wait_for_others(LONGEST_SPIN);
        }
        let start = self.clock.now();
        if let Some(evict) = &mut self.evict {
            evict.evict();
        }
        let cold = self.evict.is_some() && racer.prepared.reads_memory();
        if !cold && racer.untimed_first {
            // Also what starts a peer's workers again after they were settled.
            racer.prepared.run()?;
        }
        // A long run has had no untimed one: workers that it starts while threads are parted would
        // inherit its caller's CPU.
        let apart = (cold || racer.untimed_first).then(Apart::keep);
        if cold && parallel() {
            // Everybody's threads sleep when a cold sample begins.
            wait_for_others(LONGEST_SPIN);
        }
        let ns = self.time(racer, racer.iterations)?;
        let end = self.clock.now();
        let mut shared = false;
        if let (Some(cores), Some(_), false) = (&mut self.cores, &apart, last) {
            shared = cores.were_shared();
        }
        drop(apart);
        // Cold, no untimed run would start them again: they are waited for.
        if self.evict.is_none() {
            racer.prepared.settle();
        }
        racer.prepared.sampled();
        if !shared {
            racer.ns.push(ns / racer.iterations as f64);
            racer.spent += end - start;
        }
        Ok(!shared)
    }

    /// The time of `iterations` runs, ns, at least one.
    fn time(&self, racer: &mut Racer<'_, '_>, iterations: u64) -> Result<f64, Refusal> {
        let start = self.clock.now();
        for _ in 0..iterations {
            racer.prepared.run()?;
        }
        let elapsed = self.clock.now() - start;
        // A run below the timer's resolution still took some time: rates must stay finite.
        Ok((elapsed as f64 - self.overhead).max(1.0))
    }
}

impl<'c, 'a> Racer<'c, 'a> {
    fn new(prepared: &'c mut (dyn Prepared + 'a)) -> Self {
        Racer {
            prepared,
            iterations: 1,
            untimed_first: true,
            spent: 0,
            ns: Vec::new(),
            failure: None,
        }
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Refusal>) {
        self.failure = work(self).err();
    }

    fn result(self) -> Result<Samples, Refusal> {
        match self.failure {
            Some(refusal) => Err(refusal),
            None => Ok(Samples { ns: self.ns, iterations: self.iterations }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::clock::fake::Fake;
    use crate::measure::progress::Silent;
    use std::sync::{Arc, Mutex};

    type Log = Arc<Mutex<Vec<String>>>;

    /// Takes as long as it is told, or fails at the `fails_at`th run; notes each run in a log.
    struct Scripted {
        name: &'static str,
        ns: Box<dyn FnMut(u64) -> u64 + Send>,
        fails_at: u64,
        runs: u64,
        clock: Fake,
        log: Log,
    }

    impl Prepared for Scripted {
        fn run(&mut self) -> Result<(), Refusal> {
            self.runs += 1;
            if self.runs == self.fails_at {
                return Err(Refusal::Failed(format!("{} failed", self.name)));
            }
            self.clock.advance((self.ns)(self.runs));
            self.log.lock().unwrap().push(self.name.to_owned());
            Ok(())
        }

        fn output(&mut self) -> Vec<f32> {
            Vec::new()
        }

        fn kernel(&self) -> String {
            String::new()
        }
    }

    struct Bench {
        clock: Fake,
        log: Log,
        settings: Settings,
    }

    impl Bench {
        fn new(settings: Settings) -> Self {
            Bench { clock: Fake::new(10), log: Log::default(), settings }
        }

        fn scripted(
            &self,
            name: &'static str,
            ns: impl FnMut(u64) -> u64 + Send + 'static,
            fails_at: u64,
        ) -> Box<dyn Prepared> {
            let (clock, log) = (self.clock.clone(), self.log.clone());
            Box::new(Scripted { name, ns: Box::new(ns), fails_at, runs: 0, clock, log })
        }

        fn steady(&self, name: &'static str, ns: u64) -> Box<dyn Prepared> {
            self.scripted(name, move |_| ns, 0)
        }

        fn measure(&self, mut who: Vec<Box<dyn Prepared>>) -> Vec<Result<Samples, Refusal>> {
            let clock = Box::new(self.clock.clone());
            let evict = (self.settings.cache == Cache::Cold)
                .then(|| Box::new(LogEvict(self.log.clone())) as Box<dyn Evict>);
            Session::with(self.settings.clone(), clock, evict).measure(&mut who, &Silent)
        }

        /// The log, runs of the same name in a row written once.
        fn turns(&self) -> Vec<String> {
            let mut log = self.log.lock().unwrap().clone();
            log.dedup();
            log
        }
    }

    struct LogEvict(Log);

    impl Evict for LogEvict {
        fn evict(&mut self) {
            self.0.lock().unwrap().push("evict".to_owned());
        }
    }

    fn settings() -> Settings {
        Settings {
            warm_up: Duration::from_nanos(5_000),
            sample: Duration::from_nanos(10_000),
            budget: Duration::from_nanos(200_000),
            min_rounds: 5,
            max_rounds: 12,
            ..Settings::thorough(Cache::Hot)
        }
    }

    #[test]
    fn samples_fill_their_time_and_give_the_time_of_one_run() {
        let bench = Bench::new(settings());
        let results = bench.measure(vec![bench.steady("a", 100), bench.steady("b", 7_000)]);
        let [a, b] = &results[..] else { panic!("{results:?}") };
        let (a, b) = (a.as_ref().unwrap(), b.as_ref().unwrap());
        assert_eq!((a.iterations, b.iterations), (100, 1));
        // The clock's own 10 ns are subtracted, or they would be 100.1 and 7010.
        assert!(a.ns.iter().all(|ns| *ns == 100.0), "{:?}", a.ns);
        assert!(b.ns.iter().all(|ns| *ns == 7_000.0), "{:?}", b.ns);
    }

    #[test]
    fn the_budget_ends_each_contender_between_the_fewest_and_the_most_rounds() {
        let bench = Bench::new(settings());
        let results = bench.measure(vec![
            bench.steady("slow", 1_000_000),
            bench.steady("middle", 14_000),
            bench.steady("fast", 1_000),
        ]);
        let counts: Vec<usize> = results.iter().map(|r| r.as_ref().unwrap().ns.len()).collect();
        // 14 µs and its untimed run make 28 µs a round: eight spend 200 µs.
        assert_eq!(counts, [5, 8, 12]);
    }

    #[test]
    fn contenders_take_turns_in_an_order_that_changes() {
        let bench = Bench::new(settings());
        bench.measure(vec![bench.steady("a", 10_000), bench.steady("b", 10_000)]);
        let turns = bench.turns();
        // Were they measured one after the other there would be four turns, warm-up included.
        assert!(turns.len() > 10, "{turns:?}");
        let log = bench.log.lock().unwrap().clone();
        // After one warm-up run of each: per round two runs of one, then two of the other.
        let rounds: Vec<&[String]> = log[2..].chunks(4).collect();
        assert!(rounds.iter().all(|r| r[0] == r[1] && r[2] == r[3] && r[0] != r[2]), "{log:?}");
        let firsts = |name: &str| rounds.iter().filter(|r| r[0] == name).count();
        assert!(firsts("a") > 0 && firsts("b") > 0, "{log:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let order = |seed| {
            let bench = Bench::new(Settings { seed, ..settings() });
            bench.measure(vec![
                bench.steady("a", 10_000),
                bench.steady("b", 10_000),
                bench.steady("c", 10_000),
            ]);
            bench.turns()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn a_refusal_ends_one_contender_and_not_the_others() {
        let bench = Bench::new(settings());
        let results = bench.measure(vec![
            bench.scripted("at once", |_| 10_000, 1),
            bench.steady("fine", 10_000),
            bench.scripted("later", |_| 10_000, 6),
        ]);
        assert_eq!(results[0], Err(Refusal::Failed("at once failed".to_owned())));
        assert_eq!(results[1].as_ref().unwrap().ns.len(), 10);
        assert_eq!(results[2], Err(Refusal::Failed("later failed".to_owned())));
    }

    #[test]
    fn stopping_keeps_what_was_sampled() {
        struct After(Log, usize);
        impl Progress for After {
            fn stopped(&self) -> bool {
                self.0.lock().unwrap().len() >= self.1
            }
        }
        let bench = Bench::new(settings());
        let samples = |runs| {
            bench.log.lock().unwrap().clear();
            let mut who = vec![bench.steady("a", 10_000)];
            let clock = Box::new(bench.clock.clone());
            let mut session = Session::with(bench.settings.clone(), clock, None);
            let results = session.measure(&mut who, &After(bench.log.clone(), runs));
            results[0].as_ref().unwrap().ns.len()
        };
        // One run to warm up, two for each sample.
        assert_eq!(samples(7), 3);
        assert_eq!(samples(0), 0);
        assert!(bench.log.lock().unwrap().is_empty());
    }

    #[test]
    fn cold_runs_are_single_and_each_follows_a_flush() {
        let bench = Bench::new(Settings { cache: Cache::Cold, ..settings() });
        let results = bench.measure(vec![bench.steady("a", 100), bench.steady("b", 200)]);
        assert_eq!(results[0].as_ref().unwrap().iterations, 1);
        assert!(results[0].as_ref().unwrap().ns.iter().all(|ns| *ns == 100.0));
        let log = bench.log.lock().unwrap().clone();
        assert!(log[2..].chunks(2).all(|pair| pair[0] == "evict" && pair[1] != "evict"), "{log:?}");
    }

    #[test]
    fn what_reads_no_memory_is_warm_in_cold_rounds_too() {
        struct Registers(Box<dyn Prepared>);
        impl Prepared for Registers {
            fn run(&mut self) -> Result<(), Refusal> {
                self.0.run()
            }
            fn output(&mut self) -> Vec<f32> {
                Vec::new()
            }
            fn kernel(&self) -> String {
                String::new()
            }
            fn reads_memory(&self) -> bool {
                false
            }
        }
        let bench = Bench::new(Settings { cache: Cache::Cold, ..settings() });
        let results = bench.measure(vec![Box::new(Registers(bench.steady("fma", 100)))]);
        assert!(results[0].as_ref().unwrap().ns.iter().all(|ns| *ns == 100.0));
        let log = bench.log.lock().unwrap().clone();
        // After one run to see how long it takes: sweep, untimed run, timed run.
        assert!(log[1..].chunks(3).all(|c| c == ["evict", "fma", "fma"]), "{log:?}");
    }

    #[test]
    fn a_sample_on_shared_cores_is_taken_again() {
        struct Shared(Arc<Mutex<u32>>);
        impl Cores for Shared {
            fn were_shared(&mut self) -> bool {
                let mut asked = self.0.lock().unwrap();
                *asked += 1;
                // Twice in the second round.
                [2, 3].contains(&*asked)
            }
        }
        let bench = Bench::new(Settings { cache: Cache::Cold, ..settings() });
        let asked = Arc::new(Mutex::new(0));
        let mut session =
            Session::with(bench.settings.clone(), Box::new(bench.clock.clone()), None);
        session.cores = Some(Box::new(Shared(asked.clone())));
        // Of each sample the second run is timed, after one in all to see how long it takes.
        let kept = |run| if [5, 7].contains(&run) { 9_000 } else { 1_000 };
        let results = session.measure(&mut [bench.scripted("a", kept, 0)], &Silent);
        let samples = results[0].as_ref().unwrap();
        assert!(samples.ns.iter().all(|ns| *ns == 1_000.0), "{:?}", samples.ns);
        assert_eq!(session.taken_again(), 2);
        assert_eq!(*asked.lock().unwrap() as usize, samples.ns.len() + 2);
    }

    #[test]
    fn a_sample_is_not_taken_again_for_ever() {
        struct Always;
        impl Cores for Always {
            fn were_shared(&mut self) -> bool {
                true
            }
        }
        let bench = Bench::new(Settings { cache: Cache::Cold, ..settings() });
        let mut session =
            Session::with(bench.settings.clone(), Box::new(bench.clock.clone()), None);
        session.cores = Some(Box::new(Always));
        let results = session.measure(&mut [bench.steady("a", 10_000)], &Silent);
        let samples = results[0].as_ref().unwrap().ns.len();
        assert_eq!(session.taken_again() as usize, samples * MOST_AGAIN);
        assert!(samples >= bench.settings.min_rounds);
    }

    #[test]
    fn warming_up_lasts_and_is_not_sampled() {
        // The first ten runs are ten times slower, as with cold pages and a sleeping clock.
        let bench = Bench::new(Settings { warm_up: Duration::from_nanos(200_000), ..settings() });
        let slow_start = |run| if run <= 10 { 10_000 } else { 1_000 };
        let results = bench.measure(vec![bench.scripted("a", slow_start, 0)]);
        let samples = results[0].as_ref().unwrap();
        assert!(samples.ns.iter().all(|ns| *ns == 1_000.0), "{:?}", samples.ns);
        assert_eq!(samples.iterations, 10);
    }

    #[test]
    fn runs_too_short_for_the_clock_still_have_a_finite_rate() {
        let bench = Bench::new(Settings { cache: Cache::Cold, ..settings() });
        let results = bench.measure(vec![bench.steady("nothing", 0)]);
        assert!(results[0].as_ref().unwrap().ns.iter().all(|ns| *ns >= 1.0));
    }

    #[test]
    fn long_runs_are_not_doubled() {
        let bench = Bench::new(settings());
        bench.measure(vec![bench.steady("long", 200_000_000)]);
        // One warm-up and five samples, no untimed run between.
        assert_eq!(bench.log.lock().unwrap().len(), 6);
    }
}
