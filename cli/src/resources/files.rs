//! Writes resources into a folder, and removes what an earlier run wrote there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Kind, Resource, Written};
use crate::mesh::Mesh;

/// First line of every file that is written, by which a later run knows what it may remove.
const MARK: &str = "# Made by graylane; a new render writes it anew.\n";

/// Writes one file a resource, a kustomization.yaml and the overlays of workers into a folder. Files that an earlier run
/// wrote and this one does not are removed; files of others stay.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(mesh: &Mesh, resources: &[Resource], folder: &Path) -> Result<Written> {
    let files = super::files(mesh, resources);
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
        replace(&path, &format!("{MARK}{text}"))
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

/// Writes a file beside the old one and moves it to its place, so that nobody reads half of it, and an Envoy that watches it reads it
/// again: it heeds what is moved, and not what is written. One that says the same stays.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    std::fs::write(&next, text)?;
    std::fs::rename(&next, path)
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
