//! An edit of a rollout, checked, and who moves by it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use graylane_decide::config::{End, Weight};
use serde_json::{Value as Json, json};

use super::edit::{self, Edit, insert, replace, scalar};
use super::lock::Lock;
use super::{pending, write};
use crate::check;
use crate::clusters::{self, InCluster};
use crate::document::finding::{Findings, Severity};
use crate::document::source::SourceFiles;
use crate::document::{self, Checked};
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
    pub sources: SourceFiles,
    /// Findings that are not errors.
    pub warnings: Findings,
    /// All of them merged.
    pub project: Checked,
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

/// Files that were read for an edit.
pub enum Opened {
    /// They are in order.
    Desk(Box<Desk>),
    /// They are not, and this is why.
    Broken(Box<check::Opened>),
}

impl Desk {
    /// Reads and checks files.
    ///
    /// # Errors
    /// When one cannot be read at all.
    pub fn open(paths: &[PathBuf]) -> Result<Opened> {
        let mut opened = document::open(paths)?;
        let Some(file) = opened.file.take() else { return Ok(Opened::Broken(Box::new(opened))) };
        let mesh = Mesh::of(&file);
        let check::Opened { sources, findings, .. } = opened;
        let paths = paths.to_vec();
        Ok(Opened::Desk(Box::new(Self { paths, sources, warnings: findings, project: file, mesh })))
    }

    /// The folder of the first of the files, in which hooks run.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        clusters::folder(&self.paths)
    }

    /// The mesh of each cluster.
    ///
    /// # Errors
    /// As [`clusters::meshes`].
    pub fn clusters(&self) -> Result<Vec<InCluster>> {
        clusters::meshes(&self.paths, &self.project)
    }

    /// Are there several clusters?
    #[must_use]
    pub fn has_clusters(&self) -> bool {
        !self.project.document.mesh.clusters.is_empty()
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
            (None, _) => bail!("`{service}` has several canaries: name one with --canary: {}", names()),
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
            "the weights of `{name}` are written in a form that graylane cannot edit: edit the file by hand"
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
        let json = json!(crate::percent::of(weight.buckets));
        let Some(node) = self.project.tree.at(&at) else {
            let Some(map) = self.project.tree.at(path) else { bail!("there is no `{}`", path.join(".")) };
            let (value, json) = match weight.from {
                End::Bottom => (number, json),
                End::Top => {
                    (format!("{{percent: {number}, from: top}}"), json!({"percent": json, "from": "top"}))
                }
            };
            put(expected, &at, json);
            return insert(&self.sources, path, map, &scalar(&weight.subset), &value);
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
        let opened = check::open(document::load_edited(&self.paths, &texts)?);
        let error = opened.findings.iter().find(|finding| finding.severity == Severity::Error);
        if let Some(error) = error {
            bail!("the file would no longer be valid: {}", error.message);
        }
        let project = opened.file.filter(|project| same(&project.tree.json(), expected));
        let project =
            project.context("the file is written in a form that graylane cannot edit: edit it by hand")?;
        let moves = simulate::moves(&Layout::of("", &[]), &Layout::of("", &[]), &[]);
        Ok(Change { texts, mesh: Mesh::of(&project), moves })
    }

    /// Writes a change.
    ///
    /// # Errors
    /// When a file was changed since it was read, or cannot be written.
    pub fn write(&self, lock: &Lock, change: &Change) -> Result<()> {
        write::write(lock, &self.sources, &change.texts)
    }

    /// What the files say, as a hash: of one file, its SHA-256; of several, that of all texts in a row.
    #[must_use]
    pub fn hash(&self) -> String {
        let texts: String = (0..self.sources.len()).map(|file| self.sources.text(file)).collect();
        pending::hash(&texts)
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
pub(super) fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
