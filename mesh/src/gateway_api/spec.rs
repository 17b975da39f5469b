//! All routes of a host, as specs of HTTPRoutes.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::names::SUBSET_HEADER;
use serde_json::{Value as Json, json};

use super::actions::{self, Around};
use super::conditions;
use super::group::GROUP;
use super::rules;
use super::split::split;
use crate::mesh::{Fields, Mesh};
use crate::routes::{Attachment, Block, HostRoutes, Match, Rule, Target};

/// One HTTPRoute.
#[derive(Clone, Debug)]
pub struct Route {
    /// The host: a full name, or a public host.
    pub host: String,
    /// The namespace that it belongs to.
    pub namespace: String,
    /// What it is called, after the mesh.
    pub title: String,
    /// What it is called in any case.
    pub name: Option<String>,
    /// HTTPRouteSpec.
    pub spec: Fields,
    /// At gateways, Services in other namespaces that it may lead to, by namespace: they have to allow it. Inside the mesh Istio asks for
    /// nothing (`enforceRefGrant` in pilot/pkg/config/kube/gateway/conversion.go).
    pub foreign: BTreeMap<String, BTreeSet<String>>,
}

/// The blocks of a host, by the port of their service: a parent of the API is one.
pub fn by_port<'b, 'a>(host: &'b HostRoutes<'a>) -> BTreeMap<Option<u16>, Vec<Block<'a>>> {
    let mut ports: BTreeMap<Option<u16>, Vec<Block<'a>>> = BTreeMap::new();
    for block in &host.blocks {
        let mut block = block.clone();
        // Inside the mesh the parent says it; at a gateway a port is that of a listener.
        let port = block.service.port.filter(|_| host.place == Attachment::Mesh);
        for one in &mut block.matches {
            if one.port.is_some() && one.port == port.map(u32::from) {
                one.port = None;
            }
        }
        if block.matches.iter().any(Match::is_everything) {
            block.matches.clear();
        }
        ports.entry(port).or_default().push(block);
    }
    ports
}

/// Can a host have no route, and needs none: is every request sent where it was sent to? A Service with a `port` has one all the same, which
/// takes the place of the one that it had when it had versions.
pub fn is_plain(mesh: &Mesh, host: &HostRoutes<'_>) -> bool {
    let is_service = host.host.ends_with(&format!(".svc.{}", mesh.document.mesh.cluster_domain));
    if is_service && host.blocks.iter().all(|block| block.service.port.is_some()) {
        return false;
    }
    let as_it_is = |rule: &Rule| {
        let to_itself = |to: &[(Target, u32)]| matches!(to, [(only, _)] if only.host == host.host && only.headers.is_empty() && only.port.is_none());
        rule.matches.is_empty() && rule.fields().is_empty() && to_itself(&rule.to)
    };
    host.place == Attachment::Mesh
        && host.blocks.iter().all(|block| block.rules(mesh, false).iter().all(as_it_is))
}

/// The HTTPRoutes of a host, of a file that was found sayable.
#[must_use]
pub fn of(mesh: &Mesh, host: &HostRoutes<'_>, without_filter: bool) -> Vec<Route> {
    if is_plain(mesh, host) {
        return Vec::new();
    }
    let end = format!(".svc.{}", mesh.document.mesh.cluster_domain);
    // Inside the mesh a route of another namespace than the Service's would be for the callers of that namespace alone.
    let namespace = match (&host.place, host.blocks.first()) {
        (Attachment::Mesh, Some(first)) => first.service.host_namespace(),
        _ => host.namespace,
    };
    let mut all = Vec::new();
    for (port, blocks) in by_port(host) {
        let blocks: Vec<&Block<'_>> = blocks.iter().collect();
        // Split with the filter's rules, so that without them each route still has the same name.
        let rules = rules::of(mesh, &blocks).unwrap_or_default();
        for mut rules in split(rules).unwrap_or_default() {
            if without_filter {
                rules = without_choice(mesh, &blocks, rules);
            }
            let around = |block: usize| {
                let port = blocks.get(block).and_then(|block| block.service.port).unwrap_or_default();
                Around { namespace, end: &end, port }
            };
            let json: Vec<Json> = rules.iter().map(|(block, rule)| json_of(rule, &around(*block))).collect();
            let mut foreign: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            if host.place != Attachment::Mesh {
                let used: BTreeSet<usize> = rules.iter().map(|(block, _)| *block).collect();
                for (place, block) in used.iter().filter_map(|place| Some((*place, blocks.get(*place)?))) {
                    // Of all subsets: a grant that lost one before its route did would take away what the route still uses.
                    for target in block.targets().values() {
                        let backend = actions::backend(target, &around(place));
                        if let (Some(namespace), Some(name)) =
                            (backend["namespace"].as_str(), backend["name"].as_str())
                        {
                            foreign.entry(namespace.to_owned()).or_default().insert(name.to_owned());
                        }
                    }
                }
            }
            let mut spec = Fields::new();
            spec.insert("parentRefs".to_owned(), parents(host, port).into());
            if host.place != Attachment::Mesh && host.host != "*" {
                spec.insert("hostnames".to_owned(), json!([host.host]));
            }
            spec.insert("rules".to_owned(), json.into());
            // No service's name has a dot.
            let number = if all.is_empty() { String::new() } else { format!(".{}", all.len() + 1) };
            all.push(Route {
                host: host.host.clone(),
                namespace: namespace.to_owned(),
                title: format!("{}{number}", host.title),
                name: host.name.as_ref().map(|name| format!("{name}{number}")),
                spec,
                foreign,
            });
        }
    }
    all
}

/// The same without the rules that match what the filter chose, and without what only makes sense beside it.
fn without_choice(mesh: &Mesh, blocks: &[&Block<'_>], rules: Vec<(usize, Rule)>) -> Vec<(usize, Rule)> {
    let is_choice = |rule: &Rule| rule.matches.iter().any(|one| one.header(SUBSET_HEADER).is_some());
    let mut kept: Vec<(usize, Rule)> = rules.into_iter().filter(|(_, rule)| !is_choice(rule)).collect();
    for (block, rule) in &mut kept {
        if let Some(block) = blocks.get(*block) {
            rule.edits = block.edits(mesh, true, false);
        }
    }
    kept
}

fn json_of(rule: &Rule, around: &Around<'_>) -> Json {
    let mut json =
        json!({"name": rule.name, "matches": rule.matches.iter().map(conditions::json).collect::<Vec<_>>()});
    if let Some(fields) = json.as_object_mut() {
        fields.extend(actions::json(rule, around));
    }
    json
}

/// What a route is attached to: a Service at its port, or Gateways.
fn parents(host: &HostRoutes<'_>, port: Option<u16>) -> Vec<Json> {
    match host.place {
        Attachment::Mesh => {
            let name = host.host.split('.').next().unwrap_or_default();
            vec![json!({"group": "", "kind": "Service", "name": name, "port": port})]
        }
        Attachment::Gateways(names) => names
            .iter()
            .map(|written| {
                let (namespace, name) = written.split_once('/').unwrap_or((host.namespace, written));
                json!({"group": GROUP, "kind": "Gateway", "namespace": namespace, "name": name})
            })
            .collect(),
    }
}
