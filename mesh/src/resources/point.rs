//! EnvoyFilters that keep users where external weights put them: the route reads Envoy's random number from a
//! header, in which the filter writes the point of the user's unit, and takes the header off.
//!
//! Without the header, or with one that is not a number, Envoy draws as before.

use std::borrow::Cow;

use graylane_decide::names::POINT_HEADER;
use serde_json::{Value as Json, json};

use super::{Kind, Resource, Stage, attached};
use crate::adopt::weights;
use crate::document::model::Gateway;
use crate::mesh::{Fields, Mesh, Service};

/// Label with the service that an EnvoyFilter is about: in an emergency, EnvoyFilters are deleted by it.
pub const SERVICE: &str = "graylane.dev/service";

/// The proxies that it was tried with: of Istio 1.28 (Envoy 1.36) and later.
const PROXIES: &str = "^1[.](2[89]|[3-9][0-9])";

/// One for each service in each namespace of callers, and one at each gateway that exposes it.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let mut all = Vec::new();
    for (service, route) in weights::services(mesh) {
        let callers = weights::callers(mesh, &service.name);
        for namespace in mesh.namespaces() {
            let patches = vec![patch("SIDECAR_OUTBOUND", &service.host, route)];
            let mut selected = Fields::new();
            selected.extend(callers.map(|labels| ("workloadSelector".to_owned(), json!({"labels": labels}))));
            all.push(resource(mesh, service, namespace, &name(service), selected, &patches));
        }
        let is_caller = |gateway: &Gateway| {
            callers.is_none_or(|labels| {
                labels.iter().all(|(key, value)| gateway.selector.get(key) == Some(value))
            })
        };
        for (ingress, gateway) in mesh.gateways() {
            if !is_caller(gateway) || service.expose.hosts.is_empty() || !service.is_shown_at(&ingress) {
                continue;
            }
            let patches: Vec<Json> =
                service.expose.hosts.iter().map(|host| patch("GATEWAY", host, route)).collect();
            let name = format!("{}-{}", ingress.resource(), self::name(service));
            all.push(resource(mesh, service, &gateway.namespace, &name, attached::patch(gateway), &patches));
        }
    }
    all
}

/// What those of callers inside the mesh are about, in their names.
pub(super) fn name(service: &Service) -> String {
    format!("point-{}", service.name)
}

fn resource(
    mesh: &Mesh,
    service: &Service,
    namespace: &str,
    name: &str,
    mut spec: Fields,
    patches: &[Json],
) -> Resource {
    spec.insert("configPatches".to_owned(), json!(patches));
    let spec = super::Spec::Fields(spec);
    let mut resource = Resource::new(mesh, Kind::EnvoyFilter, Stage::Routes, namespace, name, spec);
    resource.metadata.labels.insert(Cow::Borrowed(SERVICE), service.name.clone());
    resource
}

/// For the routes of a host: those of one name, or all.
fn patch(context: &str, host: &str, route: Option<&str>) -> Json {
    let mut place = json!({"domainName": host});
    if let Some(name) = route {
        place["route"] = json!({"name": name});
    }
    json!({
        "applyTo": "HTTP_ROUTE",
        "match": {
            "context": context,
            "proxy": {"proxyVersion": PROXIES},
            "routeConfiguration": {"vhost": place},
        },
        "patch": {"operation": "MERGE", "value": {
            "request_headers_to_remove": [POINT_HEADER],
            "route": {"weighted_clusters": {"header_name": POINT_HEADER}},
        }},
    })
}
