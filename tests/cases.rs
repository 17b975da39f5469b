//! Every case at every level: natively, in the small host, in real Envoy.

use std::collections::BTreeMap;

use graylane_tests::case::{self, Suite};
use graylane_tests::level::Level;
use graylane_tests::level::envoy::Fleet;
use graylane_tests::level::native::Native;
use graylane_tests::level::wasm::Wasm;
use graylane_tests::run::run;

/// Runs all suites, each case at a level of its own making; shows everything that failed.
fn check<'s>(suites: &'s [Suite], level_name: &str, mut level: impl FnMut(&'s Suite) -> Box<dyn Level + 's>) {
    let mut failures = String::new();
    let (mut count, mut number) = (0, 0);
    for suite in suites {
        for case in &suite.cases {
            number += 1;
            let in_envoy = level_name == "envoy";
            if in_envoy && case.not_in_envoy.is_some() || !in_envoy && case.flaw.is_some() {
                continue;
            }
            count += 1;
            let result = run(suite, case, number, &mut *level(suite));
            match result {
                Ok(None) => {}
                Ok(Some(table)) => failures += &format!("\n{}: {}\n{table}", suite.name, case.name),
                Err(error) => failures += &format!("\n{}: {}\n  ! {error:#}\n", suite.name, case.name),
            }
        }
    }
    println!("{count} cases at level {level_name}");
    assert!(failures.is_empty(), "at level {level_name}:\n{failures}");
}

#[test]
fn natively() {
    check(&case::all().unwrap(), "native", |suite| Box::new(Native::new(suite).unwrap()));
}

#[test]
fn in_the_small_host() {
    check(&case::all().unwrap(), "wasm", |suite| Box::new(Wasm::new(suite).unwrap()));
}

#[test]
fn in_envoy() {
    let suites = case::all().unwrap();
    // One Envoy for each kind of node.
    let mut by_node: BTreeMap<String, Vec<&Suite>> = BTreeMap::new();
    for suite in &suites {
        by_node.entry(format!("{:?}", suite.node)).or_default().push(suite);
    }
    let fleets: BTreeMap<String, Fleet> =
        by_node.into_iter().map(|(node, suites)| (node, Fleet::start(&suites).unwrap())).collect();
    check(&suites, "envoy", |suite| Box::new(fleets[&format!("{:?}", suite.node)].suite(suite)));
}
