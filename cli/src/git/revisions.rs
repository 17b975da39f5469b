//! The revisions of files, as the command `git` has them. It is only read from: `rev-parse`, `log`, `ls-tree`, `cat-file`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::Git;

/// How long one call may take.
const READ: Duration = Duration::from_secs(300);

/// Most revisions that are read.
pub const MAX: usize = 1_000;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its id, the first 12 digits.
    pub id: String,
    /// When it was committed, in seconds since 1970.
    #[serde(serialize_with = "seconds")]
    pub time: i64,
    /// The first line of its message.
    pub subject: String,
}

fn seconds<S: serde::Serializer>(time: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::time::rfc3339(*time))
}

/// Files by layer: the paths from the root of the repository.
pub type Layers = Vec<Vec<PathBuf>>;
/// Texts by layer.
pub type Texts = Vec<Vec<Vec<u8>>>;

/// A commit that changed the files.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The commit.
    pub commit: Commit,
    /// Its whole id.
    pub id: String,
    /// Who wrote it, as they call themselves.
    pub author: String,
    /// The lines at the end of its message, as in `Key: value`.
    pub trailers: Vec<(String, String)>,
    /// The path of the only file, as of then; none: it was not there, or there are several files.
    path: Option<PathBuf>,
}

impl Revision {
    /// The last trailer of this name.
    #[must_use]
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A layer as it is given on the command line.
#[derive(Debug)]
enum Layer {
    File(PathBuf),
    Folder(PathBuf),
}

/// The repository of some files.
#[derive(Debug)]
pub struct Repository {
    /// Its folder.
    pub top: PathBuf,
    layers: Vec<Layer>,
    /// Is its history cut off?
    pub is_shallow: bool,
}

impl Repository {
    /// The repository that all of these are in. The text of the error is why there is none.
    ///
    /// # Errors
    /// When there is none, or no `git`.
    pub fn of(paths: &[PathBuf]) -> Result<Self> {
        let mut found: Option<Self> = None;
        for path in paths {
            ensure!(path != Path::new("-"), "standard input has no history");
            // Git has the file that a link leads to.
            let real = path.canonicalize().with_context(|| format!("cannot find `{}`", path.display()))?;
            let is_folder = real.is_dir();
            let folder =
                if is_folder { real.as_path() } else { real.parent().context("a file without a folder")? };
            let said = reader(folder)
                .read(&["rev-parse", "--is-shallow-repository", "--show-toplevel"], b"")
                .with_context(|| format!("no history of `{}`", path.display()))?;
            let mut lines = said.split(|byte| *byte == b'\n');
            let is_shallow = lines.next() == Some(b"true");
            let top = PathBuf::from(OsStr::from_bytes(lines.next().unwrap_or_default())).canonicalize()?;
            let inside = real.strip_prefix(&top).context("a file outside of its repository")?.to_owned();
            let one = found.get_or_insert(Self { top, layers: Vec::new(), is_shallow });
            ensure!(folder.starts_with(&one.top), "the files are in several repositories");
            one.layers.push(if is_folder { Layer::Folder(inside) } else { Layer::File(inside) });
        }
        found.context("there is no file")
    }

    /// Where the files and folders are, from the root of the repository.
    #[must_use]
    pub fn inside(&self) -> Vec<PathBuf> {
        let path = |layer: &Layer| match layer {
            Layer::File(path) | Layer::Folder(path) => path.clone(),
        };
        self.layers.iter().map(path).collect()
    }

    /// The commits that changed the files, the newest first, as the branch got them: a merge counts, and not what it
    /// brings. A single file is followed over renames.
    ///
    /// # Errors
    /// When `git` fails.
    pub fn revisions(&self) -> Result<Vec<Revision>> {
        let mut arguments: Vec<OsString> =
            ["log", "--no-show-signature", "--no-ext-diff", "--first-parent", "-m"]
                .into_iter()
                .chain([
                    "--name-status",
                    "-z",
                    "--format=%x01%H%x00%ct%x00%s%x00%an%x00%(trailers:only,unfold)",
                ])
                .map(OsString::from)
                .collect();
        arguments.push(format!("--max-count={MAX}").into());
        if let [Layer::File(_)] = &self.layers[..] {
            arguments.push("--follow".into());
        }
        arguments.push("--".into());
        for layer in &self.layers {
            let (Layer::File(path) | Layer::Folder(path)) = layer;
            arguments.push(if path.as_os_str().is_empty() { ".".into() } else { path.clone().into() });
        }
        let said = reader(&self.top).read(&arguments, b"")?;
        parse(&said, matches!(&self.layers[..], [Layer::File(_)]))
    }

