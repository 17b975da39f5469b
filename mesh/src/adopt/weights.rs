//! Weights that another controller sets: can a header select Envoy's destination, and where does a user go?
//!
//! Envoy draws a number for each request and takes the destination in whose share it lies, in the order of the list; with
//! `weighted_clusters.header_name` it reads the number from a header (`WeightedClusterSpecifierPlugin` in
//! source/common/router/weighted_cluster_specifier.cc). A route with a single destination has no such list, and one that is
//! patched anyway becomes invalid: Envoy then rejects the whole table.

use std::collections::BTreeMap;

use crate::document::shape::nearest;
use crate::mesh::{Mesh, Service};
use crate::traffic::{At, Destination, MESH, Rule, VirtualService, World};

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// No VirtualService is for the host.
    Unrouted,
    /// No rule has the name, or Istio calls it otherwise: the patch changes nothing.
    Missed,
    /// A rule has no list of destinations: with the patch Envoy rejects the whole route table.
    Rejected,
    /// The weights move more users than they should.
    Unsteady,
}

/// Something that stands in the way of sticky users.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The rule of a VirtualService; none: there is none.
    pub at: Option<At>,
    /// The service.
    pub service: String,
    /// What it leads to.
    pub what: What,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub help: String,
    /// Would Envoy refuse its routes, or nothing be sticky? Otherwise it is a note.
    pub is_error: bool,
}

impl Problem {
    /// What is wrong, for users who have not applied the patch yet.
    #[must_use]
    pub fn foretold(&self) -> String {
        let leads_to = match self.what {
            What::Rejected => ": with the patch Envoy would reject the whole route table",
            _ => "",
        };
        format!("{}{leads_to}", self.text)
    }
}

/// The services whose weights another controller sets.
pub fn services(mesh: &Mesh) -> impl Iterator<Item = (&Service, Option<&str>)> {
    mesh.services.iter().filter_map(|service| {
        let rollout = mesh.document.services.get(&service.name)?.rollout.as_ref()?;
        rollout.weights.external.then_some((service, rollout.route.as_deref()))
    })
}

/// Labels of the callers that a service's patch is limited to; none: all callers.
#[must_use]
pub fn callers<'m>(mesh: &'m Mesh, service: &str) -> Option<&'m BTreeMap<String, String>> {
    let rollout = mesh.document.services.get(service)?.rollout.as_ref()?;
    (!rollout.callers.is_empty()).then_some(&rollout.callers)
}

/// All of what stands in the way, by the routes that are there.
#[must_use]
pub fn problems(mesh: &Mesh, world: &World) -> Vec<Problem> {
    let mut all = Vec::new();
    for (service, route) in services(mesh) {
        let mut places = vec![(MESH.to_owned(), service.host.clone())];
        for host in &service.expose.hosts {
            places.extend(service.expose.gateways.iter().map(|gateway| (gateway.clone(), host.clone())));
        }
        for (place, host) in places {
            let found = world.of_host(&place, &host);
            of_place(
                &Subject { service: &service.name, host: &host, route, place: &place },
                &found,
                &mut all,
            );
        }
    }
    all
}

/// The rules that a patch is about.
pub(super) struct Subject<'a> {
    /// The service.
    pub service: &'a str,
    /// Its host, as requests name it at this place.
    pub host: &'a str,
    /// The name of the rule; none: all of the host.
    pub route: Option<&'a str>,
    /// A gateway, or the mesh.
    pub place: &'a str,
}

