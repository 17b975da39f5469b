//! The layer of a cluster: a file that is laid over the others there.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::folder;
use crate::document::finding::Findings;
use crate::document::source::{SourceFiles, Span};
use crate::document::tree::Node;
use crate::document::{self, Checked};
use crate::files::files_of;

/// A layer, and how its places are found among the files that were read for all clusters.
pub struct Layer {
    /// The files of the cluster: those of all, and the layer.
    pub paths: Vec<PathBuf>,
    /// How many files are those of all.
    own: usize,
    /// Where the layer's files are among all that were read.
    begin: usize,
    /// What it says by itself.
    tree: Option<Node>,
}

/// The layers that files name, whatever else is in them: where they are.
#[must_use]
pub fn layers(paths: &[PathBuf]) -> Vec<PathBuf> {
    // Standard input can be read once.
    if paths.iter().any(|path| path == Path::new("-")) {
        return Vec::new();
    }
    let Ok((_, Some(tree))) = document::merged(paths) else { return Vec::new() };
    let clusters = tree.at(&["mesh", "clusters"]).map(Node::entries).unwrap_or_default();
    let named = clusters.iter().filter_map(|cluster| cluster.node.get("layer")?.text());
    named.map(|layer| folder(paths).join(layer)).collect()
}

/// The layer of a cluster; none: it has none of its own.
pub(super) fn layer(paths: &[PathBuf], file: &Checked, cluster: &str) -> Option<Result<Layer>> {
    let named = file.document.mesh.clusters.get(cluster)?.as_ref()?.layer.as_ref()?;
    Some(found(paths, named))
}

fn found(paths: &[PathBuf], named: &str) -> Result<Layer> {
    let layer = folder(paths).join(named);
    if paths.iter().any(|path| path == Path::new("-")) {
        bail!("a layer cannot be laid over standard input: write the files to disk, and name them with -f");
    }
    let real = |path: &PathBuf| path.canonicalize().ok();
    let all: Vec<PathBuf> = paths.iter().filter_map(|path| files_of(path).ok()).flatten().collect();
    let is_for_all = |path: &PathBuf| {
        real(path).is_some_and(|path| all.iter().any(|one| real(one).as_ref() == Some(&path)))
    };
    if let Some(twice) = files_of(&layer)?.iter().find(|path| is_for_all(path)) {
        bail!(
            "the layer `{}` is among the files of all clusters: name it at `mesh.clusters` alone, and keep it out of a folder that -f names",
            twice.display()
        );
    }
    let tree = document::merged(std::slice::from_ref(&layer))?.1;
    let paths = paths.iter().cloned().chain([layer]).collect();
    Ok(Layer { paths, own: 0, begin: 0, tree })
}

impl Layer {
    /// Adds its files to all that were read: of those that were read for the cluster, the first ones are those of all clusters.
    pub(super) fn begin(&mut self, own: usize, all: &mut SourceFiles, read: &SourceFiles) {
        (self.own, self.begin) = (own, all.len());
        for index in own..read.len() {
            all.add(read.name(index), read.text(index));
        }
    }

    /// Is a place of the cluster's files in the layer?
    pub(super) const fn is_of(&self, span: Span) -> bool {
        span.file >= self.own
    }

    /// A place of the cluster's files, among all that were read.
    pub(super) const fn moved(&self, span: Span) -> Span {
        Span { file: if self.is_of(span) { span.file - self.own + self.begin } else { span.file }, ..span }
    }

    /// What a layer may not say: which clusters there are, and what `ramp` edits in the files of all.
    /// What differs is said already.
    pub(super) fn own_keys(&self, merged: &Checked, differing: &[Vec<String>], findings: &mut Findings) {
        let Some(tree) = &self.tree else { return };
        // Read by itself, its files are counted from 0.
        let span = |path: &[&str]| {
            let key = tree.key_of(path);
            Some(Span { file: key.file + self.begin, ..key })
        };
        if tree.at(&["mesh", "clusters"]).is_some() {
            findings
                .error(span(&["mesh", "clusters"]), "a layer cannot change which clusters there are")
                .help("write `clusters` in the files of all clusters");
        }
        for (name, service) in &merged.document.services {
            if service.rollout.as_ref().is_some_and(|rollout| rollout.per_cluster) {
                continue;
            }
            for keys in [&["rollout", "weights"][..], &["rollout", "salt"], &["baseline"]] {
                let path = [&["services", name], keys].concat();
                let is_said = differing
                    .iter()
                    .any(|other| other.iter().map(String::as_str).take(path.len()).eq(path.iter().copied()));
                if tree.at(&path).is_some() && !is_said {
                    let key = keys.join(".");
                    findings
                        .error(
                            span(&path),
                            format!("the layer has `{key}` of `{name}`, which `graylane ramp` changes in the files of all clusters"),
                        )
                        .help("leave it out here, or write `perCluster: true` at `rollout` if users may change version with the cluster that they come in by");
                }
            }
        }
    }
}
