//! What HTTPRoutes lead to: Services, some of which are the versions of another one.
//!
//! Nothing in the Gateway API says which. A Service is taken for a version of another one if its selector is that one's and more, or,
//! where a selector is not known, if a route of that one leads to it and its name begins with that one's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::read::{Found, HTTP_ROUTE, Resource};
use crate::traffic::full_host;

type Labels = BTreeMap<String, String>;

/// A Service, as far as is known.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Its selector; none: it is not among the resources.
    selector: Option<Labels>,
    ports: BTreeSet<u16>,
}

/// All of them, by full host name.
#[derive(Clone, Debug, Default)]
pub struct Backends {
    known: BTreeMap<String, Known>,
    /// Where the routes of a Service lead to, with those that get nothing, and the ports.
    led: BTreeMap<String, BTreeSet<(String, Option<u16>)>>,
    /// The Service that one is a version of.
    owners: BTreeMap<String, String>,
}

impl Backends {
    /// Of all that was found.
    pub fn of(found: &Found) -> Self {
        let mut backends = Self::default();
        for service in &found.services {
            let known = backends.known.entry(full_host(&service.name, &service.namespace)).or_default();
            let pairs = service.spec["selector"].as_object().into_iter().flatten();
            known.selector = Some(
                pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            );
            known.ports = list(&service.spec["ports"]).filter_map(|port| number(&port["port"])).collect();
        }
        let mut all = BTreeSet::new();
        for route in found.of_kind(HTTP_ROUTE) {
            let targets = targets(route);
            for parent in list(&route.spec["parentRefs"]).filter(|parent| parent["kind"] == "Service") {
                let host = host(parent, &route.namespace);
                backends.led.entry(host).or_default().extend(targets.iter().cloned());
            }
            all.extend(targets.into_iter().map(|(host, _)| host));
        }
        let owners = all.into_iter().filter_map(|host| Some((host.clone(), backends.find_owner(&host)?)));
        backends.owners = owners.collect();
        backends
    }

    fn find_owner(&self, host: &str) -> Option<String> {
        // What has routes of its own is a service.
        if self.led.contains_key(host) {
            return None;
        }
        let leads =
            |parent: &&String| self.led.get(*parent).is_some_and(|to| to.iter().any(|(to, _)| to == host));
        let candidates: BTreeSet<&String> =
            self.known.keys().chain(self.led.keys()).filter(|parent| self.is_version(host, parent)).collect();
        // The one whose routes lead there, else the one that selects the fewest pods more.
        let by_route: Vec<&&String> = candidates.iter().filter(|parent| leads(parent)).collect();
        if let [only] = by_route[..] {
            return Some((*only).clone());
        }
        let size = |parent: &str| self.selector(parent).map_or(0, BTreeMap::len);
        let most = candidates.iter().map(|parent| size(parent)).max()?;
        let mut best = candidates.iter().filter(|parent| size(parent) == most);
        match (best.next(), best.next()) {
            (Some(only), None) => Some((*only).clone()),
            _ => None,
        }
    }

    fn is_version(&self, host: &str, parent: &str) -> bool {
        let (Some((name, rest)), Some((short, namespace))) = (host.split_once('.'), parent.split_once('.'))
        else {
            return false;
        };
        if rest != namespace || name == short {
            return false;
        }
        match (self.selector(host), self.selector(parent)) {
            (Some(own), Some(all)) => {
                !all.is_empty()
                    && own.len() > all.len()
                    && all.iter().all(|(key, value)| own.get(key) == Some(value))
            }
            _ => {
                self.led.contains_key(parent)
                    && name.strip_prefix(short).is_some_and(|end| end.starts_with('-'))
            }
        }
    }

    fn selector(&self, host: &str) -> Option<&Labels> {
        self.known.get(host)?.selector.as_ref()
    }

    /// The Service that requests to one are requests to: itself, unless it is the version of another.
    pub fn service_of<'a>(&'a self, host: &'a str) -> &'a str {
        self.owners.get(host).map_or(host, String::as_str)
    }

    /// Is this Service among the resources?
    pub fn is_known(&self, host: &str) -> bool {
        self.known.contains_key(host)
    }

    /// Are there Services that are versions of this one?
    pub fn has_versions(&self, service: &str) -> bool {
        self.owners.values().any(|owner| owner == service)
    }

    /// The labels that only this version of a service has; none if that is not known.
    pub fn labels(&self, service: &str, host: &str) -> Option<Labels> {
        let own = self.selector(host)?;
        let common = match self.selector(service) {
            Some(all) => all.clone(),
            None => {
                // What all of its versions select.
                let of = |(version, _): (&String, &String)| self.selector(version);
                let mut versions = self.owners.iter().filter(|(_, owner)| *owner == service).filter_map(of);
                let mut common = versions.next()?.clone();
                for other in versions {
                    common.retain(|key, value| other.get(key) == Some(value));
                }
                common
            }
        };
        let own: Labels = own
            .iter()
            .filter(|(key, _)| !common.contains_key(*key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        Some(own)
    }

    /// Where routes of a service lead to, also without any share.
    pub fn targets(&self, service: &str) -> impl Iterator<Item = &(String, Option<u16>)> {
        self.led.get(service).into_iter().flatten()
    }

    /// The only port of a Service: of what is known of it, else of what its routes lead to.
    pub fn only_port(&self, service: &str) -> Option<u16> {
        let ports: BTreeSet<u16> = match self.known.get(service) {
            Some(known) => known.ports.clone(),
            None => self.targets(service).filter_map(|(_, port)| *port).collect(),
        };
        if ports.len() == 1 { ports.first().copied() } else { None }
    }
}

fn targets(route: &Resource) -> Vec<(String, Option<u16>)> {
    let backends = list(&route.spec["rules"]).flat_map(|rule| list(&rule["backendRefs"]));
    let services = backends.filter(|backend| backend["kind"].as_str().is_none_or(|kind| kind == "Service"));
    services.map(|backend| (host(backend, &route.namespace), number(&backend["port"]))).collect()
}

/// The full host of an object that a route names.
pub fn host(reference: &Json, home: &str) -> String {
    let name = reference["name"].as_str().unwrap_or_default();
    full_host(name, reference["namespace"].as_str().unwrap_or(home))
}

fn number(json: &Json) -> Option<u16> {
    json.as_u64().and_then(|port| u16::try_from(port).ok())
}

/// The elements of an array; none of anything else.
pub fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}
