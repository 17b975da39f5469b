//! Routes of the Kubernetes Gateway API for Services of which VirtualServices are rendered.
//!
//! istiod makes a VirtualService of each (`HTTPRouteCollection` in istio/pilot/pkg/config/kube/gateway/route_collections.go). Of two for one
//! host, the sidecars of a real Istio 1.31 used the one that they had first.

use serde_json::Value as Json;

use super::names::{group_is_istio, namespace};
use super::rival::Rival;

const GROUP: &str = "gateway.networking.k8s.io/";
/// Kinds that route HTTP.
const KINDS: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

/// Is it an object of the Gateway API?
#[must_use]
pub fn is_of_gateway_api(json: &Json) -> bool {
    json["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP))
}

/// Is it an HTTPRoute?
pub(super) fn is_http_route(json: &Json) -> bool {
    is_of_gateway_api(json) && json["kind"] == "HTTPRoute"
}

/// Is it a route of the Gateway API which carries HTTP?
#[must_use]
pub fn is_route_of_gateway_api(json: &Json) -> bool {
    is_of_gateway_api(json) && json["kind"].as_str().is_some_and(|kind| KINDS.contains(&kind))
}

/// Those with one of the rendered hosts for a parent.
pub(super) fn rivals(current: &[&Json], rendered: &[Json]) -> Vec<Rival> {
    let hosts: Vec<&str> = rendered
        .iter()
        .filter(|json| json["kind"] == "VirtualService" && group_is_istio(json))
        .flat_map(|json| json["spec"]["hosts"].as_array().into_iter().flatten())
        .filter_map(Json::as_str)
        .collect();
    let routes = current.iter().enumerate().filter(|(_, json)| is_route_of_gateway_api(json));
    routes.filter_map(|(resource, route)| rival(resource, route, &hosts)).collect()
}

fn rival(resource: usize, route: &Json, hosts: &[&str]) -> Option<Rival> {
    let (own, name) = (namespace(route), route["metadata"]["name"].as_str()?);
    let parents = route["spec"]["parentRefs"].as_array().into_iter().flatten();
    let services = parents.filter(|parent| parent["kind"] == "Service");
    let mut names = services.filter_map(|parent| {
        let within = parent["namespace"].as_str().unwrap_or(own);
        Some(format!("{}.{within}.svc.", parent["name"].as_str()?))
    });
    let host = names.find_map(|name| hosts.iter().find(|host| host.starts_with(&name)))?;
    let kind = route["kind"].as_str()?;
    Some(Rival {
        resource,
        text: format!(
            "{kind} {own}/{name} routes the same Service, {host}: Istio does not support both for one Service, and which of them counts \
             depends on their namespaces and ages"
        ),
        help: format!(
            "delete it once what is rendered is there: kubectl delete {} -n {own} {name}",
            kind.to_ascii_lowercase()
        ),
    })
}
