//! Services of the file that are headless: a caller picks the pod itself, by its name or address, and Envoy sends the request there,
//! whichever subset a route names.
//!
//! istiod makes a cluster of type ORIGINAL_DST of them, for each subset as well (`convertResolution` in
//! istio/pilot/pkg/networking/core/cluster.go), which has no endpoints to choose from.

use serde_json::Value as Json;

use crate::mesh::{Mesh, Service};

/// A headless service that the file gives versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headless {
    /// Which, by its place among the resources.
    pub resource: usize,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub help: String,
}

/// Is it one, by its manifest?
#[must_use]
pub fn is_headless(json: &Json) -> bool {
    let is_core = json["apiVersion"].as_str().is_none_or(|version| version == "v1");
    json["kind"] == "Service" && is_core && json["spec"]["clusterIP"] == "None"
}

/// All of them, in the order of the resources. One with a single version is left alone: every pod of it is of that version.
#[must_use]
pub fn services(mesh: &Mesh, resources: &[&Json]) -> Vec<Headless> {
    let domain = &mesh.document.mesh.cluster_domain;
    let mut all = Vec::new();
    for (resource, json) in resources.iter().enumerate().filter(|(_, json)| is_headless(json)) {
        let namespace = json["metadata"]["namespace"].as_str().unwrap_or("default");
        let Some(name) = json["metadata"]["name"].as_str() else { continue };
        let host = format!("{name}.{namespace}.svc.{domain}");
        let of_host = |host: &str| {
            let service = mesh.services.iter().find(|service| service.host == host);
            let is_rolled = |service: &Service| service.external && service.rollouts().next().is_some();
            service.filter(|service| is_rolled(service) || service.subsets.len() > 1)
        };
        let version = mesh.services.iter().find(|service| {
            service.versions.values().any(|version| version.host.as_deref() == Some(host.as_str()))
        });
        let Some(service) = of_host(&host).or(version) else { continue };
        let routes = if service.external { "its external routes choose" } else { "the file chooses" };
        all.push(Headless {
            resource,
            text: format!(
                "service `{}` is headless: callers pick the pod themselves, so the version that {routes} is not the one they get",
                service.name
            ),
            help: format!(
                "make a second Service for the same pods that has a cluster address, and list that (`services.{}.host`); calls between \
                 the pods stay with the headless one, which the file does not list (docs/events.md)",
                service.name
            ),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document;

    fn found(services: &str, there: &[Json]) -> Vec<String> {
        let text = format!(
            "version: 1\nmesh: {{name: shop, namespace: shop}}\ntenants: {{green: {{default: true}}}}\nedge: none\nservices: {services}\n"
        );
        let loaded = document::load_text("a.yaml", &text).unwrap();
        let mesh = Mesh::of(&crate::check::open(loaded).checked().unwrap());
        let there: Vec<&Json> = there.iter().collect();
        services_of(&mesh, &there)
    }

    fn services_of(mesh: &Mesh, there: &[&Json]) -> Vec<String> {
        services(mesh, there).into_iter().map(|one| format!("{} {}", one.resource, one.text)).collect()
    }

    fn service(name: &str, address: &str) -> Json {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": {"clusterIP": address}})
    }

    #[test]
    fn one_with_versions_is_found_and_one_with_a_single_version_is_left_alone() {
        let two = "{ring: {subsets: {a: {version: v1}, b: {version: v2}}, baseline: a}}";
        let there = [service("other", "None"), service("ring", "None")];
        let said = found(two, &there);
        assert!(said.len() == 1 && said[0].starts_with("1 service `ring` is headless"), "{said:?}");
        assert_eq!(found(two, &[service("ring", "10.0.0.1")]), [""; 0]);
        assert_eq!(found("{ring: {subsets: {a: {version: v1}}}}", &there), [""; 0]);
        let host = "{api: {host: other, subsets: {a: {version: v1}, b: {version: v2}}, baseline: a}}";
        assert!(found(host, &there)[0].starts_with("0 service `api` is headless"));
        assert_eq!(found("{ring: {routing: external}}", &there), [""; 0]);
        let external =
            found("{ring: {routing: external, rollout: {weights: external, route: primary}}}", &there);
        assert!(external.len() == 1 && external[0].contains("its external routes choose"), "{external:?}");
    }
}
