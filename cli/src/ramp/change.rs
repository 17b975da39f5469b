//! An edit of a rollout, checked, and who moves by it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use graylane_decide::config::{End, Weight};
use serde_json::{Value as Json, json};

use super::edit::{self, Edit, insert, replace, scalar};
use crate::document::finding::Severity;
use crate::document::source::Sources;
use crate::document::{self, Loaded, Project};
use crate::mesh::{Mesh, Rollout, Service};
use crate::simulate::{self, Layout, Moves, Setting, percent};

/// One user in every bucket.
pub(super) static EVERYBODY: [u64; 10_000] = [1; 10_000];

/// The files of a rollout, as they are.
#[derive(Clone)]
pub struct Desk {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Their texts.
    pub sources: Sources,
    /// All of them merged.
    pub project: Project,
    /// The same, with every default.
    pub mesh: Mesh,
}

/// An edit that can be written.
pub struct Change {
    /// The files as they will be.
    pub texts: BTreeMap<PathBuf, String>,
    /// The mesh as it will be.
    pub mesh: Mesh,
    /// Who moves, of 10,000 users with a bucket each.
    pub moves: Moves,
}

impl Desk {
    /// With files that were read and are in order.
    #[must_use]
    pub fn new(paths: &[PathBuf], loaded: Loaded, mesh: Mesh) -> Option<Self> {
        Some(Self { paths: paths.to_vec(), sources: loaded.sources, project: loaded.project?, mesh })
    }

    /// A service and its rollout.
    ///
    /// # Errors
    /// When there is none.
    pub fn rollout(&self, service: &str) -> Result<(&Service, &Rollout)> {
        simulate::rollout(&self.mesh, service)
    }

    /// The canary that is meant: the one that is named, or the only one.
    ///
    /// # Errors
    /// When there is none of that name, or there are several.
    pub fn canary(&self, service: &str, named: Option<&str>) -> Result<&Weight> {
        let (_, rollout) = self.rollout(service)?;
        let names = || rollout.weights.iter().map(|weight| &*weight.subset).collect::<Vec<_>>().join(", ");
        match (named, &rollout.weights[..]) {
            (Some(name), weights) => match weights.iter().find(|weight| weight.subset == name) {
                Some(weight) => Ok(weight),
                None => bail!("the rollout of `{service}` has no canary `{name}`: write one of {}", names()),
            },
            (None, [only]) => Ok(only),
            (None, _) => bail!("`{service}` has several canaries: say which with --canary: {}", names()),
        }
    }

    /// Sets weights.
    ///
    /// # Errors
    /// When they are not possible, or not written so that they can be edited.
    pub fn set(&self, name: &str, settings: &[Setting]) -> Result<Change> {
        let (service, rollout) = self.rollout(name)?;
        let weights = simulate::changed(service, &rollout.weights, settings)?;
        let path = ["services", name, "rollout", "weights"];
        let mut edits = Vec::new();
        let mut expected = self.project.tree.json();
        for weight in &weights {
            let old = rollout.weights.iter().find(|old| old.subset == weight.subset);
            if old != Some(weight) {
                edits.push(self.weight(&path, weight, old, &mut expected)?);
            }
        }
        let change = self.change(edits, &expected)?;
        let after = change.mesh.service(name).and_then(|service| service.rest().rollout.as_ref());
        ensure!(
            after.is_some_and(|after| after.weights == weights),
            "the weights of `{name}` are not written so that they can be edited: edit the file"
        );
        let before = Layout::of(&service.baseline, &rollout.weights);
        let moves = simulate::moves(&before, &Layout::of(&service.baseline, &weights), &EVERYBODY);
        Ok(Change { moves, ..change })
    }

    fn weight(
        &self,
        path: &[&str],
        weight: &Weight,
        old: Option<&Weight>,
        expected: &mut Json,
    ) -> Result<Edit> {
        let at = [path, &[&weight.subset]].concat();
        let number = percent(weight.buckets);
        let json = json!(f64::from(weight.buckets) / 100.0);
        let Some(node) = self.project.tree.at(&at) else {
            let Some(map) = self.project.tree.at(path) else { bail!("there is no `{}`", path.join(".")) };
            let (value, json) = match weight.from {
                End::Bottom => (number, json),
                End::Top => {
                    (format!("{{percent: {number}, from: top}}"), json!({"percent": json, "from": "top"}))
                }
            };
            put(expected, &at, json);
            return insert(&self.sources, map, &scalar(&weight.subset), &value);
        };
        ensure!(
            old.is_none_or(|old| old.from == weight.from),
            "`{}` fills from the other end, and moving it moves users: set it to 0 first, then edit `from` in the file",
            weight.subset
        );
        match node.get("percent") {
            Some(percent) => {
                put(expected, &[&at[..], &["percent"]].concat(), json);
                replace(&self.sources, percent.span, number)
            }
            None => {
                put(expected, &at, json);
                replace(&self.sources, node.span, number)
            }
        }
    }

    /// Edits, if they make of the files what is expected of them and nothing else.
    pub(super) fn change(&self, edits: Vec<Edit>, expected: &Json) -> Result<Change> {
        let texts = edit::apply(&self.sources, edits)?;
        let mut loaded = document::load_edited(&self.paths, &texts)?;
        if let Some(project) = &loaded.project {
            crate::check::check(project, &mut loaded.findings);
        }
        loaded.findings.sort();
        if let Some(error) = loaded.findings.iter().find(|finding| finding.severity == Severity::Error) {
            bail!("the file would not be in order any more: {}", error.message);
        }
        let project = loaded.project.filter(|project| same(&project.tree.json(), expected));
        let project = project.context("the file is not written so that it can be edited: edit it by hand")?;
        let moves = simulate::moves(&Layout::of("", &[]), &Layout::of("", &[]), &[]);
        Ok(Change { texts, mesh: Mesh::of(&project), moves })
    }

    /// Writes a change.
    ///
    /// # Errors
    /// When a file was changed meanwhile, or cannot be written.
    pub fn write(&self, change: &Change) -> Result<()> {
        edit::write(&self.sources, &change.texts)
    }
}

/// Puts a value at a path, making maps on the way.
pub(super) fn put(json: &mut Json, path: &[&str], value: Json) {
    let place = path.iter().fold(json, |json, step| match json {
        Json::Array(list) => &mut list[step.parse::<usize>().unwrap_or(0)],
        other => {
            if !other.is_object() {
                *other = json!({});
            }
            &mut other[*step]
        }
    });
    *place = value;
}

/// Equal, whatever way numbers are written.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
