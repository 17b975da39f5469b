//! From VirtualServices and DestinationRules that exist to a graylane file that routes the same.
//!
//! | part | its subject |
//! |-|-|
//! | `read` | resources out of YAML, also of `kubectl get -o yaml` |
//! | `rules` | rules of a VirtualService, brought to pins, rollouts and routes |
//! | `workloads` | a first file, from Services and Deployments |
//! | `file` | the graylane file, as it is written |

mod file;
mod read;
mod rules;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::names::DEFAULT_HEADER;
use serde_json::Value as Json;

pub use file::File;
pub use read::{Found, Resource, read};
pub use workloads::init;

use file::{EdgeOut, Expose, GatewayOut, MeshOut, ServiceOut, TenantOut};
use rules::{Group, Rule};

/// What only a person can know.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// The tenant header; none: the header that most rules match exactly.
    pub header: Option<String>,
    /// The tenant of live users, whom no rule names.
    pub default_tenant: String,
    /// The mesh's name; none: the namespace's.
    pub mesh: Option<String>,
}

/// The file, and everything that it could not say.
pub fn import(found: &Found, choices: &Choices) -> (File, Vec<String>) {
    let mut notes: Vec<String> = found
        .others
        .iter()
        .map(|(kind, count)| format!("{count} of kind {kind}: not about routes, left alone"))
        .collect();
    let header = choices.header.clone().unwrap_or_else(|| tenant_header(found));
    let namespace = found.namespace();
    let mut importer =
        Importer { found, header: &header, notes: &mut notes, services: BTreeMap::new(), gateway: None };
    importer.virtual_services();
    importer.destination_rules();
    let (mut services, gateway) = (importer.finish(&namespace), importer.gateway.take());
    let default = if choices.default_tenant.is_empty() { "green" } else { &choices.default_tenant };
    let tenants: BTreeSet<String> = services.values().flat_map(ServiceOut::tenants).collect();
    services.values_mut().for_each(|service| service.let_take_part(&tenants, default));
    let mut all: BTreeMap<String, TenantOut> =
        tenants.into_iter().map(|name| (name, TenantOut::default())).collect();
    all.insert(default.to_owned(), TenantOut { default: Some(true) });
    let file = File {
        version: 1,
        mesh: MeshOut { name: choices.mesh.clone().unwrap_or_else(|| namespace.clone()), namespace },
        header: (header != DEFAULT_HEADER).then_some(header),
        tenants: all,
        edge: gateway.map(|name| EdgeOut { gateway: GatewayOut::new(name) }),
        services,
    };
    (file, notes)
}

/// The header that most rules match exactly; ours is not meant.
fn tenant_header(found: &Found) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for rule in found.virtual_services.iter().flat_map(|resource| rules::all(&resource.spec)) {
        for (name, _) in rule.exact_headers() {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.retain(|name, _| !name.starts_with("x-graylane-"));
    let most = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
    most.map_or_else(|| DEFAULT_HEADER.to_owned(), |(name, _)| name)
}

/// A host, and the port where its services differ in it.
type Place = (String, Option<u16>);

/// What is known of a service so far.
#[derive(Default)]
struct Known<'a> {
    rules: Vec<Rule<'a>>,
    from_gateway: Vec<Rule<'a>>,
    expose: Expose,
    ports: BTreeSet<u16>,
}

struct Importer<'a, 'n> {
    found: &'a Found,
    header: &'a str,
    notes: &'n mut Vec<String>,
    services: BTreeMap<Place, Known<'a>>,
    gateway: Option<String>,
}

