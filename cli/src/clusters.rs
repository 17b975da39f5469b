//! Several clusters with one file: each has the files, and a layer of its own over them if the file names one.

mod layer;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use graylane_mesh::clusters::{Difference, differences};

use crate::check::Opened;
use crate::document::finding::{Finding, Findings, Severity};
use crate::document::source::SourceFiles;
use crate::document::{self, Checked};
use crate::mesh::Mesh;
pub use layer::layers;
use layer::{Layer, layer};

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

/// A cluster, and its files as they are checked.
pub type Own = (Option<String>, Checked);

/// The names of the clusters, in byte order; a single none if the file names none.
#[must_use]
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

/// Fails unless a command of an option can reach each cluster.
///
/// # Errors
/// When it has no place for the name of the cluster, or has one and there are no names.
pub fn reaches_all(option: &str, command: &str, names: &[Option<String>]) -> Result<()> {
    let names: Vec<&str> = names.iter().filter_map(Option::as_deref).collect();
    let has_place = command.contains(PLACE);
    ensure!(
        names.is_empty() || has_place,
        "{option} has no `{PLACE}`, so it reaches one of the clusters {}: write it where the name of the cluster belongs, as in \
         `kubectl --context {PLACE} apply -f -`",
        names.join(", ")
    );
    ensure!(
        !names.is_empty() || !has_place,
        "{option} has `{PLACE}`, and the file names no clusters: name them at `mesh.clusters`"
    );
    Ok(())
}

/// The folder of the first of the files: what is named relatively is below it.
#[must_use]
pub fn folder(paths: &[PathBuf]) -> PathBuf {
    let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
    let parent = || first.parent().filter(|parent| !parent.as_os_str().is_empty());
    if first.is_dir() { first } else { parent().unwrap_or(Path::new(".")) }.to_path_buf()
}

/// The mesh of each cluster, for a command that needs all of them in order.
///
/// # Errors
/// When a layer cannot be read or has errors, or clusters place users differently without `perCluster: true`.
pub fn meshes(paths: &[PathBuf], file: &Checked) -> Result<Vec<InCluster>> {
    let in_cluster = |(name, file): Own| InCluster { name, mesh: Mesh::of(&file) };
    let mut clusters = file.document.mesh.clusters.values().flatten();
    if clusters.all(|cluster| cluster.layer.is_none()) {
        return Ok(names(file).into_iter().map(|name| in_cluster((name, file.clone()))).collect());
    }
    let mut sources = document::load(paths)?.sources;
    let mut findings = Findings::default();
    let own = sources.len();
    let all = check(paths, file, own, &mut sources, &mut findings);
    in_order(&findings, &sources)?;
    Ok(all.into_iter().map(in_cluster).collect())
}

/// The mesh of each cluster, as far as there is one: for taking a canary back, which no other cluster's mistake may keep.
#[must_use]
pub fn as_far_as_possible(paths: &[PathBuf], file: &Checked) -> Vec<(Option<String>, Result<Mesh>)> {
    let of = |name: Option<&str>| {
        let Some(layer) = name.and_then(|name| layer(paths, file, name)) else { return Ok(Mesh::of(file)) };
        let Opened { sources, findings, file } = document::open(&layer?.paths)?;
        in_order(&findings, &sources)?;
        file.map(|file| Mesh::of(&file)).context("the files have no document")
    };
    names(file).into_iter().map(|name| (name.clone(), of(name.as_deref()))).collect()
}

/// Fails with the first error, if there is one.
fn in_order(findings: &Findings, sources: &SourceFiles) -> Result<()> {
    let Some(error) = findings.iter().find(|finding| finding.severity == Severity::Error) else {
        return Ok(());
    };
    let place = error.span.map_or_else(String::new, |span| {
        format!("{}:{}:{}: ", sources.name(span.file), span.line, span.column)
    });
    bail!("{place}{}; see `graylane check`", error.message)
}

/// Checks the files as each cluster has them, and that all place users alike; the files of each that has any. `own` files were read
/// before anything else.
pub fn check(
    paths: &[PathBuf],
    file: &Checked,
    own: usize,
    sources: &mut SourceFiles,
    findings: &mut Findings,
) -> Vec<Own> {
    let mut all: Vec<Own> = Vec::new();
    let mut read: Vec<Option<Layer>> = Vec::new();
    let before = findings.clone();
    for name in names(file) {
        let Some(layer) = name.as_deref().and_then(|name| layer(paths, file, name)) else {
            all.push((name, file.clone()));
            read.push(None);
            continue;
        };
        let at = name.as_deref().and_then(|name| file.span(&["mesh", "clusters", name, "layer"]));
        let opened = layer.and_then(|layer| Ok((document::open(&layer.paths)?, layer)));
        let (opened, mut layer) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                findings
                    .error(at, format!("{error:#}"))
                    .help("write the path of a file or folder, relative to the folder of the first file");
                continue;
            }
        };
        layer.begin(own, sources, &opened.sources);
        let Opened { findings: found, file: merged, .. } = opened;
        for finding in found.iter().filter(|finding| !before.iter().any(|other| other == *finding)) {
            findings.push(of_cluster(finding, &layer, name.as_deref()));
        }
        if let Some(merged) = merged {
            all.push((name, merged));
            read.push(Some(layer));
        }
    }
    let differing = compare(&all, &read, findings);
    for (((_, merged), layer), differing) in all.iter().zip(&read).zip(&differing) {
        if let Some(layer) = layer {
            layer.own_keys(merged, differing, findings);
        }
    }
    all
}

/// A finding that only the layer of a cluster brings about, with its places among all files.
fn of_cluster(finding: &Finding, layer: &Layer, cluster: Option<&str>) -> Finding {
    let is_there = finding.span.is_some_and(|span| layer.is_of(span));
    let message = if is_there { finding.message.clone() } else { said_of(cluster, &finding.message) };
    let related = finding.related.iter().map(|(span, label)| (layer.moved(*span), label.clone())).collect();
    Finding { message, span: finding.span.map(|span| layer.moved(span)), related, ..finding.clone() }
}

/// Compares each cluster with those before it, and says each thing once; where each differs.
fn compare(all: &[Own], layers: &[Option<Layer>], findings: &mut Findings) -> Vec<Vec<Vec<String>>> {
    let name = |own: &'_ Own| own.0.clone().unwrap_or_default();
    let mut differing = Vec::new();
    for (index, (second, layer)) in all.iter().zip(layers).enumerate() {
        let mut said: Vec<Vec<String>> = Vec::new();
        for first in &all[..index] {
            let found = differences((&name(first), &first.1), (&name(second), &second.1));
            for Difference { path, text, help } in found {
                if said.contains(&path) {
                    continue;
                }
                let keys: Vec<&str> = path.iter().map(String::as_str).collect();
                let span = second.1.span(&keys);
                let span = span.map(|span| layer.as_ref().map_or(span, |layer| layer.moved(span)));
                findings.error(span, text).help(help);
                said.push(path);
            }
        }
        differing.push(said);
    }
    differing
}
