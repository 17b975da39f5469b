//! Resources as files: one each, a kustomization, and the overlays of workers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use super::{Kind, Resource, overlay};
use crate::mesh::Mesh;

/// First line of every file that is written, by which a later run knows what it may remove.
const MARK: &str = "# Made by graylane; a new render writes it anew.\n";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    resources: Vec<String>,
}

/// A file's name: files in order of their names are in the order of safe application.
fn file_name(resource: &Resource) -> String {
    let (kind, metadata) = (resource.kind().name().to_ascii_lowercase(), &resource.metadata);
    format!("{}0-{kind}.{}.{}.yaml", resource.stage() as u8, metadata.namespace, metadata.name)
}

/// What was written, and what was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many resources there are.
    pub resources: usize,
    /// Files of topics that an earlier run wrote and this one did not.
    pub topics_gone: Vec<String>,
}

/// Writes one file a resource, a kustomization.yaml and the overlays of workers into a folder. Files that an earlier run
/// wrote and this one does not are removed; files of others stay.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(mesh: &Mesh, resources: &[Resource], folder: &Path) -> Result<Written> {
    let mut files = overlay::files(mesh)?;
    let names: BTreeSet<String> = resources.iter().map(file_name).collect();
    for resource in resources {
        files.insert(file_name(resource), resource.yaml()?);
    }
    let kustomization = Kustomization {
        api_version: "kustomize.config.k8s.io/v1beta1",
        kind: "Kustomization",
        resources: names.iter().cloned().collect(),
    };
    files.insert("kustomization.yaml".to_owned(), serde_saphyr::to_string(&kustomization)?);
    let gone = write_marked(&files, folder)?;
    let topic = format!("0-{}.", Kind::KafkaTopic.name().to_ascii_lowercase());
    let topics_gone = gone.into_iter().filter(|name| name.contains(&topic)).collect();
    Ok(Written { resources: resources.len(), topics_gone })
}

/// Writes files, marked as ours, and removes marked ones that are not among them; says which.
pub fn write_marked(files: &BTreeMap<String, String>, folder: &Path) -> Result<Vec<String>> {
    for (name, text) in files {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make folder `{}`", parent.display()))?;
        std::fs::write(&path, format!("{MARK}{text}"))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    let mut gone = Vec::new();
    for path in yaml_files(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let is_ours = || std::fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK));
        if !files.contains_key(&name) && is_ours() {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
            gone.push(name);
        }
    }
    Ok(gone)
}

/// All of them, in folders of it as well, in order.
fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        // Not what a link points to: that is somebody else's.
        if entry.file_type()?.is_dir() {
            found.extend(yaml_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
