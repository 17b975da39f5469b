//! One look of a run by Git: fetch, be the only run, look, and push what was written.

use std::time::Duration;

use anyhow::Result;

use super::holder::lock;
use super::push::short;
use super::{Held, Remote, Try, held};
use crate::clusters::said_of;
use crate::history::trailer;
use crate::plain;
use crate::ramp::change::Desk;
use crate::ramp::journal::{Event, Journal, Record};
use crate::ramp::run::{Progress, Run};

impl Run {
    /// One look, and what follows from it; in Git's form what others pushed is read first, and what this wrote is pushed.
    /// `once`: a run that has ended without a word is waited for here, since there is no next look.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a command fails.
    pub async fn turn(&mut self, once: bool) -> Result<Progress> {
        if let Some(cluster) = self.cluster.clone() {
            return self.turn_in(cluster, once).await;
        }
        if self.git.is_none() {
            return self.look().await;
        }
        let progress = match self.begin(once).await {
            Ok(None) => self.look_by_git().await,
            begun => begun.map(|progress| progress.unwrap_or_else(|| Progress::On(String::new()))),
        };
        let progress = match progress {
            Ok(progress) => progress,
            Err(error) => {
                self.journal.retract()?;
                let Held(why) = error.downcast::<Held>()?;
                return Ok(Progress::Wait(format!("hold: {why}")));
            }
        };
        let Some(git) = &mut self.git else { return Ok(progress) };
        if git.is_ours()
            && let Err(Held(why)) = git.publish(&self.journal)
        {
            return Ok(Progress::Wait(format!("hold: {why}")));
        }
        Ok(match progress {
            Progress::Stopped(why) => Progress::Stopped(git.with_author(why)),
            progress => progress,
        })
    }

    /// A hook or a command that takes longer than the lease is no reason to lose the turn; and whoever lost it ends them.
    async fn look_by_git(&mut self) -> Result<Progress> {
        let Some(renewal) = self.git.as_ref().map(Remote::renewal) else { return self.look().await };
        tokio::select! {
            // Nothing is begun after it is lost.
            biased;
            why = renewal.lost() => {
                Err(Held(format!("this run lost its turn, and writes nothing more: {why}")).into())
            }
            progress = self.look() => progress,
        }
    }

    /// Reads what others pushed. None: the look can begin.
    async fn begin(&mut self, once: bool) -> Result<Option<Progress>> {
        let Some(git) = &mut self.git else { return Ok(None) };
        git.fetch()?;
        let first = git.run.clone();
        while let Err(who) = git.acquire()? {
            if !once || git.run != first {
                return Ok(Some(Progress::Wait(format!("hold: another run has the rollout: {who}"))));
            }
            let pause = git.pause();
            tokio::time::sleep(pause).await;
            git.fetch()?;
        }
        git.load(&mut self.journal)?;
        if git.at != git.head {
            let head = git.head.clone();
            git.reset(&head)?;
        }
        let desk = self.read()?;
        let Some(git) = &mut self.git else { return Ok(None) };
        let part = git.part_of(&desk);
        // What was decided and could not be pushed yet is still to be done, whatever others wrote elsewhere in the file.
        let is_same = part.is_some() && git.part == part;
        if is_same && self.journal.decided().is_some_and(|record| record.commit.is_none()) {
            self.journal.amend(|record| record.hash = Some(desk.hash()))?;
        }
        git.part = part;
        let lost = git.lost(&self.journal)?;
        if lost.is_none() {
            git.take_approvals(&mut self.journal)?;
        }
        let (resumed, head) = (std::mem::take(&mut git.resume), git.head.clone());
        match lost {
            Some(_) if resumed => {
                let canary = desk.canary(&self.service, self.canary.as_deref())?.clone();
                self.journal.add(self.record(&desk, &canary, Event::Resume))?;
            }
            Some(why) => return self.is_lost(&desk, &why).await.map(Some),
            None if resumed => self.resume()?,
            None => return Ok(None),
        }
        // What is in the branch up to here is nothing that the log has to have.
        if self.journal.last().is_some_and(|last| last.event == Event::Resume) {
            self.journal.landed(Some(&head))?;
        }
        Ok(None)
    }

    async fn is_lost(&mut self, desk: &Desk, why: &str) -> Result<Progress> {
        let stopped = format!("{why}: {}", self.next().go_on());
        self.stop(desk, stopped).await
    }