    /// The texts of the files as of these revisions, each layer with what was there of it. None: nothing was.
    ///
    /// # Errors
    /// When `git` fails.
    pub fn texts(&self, revisions: &[Revision]) -> Result<Vec<Option<Texts>>> {
        let paths = revisions.iter().map(|revision| self.paths(revision)).collect::<Result<Vec<_>>>()?;
        let mut wanted = Vec::new();
        for (revision, layers) in revisions.iter().zip(&paths) {
            for path in layers.iter().flatten().flatten() {
                wanted.extend([revision.id.as_bytes(), b":", path.as_os_str().as_bytes(), b"\n"].concat());
            }
        }
        let said = reader(&self.top).read(&["cat-file", "--batch"], &wanted)?;
        let mut rest = &said[..];
        let mut all = Vec::new();
        for layers in &paths {
            let Some(layers) = layers else {
                all.push(None);
                continue;
            };
            let layer = |layer: &Vec<PathBuf>| {
                let texts = layer.iter().map(|_| blob(&mut rest)).collect::<Result<Vec<_>>>()?;
                Ok(texts.into_iter().flatten().collect())
            };
            let texts = layers.iter().map(layer).collect::<Result<Texts>>()?;
            all.push(texts.iter().any(|layer| !layer.is_empty()).then_some(texts));
        }
        Ok(all)
    }

    /// The files of each layer at a revision; none: the only file was not there.
    fn paths(&self, revision: &Revision) -> Result<Option<Layers>> {
        if let [Layer::File(_)] = &self.layers[..] {
            return Ok(revision.path.clone().map(|path| vec![vec![path]]));
        }
        let layer = |layer: &Layer| match layer {
            Layer::File(path) => Ok(vec![path.clone()]),
            Layer::Folder(path) => {
                let mut folder = path.clone().into_os_string();
                folder.push(if folder.is_empty() { "." } else { "/" });
                let arguments = ["ls-tree", "--name-only", "-z", &revision.id, "--"].map(OsString::from);
                let said = reader(&self.top).read(&[&arguments[..], &[folder]].concat(), b"")?;
                let names = said.split(|byte| *byte == 0).filter(|name| !name.is_empty());
                let files = names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec())));
                let is_yaml =
                    |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
                let mut files: Vec<PathBuf> = files.filter(is_yaml).collect();
                files.sort();
                Ok(files)
            }
        };
        self.layers.iter().map(layer).collect::<Result<Layers>>().map(Some)
    }
}

/// Following a file through a large history takes its time.
fn reader(folder: &Path) -> Git {
    Git { limit: READ, ..Git::at(folder) }
}

/// What `log` printed: a commit's id, time and subject, then by file a status and its name, or two names of a rename.
fn parse(said: &[u8], single: bool) -> Result<Vec<Revision>> {
    let mut revisions: Vec<Revision> = Vec::new();
    let mut words = said.split(|byte| *byte == 0);
    while let Some(word) = words.next() {
        let word = word.trim_ascii_start();
        if let Some(id) = word.strip_prefix(b"\x01") {
            let id = String::from_utf8(id.to_vec())?;
            let time = std::str::from_utf8(words.next().unwrap_or_default())?.parse()?;
            let subject = String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
            let text = |word: Option<&[u8]>| String::from_utf8_lossy(word.unwrap_or_default()).into_owned();
            let (author, trailers) = (text(words.next()), text(words.next()));
            let pair =
                |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
            let trailers = trailers.lines().filter_map(pair).collect();
            let commit = Commit { id: id.chars().take(12).collect(), time, subject };
            revisions.push(Revision { commit, id, author, trailers, path: None });
            continue;
        }
        let (Some(status), Some(revision)) = (word.first(), revisions.last_mut()) else { continue };
        let renamed = matches!(status, b'R' | b'C');
        let first = words.next();
        let name = if renamed { words.next() } else { first };
        if single && *status != b'D' {
            revision.path = name.map(|name| PathBuf::from(OsString::from_vec(name.to_vec())));
        }
    }
    Ok(revisions)
}

/// The next answer of `cat-file --batch`: a line with the size, the bytes, and a line end. None: there is no such file.
fn blob(rest: &mut &[u8]) -> Result<Option<Vec<u8>>> {
    let end = rest.iter().position(|byte| *byte == b'\n').context("git cat-file ended early")?;
    let (line, after) = rest.split_at(end);
    let after = after.get(1..).unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ').rev();
    let size = words.next().and_then(|size| std::str::from_utf8(size).ok()?.parse::<usize>().ok());
    let Some(size) = size else {
        // A line that says that it is missing, and nothing after it.
        *rest = after;
        return Ok(None);
    };
    let text = after.get(..size).context("git cat-file ended early")?.to_vec();
    *rest = after.get(size + 1..).unwrap_or_default();
    // Else a folder or a submodule, where a file was later.
    Ok((words.next() == Some(b"blob")).then_some(text))
}
