//! VirtualServices: the routes of a host inside the mesh, and of a public host at the gateway.

use std::collections::BTreeMap;

use graylane_decide::names::{COOKIE_STATE, DEBUG_HEADER, OWN_PREFIX, SUBSET_HEADER, filter_state};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{Kind, Resource, Stage, hosts};
use crate::mesh::{self, Fields, Mesh, Route, Service};
use crate::routing::{self, Rule};

/// Response header that says how a request was decided.

#[derive(Clone, Debug, Serialize)]
pub struct Spec {
    hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gateways: Vec<String>,
    http: Vec<HttpRoute>,
}

#[derive(Clone, Debug, Serialize)]
struct HttpRoute {
    name: String,
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    matches: Vec<Fields>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    route: Vec<Destination>,
    #[serde(flatten)]
    further: Fields,
}

#[derive(Clone, Debug, Serialize)]
struct Destination {
    destination: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    headers: Fields,
}

#[derive(Clone, Debug, Serialize)]
struct Target {
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<Port>,
}

#[derive(Clone, Debug, Serialize)]
struct Port {
    number: u16,
}

/// One a host of the mesh, one a public host.
pub fn all(mesh: &Mesh, without_filter: bool) -> Vec<Resource> {
    let mut all: Vec<Resource> = hosts::all(mesh)
        .iter()
        .map(|host| {
            let rules = host.services.iter().flat_map(|service| {
                // Without a port of its own in the destination, a request keeps the one that it was sent to.
                let port = service.port.filter(|_| host.is_shared());
                rules(mesh, service, without_filter).into_iter().map(move |rule| {
                    let at = port.map(at_port);
                    http_route(mesh, service, &rule, port, &at.into_iter().collect::<Vec<_>>(), None)
                })
            });
            // A port that no rule is about is as if there were no VirtualService: Istio makes its routes port by port.
            let spec =
                Spec { hosts: vec![host.name.to_owned()], gateways: Vec::new(), http: rules.collect() };
            let spec = super::Spec::VirtualService(spec);
            Resource::new(mesh, Kind::VirtualService, Stage::Routes, host.namespace(), host.title(), spec)
        })
        .collect();
    all.extend(exposed(mesh, without_filter));
    all
}

/// Where a rule stands: on which port, and what has to match besides; and what becomes of answers to strangers.
struct Setting<'a> {
    port: Option<u16>,
    at: &'a [Fields],
    edge: Option<&'a Json>,
}

/// What a chart makes the rules of a service of: one block for each route, and one for all other requests.
fn blocks(mesh: &Mesh, service: &Service, setting: &Setting<'_>, without_filter: bool) -> Vec<Json> {
    let block = |route: &Route| {
        let rule = |remove| Rule { name: String::new(), route, header: None, subsets: Vec::new(), remove };
        let fields = |remove| further(mesh, &rule(remove), setting.edge);
        let name = route.name.clone().unwrap_or_default();
        let place = if name.is_empty() { service.name.clone() } else { format!("{}:{name}", service.name) };
        json!({
            "service": service.name,
            "route": name,
            "place": place,
            "port": setting.port,
            "matches": matches(&route.matches, setting.at, None),
            "fields": fields(None),
            "removing": fields(Some(SUBSET_HEADER).filter(|_| !without_filter)),
        })
    };
    service.routes.iter().map(block).collect()
}

/// What a chart makes the rules of a host inside the mesh of; none for a host that no service is.
pub fn host_blocks(mesh: &Mesh, name: &str, without_filter: bool) -> Option<Fields> {
    let mut services: Vec<&Service> = mesh.services.iter().filter(|service| service.host == name).collect();
    services.sort_by_key(|service| service.port);
    let host = hosts::Host { name: services.first()?.host.as_str(), services };
    let of = |service: &&Service| {
        let port = service.port.filter(|_| host.is_shared());
        let at: Vec<Fields> = port.map(at_port).into_iter().collect();
        blocks(mesh, service, &Setting { port, at: &at, edge: None }, without_filter)
    };
    let blocks: Vec<Json> = host.services.iter().flat_map(of).collect();
    Some(Fields::from_iter([("blocks".to_owned(), json!(blocks))]))
}

/// What a chart makes the rules of a service at a public host of, for each of its paths.
pub fn exposed_places(mesh: &Mesh, service: &Service, without_filter: bool) -> Vec<Json> {
    let edge = answers(mesh, without_filter);
    let place = |path: &str| {
        let at: Vec<Fields> = at_path(path).into_iter().collect();
        let setting = Setting { port: service.port, at: &at, edge: Some(&edge) };
        json!({"path": path, "blocks": blocks(mesh, service, &setting, without_filter)})
    };
    paths(service).into_iter().map(place).collect()
}

