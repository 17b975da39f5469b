//! The files that a document was read from, and places in them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Which file, as an index into [`Sources`].
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// The byte behind the last one.
    pub end: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug)]
struct File {
    name: String,
    text: String,
}

/// All files that were read, in order.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<File>,
    /// Texts that count instead of what lies on disk.
    edited: BTreeMap<PathBuf, String>,
}

impl Sources {
    /// None yet; these texts will be read instead of the files of these paths.
    #[must_use]
    pub fn edited(texts: BTreeMap<PathBuf, String>) -> Self {
        Self { edited: texts, ..Self::default() }
    }

    /// Adds a text under a name.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        self.files.push(File { name: name.into(), text: text.into() });
        self.files.len() - 1
    }

    /// Reads a file; `-` is standard input.
    ///
    /// # Errors
    /// When it is not there, too large or not UTF-8.
    pub fn read(&mut self, path: &Path) -> Result<usize> {
        let name = path.display().to_string();
        if let Some(text) = self.edited.get(path) {
            let text = text.clone();
            return Ok(self.add(name, text));
        }
        let mut bytes = Vec::new();
        if name == "-" {
            std::io::stdin()
                .take(MAX_BYTES + 1)
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
        } else {
            let file = std::fs::File::open(path).with_context(|| format!("cannot read `{name}`"))?;
            file.take(MAX_BYTES + 1)
                .read_to_end(&mut bytes)
                .with_context(|| format!("cannot read `{name}`"))?;
        }
        ensure!(bytes.len() as u64 <= MAX_BYTES, "`{name}` is larger than {} MiB", MAX_BYTES >> 20);
        match String::from_utf8(bytes) {
            Ok(text) => Ok(self.add(if name == "-" { "<stdin>".to_owned() } else { name }, text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                bail!("`{name}` is not UTF-8: line {line}, byte {}", at + 1)
            }
        }
    }

    /// A file's name, as it was given.
    #[must_use]
    pub fn name(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.name)
    }

    /// A file's text.
    #[must_use]
    pub fn text(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| &file.text)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Are there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
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
