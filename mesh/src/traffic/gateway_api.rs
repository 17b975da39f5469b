//! Routes of the Kubernetes Gateway API for hosts that are rendered, and whatever else is for those if such routes are rendered.
//!
//! istiod makes a VirtualService of each (`HTTPRouteCollection` in istio/pilot/pkg/config/kube/gateway/route_collections.go). Of two for one
//! host, the sidecars of a real Istio 1.31 used the one that they had first.

use serde_json::Value as Json;

use super::http_route::{self, Place};
use super::names::{full_host, group_is_istio, namespace};
use super::request::MESH;
use super::rival::Rival;
use crate::gateway_api::GROUP;

/// Kinds that route HTTP.
const KINDS: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

/// Is it an object of the Gateway API?
#[must_use]
pub fn is_of_gateway_api(json: &Json) -> bool {
    json["apiVersion"]
        .as_str()
        .is_some_and(|version| version.split_once('/').is_some_and(|(group, _)| group == GROUP))
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

/// Those of others for a host that is rendered.
pub(super) fn rivals(current: &[&Json], rendered: &[Json]) -> Vec<Rival> {
    let of = |json: &Json| Own {
        kind: text(&json["kind"]),
        namespace: namespace(json).to_owned(),
        name: text(&json["metadata"]["name"]),
    };
    let ours: Vec<Own> = rendered.iter().map(of).collect();
    let hosts: Vec<(&str, Place)> = rendered
        .iter()
        .flat_map(|json| {
            let kind = if is_http_route(json) { "HTTPRoute" } else { "VirtualService" };
            hosts(json).into_iter().map(move |host| (kind, host))
        })
        .collect();
    let by_routes = hosts.iter().any(|(kind, _)| *kind == "HTTPRoute");
    let is_route = |json: &Json| {
        is_route_of_gateway_api(json)
            || (by_routes && json["kind"] == "VirtualService" && group_is_istio(json))
    };
    let others = current.iter().enumerate().filter(|(_, json)| is_route(json) && !ours.contains(&of(json)));
    others.filter_map(|(resource, route)| rival(resource, route, &of(route), &hosts)).collect()
}

/// The name of an object.
#[derive(PartialEq, Eq)]
struct Own {
    kind: String,
    namespace: String,
    name: String,
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// What a route is for.
fn hosts(route: &Json) -> Vec<Place> {
    let own = namespace(route);
    let list = |key: &str| route["spec"][key].as_array().into_iter().flatten();
    if route["kind"] == "VirtualService" {
        let gateways: Vec<&str> = list("gateways").filter_map(Json::as_str).collect();
        let gateway = |name: &str| match name {
            name if name == MESH || name.contains('/') => name.to_owned(),
            name => format!("{own}/{name}"),
        };
        let gateways = if gateways.is_empty() {
            vec![MESH.to_owned()]
        } else {
            gateways.into_iter().map(gateway).collect()
        };
        let hosts = list("hosts").filter_map(Json::as_str).map(|host| full_host(host, own));
        return hosts
            .flat_map(|host| gateways.iter().map(move |gateway| (gateway.clone(), host.clone())))
            .collect();
    }
    http_route::parents(route).into_iter().map(|(place, _)| place).collect()
}

fn rival(resource: usize, route: &Json, own: &Own, rendered: &[(&str, Place)]) -> Option<Rival> {
    let theirs = hosts(route);
    // A cluster may have another domain than the usual one.
    let start = |host: &str| host.split_once(".svc.").map_or(host, |(start, _)| start).to_owned();
    let is_same = |a: &Place, b: &Place| a.0 == b.0 && start(&a.1) == start(&b.1);
    let (kind, (gateway, host)) =
        rendered.iter().find(|(_, one)| theirs.iter().any(|other| is_same(one, other)))?;
    let is_inside = gateway == MESH;
    let how = match (*kind, own.kind.as_str(), is_inside) {
        // A VirtualService is for a Gateway of Istio's, whatever its name.
        ("VirtualService", _, false) | (_, "VirtualService", false) => return None,
        ("HTTPRoute", "HTTPRoute" | "GRPCRoute", _) => {
            "the rules of both apply, the more specific match first, and if two are equally specific, that of the older route"
        }
        _ => "Istio does not support both for one Service; a running sidecar keeps the one that it had first",
    };
    Some(Rival {
        resource,
        text: format!(
            "{} {}/{} routes the same {}, {host}: {how}",
            own.kind,
            own.namespace,
            own.name,
            if is_inside { "Service" } else { "host" }
        ),
        help: format!(
            "delete it once what is rendered is there: kubectl delete {} -n {} {}",
            own.kind.to_ascii_lowercase(),
            own.namespace,
            own.name
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(current: &[Json], rendered: &[Json]) -> Vec<String> {
        rivals(&current.iter().collect::<Vec<_>>(), rendered).into_iter().map(|one| one.text).collect()
    }

    fn route(name: &str, parent: &Json, hosts: &[&str]) -> Json {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": "shop"},
               "spec": {"parentRefs": [parent], "hostnames": hosts}})
    }

    fn virtual_service(name: &str, gateways: &[&str], host: &str) -> Json {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name, "namespace": "shop"},
               "spec": {"hosts": [host], "gateways": gateways}})
    }

    #[test]
    fn a_host_that_both_forms_claim_is_said() {
        let (service, gateway) = (
            json!({"kind": "Service", "name": "api"}),
            json!({"kind": "Gateway", "name": "public", "namespace": "in"}),
        );
        let rendered = [route("m-api", &service, &[]), route("m-host", &gateway, &["a.example"])];
        assert_eq!(found(&rendered, &rendered), [""; 0], "its own are none of others");
        let said = found(&[virtual_service("api", &[], "api")], &rendered);
        assert!(
            said[0].starts_with(
                "VirtualService shop/api routes the same Service, api.shop.svc.cluster.local: Istio does not"
            ),
            "{said:?}"
        );
        let at_gateway = virtual_service("a", &["in/public"], "a.example");
        assert_eq!(found(&[at_gateway], &rendered), [""; 0], "that is another Gateway, of Istio's");
        assert_eq!(
            found(
                &[virtual_service("a", &["in/other"], "a.example"), virtual_service("b", &[], "b")],
                &rendered
            ),
            [""; 0]
        );
        let said = found(&[route("other", &service, &[])], &rendered);
        assert!(said[0].contains("if two are equally specific, that of the older route"), "{said:?}");
        let said = found(
            &[route("other", &service, &[])],
            &[virtual_service("m-api", &[], "api.shop.svc.cluster.local")],
        );
        assert!(said[0].contains("Istio does not support both for one Service"), "{said:?}");
    }
}
