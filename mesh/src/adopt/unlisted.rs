//! Ways into the mesh that the file does not list: Gateways whose pods have no filter, and from which routes lead to services of the
//! mesh. Whoever comes in there can name any tenant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::document::model::{GATEWAY_LABEL, Gateway};
use crate::manifest;
use crate::mesh::Mesh;
use crate::traffic::{MESH, World, group_is_istio, is_of_gateway_api, is_route_of_gateway_api};

/// A Gateway that the file does not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlisted {
    /// Which, by its place among the resources.
    pub resource: usize,
    /// The labels of its pods.
    pub selector: BTreeMap<String, String>,
    /// What is wrong.
    pub text: String,
    /// What to write.
    pub help: String,
}

/// All of them, in the order of the resources; none where the file says that something else takes care of it (`edge: none`).
#[must_use]
pub fn gateways(mesh: &Mesh, resources: &[&Json]) -> Vec<Unlisted> {
    if mesh.document.edge.none {
        return Vec::new();
    }
    let bound = bound(mesh, resources);
    let all = resources.iter().enumerate();
    all.filter_map(|(place, json)| unlisted(mesh, resources, &bound, (place, json))).collect()
}

/// By Gateway, as `namespace/name`: a host of the mesh that a route leads to from there, and what the route is called. Of both APIs:
/// an object of one is not named by routes of the other.
fn bound(mesh: &Mesh, resources: &[&Json]) -> BTreeMap<(bool, String), (String, String)> {
    let mut bound = BTreeMap::new();
    let world = World::of(resources, &mesh.header);
    for own in world.virtual_services.iter().filter(|own| own.kind == "VirtualService") {
        let to = own.rules.iter().flat_map(|rule| &rule.destinations).find(|to| is_in(mesh, &to.host));
        let Some(to) = to else { continue };
        for gateway in own.gateways.iter().filter(|gateway| *gateway != MESH) {
            let route = format!("VirtualService {}", own.title);
            bound.entry((true, gateway.clone())).or_insert((to.host.clone(), route));
        }
    }
    for json in resources.iter().filter(|json| is_route_of_gateway_api(json)) {
        let kind = json["kind"].as_str().unwrap_or_default();
        let namespace = namespace(json);
        let name = |json: &Json| -> Option<String> {
            let within = json["namespace"].as_str().unwrap_or(namespace);
            Some(format!("{within}/{}", json["name"].as_str()?))
        };
        let rules = list(&json["spec"]["rules"]);
        let services = rules.flat_map(|rule| list(&rule["backendRefs"]));
        let hosts = services.filter(|one| one["kind"].as_str().is_none_or(|kind| kind == "Service"));
        let host = |one: &Json| {
            let name = name(one)?;
            let (within, name) = name.split_once('/')?;
            Some(format!("{name}.{within}.svc.{}", mesh.document.mesh.cluster_domain))
        };
        let Some(host) = hosts.filter_map(host).find(|host| is_in(mesh, host)) else { continue };
        let route = format!("{kind} {namespace}/{}", json["metadata"]["name"].as_str().unwrap_or_default());
        let parents = list(&json["spec"]["parentRefs"]);
        for parent in parents.filter(|one| one["kind"].as_str().is_none_or(|kind| kind == "Gateway")) {
            if let Some(gateway) = name(parent) {
                bound.entry((false, gateway)).or_insert((host.clone(), route.clone()));
            }
        }
    }
    bound
}

