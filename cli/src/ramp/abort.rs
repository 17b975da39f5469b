//! Aborts a canary, whatever else is wrong with the files: all that matters is that the rollout's own lines can be read
//! and changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value as Json, json};

use super::change::{put, same};
use super::edit::{self, Edit, replace};
use super::journal::Record;
use super::lock::Lock;
use super::past::Past;
use super::{pending, write};
use crate::document;
use crate::document::source::SourceFiles;
use crate::document::tree::Node;

/// What is to be done.
pub struct Aborted {
    /// The canary.
    pub canary: String,
    /// Its percentage before.
    pub from: f64,
    /// The point of no return in percent; one that cannot be read is 0.
    no_return: Option<f64>,
    /// The file's hash before, as [`super::Desk::hash`].
    pub hash: String,
    paths: Vec<PathBuf>,
    sources: SourceFiles,
    edits: Vec<Edit>,
    expected: Json,
}

/// Finds the edit that takes all users off a canary.
///
/// # Errors
/// When the rollout's own lines cannot be read or changed.
pub fn abort(paths: &[PathBuf], service: &str, canary: Option<&str>) -> Result<Aborted> {
    let (sources, tree) = document::as_far_as_possible(paths, &BTreeMap::new());
    let Some(tree) = tree else { bail!("the files cannot be read at all") };
    let at = ["services", service, "rollout", "weights"];
    let weights = tree.at(&at).with_context(|| {
        format!("there is no `{}` in the part of the files that can be read", at.join("."))
    })?;
    let names = || weights.entries().iter().map(|entry| &*entry.key).collect::<Vec<_>>().join(", ");
    let entry = match (canary, weights.entries()) {
        (Some(name), _) => weights.entry(name).with_context(|| {
            format!("the rollout of `{service}` has no canary `{name}`: write one of {}", names())
        })?,
        (None, [only]) => only,
        (None, _) => bail!("`{service}` has several canaries: name one with --canary: {}", names()),
    };
    let share: &Node = entry.node.get("percent").unwrap_or(&entry.node);
    let from = share.json().as_f64().context("its weight is not a number: edit the file")?;
    let mut path = [&at[..], &[&entry.key]].concat();
    if entry.node.get("percent").is_some() {
        path.push("percent");
    }
    let mut expected = tree.json();
    put(&mut expected, &path, json!(0));
    let edits = if from == 0.0 { Vec::new() } else { vec![replace(&sources, share.span, "0".to_owned())?] };
    let mark = tree.at(&["services", service, "rollout", "noReturn"]);
    let no_return = mark.map(|mark| mark.json().as_f64().unwrap_or(0.0));
    let texts: String = (0..sources.len()).map(|file| sources.text(file)).collect();
    Ok(Aborted {
        canary: entry.key.clone(),
        from,
        no_return,
        hash: pending::hash(&texts),
        paths: paths.to_vec(),
        sources,
        edits,
        expected,
    })
}

impl Aborted {
    /// Why the canary is not taken back without a person's word: it has, or had, its point of no return.
    #[must_use]
    pub fn no_way_back(&self, records: &[Record]) -> Option<String> {
        let mark = self.no_return.filter(|_| self.from > 0.0)?;
        let buckets = crate::percent::buckets(mark);
        let reached = self.from >= mark || Past::of(records, &self.canary, "").reached(buckets).is_some();
        reached.then(|| format!("`{}` has or had its point of no return, {mark} % (`noReturn`)", self.canary))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When a file was changed since it was read, or cannot be written.
    pub fn write(&self, lock: &Lock) -> Result<()> {
        let texts = edit::apply(&self.sources, self.edits.clone())?;
        let (_, after) = document::as_far_as_possible(&self.paths, &texts);
        ensure!(
            after.is_some_and(|after| same(&after.json(), &self.expected)),
            "the weight is written in a form that graylane cannot edit: edit the file by hand"
        );
        write::write(lock, &self.sources, &texts)
    }
}
