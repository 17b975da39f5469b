//! What routes of the Gateway API need of a cluster: its resources in a version that has names of rules, Services and Gateways that they
//! are attached to, Services of subsets that are nobody else's, and a file that says of each Service what the cluster says.

use serde_json::{Value as Json, json};

use crate::gateway_api::GROUP;
use crate::mesh::{Mesh, Service};
use crate::resources::{is_of, is_ours};

/// Something that is not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which resource is about it, by its place; none: one that is missing.
    pub resource: Option<usize>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub help: String,
}

/// Protocols that a port's name can say.
const PROTOCOLS: [&str; 6] = ["http", "http2", "https", "grpc", "tcp", "tls"];
/// The CRD of the routes.
const ROUTES: &str = "httproutes.gateway.networking.k8s.io";
/// Annotation of the CRDs with the version of their release.
const BUNDLE: &str = "gateway.networking.k8s.io/bundle-version";
/// Annotation of the CRDs with their channel.
const CHANNEL: &str = "gateway.networking.k8s.io/channel";
/// The first version of the Gateway API, 1.4, that has names of rules in its standard channel (GEP-995).
const SINCE: u64 = 4;

/// All of it; nothing where routes are VirtualServices. What of a kind is not among the resources at all is not missed.
#[must_use]
pub fn misfits(mesh: &Mesh, resources: &[&Json]) -> Vec<Misfit> {
    if !mesh.has_gateway_api() {
        return Vec::new();
    }
    let mut all = Vec::new();
    definitions(mesh, resources, &mut all);
    for service in mesh.routed() {
        own(service, resources, &mut all);
        for subset in service.subsets.keys() {
            of_subset(mesh, service, subset, resources, &mut all);
        }
    }
    gateways(mesh, resources, &mut all);
    all
}

fn of_kind<'a>(
    resources: &'a [&'a Json],
    group: &'a str,
    kind: &'a str,
) -> impl Iterator<Item = (usize, &'a Json)> {
    let is = move |json: &Json| {
        let version = json["apiVersion"].as_str().unwrap_or_default();
        json["kind"] == kind && version.split_once('/').map_or("", |(group, _)| group) == group
    };
    resources.iter().enumerate().map(|(place, json)| (place, *json)).filter(move |(_, json)| is(json))
}

fn is_named(json: &Json, namespace: &str, name: &str) -> bool {
    json["metadata"]["name"] == name
        && json["metadata"]["namespace"].as_str().unwrap_or("default") == namespace
}

fn definitions(mesh: &Mesh, resources: &[&Json], all: &mut Vec<Misfit>) {
    let crds: Vec<_> = of_kind(resources, "apiextensions.k8s.io", "CustomResourceDefinition").collect();
    let of_istio =
        |crd: &Json| crd["metadata"]["name"].as_str().is_some_and(|name| name.ends_with(".istio.io"));
    if !crds.iter().any(|(_, crd)| of_istio(crd) || crd["metadata"]["name"] == ROUTES) {
        // One that was picked out, and not those of a cluster.
        return;
    }
    let help = "install those of the Gateway API 1.4 or later (gateway-api.sigs.k8s.io, \"Getting started\")"
        .to_owned();
    let Some((resource, routes)) = crds.iter().find(|(_, crd)| crd["metadata"]["name"] == ROUTES) else {
        let text = format!("the cluster has no `{ROUTES}`, the CRD of HTTPRoutes");
        all.push(Misfit { resource: None, text, help });
        return;
    };
    let version = routes["metadata"]["annotations"][BUNDLE].as_str().unwrap_or("unknown");
    let minor = version.trim_start_matches('v').split('.').nth(1).and_then(|minor| minor.parse::<u64>().ok());
    if version.starts_with("v1.") && minor.is_some_and(|minor| minor < SINCE) || version.starts_with("v0.") {
        let text = format!(
            "`{ROUTES}` is of the Gateway API {version}, whose rules have no names; the filter needs them to recognise routes"
        );
        all.push(Misfit { resource: Some(*resource), text, help });
    }
    if mesh.routed().any(Service::retries) && routes["metadata"]["annotations"][CHANNEL] == "standard" {
        all.push(Misfit {
            resource: Some(*resource),
            text: format!("`{ROUTES}` is of the standard channel, which has no `retry`, and the file has `retries.attempts`"),
            help: "install the experimental channel, or remove `attempts`".to_owned(),
        });
    }
}

