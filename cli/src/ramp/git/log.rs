//! The log in its ref: a commit with one file, a child of the one before.

use std::sync::Arc;

use super::holder::lock;
use super::push::{Pushed, Update};
use super::{Held, Remote, Try, held};
use crate::ramp::journal::{Event, Journal};

/// The file in the commit.
const FILE: &str = "ramp.jsonl";

/// What goes into the log's ref only with the edit that follows from it, or with the next line that matters.
fn waits(event: Event) -> bool {
    matches!(event, Event::Look | Event::Advance | Event::Abort | Event::Promote)
}

impl Remote {
    /// Reads the log of the remote, if it is another one than the one that is here.
    pub(super) fn load(&mut self, journal: &mut Journal) -> Try<()> {
        if self.log == self.loaded {
            return Ok(());
        }
        let text = match &self.log {
            Some(log) => self
                .git
                .read(&["cat-file", "blob", &format!("{log}:{FILE}")], b"")
                .map_err(|error| held(&error))?,
            None => Vec::new(),
        };
        journal.replace(&text).map_err(|error| held(&error))?;
        self.loaded.clone_from(&self.log);
        self.published = journal.records.len();
        Ok(())
    }

    /// A commit with the log as it is here.
    pub(super) fn log_commit(&self, journal: &Journal) -> Try<String> {
        let path = self.log_file.display().to_string();
        let blob = self
            .git
            .text(&["hash-object", "-w", "--no-filters", "--", &path])
            .map_err(|error| held(&error))?;
        let entry = format!("100644 blob {blob}\t{FILE}\n");
        let tree = self.git.read(&["mktree"], entry.as_bytes()).map_err(|error| held(&error))?;
        let tree = String::from_utf8_lossy(&tree).trim().to_owned();
        let last = journal.records.last();
        let said =
            last.map_or_else(String::new, |last| format!(": {} at {} %", name(last.event), last.weight));
        self.loose(&tree, self.log.as_deref(), &format!("{}{said}", self.service))
    }

    pub(super) fn log_update(&self, commit: &str) -> Update {
        Update { name: self.log_ref(), was: self.log.clone(), is: Some(commit.to_owned()) }
    }

    /// The log here is now that of the remote.
    pub(super) fn is_published(&mut self, journal: &Journal, commit: String) {
        self.log = Some(commit);
        self.loaded.clone_from(&self.log);
        self.published = journal.records.len();
    }

    /// Pushes the log, if it has something that another run must know.
    pub(super) fn publish(&mut self, journal: &Journal) -> Try<()> {
        let new = journal.records.get(self.published..).unwrap_or_default();
        if new.iter().all(|record| waits(record.event)) {
            return Ok(());
        }
        let shared = Arc::clone(&self.mine);
        let mut mine = lock(&shared);
        let (log, run) = (self.log_commit(journal)?, self.renewed(&mut mine)?);
        match self.push(&[self.log_update(&log), self.run_update(&mine, &run)])? {
            Pushed::Done => {
                mine.is_renewed(run);
                self.is_published(journal, log);
                Ok(())
            }
            Pushed::Behind => {
                Err(Held("another run has taken over: this one writes nothing more".to_owned()))
            }
        }
    }
}

fn name(event: Event) -> String {
    let name = serde_json::to_value(event).ok();
    name.and_then(|name| name.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}
