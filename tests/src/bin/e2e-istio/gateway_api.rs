//! An example whose routes are those of the Gateway API: its file, a Service for each subset, its Gateways.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use graylane::mesh::Service as Meant;
use graylane_tests::istio::{Plan, Service};
use serde_json::{Map, Value as Json, json};

use crate::example::{Example, PORTS, TO_TARGET};

/// The file of an example, with what this form needs, and without what it does not have.
pub fn document(example: &Example) -> Result<Map<String, Json>> {
    let mut document = example.document().clone();
    let mesh = document.get_mut("mesh").and_then(Json::as_object_mut).context("no mesh")?;
    mesh.insert("routes".to_owned(), "gateway-api".into());
    if let Some(edge) = document.get_mut("edge").and_then(Json::as_object_mut) {
        let several = edge.get_mut("gateways").and_then(Json::as_object_mut);
        several.into_iter().flatten().for_each(|(_, gateway)| without_pods(gateway));
        edge.get_mut("gateway").into_iter().for_each(without_pods);
    }
    // Envoy's own metrics have no subsets here.
    document.get_mut("telemetry").and_then(Json::as_object_mut).map(|telemetry| telemetry.remove("source"));
    let hosts = example.hosts();
    let services = document.get_mut("services").and_then(Json::as_object_mut).context("no services")?;
    for (name, said) in services {
        let service = example.meaning.service(name).context("a service that is none")?;
        let said = said.as_object_mut().context("a service without keys")?;
        // Of the cluster's own resources there is nothing to select.
        if !service.host.ends_with(".svc.cluster.local") {
            let subsets = said.get_mut("subsets").and_then(Json::as_object_mut).into_iter().flatten();
            subsets.for_each(|(_, labels)| *labels = json!({}));
            continue;
        }
        said.remove("fallback");
        let port = example.port(service);
        said.insert("port".to_owned(), port.into());
        let app = &hosts[service.host.as_str()][0].name;
        let kubernetes = json!({"selector": {"app": app}, "targetPort": port + TO_TARGET});
        said.insert("kubernetes".to_owned(), kubernetes);
        // Only the experimental channel has them.
        for route in said.get_mut("routes").and_then(Json::as_array_mut).into_iter().flatten() {
            route["http"].as_object_mut().map(|http| http.remove("retries"));
        }
    }
    Ok(document)
}

/// A gateway whose pods Istio made, as far as the file knows.
fn without_pods(gateway: &mut Json) {
    for key in ["selector", "namespace"] {
        gateway.as_object_mut().map(|fields| fields.remove(key));
    }
}

/// The Services of subsets, with endpoints: there is no controller that would make those. Their ports are that of the host's own.
pub fn services<'p>(plan: Plan<'p>, own: &Service, services: &[&Meant]) -> Plan<'p> {
    let made: BTreeSet<(String, &String)> = services
        .iter()
        .flat_map(|service| {
            service.subsets.keys().filter_map(|subset| Some((service.service_of(subset)?, subset)))
        })
        .collect();
    made.into_iter().fold(plan, |plan, (host, subset)| {
        let labels = services.iter().find_map(|service| service.subsets.get(subset));
        let name = host.split('.').next().unwrap_or_default();
        let sharing = services.iter().filter(|service| service.subsets.contains_key(subset));
        let ports: BTreeSet<u16> = sharing.map(|service| service.port.unwrap_or(PORTS[0])).collect();
        let mut service =
            Service { name: name.to_owned(), ports: Vec::new(), selector: own.selector.clone() };
        service.selector.extend(labels.cloned().unwrap_or_default());
        plan.service(ports.into_iter().fold(service, |service, port| service.port(port, port + TO_TARGET)))
    })
}

/// A Gateway, served by the pods of a Service.
pub fn gateway(namespace: &str, name: &str, hosts: &BTreeSet<&String>, service: &str, at: &str) -> [Json; 2] {
    let listener = |(index, host): (usize, &str)| {
        let mut listener = json!({
            "name": format!("http-{index}"), "port": 80, "protocol": "HTTP",
            "allowedRoutes": {"namespaces": {"from": "All"}},
        });
        if !host.is_empty() {
            listener["hostname"] = host.into();
        }
        listener
    };
    let every = [""];
    let hosts: Vec<&str> =
        if hosts.is_empty() { every.to_vec() } else { hosts.iter().map(|host| host.as_str()).collect() };
    [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "gatewayClassName": "istio",
                "addresses": [{"type": "Hostname", "value": format!("{service}.{at}.svc.cluster.local")}],
                "listeners": hosts.into_iter().enumerate().map(listener).collect::<Vec<_>>(),
            },
        }),
    ]
}
