//! DestinationRules: the subsets of a host, by pod label.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::{Kind, Resource, Stage, hosts};
use crate::mesh::or_baseline;
use crate::mesh::{Fields, Mesh, Service};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    host: String,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    traffic_policy: Fields,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    subsets: Vec<Subset>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subset {
    name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    traffic_policy: Fields,
}

/// What becomes the DestinationRule of a host.
struct Pods<'a> {
    namespace: &'a str,
    title: &'a str,
    /// The name that it has in any case.
    name: Option<&'a str>,
    policy: Fields,
    subsets: BTreeMap<String, Subset>,
}

/// One a host; none for a host whose pods are all the same and which have no settings.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    made(mesh, &with_fallback)
}

/// The same with subsets for fallback that no choice names yet, as a chart's values may. What is made for them only is
/// `host_fallbacks`.
pub fn all_for_chart(mesh: &Mesh) -> Vec<Resource> {
    made(mesh, &can_fall_back)
}

fn made<'a>(mesh: &'a Mesh, fallbacks: &dyn Fn(&'a Service) -> BTreeSet<&'a str>) -> Vec<Resource> {
    let mut all: BTreeMap<&str, Pods<'_>> = BTreeMap::new();
    for host in &hosts::all(mesh) {
        let policy =
            host.services.iter().map(|service| &service.traffic_policy).find(|policy| !policy.is_empty());
        let own = Pods {
            namespace: host.namespace(),
            title: host.title(),
            name: host.destination_rule(),
            policy: policy.cloned().unwrap_or_default(),
            subsets: BTreeMap::new(),
        };
        all.insert(host.name, own);
    }
    for service in mesh.routed() {
        for (name, labels) in service.subsets.iter().filter(|(name, _)| !service.is_plain(name)) {
            let version = service.version(name);
            let host = version.and_then(|version| version.host.as_deref()).unwrap_or(&service.host);
            let mut parts = host.split('.');
            let (short, home) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            // A version with a host of its own that is not a service of the file.
            let pods = all.entry(host).or_insert_with(|| Pods {
                namespace: if host.contains(".svc.") { home } else { &service.namespace },
                title: short,
                name: None,
                policy: Fields::new(),
                subsets: BTreeMap::new(),
            });
            let policy = version.map(|version| version.traffic_policy.clone()).unwrap_or_default();
            if service.by_services {
                let policy: Fields = service.traffic_policy.clone().into_iter().chain(policy).collect();
                if pods.policy.is_empty() {
                    pods.policy = policy;
                }
                continue;
            }
            let subset = Subset { name: name.clone(), labels: labels.clone(), traffic_policy: policy };
            pods.subsets.insert(name.clone(), subset);
        }
        if let Some(pods) = all.get_mut(service.host.as_str()) {
            for subset in fallbacks(service) {
                pods.subsets.insert(
                    or_baseline(subset),
                    fallback(service, subset, mesh.document.mesh.clusters.len() > 1),
                );
            }
        }
    }
    all.into_iter()
        .filter(|(_, pods)| !pods.subsets.is_empty() || !pods.policy.is_empty())
        .map(|(host, pods)| {
            let spec = Spec {
                host: host.to_owned(),
                traffic_policy: pods.policy,
                subsets: pods.subsets.into_values().collect(),
            };
            let spec = super::Spec::DestinationRule(spec);
            Resource::new(mesh, Kind::DestinationRule, Stage::Subsets, pods.namespace, pods.title, spec)
                .named(pods.name)
        })
        .collect()
}

/// The names of a host's subsets for fallback, by service and by the subset that a tenant may be pinned to.
#[must_use]
pub fn host_fallbacks<'a>(mesh: &'a Mesh, host: &str) -> BTreeMap<&'a str, BTreeMap<&'a str, String>> {
    let services = mesh.services.iter().filter(|service| service.host == host && service.falls_back);
    let names = |service: &'a Service| {
        can_fall_back(service).into_iter().map(|subset| (subset, or_baseline(subset))).collect()
    };
    services.map(|service| (service.name.as_str(), names(service))).collect()
}

/// The subsets that a tenant can be pinned to with fallback.
fn can_fall_back(service: &Service) -> BTreeSet<&str> {
    let names = service.subsets.keys().map(String::as_str);
    names.filter(|name| service.falls_back && *name != service.baseline).collect()
}

/// The subsets that a tenant is pinned to with fallback.
fn with_fallback(service: &Service) -> BTreeSet<&str> {
    let pins = service.all_routes().flat_map(|route| route.pins.values().map(move |subset| (route, subset)));
    pins.filter(|(route, subset)| service.falls_back_from(route, subset))
        .map(|(_, subset)| subset.as_str())
        .collect()
}

/// Labels that a subset and the baseline have in common and no other subset has; empty if there are only the two, for
/// then all pods will do. None: there is no such label.
#[must_use]
pub fn common_labels(
    subsets: &BTreeMap<String, BTreeMap<String, String>>,
    subset: &str,
    baseline: &str,
) -> Option<BTreeMap<String, String>> {
    let others = || subsets.iter().filter(|(name, _)| *name != subset && *name != baseline);
    if others().next().is_none() {
        return Some(BTreeMap::new());
    }
    let (own, base) = (subsets.get(subset)?, subsets.get(baseline)?);
    let common: BTreeMap<String, String> = own
        .iter()
        .filter(|(key, value)| base.get(*key) == Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let has_all =
        |labels: &BTreeMap<String, String>| common.iter().all(|(key, value)| labels.get(key) == Some(value));
    (!common.is_empty() && others().all(|(_, labels)| !has_all(labels))).then_some(common)
}

/// A subset whose pods come first and the baseline's second. Stock Istio has no such thing; what it has is locality
/// failover by label, which works within a subset that has both (docs/decisions/10-fallback.md).
fn fallback(service: &Service, subset: &str, several_clusters: bool) -> Subset {
    let labels = common_labels(&service.subsets, subset, &service.baseline).unwrap_or_default();
    let own = service.subsets.get(subset).into_iter().flatten();
    // The pods of another network are one endpoint, its gateway, without labels of pods: it would rank with the baseline, and a
    // tenant's requests would go to either by chance.
    let network = several_clusters.then(|| "topology.istio.io/network".to_owned());
    let own = own.filter(|(key, _)| !labels.contains_key(*key)).map(|(key, value)| format!("{key}={value}"));
    let priority: Vec<String> = network.into_iter().chain(own).collect();
    let mut policy = service.traffic_policy.clone();
    let balancer = policy.entry("loadBalancer").or_insert_with(|| json!({}));
    if let Some(balancer) = balancer.as_object_mut() {
        balancer
            .insert("localityLbSetting".to_owned(), json!({"enabled": true, "failoverPriority": priority}));
    }
    policy.insert(
        "outlierDetection".to_owned(),
        json!({
            // Refused and reset connections, and what a sidecar answers for a dead application; never the application's own 500.
            "splitExternalLocalOriginErrors": true,
            "consecutiveLocalOriginFailures": 1,
            "consecutiveGatewayErrors": 1,
            "consecutive5xxErrors": 0,
            "interval": "1s",
            "baseEjectionTime": "30s",
            // By default a tenth of the pods may be ejected, which of two is none.
            "maxEjectionPercent": 100,
            // Istio then leaves unready pods out instead of sending them as unhealthy, which would leak.
            "minHealthPercent": 1,
        }),
    );
    Subset { name: or_baseline(subset), labels, traffic_policy: policy }
}
