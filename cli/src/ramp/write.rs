//! Files as they are written: each whole or not at all, with its owner, its mode and the links to it; several all or none.
//!
//! New texts are staged in `.graylane`. One file is renamed over the old one. With several, a list of them (`pending.json`)
//! comes first: from then on they count as written, and the next process to lock one of the folders finishes them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::lock::Lock;
use super::pending::{
    Item, PENDING, POINTER, Pending, STAGED, STATE, discard, finish, folder_of, hash, place, put, remove,
};
use crate::document::source::SourceFiles;
use crate::files;

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
