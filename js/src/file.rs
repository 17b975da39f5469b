//! Texts of files, read and checked.

use std::collections::BTreeMap;

use graylane_decide::choice::keyed::{HashKey, KEY_RULE};
use graylane_mesh::check::{self, Opened};
use graylane_mesh::document::layers::Text;
use graylane_mesh::document::source::SourceFiles;
use graylane_mesh::document::variables::VarError;
use graylane_mesh::document::{self, Checked};
use graylane_mesh::explain::{self, Hop};
use graylane_mesh::mesh::Mesh;
use graylane_mesh::sides::{Rollouts, Side, Sides};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::failure::{self, Failure};
use crate::request::Asked;

/// A text, under the name that findings and hops call it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    name: String,
    text: String,
}

/// A layer over those before, as `-f` given again: a file, or the files of a folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Layer {
    /// One file.
    File(Named),
    /// Several that do not contradict each other.
    Folder(Vec<Named>),
}

/// The key of a keyed hash. What is none is not repeated.
///
/// # Errors
/// When it is none.
pub fn hash_key(text: &str) -> Result<HashKey, Failure> {
    HashKey::parse(text).ok_or_else(|| Failure::of(format!("hashKey: expected {KEY_RULE}")))
}

/// How files are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ReadOptions {
    /// Values of the `${NAME}` in files.
    variables: BTreeMap<String, String>,
    /// The key of `sticky.hash: keyed`.
    hash_key: Option<String>,
}

fn opened(layers: Vec<Layer>, options: &ReadOptions) -> Opened {
    let text = |file: Named| -> Text { (file.name, file.text) };
    let layers = layers.into_iter().map(|layer| match layer {
        Layer::File(file) => vec![text(file)],
        Layer::Folder(files) => files.into_iter().map(text).collect(),
    });
    let lookup = |name: &str| options.variables.get(name).cloned().ok_or(VarError::NotPresent);
    check::open(document::of(layers.collect(), &lookup))
}

/// Everything that is wrong with files, as `check` finds it.
#[must_use]
pub fn findings(layers: Vec<Layer>, options: &ReadOptions) -> Json {
    let Opened { sources, findings, .. } = opened(layers, options);
    failure::rows(&findings, &sources)
}

/// A file without errors.
#[derive(Debug)]
pub struct File {
    /// The texts.
    pub sources: SourceFiles,
    /// What `check` says of it beside errors.
    pub findings: Json,
    /// The document.
    pub checked: Checked,
    /// What it means.
    pub mesh: Mesh,
    rollouts: Result<Rollouts, Failure>,
}

/// Where a request went.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// The calls, in order.
    pub hops: Vec<Hop>,
    /// What a reader may wonder about.
    pub notes: Vec<String>,
}

/// One user.
#[derive(Debug, Serialize)]
pub struct User {
    /// The sticky value.
    pub unit: String,
    /// One for each rollout.
    pub sides: Vec<Side>,
}

impl File {
    /// Reads and checks files.
    ///
    /// # Errors
    /// When there is an error in them.
    pub fn open(layers: Vec<Layer>, options: &ReadOptions) -> Result<Self, Failure> {
        let Opened { sources, findings, file } = opened(layers, options);
        match file {
            Some(checked) => {
                let (findings, mut mesh) = (failure::rows(&findings, &sources), Mesh::of(&checked));
                mesh.hash_key = options.hash_key.as_deref().map(hash_key).transpose()?;
                let rollouts = Rollouts::of(&mesh).map_err(Failure::from);
                Ok(Self { sources, findings, checked, mesh, rollouts })
            }
            None if findings.has_errors() => Err(Failure::of_file(&findings, &sources)),
            None => {
                Err(Failure::of("no files: expected at least one, as in `[{name: \"graylane.yaml\", text}]`"))
            }
        }
    }

    /// Where a request goes, hop by hop.
    ///
    /// # Errors
    /// When it names what the file does not have.
    pub fn explain(&self, asked: Asked) -> Result<Explained, Failure> {
        let request = asked.request()?;
        let hops = explain::explain(&self.checked, &self.sources, &self.mesh, &request, None)?;
        let notes = explain::notes(&self.mesh, &request, &hops);
        Ok(Explained { hops, notes })
    }

    /// A user's side in each rollout.
    ///
    /// # Errors
    /// When the key is empty, or units are keyed and there is no hash key.
    pub fn user(&self, key: &[u8]) -> Result<User, Failure> {
        if key.is_empty() {
            return Err(Failure::of(
                "key: expected the user's value of the file's sticky key, got an empty one",
            ));
        }
        let Sides { unit, all } = self.rollouts.as_ref().map_err(Clone::clone)?.sides(key);
        Ok(User { unit, sides: all })
    }
}