/// The Service that a route is attached to, and what the file says of it.
fn own(service: &Service, resources: &[&Json], all: &mut Vec<Misfit>) {
    let mut there = of_kind(resources, "", "Service")
        .filter(|(_, json)| json["metadata"]["namespace"] == service.host_namespace() && !is_ours(json))
        .peekable();
    if there.peek().is_none() || !service.host.contains(".svc.") {
        return;
    }
    let (name, short) = (&service.name, service.short_host());
    let Some((resource, json)) = there.find(|(_, json)| is_named(json, service.host_namespace(), short))
    else {
        let text = format!(
            "there is no Service {}/{short}, which the route of `{name}` is attached to",
            service.host_namespace()
        );
        let help = format!("correct `services.{name}.host`, or create the Service");
        all.push(Misfit { resource: None, text, help });
        return;
    };
    // Only the Services that are made of it depend on what the file says.
    if !service.subsets.keys().any(|subset| service.rendered_service_of(subset).is_some()) {
        return;
    }
    let selector = json!(service.selector());
    if json["spec"]["selector"] != selector {
        all.push(Misfit {
            resource: Some(resource),
            text: format!(
                "the Service of `{name}` selects {}, but the Services of its subsets would select {selector}",
                json["spec"]["selector"]
            ),
            help: format!(
                "write `kubernetes: {{selector: {}}}` under `services.{name}`",
                json["spec"]["selector"]
            ),
        });
    }
    let Some(number) = service.port else { return };
    let Some(port) =
        json["spec"]["ports"].as_array().into_iter().flatten().find(|port| port["port"] == number)
    else {
        let text = format!("the Service of `{name}` has no port {number}");
        all.push(Misfit { resource: Some(resource), text, help: format!("correct `services.{name}.port`") });
        return;
    };
    let target = json!(service.target_port(number));
    let theirs = port.get("targetPort").cloned().unwrap_or_else(|| json!(number));
    if theirs != target {
        all.push(Misfit {
            resource: Some(resource),
            text: format!("the Service of `{name}` has `targetPort: {theirs}` at port {number}, but the Services of its subsets would have {target}"),
            help: format!("write `kubernetes: {{targetPort: {theirs}}}` under `services.{name}`"),
        });
    }
    let (theirs, ours) = (protocol(port), service.app_protocol());
    if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
        all.push(Misfit {
            resource: Some(resource),
            text: format!("the Service of `{name}` has protocol `{theirs}` at port {number}, but the Services of its subsets would have `{ours}`"),
            help: format!("write `kubernetes: {{appProtocol: {theirs}}}` under `services.{name}`"),
        });
    }
}

/// What a port of a Service says of its protocol, itself or by its name (istio.io, "Protocol Selection").
fn protocol(port: &Json) -> Option<&str> {
    let of_name = || port["name"].as_str()?.split('-').next().filter(|word| PROTOCOLS.contains(word));
    port["appProtocol"].as_str().or_else(of_name)
}

/// A Service of a subset's name that somebody else made.
fn of_subset(mesh: &Mesh, service: &Service, subset: &str, resources: &[&Json], all: &mut Vec<Misfit>) {
    let Some(host) = service.rendered_service_of(subset) else { return };
    let name = host.split('.').next().unwrap_or_default();
    let there =
        of_kind(resources, "", "Service").find(|(_, json)| is_named(json, service.host_namespace(), name));
    if let Some((resource, _)) = there.filter(|(_, json)| !is_of(&mesh.document.mesh.name, json)) {
        all.push(Misfit {
            resource: Some(resource),
            text: format!("Service {}/{name} exists and was not written by graylane; the one for subset `{subset}` of `{}` would overwrite it", service.host_namespace(), service.name),
            help: format!("if it has the pods of `{subset}`, write `versions: {{{subset}: {{host: {name}}}}}` under `services.{}`; else give the subset another name", service.name),
        });
    }
}

/// Gateways that routes are attached to.
fn gateways(mesh: &Mesh, resources: &[&Json], all: &mut Vec<Misfit>) {
    if of_kind(resources, GROUP, "Gateway").next().is_none() {
        return;
    }
    let names = mesh.services.iter().filter(|service| !service.expose.hosts.is_empty());
    let names: std::collections::BTreeSet<&String> =
        names.flat_map(|service| &service.expose.gateways).collect();
    for (namespace, name) in names.into_iter().filter_map(|name| name.split_once('/')) {
        let found = of_kind(resources, GROUP, "Gateway").find(|(_, json)| is_named(json, namespace, name));
        let own = mesh.document.mesh.namespace.as_str();
        if let Some((resource, _)) = found.filter(|(_, json)| own != namespace && !allows_others(json)) {
            all.push(Misfit {
                resource: Some(resource),
                text: format!("no listener of Gateway {namespace}/{name} allows routes of namespace `{own}`"),
                help: "write `allowedRoutes: {namespaces: {from: All}}` at its listeners, or a selector for that namespace".to_owned(),
            });
        }
        if found.is_none() {
            all.push(Misfit {
                resource: None,
                text: format!(
                    "there is no Gateway {namespace}/{name} of the Gateway API, which routes are attached to"
                ),
                help: "correct the gateway's `name`, or create the Gateway".to_owned(),
            });
        }
    }
}

