//! Matches that keep the order of the file.
//!
//! Where a rule comes before another in the file and the API would ask the other one first, the requests that both match are said once
//! more, as a match of the first: their intersection is at least as specific as the other one, and of equals the first counts. Only with a
//! regular expression for a path it may be less specific, and then the order cannot be kept.

use super::overlap::{Both, both};
use super::precedence::rank;
use crate::routes::Match;

/// A rule and another one whose order the API cannot keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The place of the rule that comes first.
    pub first: usize,
    /// The place of the other one.
    pub second: usize,
}

/// So many matches are never needed: the API allows 128 in a route.
const MOST: usize = 4096;

/// Rules with the matches that they need. Each has at least one: that for every request says nothing. `is_same`: do two rules do
/// the same, so that their order does not matter? `is_fixed`: may a rule get no further match, since it rewrites what its own match?
///
/// # Errors
/// When two rules match requests in common that no match can say.
pub fn ordered(
    rules: &[Vec<Match>],
    is_same: &dyn Fn(usize, usize) -> bool,
    is_fixed: &dyn Fn(usize) -> bool,
) -> Result<Vec<Vec<Match>>, Clash> {
    let every =
        |matches: &Vec<Match>| if matches.is_empty() { vec![Match::default()] } else { matches.clone() };
    let mut rules: Vec<Vec<Match>> = rules.iter().map(every).collect();
    while let Some((first, second, one)) = missing(&rules, is_same)? {
        if is_fixed(first) {
            return Err(Clash { first, second });
        }
        rules[first].push(one);
        if rules.iter().map(Vec::len).sum::<usize>() > MOST {
            break;
        }
    }
    Ok(rules)
}

/// A match that a rule needs and does not have, and the rule that would be tried before it.
fn missing(
    rules: &[Vec<Match>],
    is_same: &dyn Fn(usize, usize) -> bool,
) -> Result<Option<(usize, usize, Match)>, Clash> {
    for (first, own) in rules.iter().enumerate() {
        for (second, others) in rules.iter().enumerate().skip(first + 1) {
            if is_same(first, second) {
                continue;
            }
            for (one, other) in own.iter().flat_map(|one| others.iter().map(move |other| (one, other))) {
                if rank(other) <= rank(one) {
                    continue;
                }
                match both(one, other) {
                    Both::Never => {}
                    Both::Unknown => return Err(Clash { first, second }),
                    // A regular expression is less specific than the prefix that it was cut with.
                    Both::Is(common) if rank(&common) < rank(other) => return Err(Clash { first, second }),
                    Both::Is(common) if own.iter().any(|known| settles(known, &common, other)) => {}
                    Both::Is(common) => return Ok(Some((first, second, common))),
                }
            }
        }
    }
    Ok(None)
}

/// Is a match asked before another, for all requests that a third one is about?
fn settles(known: &Match, common: &Match, other: &Match) -> bool {
    rank(known) >= rank(other) && both(known, common) == Both::Is(common.clone())
}
