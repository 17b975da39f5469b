//! Sides by revision, and what changed between two.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{Made, Side, Sides};
use crate::check;
use crate::document::finding::Severity;
use crate::document::{self, Checked};
use crate::git::{Commit, MAX, Repository, Texts};
use crate::mesh::Mesh;
use crate::time::rfc3339;
use crate::{files, hash_key};

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
    /// The subset before; none: there was no rollout, or the hash key of then is not here.
    pub from: Option<String>,
    /// The subset after; none: there is no rollout, or its hash key is not here.
    pub to: Option<String>,
    /// What changed in the file: `weights`, `salt`, `sticky.salt`, `sticky.hash`, `sticky.hashKey`, `new rollout` or `rollout
    /// removed`.
    pub because: &'static str,
}

/// A revision by which nobody can be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The commit.
    pub commit: Commit,
    /// What is wrong: with the file, or with the key by which it hashes.
    pub of: Wrong,
    /// The first error.
    pub error: String,
}

/// What is wrong with a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Wrong {
    /// The file is not in order, so it was never applied.
    File,
    /// The hash key is not here; the file was applied all the same.
    HashKey,
}

impl Skipped {
    /// What people are told of all of these: of a key once, whatever number of commits it is about.
    #[must_use]
    pub fn notes(all: &[Self]) -> Vec<String> {
        let same = |one: &Self, other: &Self| {
            one.of == Wrong::HashKey && (one.of, &one.error) == (other.of, &other.error)
        };
        let is_first = |index: usize, one: &Self| !all.iter().take(index).any(|other| same(one, other));
        let firsts = all.iter().enumerate().filter(|(index, one)| is_first(*index, one));
        let note = |(_, one): (usize, &Self)| {
            let Self { commit, of, error } = one;
            let others = match all.iter().filter(|other| same(one, other)).count() {
                0 | 1 => String::new(),
                many => format!(" and {} after it", many - 1),
            };
            let place = format!("note: commit {} of {}{others}", commit.id, rfc3339(commit.time));
            match of {
                Wrong::File => format!("{place} is skipped, its file is not in order: {error}"),
                Wrong::HashKey => format!("{place} cannot be told: {error}"),
            }
        };
        firsts.map(note).collect()
    }
}

/// What is known of the files at one time.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    /// Where the user was.
    Known(Sides, Made),
    /// Not where, since the hash key is not here.
    Unknown(Made, String),
    /// They were not there.
    Gone,
}

/// What the files were at one time.
type Step = (Option<Commit>, Seen);

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
    pub fn of(
        paths: &[PathBuf],
        key: &[u8],
        hash_key: Option<&Path>,
        until: Result<i64, (Sides, Made)>,
    ) -> Result<Self> {
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
        let texts = revisions.iter().zip(repository.texts(&revisions)?).rev();
        let files: Vec<(Commit, Option<Result<Checked>>)> = texts
            .map(|(revision, texts)| (revision.commit.clone(), texts.map(|texts| read(paths, texts))))
            .collect();
        // The file of a key has the newest one; what was hashed with another needs its variable.
        let used = |file: &Checked| file.document.sticky.used_key().map(|(id, _)| id.clone());
        let newest = files.iter().rev().find_map(|(_, file)| used(file.as_ref()?.as_ref().ok()?));
        let seen = |file: &Checked| match placed(file, hash_key.filter(|_| used(file) == newest), key) {
            Ok(sides) => Seen::Known(sides, Made::of(&Mesh::of(file))),
            Err(error) => Seen::Unknown(Made::of(&Mesh::of(file)), format!("{error:#}")),
        };
        let (mut steps, mut skipped) = (Vec::new(), Vec::new());
        let mut skip = |commit: &Commit, of: Wrong, error: String| {
            skipped.push(Skipped { commit: commit.clone(), of, error });
        };
        for (commit, file) in files {
            let seen = match file {
                Some(Ok(file)) => seen(&file),
                Some(Err(error)) => {
                    skip(&commit, Wrong::File, error.to_string());
                    continue;
                }
                None => Seen::Gone,
            };
            if let Seen::Unknown(_, error) = &seen {
                skip(&commit, Wrong::HashKey, error.clone());
            }
            steps.push((Some(commit), seen));
        }
        if let Err((sides, made)) = until {
            let now = Seen::Known(sides, made);
            if steps.last().is_none_or(|(_, last)| *last != now) {
                steps.push((None, now));
            }
        }
        let (commit, sides) = match steps.last().cloned() {
            Some((commit, Seen::Known(sides, _))) => (commit, sides),
            Some((Some(commit), Seen::Unknown(_, error))) => {
                bail!("commit {} of {} cannot be told: {error}", commit.id, rfc3339(commit.time))
            }
            _ => bail!("the file was not there, or not in order, at that time"),
        };
        let since = sides.all.iter().map(|side| since(side, &steps, is_cut)).collect();
        Ok(Self { sides, commit, since, changes: changes(&steps, is_cut), skipped, is_cut })
    }
}

