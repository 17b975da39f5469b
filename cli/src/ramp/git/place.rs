//! The repository of a rollout, and the clone that is made of it.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::Remote;
use super::address::Address;
use super::holder::Mine;
use super::key::key;
use crate::clusters;
use crate::git::{Git, Repository, Secret};
use crate::http::without_password;
use crate::ramp::runner::Watch;

/// Settings of a checkout that a clone needs: who commits, how it signs, how it reaches the remote. CI keeps tokens here.
const SETTINGS: [&str; 9] = [
    "user.",
    "commit.gpgsign",
    "gpg.",
    "core.sshcommand",
    "core.gitproxy",
    "credential.",
    "http.",
    "url.",
    "ssh.",
];

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// A remote of the checkout, or an address; with an address no checkout is needed, and files are paths in the repository.
    pub remote: String,
    /// The branch; none: the one that is checked out.
    pub branch: Option<String>,
    /// Number of a change in a system for changes.
    pub ticket: Option<String>,
    /// Who runs it; none: the user and the machine.
    pub runner: Option<String>,
    /// After how long another run takes over.
    pub lease: Duration,
    /// How long one call of Git may take.
    pub limit: Duration,
    /// A person lets it go on.
    pub resume: bool,
}

/// Where the files of a rollout are.
#[derive(Clone, Debug)]
pub struct Place {
    /// As the person calls it.
    pub remote: String,
    /// The address of the remote, without a password.
    url: String,
    /// The branch.
    pub branch: String,
    /// The files, from the root of the repository.
    pub inside: Vec<PathBuf>,
    settings: Vec<(String, String)>,
    secret: Option<Secret>,
    /// The commit that is checked out.
    head: Option<String>,
    /// The hooks of the checkout: what a person's commit has to pass, a run's has to.
    pub hooks: Option<PathBuf>,
}

impl Place {
    /// Finds it.
    ///
    /// # Errors
    /// When there is no repository, no remote, no branch, or the files have changes that are not committed.
    pub fn of(paths: &[PathBuf], asked: &Asked) -> Result<Self> {
        if asked.remote.contains(['/', ':']) {
            return Self::at(paths, asked);
        }
        let repository =
            Repository::of(paths).context("--git needs a repository; or pass its address with --remote")?;
        let git = Git::at(&repository.top);
        let inside = repository.inside();
        let remote = asked.remote.clone();
        let Ok(url) = git.text(&["remote", "get-url", &remote]) else {
            let all = git.text(&["remote"]).unwrap_or_default();
            let all = all.lines().collect::<Vec<_>>().join(", ");
            let others = if all.is_empty() { "it has none".to_owned() } else { format!("it has {all}") };
            bail!(
                "the repository has no remote `{remote}` ({others}): `git remote add {remote} URL`, or name it with --remote"
            );
        };
        let branch = match &asked.branch {
            Some(branch) => branch.clone(),
            None => checked_out(&git).context(
                "detached HEAD: the checkout is on no branch; name the branch that the rollout is pushed to with --branch",
            )?,
        };
        let mut words = vec!["status".to_owned(), "--porcelain".into(), "--".into()];
        words.extend(inside.iter().map(|path| or_dot(path)));
        // Git reads paths from where the repository is.
        let layers = clusters::layers(paths).into_iter().filter_map(|layer| layer.canonicalize().ok());
        words.extend(
            layers
                .filter(|layer| layer.starts_with(&repository.top))
                .map(|layer| layer.display().to_string()),
        );
        let dirty = git.text(&words)?;
        // Logs of rollouts that are not by Git are no part of what is pushed.
        let is_log = |line: &&str| {
            let name = line.rsplit(['/', ' ']).next().unwrap_or_default();
            name.starts_with("graylane-ramp-") && name.ends_with(".jsonl") || line.ends_with(".graylane/")
        };
        let dirty: Vec<&str> = dirty.lines().filter(|line| !is_log(line)).collect();
        ensure!(
            dirty.is_empty(),
            "the files have changes that are not committed ({}), and a rollout by Git goes by what is pushed: commit and push them, or put \
             them away with `git stash`",
            dirty.iter().filter_map(|line| line.get(3..)).collect::<Vec<_>>().join(", ")
        );
        // Of a path that is no address the place counts.
        let beside = repository.top.join(&url);
        let url = if !url.contains(':') && beside.exists() { beside.display().to_string() } else { url };
        let hooks =
            git.text(&["rev-parse", "--git-path", "hooks"]).ok().map(|hooks| repository.top.join(hooks));
        let head = git.text(&["rev-parse", "HEAD"]).ok();
        let address = Address::of(&url);
        let settings = [settings(&git), address.settings].concat();
        Ok(Self { remote, url: address.url, branch, inside, settings, secret: address.secret, head, hooks })
    }