impl<'a> Importer<'a, '_> {
    fn virtual_services(&mut self) {
        let found = self.found;
        for resource in &found.virtual_services {
            for key in ["tcp", "tls"].into_iter().filter(|key| resource.spec.get(*key).is_some()) {
                self.notes.push(format!("{}: `{key}` routes stay as they are", resource.title()));
            }
            let names = |key: &str| {
                resource.spec[key]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Json::as_str)
                    .collect::<Vec<_>>()
            };
            let gateways = names("gateways");
            let outside: Vec<&str> = gateways.iter().copied().filter(|name| *name != "mesh").collect();
            let inside = gateways.is_empty() || gateways.contains(&"mesh");
            for rule in rules::all(&resource.spec) {
                if inside {
                    self.inside(resource, &rule);
                }
                if let Some(gateway) = outside.first() {
                    let gateway = if gateway.contains('/') {
                        (*gateway).to_owned()
                    } else {
                        format!("{}/{gateway}", resource.namespace)
                    };
                    if self.gateway.get_or_insert_with(|| gateway.clone()) != &gateway {
                        self.notes.push(format!(
                            "{}: a second gateway, {gateway}; the file has one",
                            resource.title()
                        ));
                    }
                    self.outside(resource, &rule, &names("hosts"));
                }
            }
        }
    }

    /// The service that a rule is about; a note if there is none.
    fn place(&mut self, resource: &read::Resource, rule: &Rule<'a>, port: Option<u16>) -> Option<Place> {
        match rule.hosts(&resource.namespace)[..] {
            [ref host] => Some((host.clone(), port)),
            _ => {
                self.notes.push(format!(
                    "{} rule {}: not one service, left out",
                    resource.title(),
                    rule.name
                ));
                None
            }
        }
    }

    fn inside(&mut self, resource: &'a read::Resource, rule: &Rule<'a>) {
        let port = rule.matched_port();
        let Some(place) = self.place(resource, rule, port) else { return };
        if rule.is_passthrough() {
            return;
        }
        let known = self.services.entry(place).or_default();
        known.ports.extend(port);
        known.rules.push(rule.without(&["port"]));
    }

    fn outside(&mut self, resource: &'a read::Resource, rule: &Rule<'a>, hosts: &[&str]) {
        let matched = rule.destination_port();
        let Some((host, _)) = self.place(resource, rule, None) else { return };
        let shared = self.services.keys().any(|(known, port)| *known == host && port.is_some());
        let known = self.services.entry((host, matched.filter(|_| shared))).or_default();
        known.expose.hosts.extend(hosts.iter().map(|host| (*host).to_owned()));
        known.expose.paths.extend(rule.prefix());
        known.ports.extend(matched);
        known.from_gateway.push(rule.without(&["uri"]));
    }

    fn destination_rules(&mut self) {
        for resource in &self.found.destination_rules {
            let host =
                rules::full_host(resource.spec["host"].as_str().unwrap_or_default(), &resource.namespace);
            if self.services.keys().all(|(known, _)| *known != host) {
                self.services.entry((host, None)).or_default();
            }
        }
    }

    fn finish(&mut self, mesh_namespace: &str) -> BTreeMap<String, ServiceOut> {
        let mut services = BTreeMap::new();
        for ((host, port), known) in std::mem::take(&mut self.services) {
            let parts: Vec<&str> = host.split('.').collect();
            let (short, namespace) = (parts[0], parts.get(1).copied().unwrap_or(mesh_namespace));
            let in_cluster = host.ends_with(".svc.cluster.local") && parts.len() == 5;
            let name = port.map_or_else(|| short.to_owned(), |port| format!("{short}-{port}"));
            let title = format!("service {name}");
            let mut out = ServiceOut {
                host: match (in_cluster, name == short) {
                    (true, true) => None,
                    (true, false) => Some(short.to_owned()),
                    (false, _) => Some(if host.contains('.') { host.clone() } else { format!("{host}.") }),
                },
                namespace: (in_cluster && namespace != mesh_namespace).then(|| namespace.to_owned()),
                port: port.or_else(|| known.ports.first().copied().filter(|_| known.ports.len() == 1)),
                expose: (!known.expose.hosts.is_empty()).then_some(known.expose),
                ..ServiceOut::default()
            };
            // What holds inside the mesh is what the file says; a gateway's own rules only where there are no others.
            let rules = if known.rules.is_empty() { known.from_gateway } else { known.rules };
            let groups = Group::of(rules, self.header, &title, self.notes);
            out.take_groups(groups, &title, self.notes);
            let own = self.found.destination_rules.iter().find(|resource| {
                rules::full_host(resource.spec["host"].as_str().unwrap_or_default(), &resource.namespace)
                    == host
            });
            out.take_subsets(own.map(|resource| &resource.spec), &title, self.notes);
            if services.contains_key(&name) {
                self.notes.push(format!("{title}: a second service of this name, of namespace {namespace}; called {name}-{namespace}"));
                services.insert(
                    format!("{name}-{namespace}"),
                    ServiceOut { host: out.host.or_else(|| Some(short.to_owned())), ..out },
                );
            } else {
                services.insert(name, out);
            }
        }
        services
    }
}
