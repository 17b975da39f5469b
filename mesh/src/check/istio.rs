//! The parts of a file in Istio's own API, and their effect in Istio.

mod names;
mod outside;

use std::collections::{BTreeMap, BTreeSet};

use super::{Checker, listed};
use crate::document::model::{ANSWERS, Fallback, Rollout, Route, Service};
use crate::document::shape::check_istio;
use crate::istio;
use crate::mesh;
use crate::resources::common_labels;

/// Fields of an HTTPRoute that graylane writes itself, or that leave nothing to choose.
const TAKEN: [&str; 6] = ["name", "match", "route", "redirect", "delegate", "directResponse"];

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    for (name, service) in &document.services {
        let path = ["services", name.as_str()];
        http(checker, &[&path[..], &["http"]].concat(), false);
        fields(checker, &[&path[..], &["trafficPolicy"]].concat(), istio::traffic_policy());
        routes(checker, name, service);
        fallback(checker, name, service);
        versions(checker, name, service);
        outside::check(checker, name, service);
    }
    shared_hosts(checker);
    same_name(checker);
    names::check(checker);
}

/// Compares a part of the file with a part of a CRD.
fn fields(checker: &mut Checker<'_>, path: &[&str], schema: &serde_json::Value) {
    if let Some(node) = checker.project.tree.at(path) {
        check_istio(node, schema, path, checker.findings);
    }
}

/// `may_answer`: a single route may be a redirect, a whole service must not be one.
fn http(checker: &mut Checker<'_>, path: &[&str], may_answer: bool) {
    let Some(node) = checker.project.tree.at(path) else { return };
    fields(checker, path, istio::http_route());
    for entry in node.entries() {
        let at = [path, &[entry.key.as_str()]].concat();
        let answers = may_answer && ANSWERS.contains(&entry.key.as_str());
        if TAKEN.contains(&entry.key.as_str()) && !answers {
            let message = format!("`{}` cannot be set here: graylane writes it", entry.key);
            checker.error_at_key(&at, message).help("remove it; `routes:` has a `match` of its own");
        } else if ["mirror", "mirrors"].contains(&entry.key.as_str()) {
            let finding = checker.findings.warning(
                checker.project.key(&at),
                "mirrored requests have real side effects: what they write is written twice",
            );
            finding.help("mirror reads only, or to a service that writes elsewhere; mirrored requests have `-shadow` appended to their host and are not counted");
        }
    }
}

fn routes(checker: &mut Checker<'_>, name: &str, service: &Service) {
    let mut names = BTreeMap::new();
    for (index, route) in service.routes.iter().enumerate() {
        let number = index.to_string();
        let path = ["services", name, "routes", &number];
        let at = |key: &'static str| [&path[..], &[key]].concat();
        let title = mesh::route_name(index, route);
        if !graylane_decide::naming::is_name(&title) {
            checker
                .error(&at("name"), format!("`{title}` cannot be the name of a route"))
                .help(graylane_decide::naming::NAME_RULE);
        }
        if let Some(first) = names.insert(title.clone(), index) {
            let place = checker.project.span(&["services", name, "routes", &first.to_string()]);
            checker
                .error(&path, format!("a second route `{title}`"))
                .help("give each a name of its own")
                .related(place, "the first one");
        }
        if route.matches.is_empty() {
            checker
                .error_at_key(&at("match"), "a route without a `match`")
                .help("write Istio's HTTPMatchRequests, as in `match: [{uri: {prefix: /checkout}}]`");
        }
        matches(checker, &path, route);
        http(checker, &at("http"), true);
    }
}

