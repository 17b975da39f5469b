//! The commit that has a configuration: pods report its revision, people know commits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use serde::Serialize;

use crate::git::{Commit, Repository};
use crate::lower;
use crate::mesh::Mesh;
use crate::user;

/// Commits that are read at a time: what pods run is mostly new.
const AT_ONCE: usize = 32;

/// The commit that brought a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The commit.
    #[serde(flatten)]
    pub commit: Commit,
    /// Who wrote it, as they call themselves in Git.
    pub author: String,
    /// The whole revision.
    pub revision: String,
}

/// Finds the newest commits that brought configurations whose revisions begin with these; and says how many commits were read.
/// The history is walked once, from its newest commit on, until all are found or the most that is read is.
///
/// # Errors
/// When there is no history.
pub fn of_revisions(
    paths: &[PathBuf],
    wanted: &BTreeSet<String>,
) -> Result<(BTreeMap<String, Found>, usize)> {
    let repository = Repository::of(paths)?;
    let revisions = repository.revisions()?;
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    // Those of the commit before, in the order of the walk: an older one may have brought them.
    let mut going: BTreeSet<&String> = BTreeSet::new();
    let mut read = 0;
    for part in revisions.chunks(AT_ONCE) {
        for (revision, texts) in part.iter().zip(repository.texts(part)?) {
            read += 1;
            let Some(Ok(file)) = texts.map(|texts| user::read(paths, texts)) else { continue };
            let is = lower::revision(&Mesh::of(&file));
            for name in wanted {
                if !is.starts_with(name.as_str()) {
                    going.remove(name);
                } else if going.contains(name) || !found.contains_key(name) {
                    let (commit, author) = (revision.commit.clone(), revision.author.clone());
                    found.insert(name.clone(), Found { commit, author, revision: is.clone() });
                    going.insert(name);
                }
            }
        }
        if found.len() == wanted.len() && going.is_empty() {
            break;
        }
    }
    Ok((found, read))
}
