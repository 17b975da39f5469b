//! What became of a rollout, and who did it: by the commits that changed its file; and the commit of a revision that pods
//! report.
//!
//! | part | its subject |
//! |-|-|
//! | `changes` | what changed between two commits |
//! | `of_revision` | the commit that has a configuration |
//! | `text` | what is printed |

mod changes;
mod of_revision;
mod text;

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Serialize;

pub use changes::{Change, Kind};
pub use of_revision::{Found, of_revisions};
pub use text::text;

use crate::git::{Commit, MAX, Repository, Revision};
use crate::lower;
use crate::mesh::Mesh;
use crate::user::{self, Skipped, Wrong};

/// Trailers of commits by `ramp run --git`.
pub mod trailer {
    /// The service.
    pub const SERVICE: &str = "Graylane-Service";
    /// Which rollout of the repository: branch, files and service, as in the names of refs.
    pub const ROLLOUT: &str = "Graylane-Rollout";
    /// The verdict, and what each guard found.
    pub const VERDICT: &str = "Graylane-Verdict";
    /// The revision of the configuration.
    pub const REVISION: &str = "Graylane-Revision";
    /// Which run it was, and where.
    pub const RUNNER: &str = "Graylane-Runner";
    /// Number of a change in a system for changes.
    pub const TICKET: &str = "Graylane-Ticket";
    /// Who allowed the step, as in the log.
    pub const APPROVED: &str = "Graylane-Approved-By";
    /// A line of the log: an approval.
    pub const RECORD: &str = "Graylane-Record";
}

/// What one commit changed at a rollout.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The commit; none: it is not committed.
    pub commit: Option<Commit>,
    /// Who wrote it, as they call themselves in Git.
    pub author: Option<String>,
    /// The run that wrote it; none: a person.
    pub runner: Option<String>,
    /// What changed.
    pub changes: Vec<Change>,
    /// Users who get another version, in percent of those who take part; none: not known.
    pub moved: Option<f64>,
    /// The verdict of a run, and what its guards found; of a person, the first line of the message.
    pub reason: String,
    /// Number of a change in a system for changes.
    pub ticket: Option<String>,
    /// Who allowed the step of a run.
    pub approver: Option<String>,
    /// The revision that pods report when they run it.
    pub revision: String,
}

/// The history of a rollout.
#[derive(Debug)]
pub struct History {
    /// The newest first.
    pub entries: Vec<Entry>,
    /// Revisions of the file that were not in order.
    pub skipped: Vec<Skipped>,
    /// Does the history begin before what is known of it?
    pub is_cut: bool,
}

/// Reads the history of a service's rollout; `now`: what is on disk.
///
/// # Errors
/// When there is no history, or the service was never in it.
pub fn of(paths: &[PathBuf], service: &str, now: Option<&Mesh>) -> Result<History> {
    let repository = Repository::of(paths)?;
    let revisions = repository.revisions()?;
    if revisions.is_empty() {
        bail!("{} not committed", if paths.len() == 1 { "the file is" } else { "the files are" });
    }
    let is_cut = repository.is_shallow || revisions.len() == MAX;
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    let mut before: Option<Mesh> = None;
    // What was before the first that is known is not known, so that one is no change.
    let mut first = is_cut;
    let mut is_there = now.is_some_and(|mesh| mesh.service(service).is_some());
    for (revision, texts) in revisions.iter().zip(repository.texts(&revisions)?).rev() {
        let after = match texts.map(|texts| user::read(paths, texts)) {
            Some(Ok(file)) => Some(Mesh::of(&file)),
            Some(Err(error)) => {
                let (commit, error) = (revision.commit.clone(), error.to_string());
                skipped.push(Skipped { commit, of: Wrong::File, error });
                continue;
            }
            None => None,
        };
        is_there |= after.as_ref().is_some_and(|mesh| mesh.service(service).is_some());
        if !std::mem::take(&mut first) {
            entries.extend(entry(Some(revision), service, before.as_ref(), after.as_ref()));
        }
        before = after;
    }
    entries.extend(now.and_then(|now| entry(None, service, before.as_ref(), Some(now))));
    if !is_there {
        bail!("the file has no service `{service}`, and had none in its history");
    }
    entries.reverse();
    Ok(History { entries, skipped, is_cut })
}

fn entry(
    revision: Option<&Revision>,
    service: &str,
    before: Option<&Mesh>,
    after: Option<&Mesh>,
) -> Option<Entry> {
    let (changes, moved) = changes::between(service, before, after)?;
    let trailer = |name| revision.and_then(|revision| revision.trailer(name)).map(ToOwned::to_owned);
    // A commit of a run about another service changes nothing here, or a person wrote over it.
    let subject = || revision.map_or_else(String::new, |revision| revision.commit.subject.clone());
    Some(Entry {
        commit: revision.map(|revision| revision.commit.clone()),
        author: revision.map(|revision| revision.author.clone()),
        runner: trailer(trailer::RUNNER),
        changes,
        moved,
        reason: trailer(trailer::VERDICT).unwrap_or_else(subject),
        ticket: trailer(trailer::TICKET),
        approver: trailer(trailer::APPROVED),
        revision: after.map(lower::revision).unwrap_or_default(),
    })
}
