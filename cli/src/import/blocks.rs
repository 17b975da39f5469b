//! Rules in a row that are one route of a file: what tenants get, and what everybody else does.

use std::collections::BTreeMap;

use graylane_decide::names::SUBSET_HEADER;
use graylane_decide::naming::is_name;
use serde_json::{Map, Value as Json};

use super::rules::{Found, is_everything};
use crate::mesh::OR_BASELINE;
use crate::traffic::Destination;

/// Where a rule leads: destinations and their shares in hundredths of a percent.
pub type Shares = Vec<(Destination, u64)>;

/// What becomes one route.
#[derive(Clone, Debug)]
pub struct Block {
    /// A name that a rule has.
    pub name: Option<String>,
    /// What it matches; empty: everything that is left.
    pub matches: Vec<Map<String, Json>>,
    /// Tenants and their only destination.
    pub pins: BTreeMap<String, Destination>,
    /// Where everybody else goes; empty: Envoy answers.
    pub shares: Shares,
    /// What else is said.
    pub fields: Map<String, Json>,
    /// Do pinned tenants fall back?
    pub falls_back: bool,
}

/// The tenants that a rule is about.
enum Tenants {
    /// Nothing.
    None,
    /// It is for these only.
    These(Vec<String>),
    /// Something that no pin can say.
    Otherwise,
}

/// A rule, the tenants that it is for, and what it matches besides.
type Split<'a> = (&'a Found, Tenants, Vec<Map<String, Json>>);

/// Brings rules together, as they are tried.
pub fn of(rules: &[Found], header: &str) -> Vec<Block> {
    let mut rules: Vec<Split<'_>> = rules
        .iter()
        .filter(|rule| !is_ours(rule))
        .map(|rule| {
            let (tenants, rest) = split(rule, header);
            (rule, tenants, rest)
        })
        .collect();
    let mut blocks = Vec::new();
    while !rules.is_empty() {
        let length = pinned(&rules);
        let block: Vec<_> = rules.drain(..length.max(1)).collect();
        blocks.push(together(&block));
    }
    blocks
}

/// A rule that only the filter makes sense of.
fn is_ours(rule: &Found) -> bool {
    let ours = |one: &Map<String, Json>| {
        let headers = one.get("headers").and_then(Json::as_object);
        headers.is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case(SUBSET_HEADER)))
    };
    !rule.matches.is_empty() && rule.matches.iter().all(ours)
}

/// How many of the first rules are tenants' exceptions from a rule behind them, which is counted too; 0: none.
fn pinned(rules: &[Split<'_>]) -> usize {
    let Some((first, _, rest)) = rules.first() else { return 0 };
    let same = |rule: &Found, own: &[Map<String, Json>]| rule.fields == first.fields && own == rest;
    let exceptions = rules
        .iter()
        .take_while(|(rule, tenants, own)| {
            let single = rule.shares.len() == 1;
            matches!(tenants, Tenants::These(_)) && single && !rule.answers && same(rule, own)
        })
        .count();
    match rules.get(exceptions) {
        Some((rule, Tenants::None, own)) if same(rule, own) && !rule.answers => exceptions + 1,
        _ => 0,
    }
}

fn together(rules: &[Split<'_>]) -> Block {
    let (last, _, rest) = &rules[rules.len() - 1];
    let mut pins = BTreeMap::new();
    let mut falls_back = false;
    for (rule, tenants, _) in &rules[..rules.len() - 1] {
        let (Tenants::These(tenants), Some((to, _))) = (tenants, rule.shares.first()) else { continue };
        let mut to = to.clone();
        if let Some(strict) = to.subset.as_ref().and_then(|subset| subset.strip_suffix(OR_BASELINE)) {
            falls_back = true;
            to.subset = Some(strict.to_owned());
        }
        for tenant in tenants {
            pins.entry(tenant.clone()).or_insert_with(|| to.clone());
        }
    }
    // Alone, a rule for tenants keeps what it matches.
    let matches = if rules.len() == 1 { last.matches.clone() } else { rest.clone() };
    // `<service>:<route>:<rule>`, as graylane names rules.
    let name = rules.iter().filter_map(|(rule, ..)| rule.name.as_deref()).find_map(|name| {
        let parts: Vec<&str> = name.split(':').collect();
        match parts[..] {
            [_, route, _] => Some(route.to_owned()),
            [own] if is_name(own) => Some(own.to_owned()),
            _ => None,
        }
    });
    Block {
        name,
        matches,
        pins,
        shares: if last.answers { Vec::new() } else { last.shares.clone() },
        fields: last.fields.clone(),
        falls_back,
    }
}

/// Takes tenants out of what a rule matches.
fn split(rule: &Found, header: &str) -> (Tenants, Vec<Map<String, Json>>) {
    let mut parts: Vec<(Option<String>, Map<String, Json>)> = Vec::new();
    for one in &rule.matches {
        let mut one = one.clone();
        let mut tenant = None;
        if let Some(headers) = one.get_mut("headers").and_then(Json::as_object_mut) {
            let name = headers.keys().find(|name| name.eq_ignore_ascii_case(header)).cloned();
            if let Some(value) = name.and_then(|name| headers.remove(&name)) {
                let exact = value["exact"].as_str().filter(|exact| is_name(exact));
                let only = value.as_object().is_some_and(|value| value.len() == 1);
                match exact {
                    Some(exact) if only => tenant = Some(exact.to_owned()),
                    _ => return (Tenants::Otherwise, rule.matches.clone()),
                }
            }
            if headers.is_empty() {
                one.remove("headers");
            }
        }
        parts.push((tenant, one));
    }
    let tenants: Vec<String> = parts.iter().filter_map(|(tenant, _)| tenant.clone()).collect();
    if tenants.is_empty() {
        return (Tenants::None, rule.matches.clone());
    }
    let mut rests: Vec<Map<String, Json>> = Vec::new();
    for (_, rest) in &parts {
        if !rests.contains(rest) {
            rests.push(rest.clone());
        }
    }
    let one_tenant = tenants.iter().all(|tenant| *tenant == tenants[0]);
    if tenants.len() < parts.len() || (!one_tenant && rests.len() > 1) {
        return (Tenants::Otherwise, rule.matches.clone());
    }
    if rests.iter().any(is_everything) {
        rests.clear();
    }
    (Tenants::These(tenants), rests)
}