    /// Without a checkout.
    fn at(paths: &[PathBuf], asked: &Asked) -> Result<Self> {
        let branch =
            asked.branch.clone().context("name the branch with --branch: an address has none checked out")?;
        for path in paths {
            ensure!(
                path.is_relative() && path != Path::new("-"),
                "with an address as --remote, -f is a path from the root of the repository, and `{}` is none",
                path.display()
            );
        }
        let inside = paths
            .iter()
            .map(|path| path.components().filter(|part| part.as_os_str() != ".").collect())
            .collect();
        let Address { url, settings, secret } = Address::of(&asked.remote);
        // What is said ends up in logs.
        let remote = said_of(&asked.remote);
        Ok(Self { remote, url, branch, inside, settings, secret, head: None, hooks: None })
    }
}

/// The branch that is checked out.
fn checked_out(git: &Git) -> Option<String> {
    git.text(&["symbolic-ref", "--short", "--quiet", "HEAD"]).ok().filter(|name| !name.is_empty())
}

/// Is the rollout of a service by Git, as far as the remote of the checkout says? It is that of the branch that is checked out;
/// without one, that of any.
#[must_use]
pub fn is_by_git(paths: &[PathBuf], service: &str, remote: &str) -> bool {
    let Ok(repository) = Repository::of(paths) else { return false };
    let git = Git::at(&repository.top);
    let Ok(url) = git.text(&["remote", "get-url", remote]) else { return false };
    let Address { url, settings, secret } = Address::of(&url);
    let of_branch = |branch: &str| key(branch, &repository.inside(), service);
    let key = checked_out(&git).map_or_else(|| of_branch("x").replacen('x', "*", 1), |name| of_branch(&name));
    let git = Git { limit: Duration::from_secs(10), settings, secret, ..git };
    // What cannot be asked is not known to be.
    let said = git.read(&["ls-remote", "--refs", "--", &url, &format!("refs/graylane/log/{key}")], b"");
    said.is_ok_and(|said| !said.is_empty())
}

/// An address without the token in it; `git@host:path` has none.
fn said_of(url: &str) -> String {
    if url.contains("://") { without_password(url) } else { url.to_owned() }
}

fn or_dot(path: &Path) -> String {
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

/// What of a checkout's settings the clone needs and would not have by itself: its own, and those that a user's file includes
/// for folders like this one.
fn settings(git: &Git) -> Vec<(String, String)> {
    let read = |git: &Git| {
        let said = git.text(&["config", "--includes", "--list", "-z"]).unwrap_or_default();
        // A key alone is `true`.
        let words = said.split('\0').filter(|word| !word.is_empty());
        let pairs = words.map(|word| word.split_once('\n').unwrap_or((word, "true")));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
    };
    let mut elsewhere = read(&Git::at(Path::new("/")));
    let is_own = |setting: &(String, String)| match elsewhere.iter().position(|other| other == setting) {
        Some(at) => {
            elsewhere.swap_remove(at);
            false
        }
        None => true,
    };
    let own = read(git).into_iter().filter(is_own);
    own.filter(|(key, _)| SETTINGS.iter().any(|prefix| key.starts_with(prefix))).collect()
}

impl Remote {
    /// Makes a clone in a temporary folder: the history, and of files only those of the rollout.
    ///
    /// # Errors
    /// When the remote does not answer, or has no such branch.
    pub fn open(place: Place, service: &str, asked: &Asked) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("graylane-git-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let root = folder.path().join("clone");
        let (limit, settings, secret) = (asked.limit, place.settings.clone(), place.secret.clone());
        let mut git = Git { limit, settings, secret, ..Git::at(folder.path()) };
        let words = [
            "clone",
            "--quiet",
            "--template=",
            "--no-tags",
            "--single-branch",
            "--no-checkout",
            "--filter=blob:none",
        ];
        let words = [&words[..], &["--branch", &place.branch, "--", &place.url, "clone"]].concat();
        let said = git.call(&words, b"").with_context(|| format!("cannot clone `{}`", place.remote))?;
        ensure!(
            said.status.success(),
            "cannot clone `{}` (branch `{}`): {}",
            place.remote,
            place.branch,
            said.line()
        );
        git.folder.clone_from(&root);
        let (paths, head) = check_out(&mut git, &root, &place)?;
        let nonce = folder
            .path()
            .file_name()
            .map(|name| name.to_string_lossy().replace("graylane-git-", ""))
            .unwrap_or_default();
        let name = asked.runner.clone().unwrap_or_else(crate::ramp::runner::me);
        Ok(Self {
            log_file: folder.path().join("ramp.jsonl"),
            paths,
            git,
            key: key(&place.branch, &place.inside, service),
            place,
            service: service.to_owned(),
            at: head.clone(),
            head,
            log: None,
            loaded: None,
            published: 0,
            run: None,
            mine: Arc::new(Mutex::new(Mine {
                run: None,
                watch: Watch::new(name.clone(), nonce, asked.lease),
            })),
            runner: name,
            ticket: asked.ticket.clone(),
            part: None,
            rewritten: None,
            resume: asked.resume,
            _folder: folder,
        })
    }
}

impl Remote {
    /// Has the checkout commits that were not pushed?
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.place.head.as_ref().is_some_and(|head| !self.is_in(head, &self.head))
    }
}

