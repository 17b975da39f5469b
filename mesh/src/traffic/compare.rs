//! Two worlds: the requests that distinguish them.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::names::OWN_PREFIX;

use super::answer::Answer;
use super::request::Request;
use super::rule::At;
use super::samples;
use super::world::World;

/// Requests that are treated differently: all that meet the same two rules, by one of them.
#[derive(Clone, Debug)]
pub struct Difference {
    /// One of them.
    pub request: Request,
    /// What became of it.
    pub before: Answer,
    /// What would.
    pub after: Answer,
    /// How many of the tried ones there are.
    pub count: usize,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many requests were tried.
    pub tried: usize,
    /// What differs.
    pub differences: Vec<Difference>,
    /// What could not be decided, and the rules that say it.
    pub undecided: BTreeSet<(At, String)>,
}

impl Difference {
    /// What is different about it, in words.
    #[must_use]
    pub fn text(&self) -> String {
        let (before, after) = (&self.before, &self.after);
        if !before.goes_the_same_way(after) || before.fields != after.fields {
            return format!("{} went to {before}, and would go to {after}", self.request);
        }
        let policies = |answer: &Answer| {
            answer.targets.iter().map(|(target, _)| target.policy.clone()).collect::<Vec<_>>().join(", ")
        };
        if policies(before) != policies(after) {
            let (before, after) = (policies(before), policies(after));
            return format!(
                "{} goes the same way, by trafficPolicy {before} before, {after} after",
                self.request
            );
        }
        format!("{} went to {before}, and would go to {after}", self.request)
    }
}

/// Tries requests in both worlds; none with headers of the filter.
#[must_use]
pub fn compare(before: &World, after: &World) -> Report {
    let mut report = Report::default();
    let mut known: BTreeMap<(String, Option<At>, Option<At>, bool), usize> = BTreeMap::new();
    for (place, host) in before.places().union(&after.places()) {
        let rules = [before.rules(place, host), after.rules(place, host)];
        let mut tried = samples::requests(place, host, [rules[0].as_ref(), rules[1].as_ref()]);
        // What only the filter sends is not a client's request.
        tried.retain(|request| request.headers.keys().all(|name| !name.starts_with(OWN_PREFIX)));
        report.tried += tried.len();
        for request in tried {
            let (was, is) =
                (before.answer(&request, rules[0].as_ref()), after.answer(&request, rules[1].as_ref()));
            if was.is_same(&is) {
                continue;
            }
            let key = (request.place.clone() + &request.host, was.rule, is.rule, was.goes_the_same_way(&is));
            let next = report.differences.len();
            match known.get(&key) {
                Some(place) => report.differences[*place].count += 1,
                None => {
                    known.insert(key, next);
                    report.differences.push(Difference { request, before: was, after: is, count: 1 });
                }
            }
        }
    }
    for own in &before.virtual_services {
        for rule in &own.rules {
            let undecided = rule.matches.iter().flat_map(super::Match::undecided);
            report.undecided.extend(undecided.map(|what| (rule.at, what)));
        }
    }
    report
}
