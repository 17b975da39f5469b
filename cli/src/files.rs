//! Files as they are read: with a bound, as text.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use graylane_mesh::document::source::SourceFiles;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads a file into the others; `-` is standard input.
///
/// # Errors
/// When it is not there, too large or not UTF-8.
pub fn read(sources: &mut SourceFiles, path: &Path) -> Result<usize> {
    let text = text(path)?;
    Ok(sources.add(name(path), text))
}

/// What a file is called in messages.
#[must_use]
pub fn name(path: &Path) -> String {
    if path == Path::new("-") { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// The bytes of a file; `-` is standard input.
///
/// # Errors
/// When it is not there, or too large.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(MAX_BYTES + 1).read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read `{name}`"))?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read `{name}`"))?;
    }
    ensure!(bytes.len() as u64 <= MAX_BYTES, "`{name}` is larger than {} MiB", MAX_BYTES >> 20);
    Ok(bytes)
}

/// The text of a file; `-` is standard input.
///
/// # Errors
/// When it is not there, too large or not UTF-8.
pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).or_else(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        bail!("`{}` is not UTF-8: line {line}, byte {}", path.display(), at + 1)
    })
}

/// The YAML files of a folder, in byte order of their names; of a file, the file itself.
///
/// # Errors
/// When the folder cannot be read, or has none.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let folder = || format!("cannot read folder `{}`", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(folder)? {
        let file = entry.with_context(folder)?.path();
        if file.is_file()
            && file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            files.push(file);
        }
    }
    ensure!(!files.is_empty(), "folder `{}` has no .yaml file", path.display());
    files.sort();
    Ok(files)
}
