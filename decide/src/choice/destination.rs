//! The services of the file, as destinations of a request.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh64::xxh64;

use super::placement::Placement;
use super::sticky::{Seed, Unit};
use crate::config;
use crate::names::route_in;
use crate::request::authority::{self, Names};
use crate::request::cluster::Cluster;
use crate::tenants::{TenantId, Tenants};
use crate::why::Reason;

/// One service, compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its place among the services.
    pub index: u32,
    /// Its key in the file.
    pub name: Box<str>,
    port: Option<u16>,
    subsets: Vec<Subset>,
    /// None for external routes.
    baseline: Option<usize>,
    /// What holds for all requests that are not of a route.
    rest: Choices,
    /// Routes by name, and what holds for their requests.
    routes: Vec<(Box<[u8]>, Choices)>,
}

/// Pins and rollout, for all requests of a service or those of one route.
#[derive(Clone, Debug, Default, PartialEq)]
struct Choices {
    pins: Vec<(TenantId, usize)>,
    rollout: Option<Rollout>,
}

#[derive(Clone, Debug, PartialEq)]
struct Subset {
    name: Box<str>,
    /// `<full host>/<subset>`.
    header: Box<str>,
}

#[derive(Clone, Debug, PartialEq)]
struct Rollout {
    seed: Seed,
    tenants: Vec<TenantId>,
    placement: Placement,
}

/// Where a request goes, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The subset's name.
    pub subset: &'a str,
    /// Value of the subset header, where there is a rollout: it is set then, whatever the reason.
    pub header: Option<&'a str>,
    /// Why.
    pub reason: Reason,
    /// The bucket that decided.
    pub bucket: Option<u16>,
}

impl Destination {
    /// Compiles a service whose names the caller has checked; what does not resolve is left out.
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub(crate) fn new(index: u32, service: &config::Service, tenants: &Tenants) -> Self {
        let subset = |name: &str| service.subsets.iter().position(|subset| subset == name);
        let choices = |pins: &[config::Pin], rollout: Option<&config::Rollout>| Choices {
            pins: pins
                .iter()
                .filter_map(|pin| Some((tenants.find(pin.tenant.as_bytes())?, subset(&pin.subset)?)))
                .collect(),
            rollout: rollout.map(|rollout| Rollout {
                seed: Seed::of(&rollout.salt),
                tenants: rollout
                    .tenants
                    .iter()
                    .filter_map(|tenant| tenants.find(tenant.as_bytes()))
                    .collect(),
                placement: Placement::of(&rollout.weights, subset),
            }),
        };
        Self {
            index,
            name: service.name.as_str().into(),
            port: service.port,
            subsets: service
                .subsets
                .iter()
                .map(|name| Subset {
                    name: name.as_str().into(),
                    header: format!("{}/{name}", service.host).into(),
                })
                .collect(),
            baseline: subset(&service.baseline),
            rest: choices(&service.pins, service.rollout.as_ref()),
            routes: service
                .routes
                .iter()
                .map(|route| (route.name.as_bytes().into(), choices(&route.pins, route.rollout.as_ref())))
                .collect(),
        }
    }

    /// Do some of its requests have routes of their own, so that the name of Envoy's route is needed?
    #[must_use]
    pub fn has_routes(&self) -> bool {
        !self.routes.is_empty()
    }

    /// Where this tenant's request goes: pin, else rollout, else baseline. None for a participant without a unit:
    /// the route's weights draw. `route` is the name of Envoy's route, if it was asked for.
    #[must_use]
    pub fn choose(&self, route: Option<&[u8]>, tenant: TenantId, unit: Option<Unit>) -> Option<Choice<'_>> {
        let choices = self.choices(route);
        let choice = |index: usize, reason, bucket| {
            let subset = self.subsets.get(index)?;
            let header = choices.rollout.is_some().then_some(&*subset.header);
            Some(Choice { subset: &subset.name, header, reason, bucket })
        };
        if let Some((_, subset)) = choices.pins.iter().find(|(pinned, _)| *pinned == tenant) {
            return choice(*subset, Reason::Pin, None);
        }
        match &choices.rollout {
            Some(rollout) if rollout.tenants.contains(&tenant) => {
                let bucket = unit?.bucket(rollout.seed);
                choice(rollout.placement.canary(bucket).or(self.baseline)?, Reason::Rollout, Some(bucket))
            }
            _ => choice(self.baseline?, Reason::Baseline, None),
        }
    }

    /// The point of a participant's unit, where another controller sets the weights.
    #[must_use]
    pub fn point(&self, tenant: TenantId, unit: Option<Unit>) -> Option<u64> {
        let rollout = self.rest.rollout.as_ref()?;
        if self.baseline.is_some() || !rollout.tenants.contains(&tenant) {
            return None;
        }
        Some(unit?.point(rollout.seed))
    }

    /// Does another controller set the weights?
    #[must_use]
    pub const fn is_weighed_by_another(&self) -> bool {
        self.baseline.is_none() && self.rest.rollout.is_some()
    }

    fn choices(&self, route: Option<&[u8]>) -> &Choices {
        let named = route.and_then(route_in);
        let named = named.and_then(|route| self.routes.iter().find(|(known, _)| **known == *route));
        named.map_or(&self.rest, |(_, choices)| choices)
    }

    /// The place of a subset of that name.
    #[must_use]
    pub fn subset_index(&self, name: &str) -> Option<usize> {
        self.subsets.iter().position(|subset| &*subset.name == name)
    }
}