/// Where the user with this key is by a file.
fn placed(file: &Checked, hash_key: Option<&Path>, key: &[u8]) -> Result<Sides> {
    let mesh = hash_key::given(file, hash_key)?;
    if let (Some((id, variable)), None) = (mesh.document.sticky.used_key(), &mesh.hash_key) {
        bail!("units are made with the hash key `{id}`, which is not here: set {variable}");
    }
    Sides::of(&mesh, key)
}

/// A file as of a revision.
///
/// # Errors
/// When it is not in order.
pub fn read(paths: &[PathBuf], layers: Texts) -> Result<Checked> {
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
    let same = |(_, seen): &&Step| match seen {
        Seen::Known(sides, _) => sides.same(side).is_some_and(|was| was.subset == side.subset),
        _ => false,
    };
    let count = steps.iter().rev().take_while(same).count();
    let begin = steps.len().checked_sub(count)?;
    let (commit, _) = steps.get(begin)?;
    let before = begin.checked_sub(1).and_then(|before| steps.get(before));
    let or_before = before.map_or(is_cut, |(_, seen)| matches!(seen, Seen::Unknown(..)));
    Some(Since { commit: commit.clone(), or_before })
}

/// All changes; of a history that is cut off, its first step is none.
fn changes(steps: &[Step], is_cut: bool) -> Vec<Change> {
    let before = (!is_cut).then_some(&Seen::Gone);
    let befores = before.into_iter().chain(steps.iter().map(|(_, seen)| seen));
    let afters = steps.iter().skip(usize::from(is_cut));
    let mut all = Vec::new();
    for (before, (commit, after)) in befores.zip(afters) {
        for (from, to, because) in moves(before, after) {
            let Some(either) = to.or(from) else { continue };
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

/// Where a side changed, and why.
type Move<'a> = (Option<&'a Side>, Option<&'a Side>, &'static str);

fn moves<'a>(before: &'a Seen, after: &'a Seen) -> Vec<Move<'a>> {
    let because = |was: &Made, is: &Made| was.differs(is).next().map_or("sticky.hashKey", |(key, ..)| key);
    let (was, is) = match (before, after) {
        (Seen::Unknown(was, _), Seen::Known(sides, is)) => {
            return sides.all.iter().map(|side| (None, Some(side), because(was, is))).collect();
        }
        (Seen::Known(sides, was), Seen::Unknown(is, _)) => {
            return sides.all.iter().map(|side| (Some(side), None, because(was, is))).collect();
        }
        (Seen::Unknown(..), _) | (_, Seen::Unknown(..)) => return Vec::new(),
        (was, is) => (known(was), known(is)),
    };
    let sides = |of: Option<(&'a Sides, &'a Made)>| of.map_or(&[][..], |(sides, _)| &sides.all[..]);
    let same = |of: Option<(&'a Sides, &'a Made)>, side: &Side| of.and_then(|(sides, _)| sides.same(side));
    let gone = sides(was).iter().filter(|side| same(is, side).is_none()).map(|side| (Some(side), None));
    let pairs = sides(is).iter().map(|side| (same(was, side), Some(side)));
    let why = |(from, to): (Option<&'a Side>, Option<&'a Side>)| {
        let because = match (from, to) {
            (Some(from), Some(to)) if from.subset == to.subset => return None,
            (None, _) => "new rollout",
            (_, None) => "rollout removed",
            (Some(from), Some(to)) => match was.zip(is) {
                Some(((old, was), (new, is))) if old.unit != new.unit => because(was, is),
                _ if from.salt != to.salt => "salt",
                _ => "weights",
            },
        };
        Some((from, to, because))
    };
    pairs.chain(gone).filter_map(why).collect()
}

fn known(seen: &Seen) -> Option<(&Sides, &Made)> {
    match seen {
        Seen::Known(sides, made) => Some((sides, made)),
        Seen::Unknown(..) | Seen::Gone => None,
    }
}
