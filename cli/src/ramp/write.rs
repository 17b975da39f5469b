//! Files as they are written: each whole or not at all, with its owner, its mode and the links to it; several all or none.
//!
//! New texts are staged in `.graylane`. One file is renamed over the old one. With several, a list of them (`pending.json`)
//! comes first: from then on they count as written, and whoever next locks one of the folders finishes what was cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::lock::{Lock, STATE, adopt};
use crate::document::source::SourceFiles;
use crate::files;

/// What was under way, in the first of the folders.
const PENDING: &str = "pending.json";
/// In the others: which folder is the first.
const POINTER: &str = "pending-at";
/// How names of staged texts begin.
const STAGED: &str = "new-";

/// The files of one edit.
#[derive(Serialize, Deserialize)]
struct Pending {
    files: Vec<Item>,
}

/// One of them.
#[derive(Serialize, Deserialize)]
struct Item {
    target: PathBuf,
    staged: PathBuf,
    before: String,
    after: String,
}

/// The SHA-256 of a text.
#[must_use]
pub fn hash(text: &str) -> String {
    crate::image::digest(text.as_bytes()).trim_start_matches("sha256:").to_owned()
}

/// Writes files, all or none, unless somebody else changed one since it was read.
///
/// # Errors
/// When somebody did, or one cannot be written.
pub fn write(lock: &Lock, sources: &SourceFiles, texts: &BTreeMap<PathBuf, String>) -> Result<()> {
    let was = |path: &Path| {
        (0..sources.len())
            .find(|file| Path::new(sources.name(*file)) == path)
            .map_or("", |file| sources.text(file))
    };
    let mut items = Vec::new();
    for (path, text) in texts.iter().filter(|(path, text)| was(path) != **text) {
        let is = files::text(path)?;
        ensure!(is == was(path), "`{}` was changed meanwhile: nothing is written, try again", path.display());
        let item = stage(lock, path, &is, text);
        items.push(item.with_context(|| format!("cannot write `{}`", path.display())).inspect_err(|_| {
            discard(&items);
        })?);
    }
    if let [only] = &items[..] {
        return put(only).inspect_err(|_| discard(&items));
    }
    let Some(first) = items.first().map(|item| folder_of(&item.target)) else { return Ok(()) };
    let folders: BTreeSet<PathBuf> = items.iter().map(|item| folder_of(&item.target)).collect();
    for other in folders.iter().filter(|folder| **folder != first) {
        place(&other.join(STATE).join(POINTER), first.to_string_lossy().as_bytes())?;
    }
    let pending = Pending { files: items };
    place(&first.join(STATE).join(PENDING), &serde_json::to_vec(&pending)?)
        .inspect_err(|_| discard(&pending.files))?;
    finish(&first, &pending)?;
    for other in folders {
        remove(&other.join(STATE).join(POINTER))?;
    }
    Ok(())
}

/// Writes a text beside its file, with the file's owner and mode.
fn stage(lock: &Lock, path: &Path, before: &str, text: &str) -> Result<Item> {
    let target = path.canonicalize()?;
    let folder = folder_of(&target);
    ensure!(lock.holds(&folder), "its folder is not locked");
    let meta = target.metadata()?;
    ensure!(
        meta.nlink() == 1,
        "it has {} names (hard links), and an edit would part them: make the others symbolic links",
        meta.nlink()
    );
    let mut file = tempfile::Builder::new()
        .prefix(STAGED)
        .tempfile_in(folder.join(STATE))
        .with_context(|| format!("its folder `{}` cannot be written", folder.display()))?;
    file.write_all(text.as_bytes())?;
    let now = file.as_file().metadata()?;
    if (now.uid(), now.gid()) != (meta.uid(), meta.gid()) {
        fchown(file.as_file(), Some(meta.uid()), Some(meta.gid())).with_context(|| {
            format!("its owner {}:{} cannot be kept: edit it as that user", meta.uid(), meta.gid())
        })?;
    }
    // After the owner: a change of it takes bits away.
    file.as_file().set_permissions(meta.permissions())?;
    file.as_file().sync_all()?;
    let (_, staged) = file.keep()?;
    Ok(Item { target, staged, before: hash(before), after: hash(text) })
}

fn folder_of(target: &Path) -> PathBuf {
    target.parent().unwrap_or(Path::new("/")).to_path_buf()
}

fn put(item: &Item) -> Result<()> {
    std::fs::rename(&item.staged, &item.target)
        .and_then(|()| File::open(folder_of(&item.target))?.sync_all())
        .with_context(|| format!("cannot write `{}`", item.target.display()))
}

fn discard(items: &[Item]) {
    for item in items {
        // What stays is taken away with the next edit.
        let _ = std::fs::remove_file(&item.staged);
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file of ours, whole or not at all.
fn place(path: &Path, bytes: &[u8]) -> Result<()> {
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
fn finish(first: &Path, pending: &Pending) -> Result<()> {
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
