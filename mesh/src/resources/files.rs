//! Resources as files: one each, a kustomization, and the overlays of workers.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Resource, overlay};
use crate::mesh::Mesh;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    resources: Vec<String>,
}

/// A resource's file: files in order of their names are in the order of safe application.
#[must_use]
pub fn file_name(resource: &Resource) -> String {
    let (kind, metadata) = (resource.kind().name().to_ascii_lowercase(), &resource.metadata);
    let namespace = match metadata.namespace.as_str() {
        "" => String::new(),
        namespace => format!("{namespace}."),
    };
    format!("{}0-{kind}.{namespace}{}.yaml", resource.stage() as u8, metadata.name)
}

/// What was written, and what was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many resources there are.
    pub resources: usize,
    /// Files of topics that an earlier run wrote and this one did not.
    pub topics_gone: Vec<String>,
}

/// One file a resource, a kustomization.yaml and the overlays of workers: path in the output folder, and text.
#[must_use]
pub fn files(mesh: &Mesh, resources: &[Resource]) -> BTreeMap<String, String> {
    let mut files = overlay::files(mesh);
    let names: BTreeSet<String> = resources.iter().map(file_name).collect();
    for resource in resources {
        files.insert(file_name(resource), resource.yaml());
    }
    let kustomization = Kustomization {
        api_version: "kustomize.config.k8s.io/v1beta1",
        kind: "Kustomization",
        resources: names.into_iter().collect(),
    };
    files.insert("kustomization.yaml".to_owned(), crate::serialise::yaml(&kustomization));
    files
}
