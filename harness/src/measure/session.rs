//! The measuring loop: contenders take turns, round after round.

use super::flush::{Evict, Flush};
use super::settings::{Cache, Settings};
use crate::contender::{Prepared, Refusal};
use crate::machine::{CacheLevel, CoreProbe, SharedCores};
use crate::timing::affinity::{Separation, cpus_for, parallel, wait_for_others};
use crate::timing::clock::{Clock, Monotonic, overhead};
use crate::timing::progress::Progress;
use crate::timing::stats::Samples;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::time::Duration;

/// A run that is longer than this is timed without an untimed run before it. Refilling the caches
/// takes a few milliseconds at most, which does not show in such a run.
const LONG_RUN_NS: f64 = 100e6;

/// The longest wait for threads that spin after their work.
const LONGEST_SPIN: Duration = Duration::from_millis(100);

/// The most times that one sample is repeated.
const MOST_AGAIN: usize = 8;

/// Measures case after case with the same settings, clock and flush buffers.
pub struct Session {
    settings: Settings,
    clock: Box<dyn Clock>,
    evict: Option<Box<dyn Evict>>,
    cores: Option<Box<dyn SharedCores>>,
    overhead: f64,
    /// The number of samples that were repeated.
    repeated: u64,
    rng: StdRng,
}

