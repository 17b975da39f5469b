//! From the file that people write to the configuration that the filter reads.

mod edge;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::config::{
    Carrier, Config, Exempt, Hash, Label, Memory, Mode, OLDEST_VERSION, Policy, Role, Service, Sticky,
    Telemetry, VERSION, WorkloadSubset,
};
use sha2::{Digest as _, Sha256};

use crate::adopt::weights;
use crate::document::model::Key;
use crate::mesh::{self, Ingress, Mesh};

pub use edge::rule;
pub use services::{at_gateway, rollout, services};

/// What filters of one mesh are told: all carry its revision, which is worked out once.
pub struct Configurations<'m> {
    mesh: &'m Mesh,
    revision: String,
}

impl<'m> Configurations<'m> {
    /// Those of a mesh.
    #[must_use]
    pub fn of(mesh: &'m Mesh) -> Self {
        Self { mesh, revision: revision(mesh) }
    }

    /// See [`config`].
    #[must_use]
    pub fn role(&self, role: Role) -> Config {
        Config { revision: self.revision.clone(), ..without_revision(self.mesh, role) }
    }

    /// See [`gateway`].
    #[must_use]
    pub fn gateway(&self, ingress: &Ingress<'_>) -> Config {
        Config { revision: self.revision.clone(), ..of(self.mesh, Role::Gateway, ingress) }
    }

    /// See [`config_in`].
    #[must_use]
    pub fn within(&self, role: Role, namespace: &str) -> Config {
        let mut config = self.role(role);
        if role == Role::Outbound {
            let is_hidden = |service: &&mesh::Service| !service.is_visible_to(namespace);
            let hidden: BTreeSet<&str> =
                self.mesh.services.iter().filter(is_hidden).map(|service| &*service.name).collect();
            config.services.retain(|service| !hidden.contains(&*service.name));
        }
        config
    }
}

/// The configuration of one role, with all services; of several gateways that of the first, see [`gateway`].
#[must_use]
pub fn config(mesh: &Mesh, role: Role) -> Config {
    Configurations::of(mesh).role(role)
}

/// The configuration of a gateway.
#[must_use]
pub fn gateway(mesh: &Mesh, ingress: &Ingress<'_>) -> Config {
    Configurations::of(mesh).gateway(ingress)
}

/// The same for the pods of a namespace: without the services that are not visible to it. What else depends on the caller's
/// namespace, the filter reads from its node.
#[must_use]
pub fn config_in(mesh: &Mesh, role: Role, namespace: &str) -> Config {
    Configurations::of(mesh).within(role, namespace)
}