/// Checks out the files of the rollout, and the layers that they name, in a clone; where they are, and which commit it is.
fn check_out(git: &mut Git, root: &Path, place: &Place) -> Result<(Vec<PathBuf>, String)> {
    // Those that are not of the rollout are not even read.
    let patterns: String = place.inside.iter().map(|path| pattern(path)).collect();
    let info = root.join(".git/info");
    std::fs::create_dir_all(&info)?;
    std::fs::write(info.join("sparse-checkout"), &patterns)?;
    git.settings.push(("core.sparsecheckout".into(), "true".into()));
    if git.text(&["var", "GIT_COMMITTER_IDENT"]).is_err() {
        let host = crate::ramp::runner::host();
        git.settings.extend([
            ("user.name".into(), "graylane".into()),
            ("user.email".into(), format!("graylane@{host}")),
        ]);
    }
    let head = git.text(&["rev-parse", "HEAD"])?;
    git.text(&["reset", "--hard", "--quiet", &head])?;
    let paths: Vec<PathBuf> = place.inside.iter().map(|path| root.join(path)).collect();
    let layers = layers(root, &paths)?;
    if !layers.is_empty() {
        std::fs::write(info.join("sparse-checkout"), patterns + &layers)?;
        git.text(&["reset", "--hard", "--quiet", &head])?;
    }
    for (path, inside) in paths.iter().zip(&place.inside) {
        ensure!(
            path.exists(),
            "`{}` has no `{}` on branch `{}`",
            place.remote,
            inside.display(),
            place.branch
        );
    }
    Ok((paths, head))
}

/// The lines of `info/sparse-checkout` for the layers of clusters that the files in a clone name.
fn layers(root: &Path, paths: &[PathBuf]) -> Result<String> {
    let pattern = |layer: PathBuf| match inside(root, &layer) {
        Some(path) => Ok(pattern(&path)),
        None => bail!(
            "the layer `{}` is not in the repository, so a run by Git cannot read it: write its path relative to the file",
            layer.display()
        ),
    };
    clusters::layers(paths).into_iter().map(pattern).collect()
}

/// A path below a folder, relative to it; none: it leads out of the folder.
fn inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for part in path.strip_prefix(root).ok()?.components() {
        match part {
            Component::Normal(part) => inside.push(part),
            Component::CurDir => {}
            _ => {
                if !inside.pop() {
                    return None;
                }
            }
        }
    }
    Some(inside)
}

/// A line of `info/sparse-checkout`: the path itself, whatever characters are in it.
fn pattern(path: &Path) -> String {
    let escape = |c: char| if "*?[]\\ !#".contains(c) { vec!['\\', c] } else { vec![c] };
    let escaped: String = path.display().to_string().chars().flat_map(escape).collect();
    if escaped.is_empty() { "/*\n!/*/\n".to_owned() } else { format!("/{escaped}\n") }
}
