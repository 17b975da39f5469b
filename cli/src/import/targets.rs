//! Destinations of a service's rules, as subsets of a file.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::naming::is_name;
use serde_json::{Map, Value as Json};

use super::backends::Backends;
use super::file::VersionOut;
use crate::mesh::OR_BASELINE;
use crate::traffic::{Destination, World};

/// What tells destinations apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    host: String,
    subset: Option<String>,
    port: Option<u16>,
    headers: Json,
}

/// What a destination becomes.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Labels of its pods.
    pub labels: BTreeMap<String, String>,
    /// What it has of its own.
    pub version: VersionOut,
}

/// The destinations of a service, each with the name of a subset.
pub struct Targets<'a> {
    world: &'a World,
    backends: Option<&'a Backends>,
    host: String,
    /// Ports that need not be said.
    port: Option<u16>,
    keys: Vec<(Key, String)>,
    /// By name.
    pub all: BTreeMap<String, Target>,
    /// Subsets that no DestinationRule makes.
    pub unknown: BTreeSet<String>,
}

impl<'a> Targets<'a> {
    /// None yet. `port`: the one that the file says for all of them.
    pub fn new(world: &'a World, backends: Option<&'a Backends>, host: &str, port: Option<u16>) -> Self {
        Self {
            world,
            backends,
            host: host.to_owned(),
            port,
            keys: Vec::new(),
            all: BTreeMap::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// Every pod of the service.
    pub fn plain(&mut self) -> String {
        self.name(&every_pod(&self.host, self.port))
    }

    /// A Service that routes lead to, though perhaps without a share.
    pub fn add(&mut self, host: &str, port: Option<u16>) {
        // Its edits of headers are not known here: a version of the same host is enough.
        if !self.keys.iter().any(|(key, _)| key.host == host) {
            self.name(&every_pod(host, port));
        }
    }

    /// The name of a destination.
    pub fn name(&mut self, to: &Destination) -> String {
        let mut key = Key {
            host: to.host.clone(),
            subset: to.subset.clone(),
            port: to.port.filter(|port| Some(*port) != self.port),
            headers: to.headers.clone(),
        };
        let mut target = self.target(&key);
        if target.labels.is_empty() && target.version.traffic_policy.is_empty() && key.subset.is_some() {
            // A subset of all pods is none.
            key.subset = None;
            target = self.target(&key);
        }
        if let Some((_, name)) = self.keys.iter().find(|(known, _)| *known == key) {
            return name.clone();
        }
        let same = |known: &Target| known.labels == target.labels && known.version == target.version;
        let name = match self.all.iter().find(|(_, known)| same(known)) {
            Some((name, _)) => name.clone(),
            None => self.fresh(&key, &target),
        };
        self.keys.push((key, name.clone()));
        self.all.insert(name.clone(), target);
        name
    }

    fn target(&mut self, key: &Key) -> Target {
        let mut target = Target::default();
        let foreign = key.host != self.host;
        target.version.host = foreign.then(|| key.host.clone());
        target.version.port = key.port;
        target.version.headers = key.headers.as_object().cloned().unwrap_or_default();
        // A host of its own brings its policy along, so that the file says all that holds for it.
        let whole = if foreign { self.world.policy(&key.host).cloned() } else { None }.unwrap_or_default();
        let Some(subset) = &key.subset else {
            target.version.traffic_policy = whole;
            let labels = self.backends.and_then(|backends| backends.labels(&self.host, &key.host));
            target.labels = labels.filter(|_| foreign).unwrap_or_default();
            return target;
        };
        let known = self.world.subsets(&key.host).and_then(|subsets| subsets.get(subset));
        match known {
            Some((labels, policy)) => {
                target.labels.clone_from(labels);
                target.version.traffic_policy =
                    whole.into_iter().chain(policy.clone()).collect::<Map<_, _>>();
            }
            None => {
                self.unknown.insert(subset.clone());
                target.labels.insert("version".to_owned(), subset.clone());
            }
        }
        target
    }

    fn fresh(&self, key: &Key, target: &Target) -> String {
        let subsets = self.world.subsets(&self.host);
        let has_others = !self.all.is_empty()
            || subsets.is_some_and(|subsets| !subsets.is_empty())
            || self.backends.is_some_and(|backends| backends.has_versions(&self.host));
        let short = key.host.split('.').next().unwrap_or_default();
        let base = match &key.subset {
            Some(subset) => subset.trim_end_matches(OR_BASELINE).to_owned(),
            None if target.version.host.is_some() => self.version_of(short).to_owned(),
            None if has_others => "all".to_owned(),
            None => "stable".to_owned(),
        };
        let base = if is_name(&base) { base } else { "version".to_owned() };
        let free = |name: &String| {
            let of_rule =
                self.backends.is_none() && subsets.is_some_and(|subsets| subsets.contains_key(name));
            !self.all.contains_key(name) && (!of_rule || key.subset.as_ref() == Some(name))
        };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        [base.clone()].into_iter().chain(numbered).find(free).unwrap_or(base)
    }

    /// What a Service is called as a version: `api-canary` of `api` is the canary.
    fn version_of<'b>(&self, short: &'b str) -> &'b str {
        let service = self.host.split('.').next().unwrap_or_default();
        let rest = short.strip_prefix(service).and_then(|rest| rest.strip_prefix('-'));
        rest.filter(|rest| self.backends.is_some() && is_name(rest)).unwrap_or(short)
    }

    /// Subsets of the service's DestinationRules that no rule leads to: they exist nevertheless.
    pub fn add_others(&mut self) {
        let Some(subsets) = self.world.subsets(&self.host) else { return };
        for (name, (labels, policy)) in subsets {
            let known =
                self.all.values().any(|target| target.labels == *labels && target.version.host.is_none());
            if !known && !labels.is_empty() && is_name(name) && !name.ends_with(OR_BASELINE) {
                let version = VersionOut { traffic_policy: policy.clone(), ..VersionOut::default() };
                self.all.entry(name.clone()).or_insert(Target { labels: labels.clone(), version });
            }
        }
    }
}

fn every_pod(host: &str, port: Option<u16>) -> Destination {
    Destination {
        host: host.to_owned(),
        subset: None,
        port,
        weight: None,
        headers: Json::Null,
        unknown: Vec::new(),
    }
}
