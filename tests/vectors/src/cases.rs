//! Every case of `tests/cases`, played by the core where there are no files: in node.

use anyhow::{Context as _, Result};
use graylane_cases::case::Suite;
use graylane_cases::native::Native;
use graylane_cases::play::{Played, outside_of_envoy, play};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// All suites, out of the texts that were put in.
fn embedded() -> Result<Vec<Suite>> {
    let example = |name: &str| {
        let found = EXAMPLES.iter().find(|(is, _)| *is == name);
        found.map(|(_, text)| (*text).to_owned()).with_context(|| format!("unknown example `{name}`"))
    };
    let mut all = Vec::new();
    for (name, text) in CASES {
        all.extend(Suite::read(name, text, example)?);
    }
    Ok(all)
}

fn natively(suites: &[Suite]) -> Played {
    play(suites, outside_of_envoy, |suite| Box::new(Native::new(suite).unwrap()))
}

#[test]
fn every_case_is_played() {
    let Played { count, failures } = natively(&embedded().unwrap());
    // A floor, so that texts that are not put in cannot pass for texts without failures.
    assert!(count > 300, "{count} cases");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_case_that_wants_something_else_fails() {
    let mut suites = embedded().unwrap();
    let case =
        suites.iter_mut().flat_map(|suite| &mut suite.cases).find(|case| case.want.tenant.is_some()).unwrap();
    case.want.tenant = Some("nobody".to_owned());
    let played = natively(&suites);
    assert!(played.failures.contains("! tenant"), "{}", played.failures);
}

/// What node plays is what lies in the folder.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn what_was_put_in_is_what_lies_there() {
    let there = graylane_cases::case::all().unwrap();
    let names = |suites: &[Suite]| -> Vec<String> {
        let cases = suites.iter().flat_map(|suite| suite.cases.iter().map(|case| (&suite.name, &case.name)));
        let mut names: Vec<String> = cases.map(|(suite, case)| format!("{suite}: {case}")).collect();
        names.sort();
        names
    };
    assert_eq!(names(&embedded().unwrap()), names(&there));
    assert_eq!(natively(&embedded().unwrap()), natively(&there));
}
