//! Edits of several files: what is staged in `.graylane`, the list that makes them count, and how one that was cut off is
//! finished.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::files;

/// What graylane keeps in the folder of a file.
pub(super) const STATE: &str = ".graylane";
/// What was under way, in the first of the folders.
pub(super) const PENDING: &str = "pending.json";
/// In the others: which folder is the first.
pub(super) const POINTER: &str = "pending-at";
/// How names of staged texts begin.
pub(super) const STAGED: &str = "new-";

/// The files of one edit.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) files: Vec<Item>,
}

/// One of them.
#[derive(Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) target: PathBuf,
    pub(super) staged: PathBuf,
    pub(super) before: String,
    pub(super) after: String,
}

/// The SHA-256 of a text.
#[must_use]
pub fn hash(text: &str) -> String {
    crate::image::digest(text.as_bytes()).trim_start_matches("sha256:").to_owned()
}

pub(super) fn folder_of(target: &Path) -> PathBuf {
    target.parent().unwrap_or(Path::new("/")).to_path_buf()
}

pub(super) fn put(item: &Item) -> Result<()> {
    std::fs::rename(&item.staged, &item.target)
        .and_then(|()| File::open(folder_of(&item.target))?.sync_all())
        .with_context(|| format!("cannot write `{}`", item.target.display()))
}

pub(super) fn discard(items: &[Item]) {
    for item in items {
        // What stays is taken away with the next edit.
        let _ = std::fs::remove_file(&item.staged);
    }
}

pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file of ours, whole or not at all.
pub(super) fn place(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    let folder = folder_of(path);
    let mut file = tempfile::Builder::new().prefix(STAGED).tempfile_in(&folder).with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    if let Ok(owner) = folder.metadata() {
        adopt(file.as_file(), &owner);
    }
    file.as_file().sync_all().with_context(failed)?;
    file.persist(path).with_context(failed)?;
    File::open(&folder).and_then(|folder| folder.sync_all()).with_context(failed)
}

fn pending(folder: &Path) -> Result<Option<Pending>> {
    let path = folder.join(STATE).join(PENDING);
    if !path.exists() {
        return Ok(None);
    }
    let text = files::text(&path)?;
    serde_json::from_str(&text).map(Some).with_context(|| format!("`{}` is not readable", path.display()))
}

/// The folders that edits which were cut off are about, beside these.
pub(super) fn concerned(folders: &BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>> {
    let mut all = folders.clone();
    for folder in folders {
        let pointer = folder.join(STATE).join(POINTER);
        if pointer.exists() {
            let first = PathBuf::from(files::text(&pointer)?);
            if first.is_dir() {
                all.insert(first);
            }
        }
        for item in pending(folder)?.into_iter().flat_map(|pending| pending.files) {
            all.insert(folder_of(&item.target));
        }
    }
    Ok(all)
}

/// Finishes edits that were cut off, and takes away what they left. All folders that they are about are locked.
pub(super) fn recover(folders: &BTreeSet<PathBuf>) -> Result<()> {
    for folder in folders {
        if let Some(pending) = pending(folder)? {
            finish(folder, &pending)?;
        }
    }
    for folder in folders {
        remove(&folder.join(STATE).join(POINTER))?;
        let Ok(entries) = std::fs::read_dir(folder.join(STATE)) else { continue };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(STAGED) {
                remove(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Puts every file in its place that is not there yet; or none, if none is and somebody edited one meanwhile.
pub(super) fn finish(first: &Path, pending: &Pending) -> Result<()> {
    let list = first.join(STATE).join(PENDING);
    let mut is = Vec::new();
    for item in &pending.files {
        is.push(hash(&files::text(&item.target).with_context(|| cut_off(&list))?));
    }
    let each = || pending.files.iter().zip(&is);
    let edited = each().find(|(item, is)| **is != item.before && **is != item.after);
    if let Some((item, _)) = edited {
        if each().any(|(item, is)| *is == item.after && item.after != item.before) {
            bail!(
                "{}, and `{}` was edited since: bring the files in line by hand, then remove `{}`",
                cut_off(&list),
                item.target.display(),
                list.display()
            );
        }
        discard(&pending.files);
        return remove(&list);
    }
    for (item, _) in each().filter(|(item, is)| **is != item.after) {
        put(item)?;
    }
    remove(&list)
}

fn cut_off(list: &Path) -> String {
    format!("an edit of several files was cut off (`{}`)", list.display())
}

/// Gives a file of ours to the owner of the folder: what root leaves there must not be in the owner's way.
pub(super) fn adopt(file: &File, owner: &Metadata) {
    // Only root can, and only for root it matters.
    let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
}
