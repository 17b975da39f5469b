//! The clusters that routes lead to. They are the user's: a file says nothing of addresses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::names::cluster_name;
use super::{filters, ports};
use crate::mesh::{Fields, Mesh, OR_BASELINE};
use crate::routes::{self, Attachment, Block, Target};

/// A cluster that has to be there, and what it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// What its statistics are called. Envoy's own tag of clusters stops at the first dot, which names of hosts have; that of
    /// [`super::stats_tags`] stops here.
    pub alt_stat_name: String,
    /// Where an issuer's keys are, if it leads there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The service of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Its subset; none: all pods of its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Labels of its pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The subset whose pods are in it as well, with the next priority: while none of the first is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// What the file says of connections to it, in Istio's words.
    #[serde(rename = "trafficPolicy", skip_serializing_if = "Fields::is_empty")]
    pub traffic_policy: Fields,
}

/// All that any route leads to, and where tokens' keys are, in byte order of their names.
#[must_use]
pub fn clusters(mesh: &Mesh) -> Vec<Cluster> {
    let mut all = BTreeMap::new();
    for host in &routes::all(mesh) {
        let ports = match host.place {
            Attachment::Mesh => ports::of_host(host),
            Attachment::Gateways(_) => Vec::new(),
        };
        for block in &host.blocks {
            let own = [block.port.unwrap_or_else(|| ports::of_service(block.service))];
            let ports = if ports.is_empty() { &own[..] } else { &ports };
            for (target, _) in block.rules(mesh, false).into_iter().flat_map(|rule| rule.to) {
                for port in ports {
                    let cluster = cluster(block, &target, *port);
                    all.insert(cluster.name.clone(), cluster);
                }
            }
        }
    }
    let keys = mesh
        .ingresses()
        .into_iter()
        .filter_map(|ingress| ingress.jwt.filter(|jwt| jwt.render)?.jwks_uri.clone());
    all.extend(keys.map(|uri| {
        let name = filters::keys_cluster(&uri);
        (
            name.clone(),
            Cluster { alt_stat_name: format!("{name};"), name, keys: Some(uri), ..Cluster::default() },
        )
    }));
    all.into_values().collect()
}

fn cluster(block: &Block<'_>, target: &Target, port: u16) -> Cluster {
    let service = block.service;
    let subset = target.subset.as_deref().unwrap_or_default();
    let name = cluster_name(&target.host, subset, target.port.unwrap_or(port));
    let plain = subset.strip_suffix(OR_BASELINE);
    let version = service.version(subset).map(|version| &version.traffic_policy);
    // Field by field, as Istio merges a subset's policy (`MergeSubsetTrafficPolicy` in pilot/pkg/networking/core/cluster_traffic_policy.go).
    let traffic_policy = service.traffic_policy.iter().chain(version.into_iter().flatten());
    Cluster {
        alt_stat_name: format!("{name};"),
        name,
        keys: None,
        service: Some(service.name.clone()),
        subset: target.subset.as_ref().map(|_| plain.unwrap_or(subset).to_owned()),
        labels: service.subsets.get(plain.unwrap_or(subset)).cloned().unwrap_or_default(),
        fallback: plain.map(|_| service.baseline.clone()),
        traffic_policy: traffic_policy.map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}
