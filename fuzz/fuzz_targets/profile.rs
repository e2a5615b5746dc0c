//! Profiles: no text makes the parser panic, what it takes it prints in one way, and a plan that
//! is given it has the bits of one that is not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointwise::{Layer, Mode, Plan, PlanOptions, Profile};
use std::sync::{Arc, LazyLock};

/// The head of a profile of this machine, so that plans take what follows it.
static HEAD: LazyLock<String> = LazyLock::new(|| Profile::new().to_string());

fuzz_target!(|given: (bool, &str)| {
    let (headed, text) = given;
    let whole = if headed { format!("{}{text}", *HEAD) } else { text.to_owned() };
    let profile = match Profile::parse(&whole) {
        Ok(profile) => profile,
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty() && !said.chars().any(char::is_control), "{said:?}");
            return;
        }
    };
    let printed = profile.to_string();
    let again = Profile::parse(&printed).expect("what is printed can be read");
    assert_eq!(again.to_string(), printed);
    let layers: Vec<Layer> = profile.entries().map(|entry| entry.layer).take(4).collect();
    let threads = profile.entries().next().map_or(1, |entry| entry.threads);
    let profile = Arc::new(profile);
    // A plan lists the panels of its outputs: gigabytes for more of them than any layer has.
    let planned = layers.into_iter().filter(|layer| layer.k < 1 << 24);
    for layer in planned.chain([Layer::new(8, 8, 5, 7)]) {
        for mode in [Mode::Estimate, Mode::ProfileOnly] {
            let options = PlanOptions::new().threads(threads).mode(mode).profile(profile.clone());
            match Plan::new(&layer, &options) {
                Ok(plan) => assert!((1..=1024).contains(&plan.threads())),
                Err(error) => assert!(!error.to_string().contains('\n')),
            }
        }
    }
});