/// Has a Gateway a listener for routes of other namespaces? The default allows those of its own.
fn allows_others(gateway: &Json) -> bool {
    let listeners = gateway["spec"]["listeners"].as_array();
    let from = |listener: &Json| {
        listener["allowedRoutes"]["namespaces"]["from"].as_str().unwrap_or("Same").to_owned()
    };
    listeners.is_none_or(|listeners| listeners.iter().any(|listener| from(listener) != "Same"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn found(services: &str, there: &[Json]) -> Vec<String> {
        let text = format!(
            "version: 1\nmesh: {{name: shop, namespace: shop, routes: gateway-api}}\ntenants: {{green: {{default: true}}}}\n\
             edge: {{gateway: {{name: in/public}}, accept: never}}\nservices: {services}\n"
        );
        let mesh =
            Mesh::of(&crate::check::open(document::load_text("a.yaml", &text).unwrap()).checked().unwrap());
        misfits(&mesh, &there.iter().collect::<Vec<_>>()).into_iter().map(|one| one.text).collect()
    }

    fn service(name: &str, selector: &Json) -> Json {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
               "spec": {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}]}})
    }

    const API: &str = "{api: {port: 80, expose: {hosts: [a.example]}, subsets: {v1: {version: v1}, v2: {version: v2}}, baseline: v1, \
                       kubernetes: {targetPort: 8080}}}";

    #[test]
    fn a_cluster_that_fits_is_left_alone() {
        let there = [
            service("api", &json!({"app": "api"})),
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "public", "namespace": "in"},
                   "spec": {"listeners": [{"name": "http", "allowedRoutes": {"namespaces": {"from": "All"}}}]}}),
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                   "metadata": {"name": ROUTES, "annotations": {BUNDLE: "v1.4.0"}}}),
        ];
        assert_eq!(found(API, &there), [""; 0]);
        assert_eq!(found(API, &[]), [""; 0], "what is not known is not missed");
    }

    #[test]
    fn each_misfit_is_named() {
        let there = [
            service("api", &json!({"run": "api"})),
            service("api-v2", &json!({"app": "other"})),
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "other", "namespace": "in"}}),
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                   "metadata": {"name": ROUTES, "annotations": {BUNDLE: "v1.2.1"}}}),
        ];
        let said = found(&API.replace("8080", "http"), &there);
        let parts = [
            "is of the Gateway API v1.2.1",
            "selects {\"run\":\"api\"}",
            "has `targetPort: 8080` at port 80, but",
            "shop/api-v2 exists and was not written by graylane",
            "no Gateway in/public",
        ];
        assert_eq!(said.len(), parts.len(), "{said:#?}");
        for (text, part) in said.iter().zip(parts) {
            assert!(text.contains(part), "{part}: {text}");
        }
        let other = [
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": "shop"},
                   "spec": {"selector": {"app": "api"}, "ports": [{"name": "grpc-api", "port": 80, "targetPort": 8080}]}}),
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "public", "namespace": "in"},
                   "spec": {"listeners": [{"name": "http"}]}}),
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                   "metadata": {"name": ROUTES, "annotations": {BUNDLE: "v1.6.0", CHANNEL: "standard"}}}),
        ];
        let said = found(&API.replace("port: 80,", "port: 80, http: {retries: {attempts: 1}},"), &other);
        let parts = [
            "standard channel, which has no `retry`",
            "has protocol `grpc` at port 80",
            "no listener of Gateway in/public allows",
        ];
        assert_eq!(said.len(), parts.len(), "{said:#?}");
        assert!(said.iter().zip(parts).all(|(text, part)| text.contains(part)), "{said:#?}");
        let missing = [
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "gateways.networking.istio.io"}}),
            service("web", &json!({})),
        ];
        let said = found(API, &missing);
        assert!(
            said[0].contains("has no `httproutes") && said[1].contains("no Service shop/api"),
            "{said:?}"
        );
    }
}
