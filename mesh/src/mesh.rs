//! A checked document with every default filled in: what all commands work on.

mod hosts;
mod modes;
mod owner;

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::config::{Missing, Mode, PodMode, Unknown, Weight};

use crate::document::model::{self, At, Document};
use crate::document::{Checked, duration};
use crate::workers::Worker;

use hosts::completed;

/// Behind the name of a subset: the subset that a pinned tenant with fallback gets.
pub const OR_BASELINE: &str = "-or-baseline";

/// Name of the subset that a pinned tenant with fallback gets.
#[must_use]
pub fn or_baseline(subset: &str) -> String {
    format!("{subset}{OR_BASELINE}")
}

pub use hosts::{full_host, namespace};
pub use modes::{Because, canonical, gateway_mode};
pub use owner::{adopts, is_external, namespaces};

/// The mesh. Only [`Mesh::of`] makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mesh {
    /// The document it came from, for what has no defaults to fill in.
    pub document: Document,
    /// Of pods that nothing else is said of.
    pub mode: Mode,
    /// Of the gateway.
    pub gateway_mode: Mode,
    /// Of some pods.
    pub modes: Vec<PodMode>,
    /// Name of the tenant header, lower case.
    pub header: String,
    /// All tenants, in byte order.
    pub tenants: Vec<String>,
    /// The tenant of a live user.
    pub default: String,
    /// How long sidecars remember, in seconds.
    pub remember: u32,
    /// What becomes of a request without a tenant.
    pub missing: Missing,
    /// What becomes of a request with an unknown tenant.
    pub unknown: Unknown,
    /// The salt of all units.
    pub salt: String,
    /// Do sidecars make units of keys, too?
    pub keys_anywhere: bool,
    /// The services, in byte order of their names.
    pub services: Vec<Service>,
    /// The workers, in byte order of their names.
    pub workers: Vec<Worker>,
}

/// Fields of one of Istio's own types, as JSON.
pub type Fields = serde_json::Map<String, serde_json::Value>;

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
    /// Public hosts and path prefixes; no hosts: not shown outside.
    pub expose: model::Expose,
    /// Names of its subsets and the labels that make them.
    pub subsets: BTreeMap<String, BTreeMap<String, String>>,
    /// The subset for everything that no pin or weight sends elsewhere.
    pub baseline: String,
    /// Requests that go their own way, then, without a match, all others: what holds for them.
    pub routes: Vec<Route>,
    /// Fields of Istio's TrafficPolicy.
    pub traffic_policy: Fields,
    /// Do pinned tenants get the baseline while their subset has no healthy pod?
    pub falls_back: bool,
    /// What single versions have of their own, by subset.
    pub versions: BTreeMap<String, Version>,
    /// Names of its resources, where they are not made of the mesh's and its own.
    pub names: model::Names,
    /// Requests of the outside, if they do not simply go the service's way.
    pub outside: Vec<Outside>,
    /// Are its routes external? Then nothing is rendered for it.
    pub external: bool,
}

/// What one version has of its own.
#[derive(Clone, Debug, Default)]
pub struct Version {
    /// Its full host name, if it is another one than the service's.
    pub host: Option<String>,
    /// The port that it is called at.
    pub port: Option<u16>,
    /// Istio's Headers.
    pub headers: Fields,
    /// Fields of Istio's TrafficPolicy.
    pub traffic_policy: Fields,
}

/// Requests of the outside.
#[derive(Clone, Debug)]
pub struct Outside {
    /// What holds for them.
    pub route: Route,
    /// Which of several services at one host is asked first.
    pub order: i32,
    /// Public host names.
    pub hosts: Vec<String>,
    /// The Gateways.
    pub gateways: Vec<String>,
}

/// What holds for some requests of a service, or for all others.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name; none for all other requests.
    pub name: Option<String>,
    /// Istio's HTTPMatchRequests; empty for all other requests.
    pub matches: Vec<Fields>,
    /// Fields of Istio's HTTPRoute.
    pub http: Fields,
    /// Subsets of tenants.
    pub pins: BTreeMap<String, String>,
    /// Weights over the subsets.
    pub rollout: Option<Rollout>,
    /// The subset for everything that no pin or weight here sends elsewhere.
    pub baseline: String,
}

