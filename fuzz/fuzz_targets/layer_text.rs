//! A layer's text form: no text makes the parser panic, what it takes it prints in one way, and
//! any layer that checks can be planned.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointwise::{Layer, Plan, PlanOptions};

fuzz_target!(|text: &str| {
    match text.parse::<Layer>() {
        Ok(layer) => {
            let printed = layer.to_string();
            let again: Layer = printed.parse().expect("what is printed can be read");
            assert_eq!(again.to_string(), printed);
            match layer.check() {
                // A plan lists the panels of its outputs: gigabytes for more than any layer has.
                Ok(_) if layer.k >= 1 << 24 => {}
                Ok(_) => {
                    let plan = Plan::new(&layer, &PlanOptions::new()).expect("checked");
                    assert_eq!(plan.layer(), &layer);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
