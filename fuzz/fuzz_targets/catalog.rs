//! Files of layers: no text makes the parser panic; what it takes has layers that check, names of
//! their own, and a form that is taken again; what it refuses it refuses in one line. Filters
//! over what was taken neither panic nor find what isn't there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pointwise_harness::catalog::{Filter, Pattern, parse, unique};
use std::collections::HashSet;

fuzz_target!(|given: (&str, &str)| {
    let (text, pattern) = given;
    match parse("mine", text) {
        Ok(entries) => {
            assert!(!entries.is_empty());
            let mut names = HashSet::new();
            let mut again = String::new();
            for entry in &entries {
                assert!(entry.layer.check().is_ok() && entry.count >= 1);
                assert!(names.insert(entry.name.clone()), "{} twice", entry.name);
                let head = if entry.head { " head" } else { "" };
                again += &format!("{} {} {}{head}\n", entry.count, entry.name, entry.layer);
            }
            assert_eq!(parse("mine", &again).as_ref(), Ok(&entries), "{again}");
            let uses: usize = unique(&entries).iter().map(|problem| problem.uses.len()).sum();
            assert_eq!(uses, entries.len());
            if let Ok(filter) = Filter::new(None, Some(pattern)) {
                match filter.select(&entries) {
                    Ok(chosen) => assert!(!chosen.is_empty()),
                    Err(error) => one_line(&error.to_string()),
                }
            }
        }
        Err(error) => one_line(&error.to_string()),
    }
    if let Err(error) = Pattern::new("layer", pattern) {
        one_line(&error.to_string());
    }
});

fn one_line(text: &str) {
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}
