//! EnvoyFilters of external weights that are there, on the routes that are there: after they were applied, the owner of the
//! routes may have changed what `render` and `check` saw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::weights::{self, Problem, Subject, What};
use crate::mesh::Mesh;
use crate::resources::{PART_OF, SERVICE_LABEL, is_of};
use crate::traffic::{MESH, World};

/// An EnvoyFilter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The service that it is about.
    pub service: String,
    /// The labels of the pods whose proxies it patches; none: all of its namespace.
    pub selector: BTreeMap<String, String>,
    /// The hosts, as seen inside the mesh or at a gateway, and the names of their rules.
    patches: BTreeSet<(bool, String, Option<String>)>,
}

impl Filter {
    /// The hosts whose rules it patches.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.patches.iter().map(|(_, host, _)| host.as_str())
    }
}

/// Something wrong, and the EnvoyFilters that it is wrong with.
#[derive(Clone, Debug)]
pub struct Mismatch<'f> {
    /// What.
    pub problem: Problem,
    /// Which, in the order that they were given.
    pub filters: Vec<&'f Filter>,
}

/// Those of this mesh among resources.
#[must_use]
pub fn filters(mesh: &Mesh, resources: &[&Json]) -> Vec<Filter> {
    let own = resources.iter().filter(|json| is_of(&mesh.document.mesh.name, json));
    own.filter_map(|json| filter(json)).collect()
}

/// One of any file, if it is one.
pub(super) fn filter(json: &Json) -> Option<Filter> {
    let metadata = &json["metadata"];
    if json["kind"] != "EnvoyFilter" {
        return None;
    }
    let text = |json: &Json| json.as_str().map(ToOwned::to_owned);
    let patch = |patch: &Json| {
        let host = &patch["match"]["routeConfiguration"]["vhost"];
        let is_gateway = patch["match"]["context"] == "GATEWAY";
        Some((is_gateway, text(&host["domainName"])?, text(&host["route"]["name"])))
    };
    let labels = json["spec"]["workloadSelector"]["labels"].as_object();
    Some(Filter {
        namespace: text(&metadata["namespace"]).unwrap_or_else(|| "default".to_owned()),
        name: text(&metadata["name"])?,
        service: text(&metadata["labels"][SERVICE_LABEL])?,
        selector: labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
            .collect(),
        patches: json["spec"]["configPatches"].as_array().into_iter().flatten().filter_map(patch).collect(),
    })
}

/// Rules that they make invalid, and rules that they miss.
#[must_use]
pub fn mismatches<'f>(filters: &'f [Filter], world: &World) -> Vec<Mismatch<'f>> {
    let mut all: Vec<Mismatch<'f>> = Vec::new();
    for filter in filters {
        for problem in problems(filter, world) {
            let same = |other: &&mut Mismatch<'f>| {
                (other.problem.at, &other.problem.text) == (problem.at, &problem.text)
            };
            match all.iter_mut().find(same) {
                Some(known) => known.filters.push(filter),
                None => all.push(Mismatch { problem, filters: vec![filter] }),
            }
        }
    }
    all
}

fn problems(filter: &Filter, world: &World) -> Vec<Problem> {
    let mut all = Vec::new();
    for (is_gateway, host, route) in &filter.patches {
        let places: BTreeSet<&str> = if *is_gateway {
            let gateways = world.virtual_services.iter().flat_map(|own| &own.gateways);
            gateways.map(String::as_str).filter(|place| *place != MESH).collect()
        } else {
            BTreeSet::from([MESH])
        };
        for place in places {
            let found = world.of_host(place, host);
            if found.is_empty() && *is_gateway {
                continue; // Another gateway's.
            }
            let subject = Subject { service: &filter.service, host, route: route.as_deref(), place };
            weights::of_place(&subject, &found, &mut all);
        }
    }
    all.retain(|problem| problem.what != What::Unsteady);
    all
}

/// Namespaces of callers whose proxies draw a service's weights at random, since no EnvoyFilter is there.
#[must_use]
pub fn missing<'m>(mesh: &'m Mesh, filters: &[Filter]) -> Vec<(&'m str, Vec<&'m str>)> {
    let has = |service: &str, namespace: &str| {
        filters.iter().any(|filter| filter.service == service && filter.namespace == namespace)
    };
    let without = |service: &'m str| -> Vec<&'m str> {
        mesh.namespaces().into_iter().filter(|namespace| !has(service, namespace)).collect()
    };
    weights::services(mesh)
        .map(|(service, _)| (service.name.as_str(), without(&service.name)))
        .filter(|(_, namespaces)| !namespaces.is_empty())
        .collect()
}

/// The one command that takes the patches of a service away, everywhere; not those of another file's service of that name.
#[must_use]
pub fn removal(mesh: &Mesh, service: &str) -> String {
    removal_of(&mesh.document.mesh.name, service)
}

/// The same, by the name of the file's mesh.
pub(super) fn removal_of(mesh: &str, service: &str) -> String {
    format!("kubectl delete envoyfilter -A -l {PART_OF}={mesh},{SERVICE_LABEL}={service}")
}

#[cfg(test)]
mod tests;
