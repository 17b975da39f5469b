//! An approval by Git: a commit without a change on the branch, so that the branch's protection says who may.

use anyhow::{Result, bail};

use super::push::{Pushed, Update};
use super::{Remote, Try, held};
use crate::history::trailer;
use crate::plain;
use crate::ramp::journal::{By, Event, Journal, Record};

/// How often it is tried, and how many commits of the branch are looked through for approvals.
const TRIES: usize = 5;
const COMMITS: &str = "--max-count=200";

impl Remote {
    /// What the log and the branch say now.
    ///
    /// # Errors
    /// When the remote does not answer.
    pub fn records(&mut self) -> Result<Vec<Record>> {
        self.fetch()?;
        let mut journal = Journal::open(&self.log_file, &self.service)?;
        self.load(&mut journal)?;
        let head = self.head.clone();
        self.reset(&head)?;
        self.take_approvals(&mut journal)?;
        Ok(journal.records)
    }

    /// Pushes an approval; `still`: does it still hold for what others pushed meanwhile? The commit that has it.
    ///
    /// # Errors
    /// When it cannot be pushed, or does not hold any more.
    pub fn approve(&mut self, record: &Record, still: &dyn Fn() -> Result<bool>) -> Result<String> {
        let Some(approval) = &record.approval else { bail!("not an approval") };
        let json = serde_json::to_string(record)?;
        let step = match record.step.as_deref() {
            Some("promote") | None => "the promotion".to_owned(),
            Some(step) => format!("{step} %"),
        };
        let (service, name) = (&record.service, plain::line(&approval.name));
        let what = if approval.outside_window { " outside of every window" } else { "" };
        let mut text = format!(
            "{service}: {name} allows {step} of {}{what}\n\n{}: {service}\n{}: {}\n",
            record.canary,
            trailer::SERVICE,
            trailer::ROLLOUT,
            self.key
        );
        if let Some(ticket) = &approval.ticket {
            text += &format!("{}: {}\n", trailer::TICKET, plain::line(ticket).replace(['\n', '\r'], " "));
        }
        text += &format!("{}: {json}\n", trailer::RECORD);
        for _ in 0..TRIES {
            let words = ["commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-"];
            let said = self.with_hooks().call(&words, text.as_bytes())?;
            if !said.status.success() {
                bail!("the commit fails (a hook of the checkout?): {}", said.line());
            }
            let commit = self.git.text(&["rev-parse", "HEAD"])?;
            let update =
                Update { name: self.branch_ref(), was: Some(self.head.clone()), is: Some(commit.clone()) };
            match self.push(&[update])? {
                Pushed::Done => return Ok(commit),
                Pushed::Behind => {
                    self.fetch()?;
                    let head = self.head.clone();
                    self.reset(&head)?;
                    if !still()? {
                        bail!("{} was changed meanwhile, and the step with it: look again", self.name());
                    }
                }
            }
        }
        bail!("others push to {} all the time: try again", self.name())
    }

    /// Puts the approvals of the branch into the log.
    pub(super) fn take_approvals(&self, journal: &mut Journal) -> Try<()> {
        let value = |key: &str| format!("%(trailers:key={key},valueonly)");
        let format = format!("--format=%H%x00{}%x00{}%x00", value(trailer::ROLLOUT), value(trailer::RECORD));
        let grep = format!("--grep=^{}: ", trailer::RECORD);
        let said = self
            .git
            .text(&["log", COMMITS, &grep, &format, &self.since_resume(journal)])
            .map_err(|error| held(&error))?;
        let mut words = said.split('\0');
        let mut new = Vec::new();
        while let (Some(id), Some(key), Some(json)) = (words.next(), words.next(), words.next()) {
            let id = id.trim();
            // One of another branch came with a merge; one of another file is of another rollout.
            if key.trim() != self.key {
                continue;
            }
            // Anybody may write such a line; what is none is none.
            let Ok(record) = serde_json::from_str::<Record>(json.trim()) else { continue };
            let is_known = journal.records.iter().any(|known| known.commit.as_deref() == Some(id));
            if record.event == Event::Approve && record.service == journal.service() && !is_known {
                new.push(Record { by: Some(By::Person), commit: Some(id.to_owned()), ..record });
            }
        }
        // The oldest first.
        for record in new.into_iter().rev() {
            journal.add(record).map_err(|error| held(&error))?;
        }
        Ok(())
    }
}
