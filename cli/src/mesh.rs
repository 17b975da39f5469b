//! A checked document with every default filled in: what all commands work on.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::config::{Mode, Weight};

use crate::document::model::{self, At, Document};
use crate::document::{Project, duration};

/// The mesh.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// The document it came from, for what has no defaults to fill in.
    pub document: Document,
    /// Enforce or observe.
    pub mode: Mode,
    /// Name of the tenant header, lower case.
    pub header: String,
    /// All tenants, in byte order.
    pub tenants: Vec<String>,
    /// The tenant of a live user.
    pub default: String,
    /// How long sidecars remember, in seconds.
    pub remember: u32,
    /// The salt of all units.
    pub salt: String,
    /// Do sidecars make units of keys, too?
    pub keys_anywhere: bool,
    /// The services, in byte order of their names.
    pub services: Vec<Service>,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its key in the file.
    pub name: String,
    /// Its full host name, lower case, without a dot at the end.
    pub host: String,
    /// Its namespace.
    pub namespace: String,
    /// The port that is meant.
    pub port: Option<u16>,
    /// Names of its subsets and the labels that make them.
    pub subsets: BTreeMap<String, BTreeMap<String, String>>,
    /// The subset that everybody gets who is not placed otherwise.
    pub baseline: String,
    /// Subsets of tenants.
    pub pins: BTreeMap<String, String>,
    /// Weights over its subsets.
    pub rollout: Option<Rollout>,
}

/// Weights over the subsets of a service.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// Canaries, in byte order of their names.
    pub weights: Vec<Weight>,
    /// Who takes part, in byte order.
    pub tenants: Vec<String>,
    /// Which users are first.
    pub salt: String,
}

/// The baseline, where the file says or implies one.
#[must_use]
pub fn baseline(service: &model::Service) -> Option<&str> {
    service
        .baseline
        .as_deref()
        .or_else(|| service.subsets.keys().next().map(String::as_str).filter(|_| service.subsets.len() == 1))
}

/// A service's namespace.
#[must_use]
pub fn namespace<'a>(mesh: &'a model::Mesh, service: &'a model::Service) -> &'a str {
    service.namespace.as_deref().unwrap_or(&mesh.namespace)
}

/// A service's full host name: short names are completed with its namespace.
#[must_use]
pub fn full_host(mesh: &model::Mesh, name: &str, service: &model::Service) -> String {
    let host = service.host.as_deref().unwrap_or(name).to_ascii_lowercase();
    match host.strip_suffix('.') {
        Some(host) => host.to_owned(),
        None if host.contains('.') => host,
        None => format!("{host}.{}.svc.{}", namespace(mesh, service), mesh.cluster_domain),
    }
}

impl Mesh {
    /// Fills in the defaults of a document that has no errors.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        let document = project.document.clone();
        let is_default =
            |tenant: &Option<model::Tenant>| tenant.as_ref().is_some_and(|tenant| tenant.default);
        let default = document
            .tenants
            .iter()
            .find(|(_, tenant)| is_default(tenant))
            .map(|(name, _)| name.clone())
            .unwrap_or_default();
        let services = document
            .services
            .iter()
            .map(|(name, service)| Service {
                name: name.clone(),
                host: full_host(&document.mesh, name, service),
                namespace: namespace(&document.mesh, service).to_owned(),
                port: service.port,
                subsets: service.subsets.clone(),
                baseline: baseline(service).unwrap_or_default().to_owned(),
                pins: service.pins.clone(),
                rollout: service.rollout.as_ref().map(|rollout| Rollout {
                    weights: weights(rollout),
                    tenants: rollout
                        .tenants
                        .clone()
                        .unwrap_or_else(|| vec![default.clone()])
                        .into_iter()
                        .collect::<BTreeSet<_>>()
                        .into_iter()
                        .collect(),
                    salt: rollout.salt.clone().unwrap_or_else(|| full_host(&document.mesh, name, service)),
                }),
            })
            .collect();
        let at = document.sticky.at.unwrap_or(if document.edge.gateway.is_some() {
            At::Edge
        } else {
            At::Anywhere
        });
        Self {
            mode: document.mode,
            header: document.header.to_ascii_lowercase(),
            tenants: document.tenants.keys().cloned().collect(),
            default,
            remember: duration::parse(&document.policy.remember).map_or(30, |life| life.as_secs() as u32),
            salt: document.sticky.salt.clone().unwrap_or_else(|| document.mesh.name.clone()),
            keys_anywhere: at == At::Anywhere,
            services,
            document,
        }
    }

    /// The tenants that take part in any rollout, in byte order; none while there are no rollouts.
    #[must_use]
    pub fn participants(&self) -> Vec<String> {
        let rollouts = self.services.iter().filter_map(|service| service.rollout.as_ref());
        rollouts
            .flat_map(|rollout| rollout.tenants.iter().cloned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// A service by its name in the file.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

fn weights(rollout: &model::Rollout) -> Vec<Weight> {
    let weight = |(subset, share): (&String, &model::Share)| Weight {
        subset: subset.clone(),
        buckets: share.buckets().unwrap_or(0),
        from: share.from(),
    };
    rollout.weights.iter().map(weight).collect()
}