/// What a route matches.
fn matches(checker: &mut Checker<'_>, path: &[&str], route: &Route) {
    for (index, one) in route.matches.iter().enumerate() {
        let number = index.to_string();
        let place = [path, &["match", &number]].concat();
        fields(checker, &place, istio::http_match());
        let header = checker.document().header.to_ascii_lowercase();
        let matched = one
            .get("headers")
            .and_then(serde_json::Value::as_object)
            .is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case(&header)));
        let alone = route.baseline.is_some() || is_answer(route);
        if matched && !alone {
            checker
                .error(&place, format!("a route cannot match the tenant header `{header}`"))
                .help("use `pins` for what a tenant gets, or give the route a `baseline` of its own");
        } else if matched && route.rollout.is_some() {
            // The filter may find the tenant only after Envoy has chosen a route, and then weighs by the other route.
            checker
                .warning(&place, format!("a route with a rollout that matches the tenant header `{header}`"))
                .help("a request that has lost its tenant gets the weights of the route for all others; if that matters, pin the tenant");
        }
    }
}

fn is_answer(route: &Route) -> bool {
    ANSWERS.iter().any(|key| route.http.contains_key(*key))
}

/// What single versions have of their own.
fn versions(checker: &mut Checker<'_>, name: &str, service: &Service) {
    for (subset, version) in &service.versions {
        let path = ["services", name, "versions", subset.as_str()];
        if !service.subsets.contains_key(subset) {
            checker
                .error_at_key(&path, format!("`{name}` has no subset `{subset}`"))
                .help(super::instead(subset, service.subsets.keys().map(String::as_str)));
        }
        let at = |key: &'static str| [&path[..], &[key]].concat();
        fields(checker, &at("headers"), istio::headers());
        fields(checker, &at("trafficPolicy"), istio::traffic_policy());
        let Some(host) = &version.host else { continue };
        if !crate::dns::is_dns_name(host.strip_suffix('.').unwrap_or(host)) {
            checker
                .error(&at("host"), format!("invalid host name `{host}`"))
                .help("write the name of its Kubernetes service");
        }
        if service.fallback.is_some() {
            checker
                .error(&at("host"), "a version with a host of its own has no fallback")
                .help("remove `fallback`: Istio falls back among pods of one host only");
        }
        let has_other_port = version.port.is_some_and(|port| service.port.is_some_and(|own| own != port));
        if has_other_port && is_weighed_at_a_gateway(service, subset) {
            checker
                .warning(
                    &at("port"),
                    format!("`{subset}` has a host and a port of its own: users at a gateway do not stay on one version of `{name}`"),
                )
                .help(format!(
                    "at a gateway the filter knows a service by the host and the port that the weights chose, and this port is not that of \
                     `{name}`; inside the mesh users stay on one version. Give the Service of `{subset}` the port of `{name}`"
                ));
        }
    }
}

/// Do weights of routes that gateways have lead to a subset, or leave it the rest?
fn is_weighed_at_a_gateway(service: &Service, subset: &str) -> bool {
    let Some(expose) = &service.expose else { return false };
    let baseline = mesh::baseline(service);
    let weighs = |rollout: Option<&Rollout>, own: Option<&str>| {
        rollout.is_some_and(|rollout| {
            let weights = || rollout.weights.iter().filter(|(_, share)| share.percent() > 0.0);
            weights().any(|(weighed, _)| weighed == subset)
                || (own.or(baseline) == Some(subset) && weights().next().is_some())
        })
    };
    let own =
        |rollout: &Option<Rollout>, baseline: &Option<String>| weighs(rollout.as_ref(), baseline.as_deref());
    if expose.routes.is_empty() {
        return own(&service.rollout, &None)
            || service.routes.iter().any(|route| own(&route.rollout, &route.baseline));
    }
    expose.routes.iter().any(|route| {
        let inherits = route.rollout.is_none() && !route.as_route().stands_alone();
        own(&route.rollout, &route.baseline) || (inherits && own(&service.rollout, &None))
    })
}

