//! The graylane file: from YAML, over a tree with places, to a typed document.

pub mod duration;
pub mod finding;
mod instead;
pub mod layers;
pub mod model;
pub mod origin;
pub mod shape;
pub mod source;
pub mod tree;
pub mod variables;

use anyhow::Result;

use finding::Findings;
use layers::Text;
use model::Document;
use source::{SourceFiles, Span};
use tree::Node;
use variables::{Lookup, VarError};

/// What was read: the files, what is wrong with them, and, if nothing is, the document.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The files.
    pub sources: SourceFiles,
    /// What was found so far.
    pub findings: Findings,
    /// The name of each file, and what it says by itself.
    pub files: Vec<(String, Node)>,
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
    /// The name of each file, and what it says by itself; nothing where no owner asks for it.
    pub files: Vec<(String, Node)>,
}

/// A document that `check` found no error in. Only [`crate::check::open`] makes one, and what a file means
/// ([`crate::mesh::Mesh`]) is made of one only.
#[derive(Clone, Debug)]
pub struct Checked(Project);

impl Checked {
    /// Of a document that was just checked.
    pub(crate) fn trusted(project: Project) -> Self {
        Self(project)
    }

    /// The document and its places.
    #[must_use]
    pub fn into_project(self) -> Project {
        self.0
    }
}

impl std::ops::Deref for Checked {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.0
    }
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

/// Reads layers of texts; later ones override earlier ones. A layer is a file, or the files of a folder.
#[must_use]
pub fn of(layers: Vec<Vec<Text>>, lookup: Lookup<'_>) -> Loaded {
    shaped(merged_of(layers, lookup))
}

/// Reads layers of texts and lays them over each other; nothing is said about what they mean.
#[must_use]
pub fn merged_of(layers: Vec<Vec<Text>>, lookup: Lookup<'_>) -> (Loaded, Option<Node>) {
    let mut loaded = Loaded::default();
    let layers = layers::read(layers, lookup, &mut loaded);
    let tree = layers::merge(layers, &mut loaded.findings);
    (loaded, tree)
}

/// Reads a text, as if it were a file of that name; no variable is set.
///
/// # Errors
/// Never.
pub fn load_text(name: &str, text: &str) -> Result<Loaded> {
    let unset = |_: &str| Err(VarError::NotPresent);
    Ok(of(vec![vec![(name.to_owned(), text.to_owned())]], &unset))
}

/// What was read and laid over each other, as a project if it has a file's shape.
#[must_use]
pub fn shaped((mut loaded, tree): (Loaded, Option<Node>)) -> Loaded {
    let Some(tree) = tree else { return loaded };
    let Some(json) = shape::check(&tree, &mut loaded.findings) else { return loaded };
    match serde_json::from_value(json) {
        Ok(document) => {
            let mut document: Document = document;
            document.complete();
            let files = std::mem::take(&mut loaded.files);
            // A file above may have taken them away again, which is what they are to prevent.
            let has_owners = files.iter().any(|(_, file)| file.get("owners").is_some());
            let files = if has_owners { files } else { Vec::new() };
            loaded.project = Some(Project { tree, document, files });
        }
        // The schema is derived from the same types, so this is a gap in `shape`; a poor message is better than none.
        Err(error) => {
            loaded.findings.error(Some(tree.span), format!("the file cannot be read: {error}"));
        }
    }
    loaded
}