fn unlisted(
    mesh: &Mesh,
    resources: &[&Json],
    bound: &BTreeMap<(bool, String), (String, String)>,
    (resource, json): (usize, &Json),
) -> Option<Unlisted> {
    if json["kind"] != "Gateway" {
        return None;
    }
    let is_istios = !is_of_gateway_api(json);
    if is_istios && !group_is_istio(json) {
        return None;
    }
    let (namespace, name) = (namespace(json), json["metadata"]["name"].as_str()?);
    let title = format!("{namespace}/{name}");
    let (host, route) = bound.get(&(is_istios, title.clone()))?;
    let (selector, within) = if is_istios {
        (labels(&json["spec"]["selector"]), None)
    } else if json["spec"]["addresses"].as_array().is_some_and(|all| !all.is_empty()) {
        // Pods that somebody else started, which it does not name.
        return None;
    } else {
        (BTreeMap::from([(GATEWAY_LABEL.to_owned(), name.to_owned())]), Some(namespace))
    };
    let pods = pods(resources, &selector, within);
    if is_listed(mesh, is_istios.then_some(&*title), (&selector, within), &pods) {
        return None;
    }
    let place = within.or_else(|| pods.iter().next().map(|pod| pod.namespace)).unwrap_or("istio-system");
    let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    let api = if is_istios { "" } else { " of the Gateway API" };
    Some(Unlisted {
        resource,
        text: format!(
            "the file does not list the pods of the Gateway{api} {title}, and {route} leads from there to `{host}`: callers \
             there can send `{}` and name any tenant",
            mesh.header
        ),
        help: format!(
            "list it in the file, as in `edge: {{gateways: {{{name}: {{namespace: {place}, selector: {{{}}}}}}}}}`",
            labels.join(", ")
        ),
        selector,
    })
}

/// A pod that is there.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pod<'r> {
    namespace: &'r str,
    labels: BTreeMap<String, String>,
}

/// The pods with these labels.
fn pods<'r>(
    resources: &[&'r Json],
    selector: &BTreeMap<String, String>,
    within: Option<&str>,
) -> BTreeSet<Pod<'r>> {
    let of =
        |json: &&'r Json| Pod { namespace: namespace(json), labels: labels(&json["metadata"]["labels"]) };
    let pods = resources.iter().filter(|json| json["kind"] == "Pod").map(of);
    pods.filter(|pod| has(&pod.labels, selector) && within.is_none_or(|within| within == pod.namespace))
        .collect()
}

/// Do all of its pods have a filter? Where pods were not passed, one of two selectors has to be a part of the other.
fn is_listed(
    mesh: &Mesh,
    title: Option<&str>,
    (selector, within): (&BTreeMap<String, String>, Option<&str>),
    pods: &BTreeSet<Pod<'_>>,
) -> bool {
    let is_egress = selector.get("istio").is_some_and(|value| value == "egressgateway");
    let takes = |gateway: &Gateway, namespace: &str| {
        // Plugins of Istio's root namespace go to the pods of all.
        gateway.namespace == namespace || gateway.namespace == "istio-system"
    };
    if is_egress {
        return true;
    }
    if !pods.is_empty() {
        let listed = |pod: &Pod<'_>| {
            let has_plugin =
                |gateway: &Gateway| takes(gateway, pod.namespace) && has(&pod.labels, &gateway.selector);
            mesh.gateways().any(|(_, gateway)| has_plugin(gateway))
        };
        return pods.iter().all(listed);
    }
    mesh.gateways().any(|(_, gateway)| {
        let named = title.is_some_and(|title| gateway.name.as_deref() == Some(title));
        let fits = has(selector, &gateway.selector) || has(&gateway.selector, selector);
        named || fits && within.is_none_or(|within| takes(gateway, within))
    })
}

/// Has something all of these labels?
fn has(labels: &BTreeMap<String, String>, selector: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Is a host a service of the mesh: of the file, or of a namespace whose pods have the filter?
fn is_in(mesh: &Mesh, host: &str) -> bool {
    let known = mesh.services.iter().any(|service| service.host == host);
    let suffix = format!(".svc.{}", mesh.document.mesh.cluster_domain);
    let namespace = host.strip_suffix(&suffix).and_then(|host| Some(host.split_once('.')?.1));
    known || namespace.is_some_and(|namespace| mesh.namespaces().contains(namespace))
}

fn namespace(json: &Json) -> &str {
    let kind = json["kind"].as_str().unwrap_or_default();
    json["metadata"]["namespace"].as_str().unwrap_or(manifest::default_namespace(kind))
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn labels(json: &Json) -> BTreeMap<String, String> {
    let pairs = json.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests;