/// A fallback needs pods that are the subset's or the baseline's, and of no other subset.
fn fallback(checker: &mut Checker<'_>, name: &str, service: &Service) {
    let Some(Fallback::Baseline) = service.fallback else { return };
    let path = ["services", name, "fallback"];
    let Some(baseline) = mesh::baseline(service) else { return };
    let pins = service
        .pins
        .values()
        .chain(service.routes.iter().filter_map(|route| route.pins.as_ref()).flat_map(BTreeMap::values));
    let pinned: BTreeSet<&String> = pins.filter(|subset| *subset != baseline).collect();
    if pinned.is_empty() {
        checker
            .warning(&path, "`fallback` has no effect: no tenant is pinned to a canary")
            .help("it applies to pins only: in a rollout a dead canary has to show up as errors");
    }
    for subset in pinned.into_iter().filter(|subset| service.subsets.contains_key(*subset)) {
        if common_labels(&service.subsets, subset, baseline).is_none() {
            let message =
                format!("no label distinguishes the pods of `{subset}` and `{baseline}` from all others");
            checker.error(&path, message).help(format!(
                "add a label to both subsets (and their pods) that no other subset of `{name}` has, as in `lane: {subset}`"
            ));
        }
        let own = mesh::or_baseline(subset);
        if service.subsets.contains_key(&own) {
            checker
                .error_at_key(
                    &["services", name, "subsets", &own],
                    format!("the subset name `{own}` is reserved for the fallback"),
                )
                .help("give it another name");
        }
    }
    let conflicting =
        ["outlierDetection"].into_iter().filter(|key| service.traffic_policy.contains_key(*key));
    for key in conflicting {
        let at = ["services", name, "trafficPolicy", key];
        let finding = checker.findings.note(
            checker.project.key(&at),
            format!("`{key}` does not apply to the fallback's subset, which needs its own settings"),
        );
        finding.help("it applies to all other subsets");
    }
}

/// Services of one host share its DestinationRule.
fn shared_hosts(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut hosts: BTreeMap<String, Vec<(&String, &Service)>> = BTreeMap::new();
    for (name, service) in &document.services {
        hosts.entry(mesh::full_host(&document.mesh, name, service)).or_default().push((name, service));
    }
    for services in hosts.into_values().filter(|services| services.len() > 1) {
        // Each is compared with the first that has a value, so that many mistakes are found as fast as one.
        let mut subsets: BTreeMap<&String, (&String, &BTreeMap<String, String>)> = BTreeMap::new();
        let mut policy: Option<(&String, &Service)> = None;
        for (name, service) in services {
            for (subset, labels) in &service.subsets {
                let (other, others) = *subsets.entry(subset).or_insert((name, labels));
                if others != labels {
                    let first = checker.project.key(&["services", other, "subsets", subset]);
                    checker
                        .error_at_key(
                            &["services", name, "subsets", subset],
                            format!(
                                "subset `{subset}` has other labels in `{other}`, which has the same host"
                            ),
                        )
                        .help("give one of them another name")
                        .related(first, "the other one");
                }
            }
            if service.traffic_policy.is_empty() {
                continue;
            }
            let (other, earlier) = *policy.get_or_insert((name, service));
            if earlier.traffic_policy != service.traffic_policy {
                let first = checker.project.key(&["services", other, "trafficPolicy"]);
                checker
                    .error_at_key(
                        &["services", name, "trafficPolicy"],
                        format!("`{other}` has the same host and another trafficPolicy"),
                    )
                    .help("write it at one of them, with `portLevelSettings` for what differs")
                    .related(first, "the other one");
            }
        }
    }
}

/// Resources are named after services, in lower case and with `-` for what Kubernetes does not take.
fn same_name(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut names: BTreeMap<String, &String> = BTreeMap::new();
    for name in document.services.keys() {
        let cleaned: String = name.to_ascii_lowercase().replace('_', "-");
        if let Some(other) = names.insert(cleaned, name) {
            let place = checker.project.key(&["services", other]);
            checker
                .error_at_key(
                    &["services", name],
                    format!("{} would produce resources with the same name", listed([other.as_str(), name])),
                )
                .help("give one of them another name")
                .related(place, "the other one");
        }
    }
}