/// The VirtualService of a public host, without name, host and rules.
pub fn exposed_frame(mesh: &Mesh) -> anyhow::Result<Json> {
    let gateway = mesh.document.edge.gateway.as_ref().and_then(|gateway| gateway.name.clone());
    exposed_at(mesh, "", &gateway.into_iter().collect::<Vec<_>>(), false, Vec::new()).json()
}

fn at_port(port: u16) -> Fields {
    Fields::from_iter([("port".to_owned(), json!(port))])
}

fn at_path(path: &str) -> Option<Fields> {
    (!path.is_empty()).then(|| Fields::from_iter([("uri".to_owned(), json!({"prefix": path}))]))
}

/// A service's path prefixes; the empty one is all paths.
fn paths(service: &Service) -> Vec<&str> {
    match &service.expose.paths[..] {
        [] => vec![""],
        paths => paths.iter().map(String::as_str).collect(),
    }
}

fn rules<'a>(mesh: &Mesh, service: &'a Service, without_filter: bool) -> Vec<Rule<'a>> {
    kept(routing::rules(mesh, service), without_filter)
}

fn kept(mut rules: Vec<Rule<'_>>, without_filter: bool) -> Vec<Rule<'_>> {
    if without_filter {
        // Nobody would remove the header from a stranger's request any more.
        rules.retain(|rule| rule.header.as_ref().is_none_or(|(name, _)| !name.starts_with(OWN_PREFIX)));
        rules.iter_mut().for_each(|rule| rule.remove = None);
    }
    rules
}

/// What a service shows at a public host: a path, or a route of its own for the outside.
struct Shown<'a> {
    service: &'a Service,
    path: &'a str,
    outside: Option<&'a mesh::Outside>,
    /// Its place among those of the service.
    index: usize,
}

impl Shown<'_> {
    /// Routes of the outside as they are ordered, then the longest path, last what is for every request.
    fn order(&self) -> (i32, u8, std::cmp::Reverse<usize>, &str, &str, usize) {
        let (order, kind) = match self.outside {
            None => (0, 1),
            Some(outside) => (outside.order, if outside.route.matches.is_empty() { 2 } else { 0 }),
        };
        (order, kind, std::cmp::Reverse(self.path.len()), self.path, &self.service.name, self.index)
    }
}

/// The services of every public host.
fn exposed(mesh: &Mesh, without_filter: bool) -> Vec<Resource> {
    let mut hosts: BTreeMap<(&str, &[String]), Vec<Shown<'_>>> = BTreeMap::new();
    for service in &mesh.services {
        let plain = paths(service).into_iter().filter(|_| service.outside.is_empty());
        for host in &service.expose.hosts {
            let shown = plain.clone().map(|path| Shown { service, path, outside: None, index: 0 });
            hosts.entry((host, &service.expose.gateways)).or_default().extend(shown);
        }
        for (index, outside) in service.outside.iter().enumerate() {
            for host in &outside.hosts {
                let shown = Shown { service, path: "", outside: Some(outside), index };
                hosts.entry((host, &outside.gateways)).or_default().push(shown);
            }
        }
    }
    let edge = answers(mesh, without_filter);
    let counts = hosts.keys().fold(BTreeMap::new(), |mut counts: BTreeMap<&str, usize>, (host, _)| {
        *counts.entry(host).or_default() += 1;
        counts
    });
    hosts
        .into_iter()
        .map(|((host, gateways), mut places)| {
            places.sort_by(|a, b| a.order().cmp(&b.order()));
            let http = places.iter().flat_map(|shown| {
                let at: Vec<Fields> = at_path(shown.path).into_iter().collect();
                let rules = match shown.outside {
                    Some(outside) => routing::rules_of(mesh, shown.service, &outside.route),
                    None => routing::rules(mesh, shown.service),
                };
                let service = shown.service;
                kept(rules, without_filter)
                    .into_iter()
                    .map(|rule| http_route(mesh, service, &rule, service.port, &at, Some(&edge)))
                    .collect::<Vec<_>>()
            });
            let several = counts.get(host).is_some_and(|count| *count > 1);
            exposed_at(mesh, host, gateways, several, http.collect())
        })
        .collect()
}

fn exposed_at(mesh: &Mesh, host: &str, gateways: &[String], several: bool, http: Vec<HttpRoute>) -> Resource {
    let spec = Spec { hosts: vec![host.to_owned()], gateways: gateways.to_vec(), http };
    let mut name = format!("host-{}", host.replace('*', "any"));
    if several {
        // One host at several gateways, each with routes of its own.
        name.push_str(
            &gateways.iter().map(|name| format!("-{}", name.replace('/', "-"))).collect::<String>(),
        );
    }
    let spec = super::Spec::VirtualService(spec);
    Resource::new(mesh, Kind::VirtualService, Stage::Routes, &mesh.document.mesh.namespace, &name, spec)
}

