//! Plays all cases at a level.

use std::fmt::Write as _;

use crate::case::{Case, Suite};
use crate::level::Level;
use crate::run::run;

/// What came of playing cases.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// How many were played.
    pub count: usize,
    /// Want and got of those that failed, as text.
    pub failures: String,
}

/// Is this case played elsewhere than in Envoy? A flaw of a token needs a verifier of tokens.
#[must_use]
pub fn outside_of_envoy(case: &Case) -> bool {
    case.flaw.is_none()
}

/// Plays the cases of suites that are played here, each at a level of its own making.
pub fn play<'s>(
    suites: &'s [Suite],
    is_here: impl Fn(&Case) -> bool,
    mut level: impl FnMut(&'s Suite) -> Box<dyn Level + 's>,
) -> Played {
    let mut played = Played::default();
    let cases = suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)));
    for ((suite, case), number) in cases.zip(1..).filter(|((_, case), _)| is_here(case)) {
        played.count += 1;
        let text = match run(suite, case, number, &mut *level(suite)) {
            Ok(None) => continue,
            Ok(Some(table)) => table,
            Err(error) => format!("  ! {error:#}\n"),
        };
        let _ = write!(played.failures, "\n{}: {}\n{text}", suite.name, case.name);
    }
    played
}
