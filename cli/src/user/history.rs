//! Sides by revision, and what changed between two.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::git::{Commit, MAX, Repository, Texts};
use super::{Side, Sides};
use crate::check;
use crate::document::finding::Severity;
use crate::document::{self, Checked};
use crate::files;
use crate::mesh::Mesh;
use crate::time::rfc3339;

/// Where a user is, and how they came there.
#[derive(Debug)]
pub struct History {
    /// The sides that were asked for.
    pub sides: Sides,
    /// The commit that they are of; none: the text on disk, which is not committed.
    pub commit: Option<Commit>,
    /// Since when, for each side; none: not known.
    pub since: Vec<Option<Since>>,
    /// What changed, the oldest first.
    pub changes: Vec<Change>,
    /// Revisions that were not in order.
    pub skipped: Vec<Skipped>,
    /// Does the history begin before what is known of it?
    pub is_cut: bool,
}

/// Since when a user is on a side.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// The commit; none: it is not committed.
    pub commit: Option<Commit>,
    /// The user was there before, as far as is known.
    pub or_before: bool,
}

/// A user changed sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The commit; none: it is not committed.
    pub commit: Option<Commit>,
    /// The service.
    pub service: String,
    /// The route, if it has a rollout of its own.
    pub route: Option<String>,
    /// The subset before; none: there was no rollout.
    pub from: Option<String>,
    /// The subset after; none: there is no rollout.
    pub to: Option<String>,
    /// What changed in the file: `weights`, `salt`, `sticky.salt`, `new rollout` or `rollout removed`.
    pub because: &'static str,
}

/// A revision that is not in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The commit.
    pub commit: Commit,
    /// The first error.
    pub error: String,
}

/// What the files were at one time.
type Step = (Option<Commit>, Sides);

impl History {
    /// Of the text on disk alone.
    #[must_use]
    pub fn none(sides: Sides) -> Self {
        let since = vec![None; sides.all.len()];
        Self { sides, commit: None, since, changes: Vec::new(), skipped: Vec::new(), is_cut: true }
    }

    /// Reads what the files were, up to a time, or up to what is on disk.
    ///
    /// # Errors
    /// When there is no history, or it begins after that time.
    pub fn of(paths: &[PathBuf], key: &[u8], until: Result<i64, Sides>) -> Result<Self> {
        let repository = Repository::of(paths)?;
        let mut revisions = repository.revisions()?;
        let is_cut = repository.is_shallow || revisions.len() == MAX;
        let Some(oldest) = revisions.last().map(|revision| revision.commit.clone()) else {
            bail!("{} not committed", if paths.len() == 1 { "the file is" } else { "the files are" })
        };
        if let Ok(until) = until {
            let newer = revisions.iter().take_while(|revision| revision.commit.time > until).count();
            revisions.drain(..newer);
            if revisions.is_empty() {
                let cut = if is_cut {
                    ", where what is here of it ends (`git fetch --unshallow` gets more)"
                } else {
                    ""
                };
                bail!(
                    "nothing is known of {}: the history of the file begins at {} with {}{cut}",
                    rfc3339(until),
                    rfc3339(oldest.time),
                    oldest.id
                );
            }
        }
        let (mut steps, mut skipped) = (Vec::new(), Vec::new());
        for (revision, texts) in revisions.iter().zip(repository.texts(&revisions)?).rev() {
            let commit = revision.commit.clone();
            match texts.map(|texts| read(paths, texts)) {
                Some(Ok(file)) => steps.push((Some(commit), Some(Sides::of(&Mesh::of(&file), key)))),
                Some(Err(error)) => skipped.push(Skipped { commit, error: error.to_string() }),
                None => steps.push((Some(commit), None)),
            }
        }
        if let Err(now) = until
            && steps.last().is_none_or(|(_, last)| last.as_ref() != Some(&now))
        {
            steps.push((None, Some(now)));
        }
        let Some((commit, Some(sides))) = steps.last().cloned() else {
            bail!("the file was not there, or not in order, at that time");
        };
        // Where it was not there, there was no rollout.
        let gone = || Sides { unit: String::new(), all: Vec::new() };
        let steps: Vec<Step> =
            steps.into_iter().map(|(commit, sides)| (commit, sides.unwrap_or_else(gone))).collect();
        let since = sides.all.iter().map(|side| since(side, &steps, is_cut)).collect();
        Ok(Self { sides, commit, since, changes: changes(&steps, is_cut), skipped, is_cut })
    }
}

/// A file as of a revision.
fn read(paths: &[PathBuf], layers: Texts) -> Result<Checked> {
    let there = paths.iter().zip(layers).filter(|(_, texts)| !texts.is_empty());
    let layers = there.map(|(path, texts)| {
        let name = files::name(path);
        let text = |text| Ok((name.clone(), String::from_utf8(text).context("it is not UTF-8")?));
        texts.into_iter().map(text).collect::<Result<Vec<_>>>()
    });
    let opened = check::open(document::of_texts(layers.collect::<Result<_>>()?));
    let error = opened.findings.iter().find(|found| found.severity == Severity::Error);
    let error = error.map(|found| found.message.clone());
    opened.file.with_context(|| error.unwrap_or_else(|| "there is no document in it".to_owned()))
}

/// Since when a user is on the side where they are last.
fn since(side: &Side, steps: &[Step], is_cut: bool) -> Option<Since> {
    let same = |(_, sides): &&Step| sides.same(side).is_some_and(|was| was.subset == side.subset);
    let count = steps.iter().rev().take_while(same).count();
    let (commit, _) = steps.get(steps.len().checked_sub(count)?)?;
    Some(Since { commit: commit.clone(), or_before: is_cut && count == steps.len() })
}

/// All changes; of a history that is cut off, its first step is none.
fn changes(steps: &[Step], is_cut: bool) -> Vec<Change> {
    let nothing = Sides { unit: String::new(), all: Vec::new() };
    let before = (!is_cut).then_some(&nothing);
    let befores = before.into_iter().chain(steps.iter().map(|(_, sides)| sides));
    let afters = steps.iter().skip(usize::from(is_cut));
    let mut all = Vec::new();
    for (before, (commit, after)) in befores.zip(afters) {
        let gone = before.all.iter().filter(|side| after.same(side).is_none());
        let pairs = after.all.iter().map(|side| (before.same(side), Some(side)));
        for (from, to) in pairs.chain(gone.map(|side| (Some(side), None))) {
            let Some(either) = to.or(from) else { continue };
            let because = match (from, to) {
                (Some(from), Some(to)) if from.subset == to.subset => continue,
                (None, _) => "new rollout",
                (_, None) => "rollout removed",
                _ if before.unit != after.unit => "sticky.salt",
                (Some(from), Some(to)) if from.salt != to.salt => "salt",
                _ => "weights",
            };
            let subset = |side: Option<&Side>| side.and_then(|side| side.subset.clone());
            all.push(Change {
                commit: commit.clone(),
                service: either.service.clone(),
                route: either.route.clone(),
                from: subset(from),
                to: subset(to),
                because,
            });
        }
    }
    all
}
