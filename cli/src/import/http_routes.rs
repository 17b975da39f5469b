//! HTTPRoutes: what of them a file does not carry, and which stay as they are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::backends::{Backends, host, list};
use super::fields::keys;
use super::read::{Found, GRPC_ROUTE, HTTP_ROUTE, Resource};
use super::said::{self, Said};
use crate::traffic::At;
use graylane_mesh::gateway_api::GROUP;

/// Fields of a rule that only say something if they are kept whole, so that a file has none of them.
pub const DROPPED: [&str; 3] = ["requestMirror", "cors", "extensionRef"];

/// Those that stay, and that other routes have nothing to do with: the redirect of everything that comes in at one listener, as most
/// Gateways have it, and what is for other callers or other objects than a file's routes.
pub fn aside(found: &Found) -> BTreeSet<usize> {
    let stays = |route: &Resource| {
        list(&route.spec["parentRefs"]).all(|parent| !is_for_all_callers(parent, &route.namespace))
            || redirects_a_listener(route)
    };
    let all = found.known.iter().enumerate();
    all.filter(|(_, route)| route.kind == HTTP_ROUTE && stays(route)).map(|(place, _)| place).collect()
}

/// Is a parent a Gateway, or a Service in the namespace of its route, as a file's are?
pub fn is_for_all_callers(parent: &Json, home: &str) -> bool {
    // Without a group it is that of the Gateway API, which has no Services: Istio passes over such a parent.
    match (parent["group"].as_str().unwrap_or(GROUP), parent["kind"].as_str().unwrap_or("Gateway")) {
        (GROUP, "Gateway") => true,
        ("", "Service") => parent["namespace"].as_str().is_none_or(|namespace| namespace == home),
        _ => false,
    }
}

fn redirects(rule: &Json) -> bool {
    list(&rule["filters"]).any(|filter| filter.get("requestRedirect").is_some())
}

fn redirects_a_listener(route: &Resource) -> bool {
    list(&route.spec["parentRefs"]).all(|parent| parent.get("sectionName").is_some())
        && list(&route.spec["rules"])
            .all(|rule| redirects(rule) && list(&rule["backendRefs"]).next().is_none())
        && list(&route.spec["rules"]).next().is_some()
}

/// Services that routes are for whose port is not known, and those that some routes are for at one port and others at all, which Istio
/// does not merge (`routeKey` in istio/pilot/pkg/config/kube/gateway/route_collections.go).
fn ports(found: &Found, aside: &BTreeSet<usize>, backends: &Backends, said: &mut Said) {
    let mut all: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for (_, route) in
        found.known.iter().enumerate().filter(|(place, one)| one.kind == HTTP_ROUTE && !aside.contains(place))
    {
        for (number, parent) in list(&route.spec["parentRefs"]).enumerate() {
            if parent["kind"] != "Service" || !is_for_all_callers(parent, &route.namespace) {
                continue;
            }
            let name = parent["name"].as_str().unwrap_or_default();
            let host = host(parent, &route.namespace);
            let has_port = parent.get("port").is_some();
            let place = Some(route.place(&["spec", "parentRefs", &number.to_string(), "name"]));
            if !has_port && !backends.is_known(&host) {
                said.loss(
                    place,
                    Some(&host),
                    format!(
                        "{}: the port of Service {name} is not known; that of its backends is used",
                        route.title()
                    ),
                    "pass the Service too, or write `port` beside its name",
                );
            }
            let kinds = all.entry(host.clone()).or_default();
            kinds.insert(has_port);
            if kinds.len() > 1 {
                said.loss(
                    place,
                    Some(&host),
                    format!("{}: routes for Service {name} with a port and without are not merged: Istio uses the older ones", route.title()),
                    "write `port` beside the name in all of them first",
                );
            }
        }
    }
}

/// Says all that is not carried over.
pub fn check(found: &Found, aside: &BTreeSet<usize>, backends: Option<&Backends>, said: &mut Said) {
    if let Some(backends) = backends {
        ports(found, aside, backends, said);
    }
    for (index, resource) in found.known.iter().enumerate() {
        match resource.kind.as_str() {
            HTTP_ROUTE => route(&found.known, index, aside.contains(&index), said),
            GRPC_ROUTE => said.loss(
                Some(resource.name_place()),
                None,
                format!("{}: GRPCRoutes are not read", resource.title()),
                "write it as an HTTPRoute first: a method is the exact path `/package.Service/Method`",
            ),
            "VirtualService" if found.is_of_gateway_api() => said.loss(
                Some(resource.name_place()),
                None,
                format!("{}: there are HTTPRoutes too, and a file has routes of one kind", resource.title()),
                "import the VirtualServices alone, or write this one as an HTTPRoute first (docs/gateway-api.md)",
            ),
            _ => {}
        }
    }
}

/// A copy of an HTTPRoute with the parents that a file can have, which says the port of each Service where there can be one only.
pub fn with_ports(route: &Resource, backends: &Backends) -> Json {
    let mut json = route.whole.clone();
    if let Some(parents) = json["spec"]["parentRefs"].as_array_mut() {
        parents.retain(|parent| is_for_all_callers(parent, &route.namespace));
    }
    for parent in json["spec"]["parentRefs"].as_array_mut().into_iter().flatten() {
        if parent["kind"] == "Service"
            && parent.get("port").is_none()
            && let Some(port) = backends.only_port(&host(parent, &route.namespace))
        {
            parent["port"] = port.into();
        }
    }
    json
}

