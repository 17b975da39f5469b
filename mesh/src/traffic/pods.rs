//! DestinationRules: what a subset is, and which policy holds.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::names::{covers, full_host, namespace};

/// Subsets by name: the labels that make each, and its own TrafficPolicy.
pub type Subsets = BTreeMap<String, (BTreeMap<String, String>, Map<String, Json>)>;

/// The DestinationRules of a host.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    pub(super) policy: Map<String, Json>,
    pub(super) subsets: Subsets,
}

/// All of them, by host.
pub(super) type Hosts = BTreeMap<String, Pods>;

/// Istio merges the DestinationRules of a host in one namespace: the first policy counts, and all subsets.
pub(super) fn add(hosts: &mut Hosts, json: &Json, resources: &[&Json]) {
    let host = full_host(json["spec"]["host"].as_str().unwrap_or_default(), namespace(json));
    let home = host.split('.').nth(1).unwrap_or_default().to_owned();
    let at_home = |other: &&&Json| {
        other["kind"] == "DestinationRule"
            && namespace(other) == home
            && full_host(other["spec"]["host"].as_str().unwrap_or_default(), &home) == host
    };
    // One of the host's own namespace comes before those of others.
    if namespace(json) != home && resources.iter().any(|other| at_home(&other)) {
        return;
    }
    let pods = hosts.entry(host).or_default();
    let policy = json["spec"]["trafficPolicy"].as_object().cloned().unwrap_or_default();
    if pods.policy.is_empty() {
        pods.policy.clone_from(&policy);
    }
    for subset in json["spec"]["subsets"].as_array().into_iter().flatten() {
        let labels = subset["labels"].as_object().into_iter().flatten();
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let labels = labels.map(|(key, value)| (key.clone(), text(value))).collect();
        let own = subset["trafficPolicy"].as_object().cloned().unwrap_or_default();
        let name = subset["name"].as_str().unwrap_or_default().to_owned();
        pods.subsets.entry(name).or_insert((labels, own));
    }
}

/// The DestinationRules that hold for a host: its own, or those of the longest wildcard.
pub(super) fn of<'h>(hosts: &'h Hosts, host: &str) -> Option<&'h Pods> {
    hosts.get(host).or_else(|| {
        let wild = hosts.iter().filter(|(name, _)| name.starts_with('*') && covers(name, host));
        wild.max_by_key(|(name, _)| name.len()).map(|(_, pods)| pods)
    })
}
