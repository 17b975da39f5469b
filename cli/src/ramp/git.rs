//! A rollout by Git: what a run writes becomes a commit that is pushed. It works in a clone of its own, never in a person's
//! checkout; where it stands is in the remote alone, so any machine can go on.
//!
//! | ref of the remote | what it has |
//! |-|-|
//! | the branch | the file; each step, abort and promotion is a commit |
//! | `refs/graylane/log/BRANCH/FILE/SERVICE` | the log, `ramp.jsonl` in a commit |
//! | `refs/graylane/run/BRANCH/FILE/SERVICE` | which run it is |
//!
//! They are pushed together, all or none, each only if it is still what this run read last. So a run that lost its turn
//! cannot write, whatever its clock says, and a step is never in the file without being in the log.
//!
//! | part | its subject |
//! |-|-|
//! | `place` | the repository, and the clone that is made of it |
//! | `address` | an address without what is secret in it, which goes another way |
//! | `key` | what tells one rollout of a repository from another |
//! | `push` | fetching, and pushing by compare-and-swap |
//! | `land` | an edit becomes a commit, and is made again on what others pushed |
//! | `log` | the log in its ref |
//! | `holder` | which run it is |
//! | `message` | what commits say |
//! | `approve` | an approval is a commit, too |
//! | `turn` | one look of a run |

mod address;
mod approve;
mod holder;
mod key;
mod land;
mod log;
mod message;
mod place;
mod push;
mod turn;

use std::path::PathBuf;

use serde_json::Value as Json;
use tempfile::TempDir;

pub use place::{Asked, Place, is_by_git};

use super::change::Desk;
use crate::git::Git;

/// Something that may pass, or that people have to see to: the rollout holds, and the next look tries again.
#[derive(Debug)]
pub struct Held(pub String);

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Held {}

/// A result of which an error holds the rollout.
type Try<T> = Result<T, Held>;

fn held(error: &anyhow::Error) -> Held {
    Held(format!("{error:#}"))
}

/// The remote of a rollout, and the clone in which it is worked.
pub struct Remote {
    _folder: TempDir,
    /// The log, a copy of the ref's.
    pub log_file: PathBuf,
    /// The files, in the clone.
    pub paths: Vec<PathBuf>,
    git: Git,
    place: Place,
    service: String,
    /// Which rollout of the repository it is.
    key: String,
    /// The branch, as last read.
    head: String,
    /// What is checked out.
    at: String,
    /// The ref of the log, as last read.
    log: Option<String>,
    /// The log in the file here is that of this commit.
    loaded: Option<String>,
    /// How many of its records are pushed.
    published: usize,
    /// The ref of the run, as last fetched.
    run: Option<String>,
    /// The same, as last written, and what is known of it.
    mine: holder::Shared,
    /// The name of this run.
    runner: String,
    /// Number of a change in a system for changes.
    ticket: Option<String>,
    /// The service's part of the file, as last seen.
    part: Option<Json>,
    /// Why the branch is not a continuation of what it was.
    rewritten: Option<String>,
    /// A person lets it go on.
    pub resume: bool,
}

impl Remote {
    fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.place.branch)
    }

    fn log_ref(&self) -> String {
        format!("refs/graylane/log/{}", self.key)
    }

    fn run_ref(&self) -> String {
        format!("refs/graylane/run/{}", self.key)
    }

    /// How people call it: `main` of `origin`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("`{}` of `{}`", self.place.branch, self.place.remote)
    }

    /// The service's part of a file; none: it has none, which is never as it was.
    fn part_of(&self, desk: &Desk) -> Option<Json> {
        desk.project.tree.at(&["services", &self.service]).map(crate::document::tree::Node::json)
    }

    /// Is a commit in the history of another one?
    pub fn is_in(&self, commit: &str, of: &str) -> bool {
        let said = self.git.call(&["merge-base", "--is-ancestor", commit, of], b"");
        said.is_ok_and(|said| said.status.success())
    }

    /// The last commit that changed the files.
    ///
    /// # Errors
    /// When `git` fails.
    pub fn last_change(&self) -> Try<String> {
        let mut words = vec!["log", "-1", "--format=%H", &self.head, "--"];
        let inside: Vec<String> = self
            .place
            .inside
            .iter()
            .map(|path| if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() })
            .collect();
        words.extend(inside.iter().map(String::as_str));
        self.git.text(&words).map_err(|error| held(&error))
    }
}
