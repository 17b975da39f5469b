//! Objects that another graylane file brought into the cluster, and that claim what this file claims: a namespace, whose pods
//! would decide each request twice, or the routes of a host, which two EnvoyFilters would patch.
//!
//! A file whose `mesh.name` was changed is another file: what it rendered under its old name is still there.

use serde_json::Value as Json;

use super::{patches, weights};
use crate::document::model::Gateway;
use crate::manifest;
use crate::mesh::{Mesh, Service};
use crate::resources::{PART_OF, is_of, is_ours};

/// An object that claims the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which, by its place among the resources.
    pub resource: usize,
    /// What it claims.
    pub text: String,
    /// What to do.
    pub help: String,
}

/// All of them, in the order of the resources.
#[must_use]
pub fn claims(mesh: &Mesh, resources: &[&Json]) -> Vec<Claim> {
    let others = resources.iter().enumerate();
    let others = others.filter(|(_, json)| is_ours(json) && !is_of(&mesh.document.mesh.name, json));
    others.filter_map(|(resource, json)| claim(mesh, resource, json)).collect()
}

fn claim(mesh: &Mesh, resource: usize, json: &Json) -> Option<Claim> {
    let metadata = &json["metadata"];
    let file = metadata["labels"][PART_OF].as_str()?;
    let kind = json["kind"].as_str()?;
    let namespace = metadata["namespace"].as_str().unwrap_or(manifest::default_namespace(kind));
    let title =
        format!("{} of the file `{file}`", manifest::title(kind, namespace, metadata["name"].as_str()?));
    match kind {
        "WasmPlugin" | "TrafficExtension" if has_filter(mesh, namespace, &json["spec"]["selector"]) => {
            Some(Claim {
                resource,
                text: format!(
                    "{title} is for the same pods as this file's: they would decide each request twice"
                ),
                help: format!(
                    "let one file have these pods; if `mesh.name` has changed, remove what the old name left: \
                     kubectl delete wasmplugin,trafficextension -A -l {PART_OF}={file}"
                ),
            })
        }
        "EnvoyFilter" => {
            let filter = patches::filter(json)?;
            let host =
                filter.hosts().find(|host| weights::services(mesh).any(|(own, _)| has_host(own, host)))?;
            Some(Claim {
                resource,
                text: format!("{title} patches the routes of `{host}`, as this file does"),
                help: format!(
                    "let one file have this service; to remove the patch of the other: {}",
                    patches::removal_of(file, &filter.service)
                ),
            })
        }
        _ => None,
    }
}

/// Does this file bring a filter into the same pods as a plugin of this namespace and selector? As graylane renders them: a
/// sidecar's has none, but for one that was switched off, and a gateway's has that gateway's.
fn has_filter(mesh: &Mesh, namespace: &str, selector: &Json) -> bool {
    let labels = &selector["matchLabels"];
    let Some(labels) = labels.as_object().filter(|labels| !labels.is_empty()) else {
        return mesh.namespaces().contains(namespace);
    };
    let same = |gateway: &Gateway| {
        gateway.namespace == namespace
            && gateway.selector.len() == labels.len()
            && gateway.selector.iter().all(|(key, value)| labels.get(key).is_some_and(|other| other == value))
    };
    mesh.gateways().any(|(_, gateway)| same(gateway))
}

fn has_host(service: &Service, host: &str) -> bool {
    service.host == host || service.expose.hosts.iter().any(|public| public == host)
}

#[cfg(test)]
mod tests;
