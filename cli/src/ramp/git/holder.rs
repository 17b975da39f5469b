//! Which run it is: a ref whose commit says so. It is renewed by pushing another commit, and free once its observer has seen no
//! other one for as long as it says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::push::{Pushed, Update, is_behind};
use super::{Held, Remote, Try, held};
use crate::git::Git;
use crate::ramp::runner::{Holder, Turn, Watch};

/// What this run knows of the ref.
pub struct Mine {
    /// The ref, as last read or written.
    pub run: Option<String>,
    pub watch: Watch,
}

/// It is renewed in a thread while a look goes on; whoever pushes it has it locked meanwhile.
pub type Shared = Arc<Mutex<Mine>>;

/// Uses it.
pub fn lock(mine: &Shared) -> MutexGuard<'_, Mine> {
    mine.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Remote {
    /// Takes the run, or keeps it, as of what was fetched last. The text says who has it.
    pub(super) fn acquire(&mut self) -> Try<Result<(), String>> {
        let shared = Arc::clone(&self.mine);
        let mut mine = lock(&shared);
        mine.run.clone_from(&self.run);
        let holder = match &mine.run {
            Some(id) => Some((id.clone(), self.holder(id)?)),
            None => None,
        };
        match mine.watch.look(holder.as_ref().map(|(id, holder)| (id.as_str(), holder))) {
            Turn::Ours if !mine.watch.is_due() => return Ok(Ok(())),
            Turn::Ours | Turn::Free => {}
            Turn::Theirs(said) => return Ok(Err(said)),
        }
        let run = self.renewed(&mut mine)?;
        match self.push(&[self.run_update(&mine, &run)])? {
            Pushed::Done => {
                mine.is_renewed(run);
                Ok(Ok(()))
            }
            Pushed::Behind => Ok(Err("another run was faster: the next look sees who it is".to_owned())),
        }
    }

    fn holder(&self, id: &str) -> Try<Holder> {
        let message =
            self.git.text(&["show", "--no-patch", "--format=%b", id]).map_err(|error| held(&error))?;
        serde_json::from_str(message.trim()).map_err(|_| {
            Held(format!(
                "`{}` does not say which run it is: delete it with `git push {} :{}`",
                self.run_ref(),
                self.place.remote,
                self.run_ref()
            ))
        })
    }

    /// A commit that says that the run is ours, and still goes.
    pub(super) fn renewed(&self, mine: &mut Mine) -> Try<String> {
        renewed(&self.git, &self.service, mine)
    }

    pub(super) fn run_update(&self, mine: &Mine, commit: &str) -> Update {
        Update { name: self.run_ref(), was: mine.run.clone(), is: Some(commit.to_owned()) }
    }

    /// Lets others run. What cannot be said ends by itself after the lease.
    pub fn release(&mut self) {
        let shared = Arc::clone(&self.mine);
        let mine = lock(&shared);
        if mine.watch.is_ours() {
            let update = Update { name: self.run_ref(), was: mine.run.clone(), is: None };
            let _ = self.push(&[update]);
        }
    }

    /// What renews it while a look goes on.
    pub(super) fn renewal(&self) -> Renewal {
        let git = Git { limit: self.git.limit.min(lock(&self.mine).watch.limit()), ..self.git.clone() };
        Renewal { git, service: self.service.clone(), name: self.run_ref(), mine: Arc::clone(&self.mine) }
    }
}

impl Mine {
    pub(super) fn is_renewed(&mut self, commit: String) {
        self.watch.renewed(&commit);
        self.run = Some(commit);
    }
}

fn renewed(git: &Git, service: &str, mine: &mut Mine) -> Try<String> {
    let body = serde_json::to_string(&mine.watch.record()).map_err(|error| held(&error.into()))?;
    // The tree without files.
    let tree = git.read(&["mktree"], b"").map_err(|error| held(&error))?;
    let tree = String::from_utf8_lossy(&tree).trim().to_owned();
    let message = format!("graylane ramp run {service}\n\n{body}");
    git.text(&["commit-tree", "--no-gpg-sign", &tree, "-m", &message]).map_err(|error| held(&error))
}

/// Renews the ref again and again.
#[derive(Clone)]
pub struct Renewal {
    git: Git,
    service: String,
    name: String,
    mine: Shared,
}

impl Renewal {
    /// Until it is lost: why. What was begun must end then, before another run begins it again.
    pub(super) async fn lost(self) -> String {
        loop {
            let (pause, until) = {
                let mine = lock(&self.mine);
                (mine.watch.pause(), Instant::from_std(mine.watch.until()))
            };
            sleep_until((Instant::now() + pause).min(until)).await;
            let renewal = self.clone();
            let renewed = tokio::task::spawn_blocking(move || renewal.renew());
            match timeout_at(until, renewed).await {
                Ok(Ok(Ok(Pushed::Done))) => {}
                Ok(Ok(Ok(Pushed::Behind))) => return "another run has taken over".to_owned(),
                // What does not answer may answer in time.
                Ok(Ok(Err(_)) | Err(_)) if Instant::now() < until => {}
                Ok(Ok(Err(Held(why)))) => return why,
                Ok(Err(_)) | Err(_) => return "the turn could not be renewed in time".to_owned(),
            }
        }
    }

    fn renew(&self) -> Try<Pushed> {
        let mut mine = lock(&self.mine);
        if !mine.watch.is_due() {
            return Ok(Pushed::Done);
        }
        let run = renewed(&self.git, &self.service, &mut mine)?;
        let lease = format!("--force-with-lease={}:{}", self.name, mine.run.as_deref().unwrap_or_default());
        let to = format!("{run}:{}", self.name);
        let words = ["push", "--porcelain", "--no-signed", "--no-verify", &lease, "origin", &to];
        let said = self.git.call(&words, b"").map_err(|error| held(&error))?;
        if said.status.success() {
            mine.is_renewed(run);
            return Ok(Pushed::Done);
        }
        if is_behind(&said) { Ok(Pushed::Behind) } else { Err(Held(said.line())) }
    }
}
