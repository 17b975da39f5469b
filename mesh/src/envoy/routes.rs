//! Route configurations: what sidecars do with calls of their pods, and what a gateway does with calls from outside.

use std::collections::BTreeMap;

use graylane_decide::Role;
use serde_json::{Value as Json, json};

use super::{types, virtual_hosts};
use crate::lacking::Lost;
use crate::mesh::{Ingress, Mesh};
use crate::routes::{self, Block, Shown};

/// The longest answer of `directResponse`, in bytes, as in Istio (pilot/pkg/networking/core/route/route.go).
const LONGEST_ANSWER: u32 = 1024 * 1024;

/// The routes of sidecars: all hosts of the file. `other_hosts`: the cluster for all others; none: Envoy answers 404.
#[must_use]
pub fn outbound(mesh: &Mesh, other_hosts: Option<&str>, lost: &mut Lost) -> Json {
    let mut hosts: Vec<Json> =
        routes::inside(mesh).iter().flat_map(|host| virtual_hosts::inside(mesh, host, lost)).collect();
    if let Some(cluster) = other_hosts {
        hosts.push(json!({
            "name": "other-hosts",
            "domains": ["*"],
            "routes": [{"name": "other-hosts", "match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}],
        }));
    }
    json!({
        "@type": types::ROUTES,
        "name": Role::Outbound.name(),
        "virtual_hosts": hosts,
        "max_direct_response_body_size_bytes": LONGEST_ANSWER,
    })
}

/// The routes of a gateway: the public hosts that are exposed there. Which port callers came to is the listener's business.
#[must_use]
pub fn gateway(mesh: &Mesh, ingress: &Ingress<'_>, lost: &mut Lost) -> Json {
    let shown = routes::shown(mesh);
    let is_here = |shown: &&Shown<'_>| {
        let gateways = &shown.gateways;
        shown.service.is_shown_at(ingress)
            && (gateways.is_empty() || gateways.iter().any(|name| ingress.serves(name)))
    };
    let mut hosts: BTreeMap<&str, Vec<&Shown<'_>>> = BTreeMap::new();
    for one in shown.iter().filter(is_here) {
        for host in one.hosts() {
            hosts.entry(host).or_default().push(one);
        }
    }
    let virtual_hosts: Vec<Json> = hosts
        .iter()
        .map(|(host, places)| {
            let mut places = places.clone();
            places.sort_by(|a, b| a.order().cmp(&b.order()));
            let blocks: Vec<Block<'_>> = places.iter().flat_map(|shown| shown.blocks.clone()).collect();
            let name = name(host, &hosts);
            virtual_hosts::outside(mesh, name, host, &blocks, lost)
        })
        .collect();
    json!({
        "@type": types::ROUTES,
        "name": ingress.resource(),
        "virtual_hosts": virtual_hosts,
        "ignore_port_in_host_matching": true,
        "max_direct_response_body_size_bytes": LONGEST_ANSWER,
    })
}

/// What a public host's statistics are called: after its service, where there is one and it has no other public host here, so that
/// queries about the service find them; else after the host.
fn name(host: &str, hosts: &BTreeMap<&str, Vec<&Shown<'_>>>) -> String {
    let services =
        |host: &str| hosts.get(host).into_iter().flatten().map(|shown| shown.service.host.as_str());
    let Some(first) = services(host).next() else { return host.to_owned() };
    let is_alone = services(host).all(|service| service == first);
    let elsewhere =
        hosts.keys().filter(|other| **other != host).any(|other| services(other).any(|one| one == first));
    if is_alone && !elsewhere { first.to_owned() } else { host.to_owned() }
}
