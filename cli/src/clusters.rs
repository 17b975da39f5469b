//! Several clusters with one file: each has the files, and a layer of its own over them if the file names one.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use graylane_mesh::clusters::{Difference, differences};

use crate::check::Opened;
use crate::document::finding::{Finding, Findings, Severity};
use crate::document::source::{SourceFiles, Span};
use crate::document::tree::Node;
use crate::document::{self, Checked};
use crate::mesh::Mesh;

/// What stands for the name of a cluster in commands that are run for each.
pub const PLACE: &str = "{cluster}";

/// The mesh as one cluster has it.
#[derive(Clone, Debug)]
pub struct InCluster {
    /// The cluster; none: the file names no clusters.
    pub name: Option<String>,
    /// Its mesh.
    pub mesh: Mesh,
}

/// The names of the clusters, in byte order; a single none if the file names none.
pub fn names(file: &Checked) -> Vec<Option<String>> {
    let names: Vec<Option<String>> = file.document.mesh.clusters.keys().cloned().map(Some).collect();
    if names.is_empty() { vec![None] } else { names }
}

/// Text that is about one cluster.
#[must_use]
pub fn said_of(cluster: Option<&str>, text: &str) -> String {
    cluster.map_or_else(|| text.to_owned(), |name| format!("in `{name}`: {text}"))
}

/// A command for one cluster.
#[must_use]
pub fn for_one(command: &str, cluster: Option<&str>) -> String {
    cluster.map_or_else(|| command.to_owned(), |name| command.replace(PLACE, name))
}

/// The folder of the first of the files: what is named relatively is below it.
#[must_use]
pub fn folder(paths: &[PathBuf]) -> PathBuf {
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let parent = || first.parent().filter(|parent| !parent.as_os_str().is_empty());
    if first.is_dir() { first } else { parent().unwrap_or(Path::new(".")) }.to_path_buf()
}

/// The files of a cluster with a layer of its own.
fn layered(paths: &[PathBuf], file: &Checked, cluster: &str) -> Option<Vec<PathBuf>> {
    let layer = file.document.mesh.clusters.get(cluster)?.as_ref()?.layer.as_ref()?;
    Some(paths.iter().cloned().chain([folder(paths).join(layer)]).collect())
}

/// The layers of clusters that files name, whatever else is in them: where they are.
#[must_use]
pub fn layers(paths: &[PathBuf]) -> Vec<PathBuf> {
    let Ok((_, Some(tree))) = document::merged(paths) else { return Vec::new() };
    let clusters = tree.at(&["mesh", "clusters"]).map(Node::entries).unwrap_or_default();
    let named = clusters.iter().filter_map(|cluster| cluster.node.get("layer")?.text());
    named.map(|layer| folder(paths).join(layer)).collect()
}

/// The mesh of each cluster, for a command that needs them in order.
///
/// # Errors
/// When a layer cannot be read or has errors, or clusters place users differently without `perCluster: true`.
pub fn meshes(paths: &[PathBuf], file: &Checked) -> Result<Vec<InCluster>> {
    let mut all: Vec<(Option<String>, Checked)> = Vec::new();
    for name in names(file) {
        let own = match name.as_deref().and_then(|name| layered(paths, file, name)) {
            None => file.clone(),
            Some(paths) => {
                let Opened { findings, file, .. } = document::open(&paths)?;
                let Some(file) = file else {
                    let first = findings.iter().find(|finding| finding.severity == Severity::Error);
                    bail!(
                        "{}; see `graylane check`",
                        said_of(
                            name.as_deref(),
                            first.map_or("the files have no document", |first| &first.message)
                        )
                    )
                };
                file
            }
        };
        all.push((name, own));
    }
    if let Some((_, first)) = compared(&all).into_iter().next() {
        bail!("{}: see `graylane check`", first.text);
    }
    Ok(all.into_iter().map(|(name, file)| InCluster { name, mesh: Mesh::of(&file) }).collect())
}

/// What each cluster has differently than the first, with its index.
fn compared(all: &[(Option<String>, Checked)]) -> Vec<(usize, Difference)> {
    let name = |name: &'_ Option<String>| name.clone().unwrap_or_default();
    let mut found = Vec::new();
    let Some((first, others)) = all.split_first() else { return found };
    for (index, other) in others.iter().enumerate() {
        let of = differences((&name(&first.0), &first.1), (&name(&other.0), &other.1));
        found.extend(of.into_iter().map(|difference| (index + 1, difference)));
    }
    found
}

/// Checks the files as each cluster has them, and that all place users alike. `own` files were read before anything else.
pub fn check(
    paths: &[PathBuf],
    file: &Checked,
    own: usize,
    sources: &mut SourceFiles,
    findings: &mut Findings,
) {
    let mut all = Vec::new();
    let mut spans: Vec<Box<dyn Fn(Span) -> Span>> = Vec::new();
    for name in names(file) {
        let Some(paths) = name.as_deref().and_then(|name| layered(paths, file, name)) else {
            all.push((name, file.clone()));
            spans.push(Box::new(|span| span));
            continue;
        };
        let at = name.as_deref().and_then(|name| file.span(&["mesh", "clusters", name, "layer"]));
        let opened = match document::open(&paths) {
            Ok(opened) => opened,
            Err(error) => {
                findings
                    .error(at, format!("{error:#}"))
                    .help("write the path of a file or folder, relative to the folder of the first file");
                continue;
            }
        };
        let begin = sources.len();
        for index in own..opened.sources.len() {
            sources.add(opened.sources.name(index), opened.sources.text(index));
        }
        let moved = move |span: Span| Span {
            file: if span.file < own { span.file } else { span.file - own + begin },
            ..span
        };
        for finding in opened.findings.iter() {
            let related = finding.related.iter().map(|(span, label)| (moved(*span), label.clone())).collect();
            findings.push(Finding { span: finding.span.map(moved), related, ..finding.clone() });
        }
        if let Some(file) = opened.file {
            all.push((name, file));
            spans.push(Box::new(moved));
        }
    }
    for (index, Difference { service, path, text }) in compared(&all) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let span = all[index].1.span(&path).map(&spans[index]);
        let help = match service {
            Some(_) => {
                "users change version with the cluster that they come in by: make it equal, or write `perCluster: true` at `rollout` if that is meant"
            }
            None => "every user gets another place in one of the clusters: make it equal",
        };
        findings.error(span, text).help(help);
    }
}