impl Route {
    /// Does Envoy answer by itself, so that there is nothing to choose?
    #[must_use]
    pub fn answers(&self) -> bool {
        model::ANSWERS.iter().any(|key| self.http.contains_key(*key))
    }
}

impl Service {
    /// What holds for all requests that are of no route.
    ///
    /// # Panics
    /// Never: there is always one, and it is the last.
    #[must_use]
    pub fn rest(&self) -> &Route {
        &self.routes[self.routes.len() - 1]
    }

    /// All rollouts.
    pub fn rollouts(&self) -> impl Iterator<Item = &Rollout> {
        self.all_routes().filter_map(|route| route.rollout.as_ref())
    }

    /// What a version has of its own. A subset with fallback is its canary's.
    #[must_use]
    pub fn version(&self, subset: &str) -> Option<&Version> {
        self.versions.get(subset.strip_suffix(OR_BASELINE).unwrap_or(subset))
    }

    /// Does a tenant that a route pins to this subset get the service's baseline while it has no healthy pod?
    #[must_use]
    pub fn falls_back_from(&self, route: &Route, subset: &str) -> bool {
        self.falls_back && subset != route.baseline && subset != self.baseline
    }

    /// What holds for its requests: inside the mesh, then outside where that is something else.
    pub fn all_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().chain(self.outside.iter().map(|outside| &outside.route))
    }

    /// Is a subset all pods of its host, with nothing said about them, so that no DestinationRule has to make it?
    #[must_use]
    pub fn is_plain(&self, subset: &str) -> bool {
        let says_nothing = self.version(subset).is_none_or(|version| version.traffic_policy.is_empty());
        says_nothing && self.subsets.get(subset).is_some_and(BTreeMap::is_empty)
    }

    /// The first part of its host: what Kubernetes calls the service.
    #[must_use]
    pub fn short_host(&self) -> &str {
        self.host.split('.').next().unwrap_or_default()
    }
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
    let mut subsets = service.subsets.keys();
    service.baseline.as_deref().or_else(|| match (subsets.next(), subsets.next()) {
        (Some(only), None) => Some(only.as_str()),
        _ => None,
    })
}

impl Mesh {
    /// Fills in the defaults.
    #[must_use]
    pub fn of(file: &Checked) -> Self {
        let document = file.document.clone();
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
            .map(|(name, service)| resolve(&document, &default, name, service))
            .collect();
        let at = document.sticky.at.unwrap_or(if document.edge.gateway.is_some() {
            At::Edge
        } else {
            At::Anywhere
        });
        // A header that was not sent is not written where routes of others may match it.
        let (missing, unknown) = if adopts(&document) {
            (Missing::Pass, Unknown::Pass)
        } else {
            (Missing::Default, Unknown::Default)
        };
        Self {
            mode: document.mode,
            gateway_mode: gateway_mode(&document),
            modes: modes::modes(&document),
            header: document.header.to_ascii_lowercase(),
            missing: document.policy.missing.unwrap_or(missing),
            unknown: document.policy.unknown.unwrap_or(unknown),
            tenants: document.tenants.keys().cloned().collect(),
            remember: duration::parse(&document.policy.remember).map_or(30, |life| life.as_secs() as u32),
            salt: document.sticky.salt.clone().unwrap_or_else(|| document.mesh.name.clone()),
            keys_anywhere: at == At::Anywhere,
            services,
            workers: document
                .workers
                .iter()
                .map(|(name, worker)| Worker::of(&document, &default, name, worker))
                .collect(),
            default,
            document,
        }
    }

    /// The tenants that take part in any rollout, in byte order; none while there are no rollouts.
    #[must_use]
    pub fn participants(&self) -> Vec<String> {
        let rollouts = self.services.iter().flat_map(Service::rollouts);
        rollouts
            .flat_map(|rollout| rollout.tenants.iter().cloned())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// The namespaces whose pods have the filter, in byte order; the gateway's is another matter.
    #[must_use]
    pub fn namespaces(&self) -> BTreeSet<&str> {
        namespaces(&self.document)
    }

    /// The services whose routes are rendered.
    pub fn routed(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| !service.external)
    }

