//! From the file that people write to the configuration that the filter reads.

mod edge;

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::choice::sticky::BUCKETS;
use graylane_decide::config::{
    Carrier, Config, End, Exempt, Label, Memory, Mode, OLDEST_VERSION, Pin, Policy, Role, Rollout, Route,
    Service, Sticky, Telemetry, VERSION, Weight, WorkloadSubset,
};
use sha2::{Digest as _, Sha256};

use crate::adopt::weights;
use crate::document::model::Document;
use crate::mesh::{self, Mesh};

pub use edge::rule;

/// The configuration of one role. The same for every namespace: what depends on the caller's namespace, the filter
/// reads from its node.
#[must_use]
pub fn config(mesh: &Mesh, role: Role) -> Config {
    let mut config = without_revision(mesh, role);
    config.revision = revision(mesh);
    config
}

/// A fingerprint of everything that filters are told, 12 lowercase hex digits: the first ones of the SHA-256 of all
/// configurations as a JSON list with sorted keys, which a Helm chart works out as well.
#[must_use]
pub fn revision(mesh: &Mesh) -> String {
    // Serialising our own plain types cannot fail; as values their keys are sorted.
    let all = Role::ALL.map(|role| serde_json::to_value(without_revision(mesh, role)).unwrap_or_default());
    let json = serde_json::to_vec(&all).unwrap_or_default();
    Sha256::digest(&json)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The configuration of a role without services, rollouts and revision: what no choice changes.
#[must_use]
pub fn without_choices(mesh: &Mesh, role: Role) -> Config {
    Config { sticky: None, services: Vec::new(), ..without_revision(mesh, role) }
}

/// The version of the configuration that can express all that a mesh needs: the oldest filters that read it know it.
#[must_use]
pub fn version(mesh: &Mesh) -> u32 {
    let has_modes = mesh.mode == Mode::Off || !mesh.modes.is_empty();
    let shows_some = mesh.document.telemetry.debug_header.callers().is_some();
    let newer = has_modes
        || shows_some
        || policy(mesh).needs_version_2()
        || services(mesh).iter().any(Service::needs_version_2);
    if newer { VERSION } else { OLDEST_VERSION }
}

fn policy(mesh: &Mesh) -> Policy {
    let said = &mesh.document.policy;
    Policy {
        missing: mesh.missing,
        unknown: mesh.unknown,
        conflict: said.conflict,
        restore: said.restore.clone(),
        carriers: said.carriers.clone(),
        ids: said.ids.clone(),
    }
}

fn without_revision(mesh: &Mesh, role: Role) -> Config {
    let said = &mesh.document.policy;
    let policy = policy(mesh);
    let everybody_sees = mesh.document.telemetry.debug_header.is_for_everybody();
    let knows_destinations = role != Role::Inbound;
    Config {
        version: version(mesh),
        role,
        revision: String::new(),
        mode: if role == Role::Gateway { mesh.gateway_mode } else { mesh.mode },
        modes: if role == Role::Gateway { Vec::new() } else { mesh.modes.clone() },
        header: mesh.header.clone(),
        tenants: mesh.tenants.clone(),
        default: mesh.default.clone(),
        policy,
        exempt: match role {
            Role::Gateway => Exempt::default(),
            _ => Exempt { paths: said.exempt.paths.clone(), ports: said.exempt.ports.clone() },
        },
        memory: Memory { seconds: mesh.remember },
        cluster_domain: mesh.document.mesh.cluster_domain.clone(),
        egress: if knows_destinations { mesh.document.egress.gateways.clone() } else { Vec::new() },
        sticky: sticky(mesh, role),
        services: match role {
            Role::Inbound => Vec::new(),
            Role::Outbound | Role::Waypoint => services(mesh),
            Role::Gateway => services(mesh).into_iter().chain(public(mesh)).collect(),
        },
        workloads: if knows_destinations { Vec::new() } else { workloads(mesh) },
        telemetry: Telemetry {
            metrics: mesh.document.telemetry.metrics,
            state: mesh.document.telemetry.tracing || everybody_sees,
            source: everybody_sees,
        },
        points: role == Role::Inbound && weights::services(mesh).next().is_some(),
        edge: (role == Role::Gateway).then(|| edge::edge(mesh)),
    }
}

/// Headers besides the tenant header that the gateway removes, in order of their names: those of the file, those that
/// carry tenant and unit under a name of the user's own, and ids that a user named.
#[must_use]
pub fn removed_at_the_edge(mesh: &Mesh) -> Vec<String> {
    let policy = &mesh.document.policy;
    let own = policy.carriers.iter().filter_map(|carrier| match carrier {
        Carrier::Header(name) => Some(name.to_ascii_lowercase()),
        Carrier::OtBaggage | Carrier::Uberctx | Carrier::CorrelationContext | Carrier::Sw8Correlation => None,
    });
    let ids = policy.ids.iter().filter(|id| id.is_refused()).flat_map(graylane_decide::config::Id::headers);
    let all = names_removed_at_the_edge(&mesh.document).into_iter().chain(own).chain(ids.map(str::to_owned));
    all.collect::<BTreeSet<String>>().into_iter().collect()
}

/// The headers of `edge.remove`, lower case, as they are written.
#[must_use]
pub fn names_removed_at_the_edge(document: &Document) -> Vec<String> {
    document.edge.remove.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn sticky(mesh: &Mesh, role: Role) -> Option<Sticky> {
    let tenants = mesh.participants();
    (!tenants.is_empty()).then(|| sticky_of(mesh, role, tenants))
}

/// How users become units, for the tenants that take part in any rollout.
#[must_use]
pub fn sticky_of(mesh: &Mesh, role: Role, tenants: Vec<String>) -> Sticky {
    let reads_keys = role == Role::Gateway || (mesh.keys_anywhere && role != Role::Inbound);
    let all = if reads_keys { mesh.document.sticky.keys.as_slice() } else { &[] };
    let keys = all.iter().filter_map(|key| edge::key(key, role)).collect();
    Sticky { salt: mesh.salt.clone(), tenants, keys }
}

/// A rollout, as the filter reads it.
#[must_use]
pub fn rollout(rollout: &mesh::Rollout) -> Rollout {
    Rollout { salt: rollout.salt.clone(), tenants: rollout.tenants.clone(), weights: rollout.weights.clone() }
}

/// The services, as the filter reads them.
#[must_use]
pub fn services(mesh: &Mesh) -> Vec<Service> {
    let pins = |route: &mesh::Route| {
        route
            .pins
            .iter()
            .map(|(tenant, subset)| Pin { tenant: tenant.clone(), subset: subset.clone() })
            .collect()
    };
    let named = |service: &mesh::Service, route: &mesh::Route| {
        let route = within(mesh, service, route);
        Some(Route {
            name: route.name.clone()?,
            pins: pins(&route),
            rollout: route.rollout.as_ref().map(rollout),
        })
    };
    mesh.services
        .iter()
        .map(|service| {
            if service.external {
                external(service, service.host.clone(), service.port)
            } else {
                Service {
                    name: service.name.clone(),
                    host: service.host.clone(),
                    port: service.port,
                    subsets: service.subsets.keys().cloned().collect(),
                    baseline: service.baseline.clone(),
                    pins: pins(service.rest()),
                    rollout: service.rest().rollout.as_ref().map(rollout),
                    routes: service.all_routes().filter_map(|route| named(service, route)).collect(),
                }
            }
        })
        .collect()
}

/// Services whose weights are external, under their public hosts. The owner of the weights may route to services of its own,
/// as Flagger does, and then no cluster's name says which service of the file is meant. A `*` stands for no host that a request
/// could be compared with.
fn public(mesh: &Mesh) -> impl Iterator<Item = Service> {
    weights::services(mesh).flat_map(|(service, _)| {
        let hosts = service.expose.hosts.iter().filter(|host| !host.contains('*'));
        hosts.map(|host| external(service, host.clone(), None))
    })
}

/// A service with external routes, under one of its hosts.
fn external(service: &mesh::Service, host: String, port: Option<u16>) -> Service {
    Service {
        name: service.name.clone(),
        host,
        port,
        subsets: Vec::new(),
        baseline: String::new(),
        pins: Vec::new(),
        rollout: service.rest().rollout.as_ref().map(rollout),
        routes: Vec::new(),
    }
}

/// A route with a baseline of its own, expressed with the service's: the filter knows one baseline for each service. A tenant
/// that is not placed otherwise is pinned to the route's, which in a rollout fills from the top what the canaries leave.
fn within(mesh: &Mesh, service: &mesh::Service, route: &mesh::Route) -> mesh::Route {
    let mut route = route.clone();
    if route.baseline == service.baseline {
        return route;
    }
    let baseline = std::mem::replace(&mut route.baseline, service.baseline.clone());
    let takes_part =
        |tenant: &String| route.rollout.as_ref().is_some_and(|rollout| rollout.tenants.contains(tenant));
    let others: Vec<String> = mesh.tenants.iter().filter(|tenant| !takes_part(tenant)).cloned().collect();
    for tenant in others {
        route.pins.entry(tenant).or_insert_with(|| baseline.clone());
    }
    if let Some(rollout) = &mut route.rollout {
        let canaries: u16 = rollout.weights.iter().map(|weight| weight.buckets).sum();
        rollout.weights.retain(|weight| weight.subset != service.baseline);
        let buckets = BUCKETS.saturating_sub(canaries);
        rollout.weights.push(Weight { subset: baseline, buckets, from: End::Top });
    }
    route
}

/// Which labels make which subset: said once where all services agree, by service where they do not.
fn workloads(mesh: &Mesh) -> Vec<WorkloadSubset> {
    type Names<'a> = BTreeMap<&'a str, Vec<String>>;
    let mut by_labels: BTreeMap<&BTreeMap<String, String>, Names<'_>> = BTreeMap::new();
    for service in &mesh.services {
        for (subset, labels) in &service.subsets {
            by_labels
                .entry(labels)
                .or_default()
                .entry(subset)
                .or_default()
                .push(service.short_host().to_owned());
        }
    }
    let workload = |labels: &BTreeMap<String, String>, subset: &str, services: Vec<String>| WorkloadSubset {
        subset: subset.to_owned(),
        labels: labels
            .iter()
            .map(|(name, value)| Label { name: name.clone(), value: value.clone() })
            .collect(),
        services,
    };
    by_labels
        .into_iter()
        .filter(|(labels, _)| !labels.is_empty())
        .flat_map(|(labels, names)| {
            let agreed = names.len() == 1;
            names.into_iter().map(move |(subset, services)| {
                workload(labels, subset, if agreed { Vec::new() } else { services })
            })
        })
        .collect()
}
