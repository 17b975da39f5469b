//! The routes of a file as the model has them, without anything that is rendered in between.

use serde_json::Value as Json;

use super::matches::Match;
use super::request::MESH;
use super::rule::{At, Destination, Rule, tidy};
use super::virtual_service::{VIRTUAL_SERVICE, VirtualService};
use super::world::World;
use crate::mesh::Mesh;
use crate::routes::{self, Attachment, HostRoutes};

impl World {
    /// Of the routes of a file. `pods`: DestinationRules, for what its subsets are.
    #[must_use]
    pub fn of_routes(mesh: &Mesh, without_filter: bool, pods: &[&Json]) -> Self {
        let mut world = Self::of(pods, &mesh.header);
        for (resource, host) in routes::all(mesh).iter().enumerate() {
            world.virtual_services.push(virtual_service(mesh, without_filter, resource, host));
        }
        // As istiod sorts what is of one age.
        world
            .virtual_services
            .sort_by_key(|own| own.title.split_once('/').map(|(home, name)| format!("{name}.{home}")));
        world
    }
}

fn virtual_service(
    mesh: &Mesh,
    without_filter: bool,
    resource: usize,
    host: &HostRoutes<'_>,
) -> VirtualService {
    let gateway = |name: &str| {
        if name == MESH || name.contains('/') {
            name.to_owned()
        } else {
            format!("{}/{name}", host.namespace)
        }
    };
    let gateways = match host.place {
        Attachment::Gateways(names) if !names.is_empty() => names.iter().map(|name| gateway(name)).collect(),
        _ => vec![MESH.to_owned()],
    };
    let rules = host.blocks.iter().flat_map(|block| block.rules(mesh, without_filter));
    let rule = |(place, rule): (usize, routes::Rule)| {
        let fields = rule.fields();
        let several = rule.to.len() > 1;
        let destination = |(to, weight): &(routes::Target, u32)| Destination {
            host: to.host.clone(),
            subset: to.subset.clone(),
            port: to.port,
            weight: several.then_some(u64::from(*weight)),
            headers: tidy(&Json::from(to.headers.clone())),
            unknown: Vec::new(),
        };
        let destinations = rule.to.iter().map(destination).collect();
        let matches = rule.matches.iter().map(|one| Match::of_neutral(one, gateway)).collect();
        let at = At { resource, rule: place };
        Rule::made(at, Some(rule.name), matches, destinations, fields, host.namespace)
    };
    VirtualService {
        kind: VIRTUAL_SERVICE,
        resource,
        title: format!("{}/{}", host.namespace, name(mesh, host)),
        namespace: host.namespace.to_owned(),
        hosts: vec![host.host.clone()],
        gateways,
        rules: rules.enumerate().map(rule).collect(),
        lost: Vec::new(),
    }
}

fn name(mesh: &Mesh, host: &HostRoutes<'_>) -> String {
    host.name.clone().unwrap_or_else(|| crate::resources::resource_name(mesh, &host.title))
}