    /// Why what was pushed is not in force yet; none: it is, or nobody was asked.
    pub(in crate::ramp) fn unsynced(&self) -> Option<String> {
        let git = self.git.as_ref().filter(|_| !self.synced_by.is_empty())?;
        match git.last_change() {
            Ok(commit) => self.synced_by.iter().find_map(|tool| {
                let why = tool.why_not(&commit, short(&commit), |revision| git.is_in(&commit, revision))?;
                Some(said_of(tool.cluster.as_deref(), &why))
            }),
            Err(Held(why)) => Some(why),
        }
    }
}

impl Remote {
    fn is_ours(&self) -> bool {
        lock(&self.mine).watch.is_ours()
    }

    /// Has it not been renewed for so long that another run may take it soon?
    pub(in crate::ramp) fn is_over(&self) -> bool {
        lock(&self.mine).watch.is_over()
    }

    fn pause(&self) -> Duration {
        lock(&self.mine).watch.pause()
    }

    /// Why what a run pushed is not in the branch any more.
    fn lost(&mut self, journal: &Journal) -> Try<Option<String>> {
        let rewritten = self.rewritten.take();
        let since = journal.records.iter().rev().take_while(|record| record.event != Event::Resume);
        let stopped = journal.last().is_some_and(|last| last.event == Event::Stopped);
        let commit = since
            .filter(|_| !stopped)
            .find_map(|record: &Record| record.commit.as_deref().filter(|_| record.by.is_none()));
        let gone = commit.filter(|commit| !self.is_in(commit, &self.head));
        let gone = gone.map(|commit| {
            format!(
                "commit {} of the last step is not in {} any more (a force-push)",
                short(commit),
                self.name()
            )
        });
        match rewritten.or(gone) {
            None if !stopped => self.unlogged(journal),
            why => Ok(why),
        }
    }

    /// What is looked through of the branch: what came after a person let the run go on is not in the log from before.
    pub(super) fn since_resume(&self, journal: &Journal) -> String {
        let resumed = journal.records.iter().rev().filter(|record| record.event == Event::Resume);
        let commit = resumed.filter_map(|record| record.commit.as_deref()).next();
        match commit.filter(|commit| self.is_in(commit, &self.head)) {
            Some(commit) => format!("{commit}..{}", self.head),
            None => self.head.clone(),
        }
    }

    /// Why the log is not the one with which the last step was pushed: whoever may push may also delete it.
    fn unlogged(&self, journal: &Journal) -> Try<Option<String>> {
        let exact = |c: char| if c.is_alphanumeric() || c == '-' { c.to_string() } else { format!("[{c}]") };
        let name: String = self.key.chars().map(exact).collect();
        let grep = format!("--grep=^{}: {name}$", trailer::ROLLOUT);
        let value = |key: &str| format!("%(trailers:key={key},valueonly,separator=%x20)");
        let format = format!("--format=%H%x00{}%x00{}", value(trailer::ROLLOUT), value(trailer::RUNNER));
        let said = self
            .git
            .text(&["log", &grep, &format, &self.since_resume(journal)])
            .map_err(|error| held(&error))?;
        let of_run = |line: &&str| {
            let words: Vec<&str> = line.split('\0').collect();
            matches!(words[..], [_, key, runner] if key == self.key && !runner.is_empty())
        };
        let newest = said.lines().find(of_run).and_then(|line| line.split('\0').next());
        let is_known = |id: &str| journal.records.iter().any(|record| record.commit.as_deref() == Some(id));
        Ok(newest.filter(|id| !is_known(id)).map(|id| {
            format!(
                "the log `{}` does not have commit {} of the last step (it was deleted, or taken back), so what was approved or \
                 aborted before is not known",
                self.log_ref(),
                short(id)
            )
        }))
    }

    /// With the commit that changed the files last: who wrote it is said whatever it says of itself.
    fn with_author(&self, why: String) -> String {
        let commit = self.last_change().unwrap_or_default();
        match self.git.text(&["show", "--no-patch", "--format=%an: %s", &commit]) {
            Ok(author) if !author.is_empty() => {
                format!("{why} (the last commit is {} by {})", short(&commit), plain::line(&author))
            }
            _ => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_holds_is_told_from_what_fails() {
        let fails = || -> Result<()> { bail!("no") };
        assert!(fails().unwrap_err().downcast::<Held>().is_err());
        let held: anyhow::Error = Held("later".into()).into();
        let held = held.context("where the rollout stands would be lost");
        assert_eq!(held.downcast::<Held>().unwrap().0, "later");
    }
}
