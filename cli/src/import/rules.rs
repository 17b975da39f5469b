//! Rules as they hold at one place: a gateway, or inside the mesh.

use serde_json::{Map, Value as Json};

use super::http_routes;
use super::read::HTTP_ROUTE;
use crate::traffic::{At, Destination, MESH, Match, Rule, VirtualService, without_ours};

/// A rule as it holds at one place.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it was written.
    pub at: At,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it matches there; empty: everything.
    pub matches: Vec<Map<String, Json>>,
    /// Where it leads, and the share of each in hundredths of a percent.
    pub shares: Vec<(Destination, u64)>,
    /// What else it says.
    pub fields: Map<String, Json>,
    /// Does Envoy answer by itself?
    pub answers: bool,
}

/// The rules of a VirtualService at a place; `home` is the namespace that they will be rendered in. One whose matches are all of other gateways is not there.
pub fn at_place(own: &VirtualService, place: &str, header: &str, home: &str) -> Vec<Found> {
    let here =
        |one: &&Match| one.gateways.as_ref().is_none_or(|names| names.iter().any(|name| name == place));
    let mut rules: Vec<Found> = Vec::new();
    for rule in &own.rules {
        let matches: Vec<&Match> = rule.matches.iter().filter(here).collect();
        if matches.is_empty() && !rule.matches.is_empty() {
            continue;
        }
        let of_gateway_api = own.kind == HTTP_ROUTE;
        let for_all = matches.iter().any(|one| one.is_everything());
        let matches =
            if for_all { Vec::new() } else { matches.into_iter().map(|one| one.json.clone()).collect() };
        match rules.last_mut() {
            // Each match of an HTTPRoute's rule is read as a rule.
            Some(last) if of_gateway_api && last.at == rule.at && !for_all && !rule.matches.is_empty() => {
                last.matches.extend(matches);
            }
            _ => {
                let mut rule = found(rule, matches, header, place != MESH, home);
                if of_gateway_api {
                    // There, what graylane writes as `service:route:rule` has dots.
                    rule.name = rule.name.map(|name| name.replace('.', ":"));
                }
                rules.push(rule);
            }
        }
        if for_all || rule.matches.is_empty() {
            // Nothing comes past it.
            break;
        }
    }
    rules
}

fn found(rule: &Rule, matches: Vec<Map<String, Json>>, header: &str, outside: bool, home: &str) -> Found {
    // Short hosts stay short where they mean the same.
    let fields = if rule.namespace == home { &rule.written } else { &rule.fields };
    let mut fields = without_ours(fields, header, outside);
    fields.retain(|key, _| !http_routes::DROPPED.contains(&key.as_str()));
    Found {
        at: rule.at,
        name: rule.name.clone(),
        matches,
        shares: rule.shares().into_iter().map(|(to, share)| (to.clone(), share)).collect(),
        fields,
        answers: rule.answers(),
    }
}

/// The port that all rules match, which the service of the file says instead of them.
pub fn take_port(rules: &mut Vec<Found>) -> Option<u16> {
    let mut ports = rules.iter().flat_map(|rule| &rule.matches).map(|one| one.get("port"));
    let first = ports.next().flatten()?.as_u64()?;
    if !ports.all(|port| port.and_then(Json::as_u64) == Some(first)) {
        return None;
    }
    rules.iter_mut().flat_map(|rule| &mut rule.matches).for_each(|one| drop(one.remove("port")));
    for rule in rules.iter_mut().filter(|rule| rule.matches.iter().any(is_everything)) {
        rule.matches.clear();
    }
    if let Some(last) = rules.iter().position(|rule| rule.matches.is_empty()) {
        rules.truncate(last + 1);
    }
    u16::try_from(first).ok()
}

/// Nothing, or every path.
pub fn is_everything(one: &Map<String, Json>) -> bool {
    one.iter().all(|(key, value)| match key.as_str() {
        "name" | "ignoreUriCase" => true,
        "uri" => value["prefix"].as_str() == Some("/"),
        _ => false,
    })
}
