//! Texts of files, read and checked.

use std::collections::BTreeMap;

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

/// How files are read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// Values of the `${NAME}` in files.
    variables: BTreeMap<String, String>,
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
    rollouts: Rollouts,
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
                let (findings, mesh) = (failure::rows(&findings, &sources), Mesh::of(&checked));
                let rollouts = Rollouts::of(&mesh);
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
    /// When the key is empty.
    pub fn user(&self, key: &[u8]) -> Result<User, Failure> {
        if key.is_empty() {
            return Err(Failure::of(
                "key: expected the user's value of the file's sticky key, got an empty one",
            ));
        }
        let Sides { unit, all } = self.rollouts.sides(key);
        Ok(User { unit, sides: all })
    }
}
