//! All routes of a host: inside the mesh, or at gateways.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::block::Block;
use super::matches::Match;
use super::text::Text;
use crate::mesh::{Mesh, Outside, Service};
use crate::resources::hosts;

/// Where requests are seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attachment<'a> {
    /// In every sidecar or waypoint.
    Mesh,
    /// At these gateways, as `namespace/name`.
    Gateways(&'a [String]),
}

/// All routes of a host at a place, as they are tried.
#[derive(Clone, Debug)]
pub struct HostRoutes<'a> {
    /// The host: a full name, or a public host as it is written.
    pub host: String,
    /// Where requests are seen.
    pub place: Attachment<'a>,
    /// The namespace that they belong to.
    pub namespace: &'a str,
    /// What a resource of them is called, after the mesh.
    pub title: String,
    /// What a resource of them is called in any case.
    pub name: Option<String>,
    /// In order.
    pub blocks: Vec<Block<'a>>,
}

/// What a service shows at gateways: a path, or a route of its own for the outside.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// The service.
    pub service: &'a Service,
    /// The prefix of paths; empty: every path, or what the route says.
    pub path: &'a str,
    /// The route of its own.
    pub outside: Option<&'a Outside>,
    /// Its place among those of the service.
    pub index: usize,
    /// The gateways.
    pub gateways: &'a [String],
    /// What is there.
    pub blocks: Vec<Block<'a>>,
}

impl Shown<'_> {
    /// Routes of the outside as they are ordered, then the longest path, last what is for every request.
    #[must_use]
    pub fn order(&self) -> (i32, u8, Reverse<usize>, &str, &str, usize) {
        let (order, kind) = match self.outside {
            None => (0, 1),
            Some(outside) => (outside.order, if outside.route.matches.is_empty() { 2 } else { 0 }),
        };
        (order, kind, Reverse(self.path.len()), self.path, &self.service.name, self.index)
    }

    /// The public hosts.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        self.outside.map_or(&self.service.expose.hosts, |outside| &outside.hosts)
    }
}

/// The routes of all hosts: inside the mesh, then at gateways.
#[must_use]
pub fn all(mesh: &Mesh) -> Vec<HostRoutes<'_>> {
    let mut all = inside(mesh);
    all.extend(outside(mesh));
    all
}

/// The routes of all hosts inside the mesh.
#[must_use]
pub fn inside(mesh: &Mesh) -> Vec<HostRoutes<'_>> {
    hosts::all(mesh)
        .into_iter()
        .map(|host| HostRoutes {
            host: host.name.to_owned(),
            place: Attachment::Mesh,
            namespace: host.namespace(),
            title: host.title().to_owned(),
            name: host.virtual_service().map(ToOwned::to_owned),
            // A port that no rule is about is as if there were no routes: Istio makes them port by port.
            blocks: host.services.iter().flat_map(|service| at_home(service, host.is_shared())).collect(),
        })
        .collect()
}

/// The routes of a service inside the mesh. `is_shared`: others are at other ports of its host.
fn at_home(service: &Service, is_shared: bool) -> Vec<Block<'_>> {
    // Without a port of its own in the destination, a request keeps the one that it was sent to.
    let port = if is_shared { service.port } else { None };
    let at = |one: &mut Match| {
        if let Some(port) = port {
            one.port = Some(port.into());
            one.istio.remove("port");
        }
    };
    service.routes.iter().map(|route| Block::of(service, route, &at, port, false)).collect()
}

/// What every service shows at gateways.
#[must_use]
pub fn shown(mesh: &Mesh) -> Vec<Shown<'_>> {
    mesh.routed().flat_map(of_service).collect()
}

fn of_service(service: &Service) -> Vec<Shown<'_>> {
    let block = |route, at: &dyn Fn(&mut Match)| Block::of(service, route, at, service.port, true);
    if !service.outside.is_empty() {
        return service
            .outside
            .iter()
            .enumerate()
            .map(|(index, outside)| Shown {
                service,
                path: "",
                outside: Some(outside),
                index,
                gateways: &outside.gateways,
                blocks: vec![block(&outside.route, &|_| {})],
            })
            .collect();
    }
    paths(service)
        .into_iter()
        .map(|path| {
            let at = |one: &mut Match| {
                if !path.is_empty() {
                    one.path = Some(Text::Prefix(path.to_owned()));
                    one.istio.remove("uri");
                }
            };
            let blocks = service.routes.iter().map(|route| block(route, &at)).collect();
            Shown { service, path, outside: None, index: 0, gateways: &service.expose.gateways, blocks }
        })
        .collect()
}

/// A service's path prefixes; the empty one is all paths.
fn paths(service: &Service) -> Vec<&str> {
    match &service.expose.paths[..] {
        [] => vec![""],
        paths => paths.iter().map(String::as_str).collect(),
    }
}

/// The routes of all public hosts at their gateways.
fn outside(mesh: &Mesh) -> Vec<HostRoutes<'_>> {
    let shown = shown(mesh);
    let mut hosts: BTreeMap<(&str, &[String]), Vec<&Shown<'_>>> = BTreeMap::new();
    for one in &shown {
        for host in one.hosts() {
            hosts.entry((host, one.gateways)).or_default().push(one);
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    hosts.keys().for_each(|(host, _)| *counts.entry(host).or_default() += 1);
    hosts
        .into_iter()
        .map(|((host, gateways), mut places)| {
            places.sort_by(|a, b| a.order().cmp(&b.order()));
            let several = counts.get(host).is_some_and(|count| *count > 1);
            let kept = places.iter().find_map(|shown| shown.service.names.hosts.get(host));
            HostRoutes {
                host: host.to_owned(),
                place: Attachment::Gateways(gateways),
                namespace: &mesh.document.mesh.namespace,
                title: title(&format!("host-{}", host.replace('*', "any")), gateways, several),
                name: kept.map(|name| title(name, gateways, several)),
                blocks: places.into_iter().flat_map(|shown| shown.blocks.clone()).collect(),
            }
        })
        .collect()
}

/// What the routes of a public host are called; with their gateways where these differ in their routes.
fn title(name: &str, gateways: &[String], several: bool) -> String {
    let mut title = name.to_owned();
    if several {
        title.extend(gateways.iter().map(|name| format!("-{}", name.replace('/', "-"))));
    }
    title
}
