//! An edit becomes a commit that is pushed. If others pushed meanwhile and the rollout is as it was, the edit is made again on
//! what they pushed; otherwise nothing is written, and the next look reads what they wrote.

use std::sync::Arc;

use anyhow::Result;

use super::holder::lock;
use super::message::{Signed, message};
use super::push::{Pushed, Update};
use super::{Held, Remote, Try, held};
use crate::lower;
use crate::ramp::ahead::Ahead;
use crate::ramp::change::{Change, Desk, Opened};
use crate::ramp::journal::{Event, Journal, Record};
use crate::ramp::lock::Lock;
use crate::ramp::run::Run;

/// How often an edit is made again before the next look.
const TRIES: usize = 5;

/// How an edit is made in a file.
pub type Redo<'a> = &'a dyn Fn(&Desk) -> Result<Change>;

impl Run {
    /// Writes a change: into the file, or as a commit that is pushed.
    pub(in crate::ramp) fn put(&mut self, lock: &Lock, desk: &Desk, edit: Redo<'_>) -> Result<()> {
        match &mut self.git {
            None => {
                self.still_ours()?;
                desk.write(lock, &edit(desk)?)
            }
            // A push finds its turn in the remote.
            Some(git) => git.land(lock, desk, edit, &mut self.journal),
        }
    }
}

impl Remote {
    fn land(&mut self, lock: &Lock, desk: &Desk, edit: Redo<'_>, journal: &mut Journal) -> Result<()> {
        let mut desk = desk.clone();
        for _ in 0..TRIES {
            let change = edit(&desk)?;
            desk.write(lock, &change)?;
            let landed = self.commit(&desk, &lower::revision(&change.mesh), journal).and_then(|commit| {
                journal.landed(Some(&commit)).map_err(|error| held(&error))?;
                let pushed = self.push_edit(&commit, journal)?;
                Ok((commit, pushed))
            });
            match landed {
                Ok((_, Pushed::Done)) => {
                    self.part = self.desk()?.and_then(|now| self.part_of(&now));
                    return Ok(());
                }
                Ok((_, Pushed::Behind)) => {
                    journal.landed(None)?;
                    desk = self.again(&desk)?;
                }
                Err(why) => {
                    journal.landed(None)?;
                    let head = self.head.clone();
                    self.reset(&head)?;
                    return Err(why.into());
                }
            }
        }
        Err(Held(format!("others push to {} all the time: the next look tries again", self.name())).into())
    }

    /// The commit of what was written, by the hooks of the checkout.
    fn commit(&self, desk: &Desk, revision: &str, journal: &Journal) -> Try<String> {
        let decided = journal
            .decided()
            .ok_or_else(|| Held("the log does not say what is to be committed".to_owned()))?;
        let approver = approver(desk, journal, decided);
        let approver = approver.as_deref();
        let (runner, ticket) = (self.runner.as_str(), self.ticket.as_deref());
        let signed = Signed { runner, key: &self.key, ticket, approver, revision };
        let text = message(&journal.records, decided, &signed);
        let said = self
            .with_hooks()
            .call(&["commit", "--quiet", "--all", "--cleanup=verbatim", "--file=-"], text.as_bytes());
        let said = said.map_err(|error| held(&error))?;
        if !said.status.success() {
            return Err(Held(format!(
                "the commit fails, nothing is changed (a hook of the checkout?): {}",
                said.line()
            )));
        }
        self.git.text(&["rev-parse", "HEAD"]).map_err(|error| held(&error))
    }

    fn push_edit(&mut self, commit: &str, journal: &Journal) -> Try<Pushed> {
        let shared = Arc::clone(&self.mine);
        let mut mine = lock(&shared);
        let (log, run) = (self.log_commit(journal)?, self.renewed(&mut mine)?);
        let branch =
            Update { name: self.branch_ref(), was: Some(self.head.clone()), is: Some(commit.to_owned()) };
        let pushed = self.push(&[branch, self.log_update(&log), self.run_update(&mine, &run)])?;
        if pushed == Pushed::Done {
            commit.clone_into(&mut self.head);
            commit.clone_into(&mut self.at);
            mine.is_renewed(run);
            self.is_published(journal, log);
        }
        Ok(pushed)
    }

    /// The files as others pushed them, if the rollout is in them as it was, and the run is still ours.
    fn again(&mut self, desk: &Desk) -> Result<Desk> {
        let shared = Arc::clone(&self.mine);
        // It is not renewed between the reading and the comparison.
        let mine = lock(&shared);
        let old = (self.log.clone(), mine.run.clone(), self.part_of(desk));
        let before = self.head.clone();
        self.reset(&before)?;
        self.fetch()?;
        if (&self.log, &self.run) != (&old.0, &old.1) {
            return Err(Held("another run has taken over: this one writes nothing more".to_owned()).into());
        }
        let head = self.head.clone();
        self.reset(&head)?;
        let is_same = |now: &Desk| old.2.is_some() && self.part_of(now) == old.2;
        let now = self.desk()?.filter(|now| self.rewritten.is_none() && is_same(now));
        now.ok_or_else(|| Held(format!("{} was changed meanwhile: reading it again", self.name())).into())
    }

    fn desk(&self) -> Result<Option<Desk>> {
        Ok(match Desk::open(&self.paths)? {
            Opened::Desk(desk) => Some(*desk),
            Opened::Broken(_) => None,
        })
    }
}

/// Who allowed the step that was decided, where it waited for somebody.
fn approver(desk: &Desk, journal: &Journal, decided: &Record) -> Option<String> {
    let before = journal.records.iter().rposition(|record| record == decided)?;
    let canary = desk.canary(&decided.service, Some(&decided.canary)).ok()?;
    let records = journal.records.get(..before)?;
    let ahead = Ahead::of(desk, &decided.service, canary, records)?;
    let is_up = decided.event != Event::Abort && ahead.is_paused();
    let approval = ahead.approved(false).filter(|_| is_up)?.approval.as_ref()?;
    let ticket = approval.ticket.as_ref().map_or_else(String::new, |ticket| format!(" ({ticket})"));
    Some(format!("{}{ticket}", approval.name))
}

impl Journal {
    /// What was decided last and is to be written.
    #[must_use]
    pub fn decided(&self) -> Option<&super::super::journal::Record> {
        self.last().filter(|record| matches!(record.event, Event::Advance | Event::Abort | Event::Promote))
    }

    /// What was decided last is in this commit, or in none after all.
    pub(super) fn landed(&mut self, commit: Option<&str>) -> Result<()> {
        self.amend(|record| {
            record.commit = commit.map(ToOwned::to_owned);
        })
    }
}