/// What stands in the way, by the VirtualServices that count for the host there.
pub(super) fn of_place(subject: &Subject<'_>, found: &[&VirtualService], all: &mut Vec<Problem>) {
    let Subject { service, host, route, place } = *subject;
    let mut add = |at, what, text: String, help: &str, is_error| {
        all.push(Problem { at, service: service.to_owned(), what, text, help: help.to_owned(), is_error });
    };
    let where_ = if place == MESH { "inside the mesh".to_owned() } else { format!("at gateway {place}") };
    if found.is_empty() {
        let text =
            format!("no VirtualService has the host `{host}` {where_}, so its versions have no weights");
        add(None, What::Unrouted, text, "pass all VirtualServices: kubectl get vs,dr -A -o yaml", true);
        return;
    }
    let rules: Vec<&Rule> = found.iter().flat_map(|own| &own.rules).collect();
    let patched: Vec<&&Rule> = rules.iter().filter(|rule| is_patched(rule, route)).collect();
    if patched.is_empty() {
        let names: Vec<&str> = rules.iter().filter_map(|rule| rule.name.as_deref()).collect();
        let wanted = route.unwrap_or_default();
        let text = format!("no rule of `{host}` {where_} has the name `{wanted}`");
        let help = match nearest(wanted, &names) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                "its rules have no names: give the weighted one a `name`, or leave `route` out".to_owned()
            }
            None => format!("write one of {}", names.join(", ")),
        };
        add(rules.first().map(|rule| rule.at), What::Missed, text, &help, true);
    }
    for rule in patched {
        let name = rule.name.as_deref().map_or_else(|| "a rule".to_owned(), |name| format!("rule `{name}`"));
        let at = Some(rule.at);
        if rule.destinations.len() < 2 || rule.answers() {
            let text = format!(
                "{name} of `{host}` {where_} has {}",
                if rule.answers() { "no destination" } else { "a single destination" }
            );
            let help = "let its owner list both versions, one with weight 0, or name the rule that does in `rollout.route`";
            add(at, What::Rejected, text, help, true);
            continue;
        }
        if route.is_some() && rule.matches.iter().any(|one| one.json.contains_key("name")) {
            let text = format!(
                "a match of {name} has a name of its own, which Istio appends to the rule's: the patch would not match it"
            );
            add(at, What::Missed, text, "remove the name of the match", true);
        }
        let sum: u64 = rule.destinations.iter().map(|one| one.weight.unwrap_or(0)).sum();
        if sum != 100 {
            let text = format!("the weights of {name} of `{host}` add up to {sum}, not 100");
            let help = "users stay where they are only while the sum stays the same";
            add(at, What::Unsteady, text, help, sum == 0);
        }
        if rule.destinations.len() > 2 {
            let text = format!("{name} of `{host}` has {} destinations", rule.destinations.len());
            add(
                at,
                What::Unsteady,
                text,
                "with more than two, a weight that changes moves users between the others as well",
                false,
            );
        }
    }
}

/// Is this rule among those that are patched? Without a name all are.
fn is_patched(rule: &Rule, route: Option<&str>) -> bool {
    route.is_none_or(|route| rule.name.as_deref() == Some(route))
}

/// Where Envoy sends a request whose header has this number: the destination in whose share it lies.
#[must_use]
pub fn chosen<'r>(rule: &'r Rule, route: Option<&str>, point: u64) -> Option<&'r Destination> {
    if rule.destinations.len() < 2 || !is_patched(rule, route) {
        return None;
    }
    choose(&rule.destinations, |one| one.weight.unwrap_or(0), point)
}

/// Names and weights of the destinations of a service's weighted rule, in the order of their list; none if there is no such
/// rule, or several that differ. Destinations are called by their subset, or by the first part of their host.
#[must_use]
pub fn standing(world: &World, service: &Service, route: Option<&str>) -> Option<Vec<(String, u64)>> {
    let found = world.of_host(MESH, &service.host);
    let name = |one: &Destination| match &one.subset {
        Some(subset) => subset.clone(),
        None => one.host.split('.').next().unwrap_or_default().to_owned(),
    };
    let of = |rule: &Rule| -> Vec<(String, u64)> {
        rule.destinations.iter().map(|one| (name(one), one.weight.unwrap_or(0))).collect()
    };
    let rules = found.iter().flat_map(|own| &own.rules).filter(|rule| is_patched(rule, route));
    let mut lists = rules.map(of);
    let first = lists.next()?;
    lists.all(|list| list == first).then_some(first)
}

/// Envoy's choice among weights in order.
pub fn choose<T>(list: &[T], weight: impl Fn(&T) -> u64, point: u64) -> Option<&T> {
    let sum: u64 = list.iter().map(&weight).sum();
    let mut left = point.checked_rem(sum)?;
    list.iter().find(|one| match left.checked_sub(weight(one)) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests;