/// The most runs in a sample.
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
    /// A session on this machine, for measuring in a pool of `threads` threads. If `settings` ask
    /// for cold caches, `caches` are flushed before each sample.
    pub fn new(settings: Settings, caches: &[CacheLevel], threads: usize) -> Self {
        let evict = settings
            .cache
            .is_flushed()
            .then(|| Box::new(Flush::new(caches, threads)) as Box<dyn Evict>);
        let several = threads > 1 && cpus_for(threads).is_some();
        let cores = several.then(|| Box::new(CoreProbe::new()) as Box<dyn SharedCores>);
        Session { cores, ..Session::with(settings, Box::new(Monotonic::new()), evict) }
    }

    /// A session with another clock and another way to flush the caches.
    fn with(settings: Settings, clock: Box<dyn Clock>, evict: Option<Box<dyn Evict>>) -> Self {
        let overhead = overhead(&*clock);
        let rng = StdRng::seed_from_u64(settings.seed);
        Session { settings, clock, evict, cores: None, overhead, repeated: 0, rng }
    }

    /// The settings of this session.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Measures the contenders of one case in turns. Returns the samples of each, in the order of
    /// `contenders`.
    ///
    /// A contender that refuses to run is left out from then on, and the others go on. A contender
    /// that has spent its budget is not sampled any more, so that a slow one does not hold up the
    /// rest. Sample `i` of every contender is of round `i`.
    ///
    /// The measuring ends early when `progress` says so. There may then be few samples, or none.
    ///
    /// Call it within the pool that the contenders run on, after checking their results.
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

    /// Whether the racer needs no sample in `round`.
    fn is_done(&self, racer: &Racer<'_, '_>, round: usize) -> bool {
        round >= self.settings.min_rounds.max(1)
            && Duration::from_nanos(racer.spent) >= self.settings.budget
    }

    /// Runs until the warm-up is over, in batches that double until they are long enough to be timed,
    /// and sets the number of runs in a sample.
    fn warm_up(&mut self, racer: &mut Racer<'_, '_>) -> Result<(), Refusal> {
        if self.settings.cache != Cache::Hot {
            // One run touches the pages and binds the code. More would warm caches that are flushed
            // anyway, or that a pass through a network overwrites.
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

    /// The number of samples that were repeated because threads had shared a core.
    pub fn taken_again(&self) -> u64 {
        self.repeated
    }

    /// Takes one sample.
    fn sample(&mut self, racer: &mut Racer<'_, '_>) -> Result<(), Refusal> {
        for _ in 0..MOST_AGAIN {
            if self.try_sample(racer, false)? {
                return Ok(());
            }
            self.repeated += 1;
        }
        self.try_sample(racer, true).map(|_| ())
    }

    /// Takes one sample and returns whether it was kept. The `last` try is always kept.
    fn try_sample(&mut self, racer: &mut Racer<'_, '_>, last: bool) -> Result<bool, Refusal> {
        if parallel() {
            // Threads of the contender before may still spin. Not every peer can be told to stop.
            wait_for_others(LONGEST_SPIN);
        }
        let start = self.clock.now();
        if let Some(evict) = &mut self.evict {
            evict.evict();
        }
        let cold = self.evict.is_some() && racer.prepared.reads_memory();
        if !cold && racer.untimed_first {
            // This run also wakes a peer's workers, which were settled after their last sample.
            racer.prepared.run()?;
        }
        // Without an untimed run a peer's workers would be started within the separation, and would
        // inherit the CPU of their caller.
        let separation = (cold || racer.untimed_first).then(Separation::begin);
        if cold && parallel() {
            // A cold sample begins when every other thread sleeps.
            wait_for_others(LONGEST_SPIN);
        }
        let ns = self.time(racer, racer.iterations)?;
        let end = self.clock.now();
        let mut shared = false;
        if let (Some(cores), Some(_), false) = (&mut self.cores, &separation, last) {
            shared = cores.were_shared();
        }
        drop(separation);
        // With cold caches no untimed run would wake settled workers, so they are left alone. The
        // next sample waits for them.
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

    /// The time of `iterations` runs, ns; at least 1.
    fn time(&self, racer: &mut Racer<'_, '_>, iterations: u64) -> Result<f64, Refusal> {
        let start = self.clock.now();
        for _ in 0..iterations {
            racer.prepared.run()?;
        }
        let elapsed = self.clock.now() - start;
        // Rates must stay finite, even for a run that is shorter than the timer's resolution.
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
    use crate::timing::clock::fake::Fake;
    use crate::timing::progress::Silent;
    use std::sync::{Arc, Mutex};

    type Log = Arc<Mutex<Vec<String>>>;

    /// A contender whose runs take given times. It fails at run `fails_at`, and logs each run.
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

        /// The log, with runs of the same name in a row written once.
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
        // The clock's own 10 ns are subtracted. Without that they would be 100.1 and 7010.
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
        // A run of 14 µs and an untimed one take 28 µs a round. Eight rounds spend 200 µs.
        assert_eq!(counts, [5, 8, 12]);
    }

    #[test]
    fn contenders_take_turns_in_an_order_that_changes() {
        let bench = Bench::new(settings());
        bench.measure(vec![bench.steady("a", 10_000), bench.steady("b", 10_000)]);
        let turns = bench.turns();
        // Measured one after the other, they would make four turns, warm-up included.
        assert!(turns.len() > 10, "{turns:?}");
        let log = bench.log.lock().unwrap().clone();
        // After one warm-up run of each, a round is two runs of one and two of the other.
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
        // One run warms up, and each sample takes two.
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
    fn a_contender_that_reads_no_memory_is_warm_in_cold_rounds_too() {
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
        // After a first run that shows the time: flush, untimed run, timed run.
        assert!(log[1..].chunks(3).all(|c| c == ["evict", "fma", "fma"]), "{log:?}");
    }

    #[test]
    fn a_sample_on_shared_cores_is_repeated() {
        struct Shared(Arc<Mutex<u32>>);
        impl SharedCores for Shared {
            fn were_shared(&mut self) -> bool {
                let mut asked = self.0.lock().unwrap();
                *asked += 1;
                // The second sample is shared at its first two tries.
                [2, 3].contains(&*asked)
            }
        }
        let bench = Bench::new(Settings { cache: Cache::Cold, ..settings() });
        let asked = Arc::new(Mutex::new(0));
        let mut session =
            Session::with(bench.settings.clone(), Box::new(bench.clock.clone()), None);
        session.cores = Some(Box::new(Shared(asked.clone())));
        // A first run shows the time. Of each sample after it the second run is timed.
        let kept = |run| if [5, 7].contains(&run) { 9_000 } else { 1_000 };
        let results = session.measure(&mut [bench.scripted("a", kept, 0)], &Silent);
        let samples = results[0].as_ref().unwrap();
        assert!(samples.ns.iter().all(|ns| *ns == 1_000.0), "{:?}", samples.ns);
        assert_eq!(session.taken_again(), 2);
        assert_eq!(*asked.lock().unwrap() as usize, samples.ns.len() + 2);
    }

    #[test]
    fn a_sample_is_not_repeated_for_ever() {
        struct Always;
        impl SharedCores for Always {
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
        // The first ten runs are ten times slower, as with untouched pages and a low clock rate.
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
        // One warm-up run and five samples, with no untimed run between.
        assert_eq!(bench.log.lock().unwrap().len(), 6);
    }
}
