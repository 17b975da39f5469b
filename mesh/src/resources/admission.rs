//! A policy by which the API server refuses routes that an EnvoyFilter of external weights would make invalid: a patched rule
//! with a single destination, for which Envoy would reject the whole route table (docs/decisions/21-weights-of-others.md).
//!
//! It holds while the EnvoyFilter is there, which the binding takes as its parameter: whoever deletes that needs no rights in
//! the whole cluster, and no second command.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use super::{Kind, PART_OF, Resource, Stage, point};
use crate::adopt::{patches, weights};
use crate::mesh::{Fields, Mesh, Service};
use crate::traffic::MESH;

/// A policy and its binding for each service with external weights.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let mut all = Vec::new();
    for (service, route) in weights::services(mesh) {
        all.push(resource(mesh, service, Kind::ValidatingAdmissionPolicy, policy(mesh, service, route)));
        all.push(resource(mesh, service, Kind::ValidatingAdmissionPolicyBinding, binding(mesh, service)));
    }
    all
}

fn resource(mesh: &Mesh, service: &Service, kind: Kind, spec: Fields) -> Resource {
    let spec = super::Spec::Fields(spec);
    // Of the whole cluster, and there before the EnvoyFilter.
    let mut resource = Resource::new(mesh, kind, Stage::Subsets, "", &point::name(service), spec);
    resource.metadata.labels.insert(Cow::Borrowed(point::SERVICE), service.name.clone());
    resource
}

fn fields<const N: usize>(fields: [(&str, Json); N]) -> Fields {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn policy(mesh: &Mesh, service: &Service, route: Option<&str>) -> Fields {
    let rules = "has(object.spec.http) ? object.spec.http : []";
    let patched = match route {
        Some(route) => format!("({rules}).filter(rule, has(rule.name) && rule.name == {})", text(route)),
        None => rules.to_owned(),
    };
    let which = route.map_or_else(|| "each rule".to_owned(), |route| format!("rule `{route}`"));
    let message = format!(
        "{which} of `{}` needs at least two destinations, one of them with weight 0 if need be: the EnvoyFilter `{}` makes a rule with a \
         single destination invalid, and Envoy rejects the whole route table. To change it anyway, first run: {}",
        service.host,
        super::resource_name(mesh, &point::name(service)),
        patches::removal(mesh, &service.name)
    );
    // What the API server would fill in is written out, so that `diff` compares equal.
    fields([
        ("failurePolicy", json!("Ignore")),
        (
            "paramKind",
            json!({"apiVersion": Kind::EnvoyFilter.api_version(), "kind": Kind::EnvoyFilter.name()}),
        ),
        (
            "matchConstraints",
            json!({
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [{
                    "apiGroups": ["networking.istio.io"],
                    "apiVersions": ["*"],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": ["virtualservices"],
                    "scope": "*",
                }],
            }),
        ),
        ("matchConditions", json!([{"name": "host", "expression": is_about(mesh, service)}])),
        ("variables", json!([{"name": "patched", "expression": patched}])),
        (
            "validations",
            json!([{
                "expression": "variables.patched.all(rule, has(rule.delegate) || (has(rule.route) && rule.route.size() > 1))",
                "message": message,
                "reason": "Invalid",
            }]),
        ),
    ])
}

fn binding(mesh: &Mesh, service: &Service) -> Fields {
    fields([
        ("policyName", json!(super::resource_name(mesh, &point::name(service)))),
        (
            "paramRef",
            json!({
                "namespace": service.namespace,
                "parameterNotFoundAction": "Allow",
                "selector": {"matchLabels": {PART_OF: mesh.document.mesh.name, point::SERVICE: service.name}},
            }),
        ),
        ("validationActions", json!(["Deny"])),
    ])
}

/// Is a VirtualService about this host, inside the mesh or at a gateway? One by a wildcard is not judged: there may be another
/// that comes before it. Nothing in it fails, whatever fields are there.
fn is_about(mesh: &Mesh, service: &Service) -> String {
    let own = format!(".{}.svc.{}", service.namespace, mesh.document.mesh.cluster_domain);
    let mut named = format!("host == {}", text(&service.host));
    if let Some(short) = service.host.strip_suffix(&own) {
        let namespace = text(&service.namespace);
        named += &format!(" || (host == {} && object.metadata.namespace == {namespace})", text(short));
    }
    let mesh_gateway = text(MESH);
    let gateways = "has(object.spec.gateways) && object.spec.gateways.size() > 0";
    let inside = format!("(!({gateways}) || {mesh_gateway} in object.spec.gateways)");
    let mut about = format!("({inside} && object.spec.hosts.exists(host, {named}))");
    if !service.expose.hosts.is_empty() {
        let hosts = service.expose.hosts.iter().map(|host| text(host)).collect::<Vec<_>>().join(", ");
        about += &format!(
            " || ({gateways} && object.spec.gateways.exists(gateway, gateway != {mesh_gateway}) && object.spec.hosts.exists(host, host in [{hosts}]))"
        );
    }
    format!("has(object.spec.hosts) && ({about})")
}

/// A text of CEL, which has the escapes of JSON.
fn text(text: &str) -> String {
    Json::from(text).to_string()
}
