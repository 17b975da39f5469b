//! The graylane file: from YAML, over a tree with places, to a typed document.

pub mod duration;
pub mod finding;
pub mod layers;
pub mod model;
pub mod origin;
pub mod shape;
pub mod source;
pub mod tree;
pub mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use finding::Findings;
use model::Document;
use source::{Sources, Span};
use tree::Node;

/// What was read: the files, what is wrong with them, and, if nothing is, the document.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The files.
    pub sources: Sources,
    /// What was found so far.
    pub findings: Findings,
    /// The document, as far as its shape is right; not to be used while there are errors.
    pub project: Option<Project>,
}

/// A document whose shape is right, and its places.
#[derive(Clone, Debug)]
pub struct Project {
    /// All files merged.
    pub tree: Node,
    /// The same, typed.
    pub document: Document,
}

impl Project {
    /// Where to point for a path; see [`Node::span_of`].
    #[must_use]
    pub fn span(&self, path: &[&str]) -> Option<Span> {
        Some(self.tree.span_of(path))
    }

    /// Where the key at the end of a path was written.
    #[must_use]
    pub fn key(&self, path: &[&str]) -> Option<Span> {
        Some(self.tree.key_of(path))
    }
}

/// Reads files and folders; later ones override earlier ones.
///
/// # Errors
/// When one cannot be read at all.
pub fn load(paths: &[PathBuf]) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    let layers = layers::read(paths, &mut loaded)?;
    finish(loaded, layers)
}

/// As [`load`], with these texts instead of what lies on disk: what files would be after an edit.
///
/// # Errors
/// When one cannot be read at all.
pub fn load_edited(paths: &[PathBuf], texts: &BTreeMap<PathBuf, String>) -> Result<Loaded> {
    let mut loaded = Loaded { sources: Sources::edited(texts.clone()), ..Loaded::default() };
    let layers = layers::read(paths, &mut loaded)?;
    finish(loaded, layers)
}

/// Reads files and folders and lays them over each other; nothing is said about what they mean.
///
/// # Errors
/// When one cannot be read at all.
pub fn merged(paths: &[PathBuf]) -> Result<(Loaded, Option<Node>)> {
    let mut loaded = Loaded::default();
    let layers = layers::read(paths, &mut loaded)?;
    let tree = layers::merge(layers, &mut loaded.findings);
    Ok((loaded, tree))
}

/// Reads a text, as if it were a file of that name.
///
/// # Errors
/// Never in practice; as [`load`].
pub fn load_text(name: &str, text: &str) -> Result<Loaded> {
    let mut loaded = Loaded::default();
    let layer = layers::read_text(name, text, &mut loaded);
    finish(loaded, layer.into_iter().collect())
}

fn finish(mut loaded: Loaded, layers: Vec<Node>) -> Result<Loaded> {
    let Some(tree) = layers::merge(layers, &mut loaded.findings) else { return Ok(loaded) };
    let Some(json) = shape::check(&tree, &mut loaded.findings) else { return Ok(loaded) };
    match serde_json::from_value(json) {
        Ok(document) => loaded.project = Some(Project { tree, document }),
        // The schema is derived from the same types, so this is a gap in `shape`; a poor message is better than none.
        Err(error) => {
            loaded.findings.error(Some(tree.span), format!("the file cannot be read: {error}"));
        }
    }
    Ok(loaded)
}
