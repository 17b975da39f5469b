//! Fetching, and pushing by compare-and-swap.

use super::{Held, Remote, Try, held};
use crate::process::Said;

/// What became of a push.
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// All refs are as they were to be.
    Done,
    /// One of them is not what it was when it was read: nothing was changed.
    Behind,
}

/// A ref that is to be changed: what it was, and what it is to be; none: not there.
pub struct Update {
    pub name: String,
    pub was: Option<String>,
    pub is: Option<String>,
}

/// Reasons of Git, here and there, for: somebody was faster.
const BEHIND: [&str; 8] = [
    "stale info",
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "reference already exists",
    "incorrect old value provided",
    "remote ref updated since checkout",
];

/// Was somebody faster?
pub(super) fn is_behind(said: &Said) -> bool {
    let out = String::from_utf8_lossy(&said.out);
    let rejected = out.lines().filter(|line| line.starts_with('!'));
    let words = rejected.chain(said.err.lines().filter(|line| line.starts_with("remote: error:")));
    words.into_iter().any(|why| BEHIND.iter().any(|known| why.contains(known)))
}

impl Remote {
    /// Reads the refs of the remote.
    pub(super) fn fetch(&mut self) -> Try<()> {
        let branch = format!("+{}:refs/remotes/origin/{}", self.branch_ref(), self.place.branch);
        let ours = format!("+refs/graylane/*/{0}:refs/graylane/*/{0}", self.key);
        let said =
            self.git.call(&["fetch", "--quiet", "--no-tags", "--prune", "origin", &branch, &ours], b"");
        let said = said.map_err(|error| self.away("fetch", &format!("{error:#}")))?;
        if !said.status.success() {
            return Err(self.away("fetch", &said.line()));
        }
        let read = |name: &str| {
            let said =
                self.git.call(&["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")], b"");
            let said = said.map_err(|error| held(&error))?;
            let id = String::from_utf8_lossy(&said.out).trim().to_owned();
            Ok((said.status.success() && !id.is_empty()).then_some(id))
        };
        let head = read(&format!("refs/remotes/origin/{}", self.place.branch))?;
        let (log, run) = (read(&self.log_ref())?, read(&self.run_ref())?);
        let head = head.ok_or_else(|| Held(format!("{} is not there any more", self.name())))?;
        if head != self.head && !self.is_in(&self.head, &head) {
            self.rewritten = Some(format!(
                "{} was rewritten (a force-push): commit {} is not in it any more",
                self.name(),
                short(&self.head)
            ));
        }
        // A log only grows.
        if let Some(old) = self.log.as_ref().filter(|old| log.as_ref() != Some(old))
            && !log.as_ref().is_some_and(|new| self.is_in(old, new))
        {
            let what = if log.is_some() { "taken back" } else { "deleted" };
            self.rewritten.get_or_insert(format!("the log `{}` was {what}", self.log_ref()));
        }
        (self.head, self.log, self.run) = (head, log, run);
        Ok(())
    }

    fn away(&self, what: &str, why: &str) -> Held {
        Held(format!(
            "cannot {what} {}, nothing is changed and the next look tries again: {why}",
            self.name()
        ))
    }

    /// Changes refs, all or none, each only from what it was. Hooks of the checkout run if the branch is among them.
    pub(super) fn push(&self, updates: &[Update]) -> Try<Pushed> {
        let mut words: Vec<String> =
            ["push", "--porcelain", "--atomic", "--no-signed"].map(ToOwned::to_owned).into();
        let branch = self.branch_ref();
        let of_branch = updates.iter().any(|update| update.name == branch);
        if !of_branch {
            words.push("--no-verify".into());
        }
        // A lease is no force here: what is pushed to the branch is a child of what the lease names. Without it Git would push
        // onto a branch that somebody took back to an older commit.
        let leases = updates.iter().map(|update| {
            format!("--force-with-lease={}:{}", update.name, update.was.as_deref().unwrap_or_default())
        });
        words.extend(leases);
        words.push("origin".into());
        words.extend(
            updates
                .iter()
                .map(|update| format!("{}:{}", update.is.as_deref().unwrap_or_default(), update.name)),
        );
        let git = if of_branch { self.with_hooks() } else { self.git.clone() };
        let said = git.call(&words, b"").map_err(|error| self.away("push to", &format!("{error:#}")))?;
        if said.status.success() {
            return Ok(Pushed::Done);
        }
        self.judged(&said)
    }

    fn judged(&self, said: &Said) -> Try<Pushed> {
        let out = String::from_utf8_lossy(&said.out).into_owned();
        let rejected: Vec<&str> = out.lines().filter(|line| line.starts_with('!')).collect();
        // Refs that are fine by themselves are rejected with the one that is not.
        let reasons: Vec<&str> = rejected
            .iter()
            .filter_map(|line| line.rsplit('\t').next())
            .filter(|why| !why.contains("atomic"))
            .collect();
        // If it changed while the push was under way, only the server's own words say so.
        if is_behind(said) {
            return Ok(Pushed::Behind);
        }
        let remote = said.err.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
        let remote = remote.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        if let Some(why) = reasons.first() {
            let remote = if remote.is_empty() { String::new() } else { format!(": {remote}") };
            return Err(Held(format!(
                "`{}` refuses the push {why}{remote}: let {} push to `{}`, or take the step by a pull request; nothing is changed",
                self.place.remote, self.runner, self.place.branch
            )));
        }
        Err(self.away("push to", &said.line()))
    }

    /// With the hooks of the checkout: what a person's commit has to pass, a run's has to.
    pub(super) fn with_hooks(&self) -> crate::git::Git {
        let mut git = self.git.clone();
        if let Some(hooks) = self.place.hooks.as_ref().filter(|hooks| hooks.is_dir()) {
            git.settings.push(("core.hookspath".into(), hooks.display().to_string()));
        }
        git
    }

    /// Checks a commit out, as it is.
    pub(super) fn reset(&mut self, commit: &str) -> Try<()> {
        self.git.text(&["reset", "--hard", "--quiet", commit]).map_err(|error| held(&error))?;
        commit.clone_into(&mut self.at);
        Ok(())
    }

    /// A commit with this tree that is on no branch.
    pub(super) fn loose(&self, tree: &str, parent: Option<&str>, message: &str) -> Try<String> {
        let mut words = vec!["commit-tree", "--no-gpg-sign", tree, "-m", message];
        words.extend(parent.iter().flat_map(|parent| ["-p", parent]));
        self.git.text(&words).map_err(|error| held(&error))
    }
}

/// The first digits of a commit's id.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
