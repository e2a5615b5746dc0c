//! A contender made wrong on purpose, for tests of what finds it. Only with the feature
//! `planted-faults`, which the tests turn on and no other build does.

use pointwise_harness::contender::Contender;

/// The contenders as they are.
#[cfg(not(feature = "planted-faults"))]
pub(super) fn planted(field: Vec<&dyn Contender>) -> Vec<&dyn Contender> {
    field
}

/// The contenders, the one that `POINTWISE_PLANT_FAULT` names wrong in one bit of one output.
#[cfg(feature = "planted-faults")]
pub(super) fn planted(field: Vec<&dyn Contender>) -> Vec<&dyn Contender> {
    let Ok(name) = std::env::var("POINTWISE_PLANT_FAULT") else { return field };
    let plant = |contender| {
        let sound: &dyn Contender = contender;
        if sound.name() == name { Box::leak(Box::new(faulty::Faulty(sound))) } else { sound }
    };
    field.into_iter().map(plant).collect()
}

#[cfg(feature = "planted-faults")]
mod faulty {
    use pointwise_harness::contender::{Case, Contender, Prepared, Refusal};

    pub(super) struct Faulty<'c>(pub(super) &'c dyn Contender);

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
            Ok(Box::new(OneBitOff(self.0.prepare(case)?)))
        }
    }

    struct OneBitOff<'a>(Box<dyn Prepared + 'a>);

    impl Prepared for OneBitOff<'_> {
        fn run(&mut self) -> Result<(), Refusal> {
            self.0.run()
        }

        fn output(&mut self) -> Vec<f32> {
            let mut output = self.0.output();
            // The last output: where a tail that is stored wrongly would show.
            if let Some(last) = output.last_mut() {
                *last = f32::from_bits(last.to_bits() ^ 1);
            }
            output
        }

        fn kernel(&self) -> String {
            self.0.kernel()
        }
    }
}