/// Hashes with XXH64: the tables are made once, of names that the configuration gives.
#[derive(Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh64(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Destinations of one host name: one, or one for each of several ports.
#[derive(Clone, Debug, Default)]
struct Ports(Vec<u32>);

/// All services of the file, found by authority or cluster.
#[derive(Clone, Debug, Default)]
pub struct Destinations {
    list: Vec<Destination>,
    hosts: HashMap<Box<[u8]>, Ports, BuildHasherDefault<NameHasher>>,
    domain: Box<[u8]>,
    namespace: Option<Box<[u8]>>,
    egress: Vec<Box<[u8]>>,
}

/// Where a request goes, as far as the mesh is concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Addressee<'a> {
    /// To a service of the file.
    Listed(&'a Destination),
    /// To some other service of the mesh.
    Inside,
    /// Out of the mesh.
    Outside,
}

impl Destinations {
    pub(crate) fn new(domain: &str, namespace: Option<&str>, egress: &[String]) -> Self {
        Self {
            domain: domain.to_ascii_lowercase().into_bytes().into(),
            namespace: namespace.map(|namespace| namespace.to_ascii_lowercase().into_bytes().into()),
            egress: egress.iter().map(|host| host.to_ascii_lowercase().into_bytes().into()).collect(),
            ..Self::default()
        }
    }

    /// Adds a service; else the host that is not a valid host name.
    #[inline(never)] // Large functions cost V8 the most: decision 15.
    pub(crate) fn add<'s>(&mut self, service: &'s config::Service, tenants: &Tenants) -> Result<(), &'s str> {
        let index = self.list.len() as u32;
        for host in core::iter::once(&service.host).chain(&service.hosts) {
            let names = Names::of(host.as_bytes(), &self.domain, None).ok_or(host.as_str())?;
            let key = match names.service() {
                // A full name of the cluster is kept as `name.namespace`, any other host with a dot at its end, so that
                // the two can never be taken for each other.
                Some(key) if key.len() < names.host().len() => key.to_vec(),
                _ => [names.host(), b"."].concat(),
            };
            self.hosts.entry(key.into()).or_default().0.push(index);
        }
        self.list.push(Destination::new(index, service, tenants));
        Ok(())
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Destination] {
        &self.list
    }

    /// The service that an authority means. None: not listed, or one of several ports is meant and not said.
    #[must_use]
    pub fn by_authority(&self, authority: &[u8]) -> Option<&Destination> {
        let (host, port) = authority::split(authority);
        self.find(host, port, self.namespace.as_deref())
    }

    /// Where a request to this cluster goes.
    #[must_use]
    pub fn by_cluster(&self, name: &[u8]) -> Addressee<'_> {
        let Some(cluster) = Cluster::parse(name) else { return Addressee::Outside };
        if self.egress.iter().any(|host| host.eq_ignore_ascii_case(cluster.host)) {
            return Addressee::Outside;
        }
        match self.find(cluster.host, cluster.port, None) {
            Some(destination) => Addressee::Listed(destination),
            None if cluster.is_under(&self.domain) => Addressee::Inside,
            None => Addressee::Outside,
        }
    }

    fn find(&self, host: &[u8], port: Option<u16>, namespace: Option<&[u8]>) -> Option<&Destination> {
        if self.hosts.is_empty() {
            return None;
        }
        let names = Names::of(host, &self.domain, namespace)?;
        let ports = names.service().and_then(|key| self.hosts.get(key)).or_else(|| {
            let mut outside = [0u8; 254];
            let host = names.host();
            outside.get_mut(..host.len())?.copy_from_slice(host);
            *outside.get_mut(host.len())? = b'.';
            self.hosts.get(outside.get(..=host.len())?)
        })?;
        let mut fitting =
            ports.0.iter().filter_map(|index| self.list.get(usize::try_from(*index).ok()?)).filter(
                |destination| port.is_none() || destination.port.is_none() || destination.port == port,
            );
        let first = fitting.next()?;
        // Without a port in the authority several may fit; the cluster's name knows which.
        fitting.next().is_none().then_some(first)
    }
}
