//! One edit at a time: a lock on the folders of the files.
//!
//! Each folder has a folder `.graylane` with a file `lock` in it. It is not a `.yaml`, so reading a folder and kustomize pass it
//! over, and git does because of the `.gitignore` in it. The lock is the kernel's (`flock`): it ends with the process that
//! has it, however that ends, and the file stays. A link is followed first, so two names of a file have one lock.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::pending::{self, STATE, adopt};
use crate::files::files_of;

/// How long an edit waits for another one. Each takes milliseconds.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// The folders of files, held until this is dropped.
pub struct Lock {
    folders: BTreeSet<PathBuf>,
    _files: Vec<File>,
}

impl Lock {
    /// Waits for the folders of these files and folders. An edit of several files that was cut off is finished first.
    ///
    /// # Errors
    /// When somebody has the lock for too long.
    pub fn of(paths: &[PathBuf]) -> Result<Self> {
        let mut folders = BTreeSet::new();
        for path in paths.iter().filter(|path| *path != Path::new("-")) {
            for file in files_of(path).unwrap_or_default() {
                // Who reads it says that it is not there; an abort goes on without it.
                let Ok(target) = file.canonicalize() else { continue };
                folders.insert(target.parent().unwrap_or(Path::new("/")).to_path_buf());
            }
        }
        let deadline = Instant::now() + LIMIT;
        loop {
            let lock = Self::take(folders.clone(), deadline)?;
            let others = pending::concerned(&lock.folders)?;
            if others.is_subset(&lock.folders) {
                pending::recover(&lock.folders)?;
                return Ok(lock);
            }
            // Always in the same order, so that no two wait for each other.
            folders.extend(others);
        }
    }

    fn take(folders: BTreeSet<PathBuf>, deadline: Instant) -> Result<Self> {
        let mut files = Vec::new();
        for folder in &folders {
            let Some(file) = lock_file(folder, "lock")? else { continue };
            loop {
                match file.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOOK),
                    Err(TryLockError::WouldBlock) => bail!(
                        "`{}` has been locked by another `graylane` for {} s: nothing is written, try again",
                        folder.display(),
                        LIMIT.as_secs()
                    ),
                    Err(TryLockError::Error(error)) => {
                        return Err(error).with_context(|| format!("cannot lock `{}`", folder.display()));
                    }
                }
            }
            files.push(file);
        }
        Ok(Self { folders, _files: files })
    }

    /// Is this folder held?
    pub(super) fn holds(&self, folder: &Path) -> bool {
        self.folders.contains(folder)
    }
}

/// A lock that a run has as long as it goes: one at a time for a service and a log.
///
/// # Errors
/// When another run has it.
pub fn only_run(folder: &Path, service: &str) -> Result<Option<File>> {
    let folder = folder.canonicalize().with_context(|| format!("cannot read `{}`", folder.display()))?;
    let service: String =
        service.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    let file = lock_file(&folder, &format!("run-{service}.lock"))?;
    match file.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) => bail!("another `graylane ramp run {service}` is under way"),
        Some(Err(TryLockError::Error(error))) => Err(error).context("cannot lock the log"),
        Some(Ok(())) | None => Ok(file),
    }
}

/// A file to lock in a folder's `.graylane`. None: nothing can be made there, so nothing can be edited there either.
fn lock_file(folder: &Path, name: &str) -> Result<Option<File>> {
    let path = folder.join(STATE).join(name);
    if let Err(error) = state(folder) {
        let read_only = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&error.kind());
        if !path.is_file() {
            return if read_only {
                Ok(None)
            } else {
                Err(error).with_context(|| format!("cannot lock `{}`", folder.display()))
            };
        }
    }
    let made = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = made.or_else(|error| File::open(&path).map_err(|_| error));
    match file {
        Ok(file) => {
            if let Ok(owner) = folder.metadata() {
                adopt(&file, &owner);
            }
            Ok(Some(file))
        }
        Err(error)
            if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| format!("cannot lock `{}`", folder.display())),
    }
}

/// Makes the folder `.graylane`, if there is none.
fn state(folder: &Path) -> std::io::Result<()> {
    let state = folder.join(STATE);
    let owner = folder.metadata()?;
    match std::fs::create_dir(&state) {
        Ok(()) => {
            let made = File::open(&state)?;
            adopt(&made, &owner);
            // Everyone who can write into the folder can lock it.
            made.set_permissions(std::fs::Permissions::from_mode(owner.mode() & 0o777))?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let ignore = state.join(".gitignore");
    if !ignore.exists() {
        let mut file = File::create(&ignore)?;
        adopt(&file, &owner);
        file.write_all(b"*\n")?;
    }
    Ok(())
}
