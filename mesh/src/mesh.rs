//! A checked document with every default filled in: what all commands work on.

mod hosts;
mod ingress;
mod kubernetes;
mod modes;
mod owner;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use graylane_decide::choice::keyed::{HashKey, KEY_RULE, Units};
use graylane_decide::choice::sticky::Seed;
use graylane_decide::config::{Missing, Mode, PodMode, Unknown, Weight};
use graylane_decide::edge::token::TokenKey;

use crate::document::model::{self, At, Document};
use crate::document::{Checked, duration};
use crate::workers::Worker;

/// Behind the name of a subset: the subset that a pinned tenant with fallback gets.
pub const OR_BASELINE: &str = "-or-baseline";

/// Name of the subset that a pinned tenant with fallback gets.
#[must_use]
pub fn or_baseline(subset: &str) -> String {
    format!("{subset}{OR_BASELINE}")
}

pub use hosts::{completed, full_host, namespace};
pub use ingress::{Ingress, gateways, has_gateway, ingresses};
pub use modes::{Because, canonical};
pub use owner::{adopts, is_external, namespaces};
pub use resolve::{outside_name, route_name};

/// The mesh. Only [`Mesh::of`] makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Mesh {
    /// The document it came from, for what has no defaults to fill in.
    pub document: Document,
    /// Of pods that nothing else is said of.
    pub mode: Mode,
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
    /// The key of `sticky.hash: keyed`, where somebody has it: it stands in no file.
    pub hash_key: Option<HashKey>,
    /// The keys of `edge.tokens`, as far as somebody has them.
    pub token_keys: Vec<TokenKey>,
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
    /// The namespaces whose plugins know it, its own among them; none: all.
    pub visible_to: Option<BTreeSet<String>>,
    /// What the Services of its subsets are made of.
    pub kubernetes: model::Kubernetes,
    /// Is each subset a Service of its own, named by its version's host?
    pub by_services: bool,
    /// Which of `edge.gateways` expose it; none: all.
    shown_at: Option<BTreeSet<String>>,
}

/// What one version has of its own.
#[derive(Clone, Debug, Default)]
pub struct Version {
    /// Its full host name, if it is another one than the service's.
    pub host: Option<String>,
    /// Is that the name of a Service that is rendered, because the file names none?
    pub is_rendered: bool,
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

    /// Do the plugins of a namespace know it?
    #[must_use]
    pub fn is_visible_to(&self, namespace: &str) -> bool {
        self.visible_to.as_ref().is_none_or(|namespaces| namespaces.contains(namespace))
    }

    /// Is it exposed at a gateway, where it is exposed at all?
    #[must_use]
    pub fn is_shown_at(&self, ingress: &Ingress<'_>) -> bool {
        let names = (ingress.name, &self.shown_at);
        let (Some(name), Some(names)) = names else { return true };
        names.contains(name)
    }

    /// Is a subset all pods of its host, with nothing said about them, so that no DestinationRule has to make it?
    #[must_use]
    pub fn is_plain(&self, subset: &str) -> bool {
        let says_nothing = self.version(subset).is_none_or(|version| version.traffic_policy.is_empty());
        says_nothing && self.subsets.get(subset).is_some_and(BTreeMap::is_empty)
    }

    /// All hosts that its requests are sent to, its own first.
    #[must_use]
    pub fn hosts(&self) -> Vec<&str> {
        let further = self.versions.values().filter_map(|version| version.host.as_deref());
        let further: BTreeSet<&str> = further.filter(|host| *host != self.host).collect();
        std::iter::once(self.host.as_str()).chain(further).collect()
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
    /// May clusters place users differently?
    pub per_cluster: bool,
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
            .map(|(name, service)| resolve::resolve(&document, &default, name, service))
            .collect();
        let at = document.sticky.at.unwrap_or(if has_gateway(&document) { At::Edge } else { At::Anywhere });
        // A header that was not sent is not written where routes of others may match it.
        let (missing, unknown) = if adopts(&document) {
            (Missing::Pass, Unknown::Pass)
        } else {
            (Missing::Default, Unknown::Default)
        };
        Self {
            mode: document.mode,
            modes: modes::modes(&document),
            header: document.header.to_ascii_lowercase(),
            missing: document.policy.missing.unwrap_or(missing),
            unknown: document.policy.unknown.unwrap_or(unknown),
            tenants: document.tenants.keys().cloned().collect(),
            remember: duration::parse(&document.policy.remember).map_or(30, |life| life.as_secs() as u32),
            hash_key: None,
            token_keys: Vec::new(),
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

    /// What makes units of users' keys.
    ///
    /// # Errors
    /// When units are keyed, and the key is not there.
    pub fn units(&self) -> Result<Units> {
        let seed = Seed::of(&self.salt);
        match (self.document.sticky.used_key(), self.hash_key) {
            (None, _) => Ok(Units::Open(seed)),
            (Some(_), Some(key)) => Ok(Units::Keyed(seed, key)),
            (Some((id, env)), None) => bail!(
                "units are made with the hash key `{id}` (`sticky.hash: keyed`), which is not here: set {env} or pass \
                 `--hash-key-file` (in JavaScript `hashKey`); expected {KEY_RULE}"
            ),
        }
    }

    /// The same for users who are made up: without the key others of them move, and as many.
    #[must_use]
    pub fn units_of_made_up(&self) -> Units {
        let seed = Seed::of(&self.salt);
        let id = self.document.sticky.used_key().map(|(id, _)| id.as_str()).unwrap_or_default();
        self.units().unwrap_or_else(|_| Units::Keyed(seed, HashKey::made_up(id)))
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

    /// The tenants that metrics call `other`, in byte order.
    pub fn unlabelled(&self) -> impl Iterator<Item = &str> {
        let has_none = |tenant: &Option<model::Tenant>| tenant.as_ref().is_some_and(|tenant| !tenant.label);
        self.document
            .tenants
            .iter()
            .filter(move |(_, tenant)| has_none(tenant))
            .map(|(name, _)| name.as_str())
    }

    /// The tenants whose requests are left out of judging, in byte order.
    pub fn unjudged(&self) -> impl Iterator<Item = &str> {
        let out = |tenant: &Option<model::Tenant>| tenant.as_ref().is_some_and(|tenant| !tenant.judge);
        self.document.tenants.iter().filter(move |(_, tenant)| out(tenant)).map(|(name, _)| name.as_str())
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

    /// Are routes those of the Kubernetes Gateway API?
    #[must_use]
    pub fn has_gateway_api(&self) -> bool {
        self.document.mesh.routes == model::RouteForm::GatewayApi
    }

    /// A service by its name in the file.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}