fn route(resources: &[Resource], index: usize, aside: bool, said: &mut Said) {
    let resource = &resources[index];
    let title = resource.title();
    for key in keys(&resource.spec, &["parentRefs", "hostnames", "rules"]) {
        said.loss(
            Some(resource.place(&["spec", key])),
            None,
            format!("{title}: `{key}`"),
            "remove it, or keep this route",
        );
    }
    let for_others = if aside {
        "it stays as it is"
    } else {
        "write a route of its own for this parent, and apply it before this one is deleted"
    };
    for (number, parent) in list(&resource.spec["parentRefs"]).enumerate() {
        let number = number.to_string();
        let place = |key: &str| Some(resource.place(&["spec", "parentRefs", &number, key]));
        let kind = parent["kind"].as_str().unwrap_or("Gateway");
        let elsewhere = parent["namespace"].as_str().is_some_and(|name| name != resource.namespace);
        let of_core = parent["group"] == "";
        match kind {
            "Gateway" => {
                for key in ["sectionName", "port"].into_iter().filter(|key| parent.get(key).is_some()) {
                    let text = format!(
                        "{title}: `{key}` of a Gateway; a file's routes are for all of its listeners"
                    );
                    let (text, help) = if aside {
                        (
                            format!(
                                "{text}. The redirect stays as it is, but paths that a route of the file names are more specific than it"
                            ),
                            "give the listener that redirects a Gateway of its own",
                        )
                    } else {
                        (
                            text,
                            "give the other listeners a Gateway of their own, or let them allow no route of this namespace (`allowedRoutes`)",
                        )
                    };
                    said.loss(place(key), None, text, help);
                }
            }
            "Service" if !of_core => said.loss(
                place("kind"),
                None,
                format!("{title}: a Service whose `group` is not empty, which Istio passes over"),
                for_others,
            ),
            "Service" if elsewhere => said.loss(
                place("namespace"),
                None,
                format!(
                    "{title}: it is for callers in namespace {} only; a file's routes are for all",
                    resource.namespace
                ),
                for_others,
            ),
            "Service" => {}
            _ => said.loss(place("kind"), None, format!("{title}: a parent of kind {kind}"), for_others),
        }
    }
    if !aside {
        for (number, rule) in list(&resource.spec["rules"]).enumerate() {
            one_rule(resources, At { resource: index, rule: number }, rule, said);
        }
    }
}

fn one_rule(resources: &[Resource], at: At, rule: &Json, said: &mut Said) {
    let title = said::title(resources, at);
    let mut loss =
        |what: String, help: &str| said.rule_loss(resources, at, None, format!("{title}: {what}"), help);
    const KEEP: &str = "write it by hand, or keep this route and take the service out of the file";
    for key in keys(rule, &["name", "matches", "filters", "backendRefs", "timeouts", "retry"]) {
        loss(format!("`{key}`"), KEEP);
    }
    let retries = rule["retry"].is_object();
    if retries && rule["retry"]["attempts"].is_null() {
        loss("`retry` without `attempts`".to_owned(), "write `attempts: 2`, which is Istio's default");
    }
    if !retries && !rule["timeouts"]["backendRequest"].is_null() {
        loss(
            "`timeouts.backendRequest` without `retry`, which Istio takes for the timeout of the whole request".to_owned(),
            "write `timeouts.request` instead",
        );
    }
    for key in keys(&rule["retry"], &["attempts"]) {
        loss(format!("`retry.{key}`"), KEEP);
    }
    for filter in list(&rule["filters"]) {
        let kind = filter["type"].as_str().unwrap_or_default();
        match kind {
            "RequestHeaderModifier" | "ResponseHeaderModifier" => {}
            "URLRewrite" => rewrite(rule, &filter["urlRewrite"], &mut loss),
            "RequestRedirect" => {
                if filter["requestRedirect"]["path"].get("replacePrefixMatch").is_some() {
                    loss("a redirect with `replacePrefixMatch`".to_owned(), KEEP);
                }
            }
            _ => loss(format!("a filter of type {kind}"), KEEP),
        }
    }
    let mut backends = 0;
    for backend in list(&rule["backendRefs"]) {
        backends += 1;
        match backend["kind"].as_str() {
            None | Some("Service" | "Hostname") => {}
            Some(kind) => loss(format!("a backend of kind {kind}"), KEEP),
        }
        for filter in list(&backend["filters"]) {
            let kind = filter["type"].as_str().unwrap_or_default();
            if !["RequestHeaderModifier", "ResponseHeaderModifier"].contains(&kind) {
                loss(format!("a filter of type {kind} of a backend"), KEEP);
            }
        }
    }
    if backends == 0 && !redirects(rule) {
        loss("no backend, so Istio answers 500".to_owned(), "write one, or remove the rule");
    } else if backends > 0 && list(&rule["backendRefs"]).all(|backend| backend["weight"] == 0) {
        loss("all weights are 0, so Istio answers 500".to_owned(), "give one a weight, or remove the rule");
    }
}

/// What is rendered replaces a prefix where a rule matches prefixes, and the whole path where it matches exact ones.
fn rewrite(rule: &Json, rewrite: &Json, loss: &mut dyn FnMut(String, &str)) {
    let exact = |one: &Json| one["path"]["type"] == "Exact";
    let all_exact = list(&rule["matches"]).next().is_some() && list(&rule["matches"]).all(exact);
    if rewrite["path"].get("replaceFullPath").is_some() && !all_exact {
        loss(
            "a rewrite with `replaceFullPath` of paths that are not exact".to_owned(),
            "match the exact paths, or keep this route and take the service out of the file",
        );
    }
}