/// What becomes of answers that go to strangers: nothing internal is in them (an application may copy into its answer
/// what it was sent), but a cookie that was made. Neither needs a callback of the filter.
fn answers(mesh: &Mesh, without_filter: bool) -> Json {
    let mut remove = vec![mesh.header.as_str(), SUBSET_HEADER, "baggage"];
    if !mesh.document.telemetry.debug_header {
        remove.push(DEBUG_HEADER);
    }
    let mut response = json!({"remove": remove});
    let mints = mesh.document.sticky.keys.iter().any(|key| key.mint.is_some());
    if mints && !without_filter && !mesh.participants().is_empty() {
        // Left out where the state is not set: for everybody who has a key.
        response["add"] =
            json!({"set-cookie": format!("%FILTER_STATE({}:PLAIN)%", filter_state(COOKIE_STATE))});
    }
    json!({ "response": response })
}

/// A rule as Istio writes it. `at`: what has to match besides; `edge`: what becomes of answers to strangers.
fn http_route(
    mesh: &Mesh,
    service: &Service,
    rule: &Rule<'_>,
    port: Option<u16>,
    at: &[Fields],
    edge: Option<&Json>,
) -> HttpRoute {
    let header = rule.header.as_ref().map(|(name, value)| json!({name: {"exact": value}}));
    let matches = matches(&rule.route.matches, at, header.as_ref());
    let whole = rule.subsets.iter().all(|(_, weight)| weight % 100 == 0);
    let destination = |(subset, weight): &(String, u32)| {
        let version = service.version(subset);
        let port = version.and_then(|version| version.port).or(port);
        Destination {
            destination: Target {
                host: version
                    .and_then(|version| version.host.clone())
                    .unwrap_or_else(|| service.host.clone()),
                subset: (!service.is_plain(subset)).then(|| subset.clone()),
                port: port.map(|number| Port { number }),
            },
            // Percent where it is whole, else hundredths of it: Istio takes any sum.
            weight: (rule.subsets.len() > 1).then_some(if whole { weight / 100 } else { *weight }),
            headers: version.map(|version| version.headers.clone()).unwrap_or_default(),
        }
    };
    HttpRoute {
        name: rule.name.clone(),
        matches,
        route: rule.subsets.iter().map(destination).collect(),
        further: further(mesh, rule, edge),
    }
}

/// All of a route's own matches, each with what has to match besides.
fn matches(own: &[Fields], at: &[Fields], header: Option<&Json>) -> Vec<Fields> {
    let either = |list: &[Fields]| if list.is_empty() { vec![Fields::new()] } else { list.to_vec() };
    let mut all = Vec::new();
    for own in either(own) {
        for at in either(at) {
            let mut one: Fields = own.clone().into_iter().chain(at).collect();
            if let Some(header) = header {
                let headers = one.entry("headers").or_insert_with(|| json!({}));
                merge(headers, header);
            }
            all.push(one);
        }
    }
    all.retain(|one| !one.is_empty());
    all
}

/// The fields that the file gives for every rule, and what we add to them.
fn further(mesh: &Mesh, rule: &Rule<'_>, edge: Option<&Json>) -> Fields {
    let mut fields = rule.route.http.clone();
    let mut headers = json!({});
    if let Some(name) = rule.remove {
        merge(&mut headers, &json!({"request": {"remove": [name]}}));
    }
    if mesh.document.telemetry.debug_header {
        let state = |name: &str| format!("{name}=%FILTER_STATE({}:PLAIN)%", filter_state(name));
        let value = ["tenant", "subset", "source"].map(state).join(",");
        merge(&mut headers, &json!({"response": {"set": {DEBUG_HEADER: value}}}));
    }
    edge.iter().for_each(|edge| merge(&mut headers, edge));
    if headers.as_object().is_some_and(|headers| !headers.is_empty()) {
        let own = fields.entry("headers").or_insert_with(|| json!({}));
        merge(own, &headers);
    }
    fields
}

/// Adds to JSON: objects are merged, lists joined, everything else replaced.
fn merge(to: &mut Json, from: &Json) {
    match (to, from) {
        (Json::Object(to), Json::Object(from)) => {
            for (key, value) in from {
                merge(to.entry(key.clone()).or_insert(Json::Null), value);
            }
        }
        (Json::Array(to), Json::Array(from)) => {
            let news: Vec<Json> = from.iter().filter(|value| !to.contains(value)).cloned().collect();
            to.extend(news);
        }
        (to, from) => *to = from.clone(),
    }
}
