//! Virtual hosts: a host of the file under the names that callers use for it, port by port.

use serde_json::{Value as Json, json};

use super::{actions, conditions, ports};
use crate::lacking::Lost;
use crate::mesh::{Mesh, Service};
use crate::routes::{Block, HostRoutes, Match, Place, Rule};

/// The virtual hosts of a host inside the mesh: one for each port.
pub(super) fn inside(mesh: &Mesh, host: &HostRoutes<'_>, lost: &mut Lost) -> Vec<Json> {
    let ports = ports::of_host(host);
    let names = names(mesh, host);
    let with_port = |port: u16| names.iter().map(move |name| format!("{name}:{port}"));
    let one = |(index, port): (usize, &u16)| {
        // Without a port callers mean 80, and of a single one that; who shares a host is called by port.
        let is_without = *port == 80 || (index == 0 && !ports.contains(&80) && ports.len() == 1);
        let domains =
            is_without.then_some(names.clone()).into_iter().flatten().chain(with_port(*port)).collect();
        let name = if ports.len() > 1 { format!("{}:{port}", host.host) } else { host.host.clone() };
        virtual_host(mesh, (name, domains), &routes(mesh, &host.blocks, *port, lost))
    };
    ports.iter().enumerate().map(one).collect()
}

/// A public host at a gateway.
pub(super) fn outside(mesh: &Mesh, name: String, host: &str, blocks: &[Block<'_>], lost: &mut Lost) -> Json {
    let routes = blocks.iter().flat_map(|block| {
        let port = block.port.unwrap_or_else(|| ports::of_service(block.service));
        routes(mesh, std::slice::from_ref(block), port, lost)
    });
    let routes: Vec<Json> = routes.collect();
    virtual_host(mesh, (name, vec![host.to_owned()]), &routes)
}

/// A gateway that has one service behind it, whatever host callers ask for. For tests and demos.
#[must_use]
pub fn entry(mesh: &Mesh, service: &Service) -> Json {
    let blocks: Vec<Block<'_>> = crate::routes::inside(mesh)
        .into_iter()
        .filter(|host| host.host == service.host)
        .flat_map(|host| host.blocks)
        .filter(|block| block.service.name == service.name)
        .collect();
    let mut lost = Lost::default();
    let routes = routes(mesh, &blocks, ports::of_service(service), &mut lost);
    virtual_host(mesh, (service.host.clone(), vec!["*".to_owned()]), &routes)
}

/// Its virtual clusters are the tenants, so that Envoy counts and times each for itself.
fn virtual_host(mesh: &Mesh, (name, domains): (String, Vec<String>), routes: &[Json]) -> Json {
    let tenant = |tenant: &String| json!({"name": tenant, "headers": [{"name": mesh.header, "string_match": {"exact": tenant}}]});
    json!({
        "name": name,
        "domains": domains,
        "virtual_clusters": mesh.tenants.iter().map(tenant).collect::<Vec<_>>(),
        "routes": routes,
    })
}

/// The routes of some blocks for requests to a port: each condition of a rule is a route of its own.
fn routes(mesh: &Mesh, blocks: &[Block<'_>], port: u16, lost: &mut Lost) -> Vec<Json> {
    let mut all = Vec::new();
    for block in blocks {
        let place = Place::of(block);
        for rule in block.rules(mesh, false) {
            let fields = actions::of(&rule, port, &place, lost);
            if block.outside && rule.matches.iter().any(|one| one.port.is_some()) {
                place.lose(
                    lost,
                    ("match", "port"),
                    "is a gateway's, which its listener has",
                    "take it off the file",
                );
            }
            for one in at_port(&rule, port, block.outside) {
                let mut route = fields.clone();
                route.insert("name".to_owned(), rule.name.clone().into());
                route.insert("match".to_owned(), conditions::of(&one, &place, lost));
                all.push(route.into());
            }
        }
    }
    all
}

/// The conditions of a rule that can hold at a port.
fn at_port(rule: &Rule, port: u16, outside: bool) -> Vec<Match> {
    if rule.matches.is_empty() {
        return vec![Match::default()];
    }
    let holds = |one: &&Match| outside || one.port.is_none_or(|own| own == u32::from(port));
    rule.matches.iter().filter(holds).cloned().collect()
}

/// The names that callers use for a host. The short one is that of the service of the mesh's own namespace, or of the first that is
/// called so.
fn names(mesh: &Mesh, host: &HostRoutes<'_>) -> Vec<String> {
    let mut names = vec![host.host.clone()];
    let Some(first) = host.blocks.first().map(|block| block.service) else { return names };
    if is_in_cluster(mesh, first) {
        let short = first.short_host();
        let with_namespace = format!("{short}.{}", first.namespace);
        names.extend([format!("{with_namespace}.svc"), with_namespace]);
        let namesakes =
            || mesh.routed().filter(|other| is_in_cluster(mesh, other) && other.short_host() == short);
        let own = namesakes().find(|other| other.namespace == mesh.document.mesh.namespace);
        if own.or_else(|| namesakes().next()).is_some_and(|other| other.host == host.host) {
            names.push(short.to_owned());
        }
    }
    names
}

fn is_in_cluster(mesh: &Mesh, service: &Service) -> bool {
    service.host.ends_with(&format!(".svc.{}", mesh.document.mesh.cluster_domain))
}