/// A fingerprint of everything that filters are told, 12 lowercase hex digits: the first ones of the SHA-256 of all
/// configurations as a JSON list with sorted keys, which a Helm chart works out as well.
#[must_use]
pub fn revision(mesh: &Mesh) -> String {
    // Serialising our own plain types cannot fail; as values their keys are sorted.
    let configs = Role::ALL.into_iter().flat_map(|role| of_role(mesh, role));
    let mut all: Vec<_> = configs.map(|config| serde_json::to_value(config).unwrap_or_default()).collect();
    let seen = mesh.services.iter().filter_map(|one| Some((&one.name, one.visible_to.as_ref()?)));
    let seen: BTreeMap<_, _> = seen.collect();
    if !seen.is_empty() {
        all.push(serde_json::to_value(seen).unwrap_or_default());
    }
    let json = serde_json::to_vec(&all).unwrap_or_default();
    Sha256::digest(&json)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The configurations of a role: one, or one for each gateway.
fn of_role(mesh: &Mesh, role: Role) -> Vec<Config> {
    match role {
        Role::Gateway => mesh.ingresses().iter().map(|ingress| of(mesh, role, ingress)).collect(),
        Role::Inbound | Role::Outbound | Role::Waypoint => vec![without_revision(mesh, role)],
    }
}

/// The configuration of a role, at a gateway or behind it, without services, rollouts and revision: what no choice changes.
#[must_use]
pub fn without_choices(mesh: &Mesh, role: Role, ingress: &Ingress<'_>) -> Config {
    Config { sticky: None, services: Vec::new(), ..of(mesh, role, ingress) }
}

/// The version of the configuration that can express all that a mesh needs: the oldest filters that read it know it.
#[must_use]
pub fn version(mesh: &Mesh) -> u32 {
    let has_modes = mesh.mode == Mode::Off || !mesh.modes.is_empty();
    let shows_some = mesh.document.telemetry.debug_header.callers().is_some();
    let newer = has_modes
        || mesh.unlabelled().next().is_some()
        || shows_some
        || trusts_own_cookies_only(mesh)
        || mesh.document.sticky.used_key().is_some()
        || !mesh.document.edge.token_keys().is_empty()
        || policy(mesh).needs_version_2()
        || at_gateway(mesh).iter().any(Service::needs_version_2);
    if newer { VERSION } else { OLDEST_VERSION }
}

/// Does a cookie that gateways make count only if its value has their form?
fn trusts_own_cookies_only(mesh: &Mesh) -> bool {
    let said = &mesh.document.sticky;
    let mints = |keys: &[Key]| keys.iter().any(|key| key.mint.is_some());
    said.is_of_session() && (mints(&said.keys) || mesh.ingresses().iter().any(|one| mints(one.keys)))
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
    of(mesh, role, &mesh.ingresses()[0])
}

/// The configuration of a role without revision; `ingress` is read for gateways only.
fn of(mesh: &Mesh, role: Role, ingress: &Ingress<'_>) -> Config {
    let said = &mesh.document.policy;
    let policy = policy(mesh);
    let everybody_sees = mesh.document.telemetry.debug_header.is_for_everybody();
    let knows_destinations = role != Role::Inbound;
    Config {
        version: version(mesh),
        role,
        revision: String::new(),
        mode: if role == Role::Gateway { ingress.mode } else { mesh.mode },
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
        sticky: sticky(mesh, role, ingress),
        services: match role {
            Role::Inbound => Vec::new(),
            Role::Outbound | Role::Waypoint => services(mesh),
            Role::Gateway => at_gateway(mesh).into_iter().chain(services::public(mesh, ingress)).collect(),
        },
        workloads: if knows_destinations { Vec::new() } else { workloads(mesh) },
        telemetry: Telemetry {
            metrics: mesh.document.telemetry.metrics,
            state: mesh.document.telemetry.tracing || everybody_sees,
            source: everybody_sees,
            unlabelled: mesh.unlabelled().map(ToOwned::to_owned).collect(),
        },
        points: role == Role::Inbound && weights::services(mesh).next().is_some(),
        edge: (role == Role::Gateway).then(|| edge::edge(mesh, ingress)),
    }
}

/// Headers besides the tenant header that a gateway removes, in order of their names: those of the file, those that
/// carry tenant and unit under a name of the user's own, and ids that a user named.
#[must_use]
pub fn removed_at_the_edge(mesh: &Mesh, ingress: &Ingress<'_>) -> Vec<String> {
    let policy = &mesh.document.policy;
    let own = policy.carriers.iter().filter_map(|carrier| match carrier {
        Carrier::Header(name) => Some(name.to_ascii_lowercase()),
        Carrier::OtBaggage | Carrier::Uberctx | Carrier::CorrelationContext | Carrier::Sw8Correlation => None,
    });
    let ids = policy.ids.iter().filter(|id| id.is_refused()).flat_map(graylane_decide::config::Id::headers);
    let all = ingress.remove.iter().cloned().chain(own).chain(ids.map(str::to_owned));
    all.collect::<BTreeSet<String>>().into_iter().collect()
}

fn sticky(mesh: &Mesh, role: Role, ingress: &Ingress<'_>) -> Option<Sticky> {
    let tenants = mesh.participants();
    (!tenants.is_empty()).then(|| sticky_of(mesh, role, ingress, tenants))
}

/// How users become units, for the tenants that take part in any rollout.
#[must_use]
pub fn sticky_of(mesh: &Mesh, role: Role, ingress: &Ingress<'_>, tenants: Vec<String>) -> Sticky {
    let said = &mesh.document.sticky;
    let all = match role {
        Role::Gateway => ingress.keys,
        Role::Outbound | Role::Waypoint if mesh.keys_anywhere => &said.keys,
        Role::Inbound | Role::Outbound | Role::Waypoint => &[],
    };
    let (all, of_session) = (said.in_order(all), said.is_of_session());
    let keys = all.into_iter().filter_map(|key| edge::key(key, role, of_session)).collect();
    let hash = said.used_key().filter(|_| role == Role::Gateway);
    let hash = hash.map(|(id, env)| Hash { id: id.clone(), env: env.clone() });
    Sticky { salt: mesh.salt.clone(), tenants, keys, hash }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// So many services, of which the first 20 are visible to `pay`, the others to their own namespace.
    fn mesh(count: usize) -> Mesh {
        let mut text = "version: 1\nedge: none\nmesh: {name: m, namespace: shop, namespaces: [pay]}\n\
                        tenants: {green: {default: true}, gray: {}}\nservices:\n"
            .to_owned();
        for number in 0..count {
            let to = if number < 20 { "[pay]" } else { "[]" };
            text += &format!(
                "  s{number:04}: {{subsets: {{stable: {{v: '1'}}, canary: {{v: '2'}}}}, baseline: stable, pins: {{gray: canary}}, visibleTo: {to}}}\n"
            );
        }
        Mesh::of(&crate::check::open(crate::document::load_text("f.yaml", &text).unwrap()).checked().unwrap())
    }

    #[test]
    fn a_namespace_that_calls_20_of_5000_services_has_the_plugin_of_20() {
        let (large, small) = (mesh(5000), mesh(20));
        let of = |mesh: &Mesh, namespace: &str| {
            let config = Config { revision: String::new(), ..config_in(mesh, Role::Outbound, namespace) };
            serde_json::to_string(&config).unwrap()
        };
        assert_eq!(of(&large, "pay"), of(&small, "pay"));
        assert!(of(&large, "pay").len() < 5_000 && of(&large, "shop").len() > 700_000);
        assert_eq!(config_in(&large, Role::Gateway, "shop").services.len(), 5000, "a gateway has them all");
    }

    #[test]
    fn who_sees_a_service_is_part_of_the_revision() {
        let mut changed = mesh(21);
        let before = revision(&changed);
        changed.services[20].visible_to = Some(["pay".to_owned(), "shop".to_owned()].into());
        assert_ne!(revision(&changed), before);
    }
}
