//! Resources as files: one each, and a kustomization.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::Resource;

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

/// Writes one file a resource and a kustomization.yaml into a folder. Files that an earlier run wrote and this one
/// does not are removed; files of others stay.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(resources: &[Resource], folder: &Path) -> Result<usize> {
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, format!("{MARK}{text}"))
            .with_context(|| format!("cannot write `{}`", path.display()))
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make folder `{}`", folder.display()))?;
    let mut names = BTreeSet::new();
    for resource in resources {
        let name = file_name(resource);
        put(&name, &resource.yaml()?)?;
        names.insert(name);
    }
    let kustomization = Kustomization {
        api_version: "kustomize.config.k8s.io/v1beta1",
        kind: "Kustomization",
        resources: names.iter().cloned().collect(),
    };
    put("kustomization.yaml", &serde_saphyr::to_string(&kustomization)?)?;
    names.insert("kustomization.yaml".to_owned());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_ours = || std::fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK));
        if name.ends_with(".yaml") && !names.contains(name) && is_ours() {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove `{}`", path.display()))?;
        }
    }
    Ok(resources.len())
}
