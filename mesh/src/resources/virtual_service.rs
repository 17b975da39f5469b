//! VirtualServices: the routes of a host inside the mesh, and of a public host at the gateway, as Istio writes them.

use serde::Serialize;
use serde_json::Value as Json;

use super::{Kind, Resource, Stage};
use crate::mesh::{Fields, Mesh};
use crate::routes::{self, Attachment, HostRoutes, Rule};

#[derive(Clone, Debug, Serialize)]
pub struct Spec {
    hosts: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gateways: Vec<String>,
    http: Vec<HttpRoute>,
}

#[derive(Clone, Debug, Serialize)]
struct HttpRoute {
    name: String,
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    matches: Vec<Fields>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    route: Vec<Destination>,
    #[serde(flatten)]
    further: Fields,
}

#[derive(Clone, Debug, Serialize)]
struct Destination {
    destination: Target,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    headers: Fields,
}

#[derive(Clone, Debug, Serialize)]
struct Target {
    host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<Port>,
}

#[derive(Clone, Debug, Serialize)]
struct Port {
    number: u16,
}

/// One a host of the mesh, one a public host, each with its host.
pub fn all(mesh: &Mesh, without_filter: bool) -> Vec<(String, Resource)> {
    let of = |host: &HostRoutes<'_>| {
        let rules = host.blocks.iter().flat_map(|block| block.rules(mesh, without_filter));
        (host.host.clone(), resource(mesh, host, rules.map(http_route).collect()))
    };
    routes::all(mesh).iter().map(of).collect()
}

/// What a chart makes the VirtualServices of public hosts of: one without name, host, gateways and rules.
#[must_use]
pub fn frame(mesh: &Mesh) -> Json {
    let host = HostRoutes {
        host: String::new(),
        place: Attachment::Mesh,
        namespace: &mesh.document.mesh.namespace,
        title: String::new(),
        name: None,
        blocks: Vec::new(),
    };
    resource(mesh, &host, Vec::new()).json()
}

fn resource(mesh: &Mesh, host: &HostRoutes<'_>, http: Vec<HttpRoute>) -> Resource {
    let gateways = match host.place {
        Attachment::Mesh => Vec::new(),
        Attachment::Gateways(names) => names.to_vec(),
    };
    let spec = super::Spec::VirtualService(Spec { hosts: vec![host.host.clone()], gateways, http });
    Resource::new(mesh, Kind::VirtualService, Stage::Routes, host.namespace, &host.title, spec)
        .named(host.name.as_deref())
}

fn http_route(rule: Rule) -> HttpRoute {
    let further = rule.fields();
    // Percent where it is whole, else hundredths of it: Istio takes any sum.
    let whole = rule.to.iter().all(|(_, weight)| weight % 100 == 0);
    let several = rule.to.len() > 1;
    let destination = |(target, weight): (routes::Target, u32)| Destination {
        destination: Target {
            host: target.host,
            subset: target.subset,
            port: target.port.map(|number| Port { number }),
        },
        weight: several.then_some(if whole { weight / 100 } else { weight }),
        headers: target.headers,
    };
    HttpRoute {
        name: rule.name,
        matches: rule.matches.iter().map(routes::Match::istio).collect(),
        route: rule.to.into_iter().map(destination).collect(),
        further,
    }
}
