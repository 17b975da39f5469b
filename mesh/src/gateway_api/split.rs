//! Several routes where one has too many rules.
//!
//! Of equally specific matches in two routes, the older route's counts, and how old a route is must decide nothing. So rules stay together that
//! have equally specific matches for the same requests.

use super::overlap::{Both, both};
use super::precedence::rank;
use super::rules::{MOST_IN_ALL, MOST_RULES};
use crate::routes::Rule;

/// How many rules, or matches, stay together that are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// Rules of a route.
    Rules(usize),
    /// Matches of all rules of a route.
    Matches(usize),
}

/// The rules of each route.
///
/// # Errors
/// When rules that stay together are too many for one.
pub fn split(rules: Vec<(usize, Rule)>) -> Result<Vec<Vec<(usize, Rule)>>, TooMany> {
    if fits(&rules) {
        return Ok(vec![rules]);
    }
    let mut routes: Vec<Vec<(usize, Rule)>> = Vec::new();
    for group in groups(rules) {
        let matches = matches(&group);
        if group.len() > MOST_RULES {
            return Err(TooMany::Rules(group.len()));
        } else if matches > MOST_IN_ALL {
            return Err(TooMany::Matches(matches));
        }
        let room = |route: &&mut Vec<(usize, Rule)>| {
            route.len() + group.len() <= MOST_RULES && self::matches(route) + matches <= MOST_IN_ALL
        };
        match routes.iter_mut().find(room) {
            Some(route) => route.extend(group),
            None => routes.push(group),
        }
    }
    Ok(routes)
}

fn matches(rules: &[(usize, Rule)]) -> usize {
    rules.iter().map(|(_, rule)| rule.matches.len()).sum()
}

fn fits(rules: &[(usize, Rule)]) -> bool {
    rules.len() <= MOST_RULES && matches(rules) <= MOST_IN_ALL
}

/// Rules that stay together, in their order.
fn groups(rules: Vec<(usize, Rule)>) -> Vec<Vec<(usize, Rule)>> {
    let meet = |a: &Rule, b: &Rule| {
        let mut pairs = a.matches.iter().flat_map(|one| b.matches.iter().map(move |two| (one, two)));
        pairs.any(|(one, two)| rank(one) == rank(two) && both(one, two) != Both::Never)
    };
    // A group's number is that of its first rule.
    let mut group: Vec<usize> = (0..rules.len()).collect();
    for later in 0..rules.len() {
        for earlier in 0..later {
            if group[later] != group[earlier] && meet(&rules[earlier].1, &rules[later].1) {
                let (kept, gone) = (group[earlier].min(group[later]), group[earlier].max(group[later]));
                group.iter_mut().filter(|number| **number == gone).for_each(|number| *number = kept);
            }
        }
    }
    let mut all: std::collections::BTreeMap<usize, Vec<(usize, Rule)>> = std::collections::BTreeMap::new();
    for (number, rule) in group.into_iter().zip(rules) {
        all.entry(number).or_default().push(rule);
    }
    all.into_values().collect()
}
