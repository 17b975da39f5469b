//! The rules of a host at one place, with the matches that keep their order.

use std::collections::BTreeSet;

use graylane_decide::names::GATEWAY_API_SEPARATOR;

use super::order::{Clash, ordered};
use super::overlap::{ANY_PATH, Both, both};
use super::precedence::{rank, segments};
use crate::mesh::Mesh;
use crate::routes::{Block, Match, Rule, Text};

/// The most rules of an HTTPRoute (its CRD).
pub const MOST_RULES: usize = 16;
/// The most matches of a rule.
pub const MOST_MATCHES: usize = 64;
/// The most matches of all rules of an HTTPRoute.
pub const MOST_IN_ALL: usize = 128;

/// The rules of blocks, each with its block's place. No more of them than needed, where there are too many for one route.
///
/// # Errors
/// When their order cannot be kept.
pub fn of(mesh: &Mesh, blocks: &[&Block<'_>]) -> Result<Vec<(usize, Rule)>, Clash> {
    let mut rules: Vec<(usize, Rule)> = Vec::new();
    for (place, block) in blocks.iter().enumerate() {
        rules.extend(block.rules(mesh, false).into_iter().map(|rule| (place, rule)));
    }
    if rules.iter().flat_map(|(_, rule)| &rule.matches).any(|one| matches!(one.path, Some(Text::Regex(_)))) {
        rules.iter_mut().for_each(|(_, rule)| below_regex(rule));
    }
    let matches: Vec<Vec<_>> = rules.iter().map(|(_, rule)| rule.matches.clone()).collect();
    let kept = ordered(&matches, &|a, b| is_same(&rules[a], &rules[b]), &|rule| rewrites(&rules[rule].1))?;
    for ((_, rule), matches) in rules.iter_mut().zip(kept) {
        rule.matches = matches;
    }
    if rules.len() > MOST_RULES {
        rules = joined(rules);
    }
    rules = rules.into_iter().flat_map(in_parts).collect();
    named(&mut rules);
    Ok(rules)
}

/// Makes what is for every path a regular expression as well: a short one, so that longer ones are asked before it. The prefix `/` would be
/// asked before any of them.
fn below_regex(rule: &mut Rule) {
    if rule.matches.is_empty() {
        rule.matches.push(Match::default());
    }
    for one in &mut rule.matches {
        let is_any = match &one.path {
            None => true,
            Some(Text::Prefix(prefix)) => segments(prefix) == "/",
            Some(_) => false,
        };
        if is_any {
            one.path = Some(Text::Regex(ANY_PATH.to_owned()));
        }
    }
}

/// Do two rules do the same with a request? The route is part of what the filter knows it by.
fn is_same((a_block, a): &(usize, Rule), (b_block, b): &(usize, Rule)) -> bool {
    a_block == b_block && a.to == b.to && a.edits == b.edits && a.istio == b.istio
}

/// Rules that do the same as one, where no rule between them is asked about the same requests.
fn joined(rules: Vec<(usize, Rule)>) -> Vec<(usize, Rule)> {
    let mut kept: Vec<(usize, Rule)> = Vec::new();
    for rule in rules {
        let meets = |other: &Rule| {
            let mut pairs =
                rule.1.matches.iter().flat_map(|one| other.matches.iter().map(move |two| (one, two)));
            pairs.any(|(one, two)| rank(one) == rank(two) && both(one, two) != Both::Never)
        };
        let same = kept.iter().rposition(|other| is_same(other, &rule));
        let fits = |place: &usize| {
            let together = kept[*place].1.matches.len() + rule.1.matches.len();
            together <= MOST_MATCHES && !kept[place + 1..].iter().any(|(_, other)| meets(other))
        };
        match same.filter(fits) {
            Some(place) => kept[place].1.matches.extend(rule.1.matches),
            None => kept.push(rule),
        }
    }
    kept
}

/// Does a rule replace what its match says of the path?
fn rewrites(rule: &Rule) -> bool {
    rule.istio.get("rewrite").is_some_and(|rewrite| rewrite.get("uri").is_some())
}

/// A rule with as many matches as the API allows: one, if it replaces a part of the path.
fn in_parts((block, rule): (usize, Rule)) -> Vec<(usize, Rule)> {
    let most = if rewrites(&rule) { 1 } else { MOST_MATCHES };
    let part = |matches: &[Match]| (block, Rule { matches: matches.to_vec(), ..rule.clone() });
    rule.matches.chunks(most).map(part).collect()
}

/// Names as the API allows them, each once.
fn named(rules: &mut [(usize, Rule)]) {
    let mut taken = BTreeSet::new();
    for (_, rule) in rules {
        let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let parts = rule.name.split(':').map(|part| part.chars().map(fits).collect::<String>());
        let name = parts.collect::<Vec<_>>().join(GATEWAY_API_SEPARATOR);
        let mut own = name.clone();
        let mut number = 1;
        while !taken.insert(own.clone()) {
            number += 1;
            own = format!("{name}-{number}");
        }
        rule.name = own;
    }
}
