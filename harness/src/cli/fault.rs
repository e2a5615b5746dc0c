//! Contenders that are wrong or slow on purpose, for tests of the commands that find them. They exist
//! with the feature `planted-faults` only, which the tests and `scripts/gate-trials` turn on.

use pointwise_harness::contender::Contender;

/// The contenders as they are.
#[cfg(not(feature = "planted-faults"))]
pub(super) fn planted(field: Vec<&dyn Contender>) -> Vec<&dyn Contender> {
    field
}

/// The contenders with planted faults. The one that `POINTWISE_PLANT_FAULT` names is wrong in one bit
/// of one output. With `POINTWISE_PLANT_SLOWDOWN=KERNEL:PERCENT` every contender is slower by that
/// percentage on layers for which it uses that kernel.
#[cfg(feature = "planted-faults")]
pub(super) fn planted(field: Vec<&dyn Contender>) -> Vec<&dyn Contender> {
    let wrong = std::env::var("POINTWISE_PLANT_FAULT").ok();
    let slow = std::env::var("POINTWISE_PLANT_SLOWDOWN").ok();
    let slow = slow.as_deref().and_then(|text| text.rsplit_once(':'));
    let slow = slow.and_then(|(kernel, percent)| Some((kernel.to_owned(), percent.parse().ok()?)));
    let plant = |sound| {
        let mut contender: &dyn Contender = sound;
        if wrong.as_deref() == Some(contender.name()) {
            contender = Box::leak(Box::new(faulty::Faulty(contender, faulty::Fault::OneBitOff)));
        }
        if let Some((kernel, percent)) = slow.clone() {
            let fault = faulty::Fault::Slow { kernel, percent };
            contender = Box::leak(Box::new(faulty::Faulty(contender, fault)));
        }
        contender
    };
    field.into_iter().map(plant).collect()
}

#[cfg(feature = "planted-faults")]
mod faulty {
    use pointwise_harness::contender::{Case, Contender, Prepared, Refusal, SetupTimes};
    use std::time::Instant;

    pub(super) enum Fault {
        OneBitOff,
        Slow { kernel: String, percent: f64 },
    }

    pub(super) struct Faulty<'c>(pub(super) &'c dyn Contender, pub(super) Fault);

    impl Contender for Faulty<'_> {
        fn name(&self) -> &str {
            self.0.name()
        }

        fn version(&self) -> String {
            self.0.version()
        }

        fn available(&self) -> Result<(), Refusal> {
            self.0.available()
        }

        fn exact(&self) -> bool {
            self.0.exact()
        }

        fn prepacks(&self) -> bool {
            self.0.prepacks()
        }

        fn prepare<'a>(&'a self, case: &Case<'_>) -> Result<Box<dyn Prepared + 'a>, Refusal> {
            let sound = self.0.prepare(case)?;
            Ok(match &self.1 {
                Fault::OneBitOff => Box::new(OneBitOff(sound)),
                Fault::Slow { kernel, percent } if sound.kernel() == *kernel => {
                    Box::new(Slow(sound, percent / 100.0))
                }
                Fault::Slow { .. } => sound,
            })
        }
    }

    struct OneBitOff<'a>(Box<dyn Prepared + 'a>);

    impl Prepared for OneBitOff<'_> {
        fn run(&mut self) -> Result<(), Refusal> {
            self.0.run()
        }

        fn output(&mut self) -> Vec<f32> {
            let mut output = self.0.output();
            // The last output, because a tail that is stored wrongly shows there.
            if let Some(last) = output.last_mut() {
                *last = f32::from_bits(last.to_bits() ^ 1);
            }
            output
        }

        fn kernel(&self) -> String {
            self.0.kernel()
        }
    }

    /// Spins after each run for a share of the time of the run.
    struct Slow<'a>(Box<dyn Prepared + 'a>, f64);

    impl Prepared for Slow<'_> {
        fn run(&mut self) -> Result<(), Refusal> {
            let start = Instant::now();
            let result = self.0.run();
            let until = start.elapsed().mul_f64(1.0 + self.1);
            while start.elapsed() < until {
                std::hint::spin_loop();
            }
            result
        }

        fn output(&mut self) -> Vec<f32> {
            self.0.output()
        }

        fn kernel(&self) -> String {
            self.0.kernel()
        }

        fn setup_times(&self) -> Option<SetupTimes> {
            self.0.setup_times()
        }

        fn settle(&mut self) {
            self.0.settle();
        }
    }
}