    /// A service by its name in the file.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

fn resolve(document: &Document, default: &str, name: &str, service: &model::Service) -> Service {
    let mesh = &document.mesh;
    let host = full_host(mesh, name, service);
    let rollout = |rollout: &model::Rollout| {
        let tenants = rollout.tenants.clone().unwrap_or_else(|| vec![default.to_owned()]);
        Rollout {
            weights: weights(rollout),
            tenants: tenants.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            salt: rollout.salt.clone().unwrap_or_else(|| host.clone()),
        }
    };
    let rest = Route {
        name: None,
        matches: Vec::new(),
        http: service.http.clone(),
        pins: service.pins.clone(),
        rollout: service.rollout.as_ref().map(rollout),
        baseline: baseline(service).unwrap_or_default().to_owned(),
    };
    let under_rest = |name: String, route: &model::Route| {
        let inherited = (!route.stands_alone()).then_some(&rest);
        Route {
            name: Some(name),
            matches: route.matches.clone(),
            http: inherited
                .map(|rest| rest.http.clone())
                .into_iter()
                .flatten()
                .chain(route.http.clone())
                .collect(),
            pins: route.pins.clone().or(inherited.map(|rest| rest.pins.clone())).unwrap_or_default(),
            rollout: route.rollout.as_ref().map(rollout).or_else(|| inherited?.rollout.clone()),
            baseline: route.baseline.clone().unwrap_or_else(|| rest.baseline.clone()),
        }
    };
    let own = |(index, route): (usize, &model::Route)| under_rest(route_name(index, route), route);
    let routes: Vec<Route> = service.routes.iter().enumerate().map(own).collect();
    let expose = service.expose.clone().unwrap_or_default();
    let or =
        |own: &Vec<String>, others: &[String]| if own.is_empty() { others.to_vec() } else { own.clone() };
    let gateway = document.edge.gateway.as_ref().and_then(|gateway| gateway.name.clone());
    let gateways = or(&expose.gateways, &gateway.into_iter().collect::<Vec<_>>());
    let outside = |(index, outside): (usize, &model::Outside)| Outside {
        route: under_rest(outside_name(index, outside), &outside.as_route()),
        order: outside.order,
        hosts: or(&outside.hosts, &expose.hosts),
        gateways: or(&outside.gateways, &gateways),
    };
    let version = |(subset, version): (&String, &model::Version)| {
        let version = Version {
            host: version.host.as_deref().map(|host| completed(mesh, host, service)),
            port: version.port,
            headers: version.headers.clone(),
            traffic_policy: version.traffic_policy.clone(),
        };
        (subset.clone(), version)
    };
    let outside: Vec<Outside> = expose.routes.iter().enumerate().map(outside).collect();
    Service {
        name: name.to_owned(),
        namespace: namespace(mesh, service).to_owned(),
        port: service.port,
        expose: model::Expose { gateways, ..expose },
        versions: service.versions.iter().map(version).collect(),
        outside,
        external: is_external(mesh, service),
        subsets: service.subsets.clone(),
        baseline: baseline(service).unwrap_or_default().to_owned(),
        routes: routes.into_iter().chain([rest]).collect(),
        traffic_policy: service.traffic_policy.clone(),
        falls_back: service.fallback.is_some(),
        names: service.names.clone(),
        host,
    }
}

/// A route's name, given or counted.
#[must_use]
pub fn route_name(index: usize, route: &model::Route) -> String {
    route.name.clone().unwrap_or_else(|| format!("route-{}", index + 1))
}

/// The name of a route of the outside, given or counted.
#[must_use]
pub fn outside_name(index: usize, outside: &model::Outside) -> String {
    outside.name.clone().unwrap_or_else(|| format!("outside-{}", index + 1))
}

fn weights(rollout: &model::Rollout) -> Vec<Weight> {
    let weight = |(subset, share): (&String, &model::Share)| Weight {
        subset: subset.clone(),
        buckets: share.buckets().unwrap_or(0),
        from: share.from(),
    };
    rollout.weights.iter().map(weight).collect()
}
