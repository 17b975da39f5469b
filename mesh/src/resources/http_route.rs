//! HTTPRoutes of the Gateway API, and what they need: a Service for each subset, and leave to lead to Services of other namespaces.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Kind, Resource, Spec, Stage};
use crate::gateway_api::{self, GROUP};
use crate::mesh::{Fields, Mesh, Service};
use crate::routes;

/// The HTTPRoutes, each with its host, and what lets them lead to other namespaces.
pub fn all(mesh: &Mesh, without_filter: bool) -> (Vec<(String, Resource)>, Vec<Resource>) {
    let hosts = routes::all(mesh);
    let mut grants = Grants::new();
    let routes = hosts.iter().flat_map(|host| gateway_api::of(mesh, host, without_filter)).map(|route| {
        for (namespace, names) in route.foreign {
            grants.entry((namespace, route.namespace.clone())).or_default().extend(names);
        }
        let spec = Spec::Fields(route.spec);
        let resource =
            Resource::new(mesh, Kind::HttpRoute, Stage::Routes, &route.namespace, &route.title, spec);
        (route.host, resource.named(route.name.as_deref()))
    });
    (routes.collect(), grants.into_iter().map(|grant| granted(mesh, grant)).collect())
}

/// The Services that subsets are. Several services of the file on one host share those of subsets with one name.
pub fn services(mesh: &Mesh) -> Vec<Resource> {
    let mut ports: BTreeMap<String, (&Service, &str, Vec<&Service>)> = BTreeMap::new();
    for service in mesh.routed() {
        for subset in service.subsets.keys() {
            if let Some(host) = service.rendered_service_of(subset) {
                ports.entry(host).or_insert((service, subset, Vec::new())).2.push(service);
            }
        }
    }
    ports
        .into_iter()
        .map(|(host, (service, subset, sharing))| resource(mesh, &host, (service, subset), &sharing))
        .collect()
}

fn resource(mesh: &Mesh, host: &str, (service, subset): (&Service, &str), sharing: &[&Service]) -> Resource {
    let ports = sharing.iter().filter_map(|service| {
        let (port, protocol) = (service.port?, service.app_protocol());
        let target = service.target_port(port);
        Some(json!({"name": port_name(protocol, port), "port": port, "protocol": "TCP", "targetPort": target, "appProtocol": protocol}))
    });
    let mut spec = Fields::new();
    spec.insert("selector".to_owned(), json!(service.selector_of(subset)));
    spec.insert("ports".to_owned(), ports.collect());
    let name = host.split('.').next().unwrap_or_default();
    Resource::new(mesh, Kind::Service, Stage::Subsets, service.host_namespace(), name, Spec::Fields(spec))
        .named(Some(name))
}

/// A port's name; of the protocol, where that can be part of one.
fn port_name(protocol: &str, port: u16) -> String {
    let is_word =
        protocol.len() < 9 && protocol.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    format!("{}-{port}", if is_word { protocol } else { "port" })
}

/// Names of Services, by their namespace and that of the routes.
type Grants = BTreeMap<(String, String), BTreeSet<String>>;

/// In a namespace whose Services routes of gateways lead to from another one, that they may (ReferenceGrant in the Gateway API's
/// apis/v1beta1/referencegrant_types.go).
fn granted(mesh: &Mesh, ((to, from), names): ((String, String), BTreeSet<String>)) -> Resource {
    let mut spec = Fields::new();
    spec.insert("from".to_owned(), json!([{"group": GROUP, "kind": "HTTPRoute", "namespace": from}]));
    let names: Vec<_> =
        names.iter().map(|name| json!({"group": "", "kind": "Service", "name": name})).collect();
    spec.insert("to".to_owned(), names.into());
    Resource::new(
        mesh,
        Kind::ReferenceGrant,
        Stage::Subsets,
        &to,
        &format!("from-{from}"),
        Spec::Fields(spec),
    )
}
