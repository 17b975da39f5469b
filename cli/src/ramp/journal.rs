//! The log of a rollout: a JSON object a line, appended. What was killed goes on from here and from the file. Only the copy of
//! a run by Git is rewritten: what it announced may become another step until it is pushed.

mod record;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use super::judge::Sample;
use super::pending::adopt;
use anyhow::{Context, Result, ensure};

pub use record::{Answer, Approval, By, Event, Ran, Record};

/// The log.
pub struct Journal {
    path: PathBuf,
    file: File,
    service: String,
    /// Its lines about one service.
    pub records: Vec<Record>,
    /// How many lines about it were read, those that were taken back among them.
    read: usize,
    /// Those that came since it was opened, and nobody took.
    new: Vec<Record>,
}

/// Largest log that is read, in bytes: years of looks.
const MAX_BYTES: u64 = 64 << 20;

impl Journal {
    /// Opens or makes it.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn open(path: &Path, service: &str) -> Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.with_context(|| format!("cannot open the log `{}`", path.display()))?;
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let (Ok(log), Ok(owner)) = (file.metadata(), folder.unwrap_or(Path::new(".")).metadata())
            && log.len() == 0
        {
            adopt(&file, &owner);
        }
        let (path, service) = (path.to_owned(), service.to_owned());
        let mut journal = Self { path, file, service, records: Vec::new(), read: 0, new: Vec::new() };
        journal.reload()?;
        // What was there before is of earlier runs.
        journal.new.clear();
        Ok(journal)
    }

    /// The lines that came since this was asked last, in the order in which they were written.
    pub fn take_new(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.new)
    }

    /// Reads what others wrote.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or a newer version wrote it.
    pub fn reload(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let lines = Self::lines(&self.file, &self.path, &self.service)?;
        self.new.extend(lines.iter().skip(self.read).cloned());
        self.read = lines.len();
        self.records = standing(lines);
        Ok(())
    }

    /// The lines of a log about one service, without making or locking anything; none if there is no log.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or a newer version wrote it.
    pub fn peek(path: &Path, service: &str) -> Result<Vec<Record>> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        let file = File::open(path).with_context(|| format!("cannot read the log `{}`", path.display()))?;
        Ok(standing(Self::lines(&file, path, service)?))
    }

    fn lines(file: &File, path: &Path, service: &str) -> Result<Vec<Record>> {
        let name = path.display();
        let mut bytes = Vec::new();
        let size = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        let size = size.with_context(|| format!("cannot read the log `{name}`"))?;
        ensure!(
            size as u64 <= MAX_BYTES,
            "the log `{name}` is larger than {} MiB: move it away, and go on with `--resume`",
            MAX_BYTES >> 20
        );
        let mut records = Vec::new();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            // Half a line was left by a process that was killed while writing.
            let Ok(json) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
            if json["service"].as_str() != Some(service) {
                continue;
            }
            let record = serde_json::from_value(json);
            let record: Record = record.with_context(|| {
                format!("{name}:{}: this line is not a record of this version of graylane", number + 1)
            })?;
            records.push(record);
        }
        Ok(records)
    }

    /// Adds a line, and makes sure that it is on disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, record: Record) -> Result<()> {
        let mut line = serde_json::to_string(&record)? + "\n";
        if self.file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [b'\n'];
            self.file.seek(SeekFrom::End(-1))?;
            self.file.read_exact(&mut last)?;
            if last != [b'\n'] {
                line.insert(0, '\n');
            }
        }
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .context("cannot write the log")?;
        take_back(&mut self.records, record.event);
        self.read += 1;
        self.new.push(record.clone());
        self.records.push(record);
        Ok(())
    }

    /// The service that it is about.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Puts another log in its place: that of the remote. Its lines are not new: another run has told of them.
    ///
    /// # Errors
    /// When it cannot be written or read.
    pub fn replace(&mut self, text: &[u8]) -> Result<()> {
        self.file.set_len(0)?;
        self.file.write_all(text).and_then(|()| self.file.sync_data()).context("cannot write the log")?;
        self.read = usize::MAX;
        self.reload()
    }

    /// Changes the last line of a run: by Git it may become another one until it is pushed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn amend(&mut self, change: impl FnOnce(&mut Record)) -> Result<()> {
        let of_run = |record: &&mut Record| !record.event.is_note() && record.by.is_none();
        let Some(last) = self.records.iter_mut().rev().find(of_run) else { return Ok(()) };
        let before = last.clone();
        change(last);
        if let Some(new) = self.new.iter_mut().rev().find(|new| **new == before) {
            new.clone_from(last);
        }
        self.rewrite()
    }

    /// Takes back a step that was announced and did not come about: it is judged again.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn retract(&mut self) -> Result<()> {
        if !take_back(&mut self.records, Event::CutOff) {
            return Ok(());
        }
        take_back(&mut self.new, Event::CutOff);
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<()> {
        let lines = self.records.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.replace(text.as_bytes())
    }

    /// The last line of a run other than an observation, or one that allows it to continue.
    #[must_use]
    pub fn last(&self) -> Option<&Record> {
        let of_run = |record: &&Record| !record.event.is_note() && record.by.is_none();
        self.records.iter().rev().find(of_run)
    }

    /// What a person wrote since then, the last first.
    pub fn persons(&self) -> impl Iterator<Item = &Record> {
        let since =
            self.records.iter().rev().take_while(|record| record.by.is_some() || record.event.is_note());
        since.filter(|record| record.by.is_some() && !record.event.is_note())
    }

    /// What was last counted of the baseline while it still had requests of its own.
    #[must_use]
    pub fn last_baseline(&self, canary: &str, requests: f64) -> Option<&Sample> {
        let fits = |record: &&Record| record.canary == canary && record.weight < 100.0;
        let looks = self.records.iter().rev().filter(fits);
        looks.filter_map(|record| record.baseline.as_ref()).find(|sample| sample.requests >= requests)
    }
}

/// The lines that count.
fn standing(lines: Vec<Record>) -> Vec<Record> {
    let mut records = Vec::new();
    for line in lines {
        take_back(&mut records, line.event);
        records.push(line);
    }
    records
}

/// Leaves out what was announced last, if it did not come about.
fn take_back(records: &mut Vec<Record>, event: Event) -> bool {
    let of_run = |record: &Record| !record.event.is_note() && record.by.is_none();
    let announced = |record: &Record| record.event == Event::Advance && record.commit.is_none();
    let last = records.iter().rposition(of_run).filter(|_| event == Event::CutOff);
    let Some(at) = last.filter(|at| records.get(*at).is_some_and(announced)) else { return false };
    // The point of no return is announced together with the step that it is.
    let before =
        at.checked_sub(1).filter(|at| records.get(*at).map(|one| one.event) == Some(Event::NoReturn));
    records.drain(before.unwrap_or(at)..=at);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_passed_over_and_what_follows_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ramp.jsonl");
        let record = Record::at(1, "api", "canary", 5.0, Event::Step, "0".into());
        Journal::open(&path, "api").unwrap().add(record.clone()).unwrap();
        let half = std::fs::read_to_string(&path).unwrap() + "{\"time\":\"1970";
        std::fs::write(&path, half).unwrap();
        let mut journal = Journal::open(&path, "api").unwrap();
        journal.add(Record { weight: 25.0, ..record.clone() }).unwrap();
        drop(journal);
        let weights: Vec<f64> =
            Journal::open(&path, "api").unwrap().records.iter().map(|record| record.weight).collect();
        assert_eq!(weights, [5.0, 25.0]);
        assert!(Journal::open(&path, "orders").unwrap().records.is_empty());
    }

    #[test]
    fn what_is_new_is_told_once_also_what_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ramp.jsonl");
        let record = |event| Record::at(1, "api", "canary", 5.0, event, "0".into());
        let told = |journal: &mut Journal| -> Vec<Event> {
            journal.take_new().into_iter().map(|record| record.event).collect()
        };
        let mut journal = Journal::open(&path, "api").unwrap();
        for event in [Event::Step, Event::NoReturn, Event::Advance] {
            journal.add(record(event)).unwrap();
        }
        assert_eq!(told(&mut journal), [Event::Step, Event::NoReturn, Event::Advance]);
        // As a run that is started later.
        let mut journal = Journal::open(&path, "api").unwrap();
        assert_eq!(told(&mut journal), [], "of an earlier run");
        journal.add(record(Event::CutOff)).unwrap();
        Journal::open(&path, "api").unwrap().add(record(Event::Set)).unwrap();
        journal.reload().unwrap();
        assert_eq!(told(&mut journal), [Event::CutOff, Event::Set]);
        assert_eq!(journal.records.len(), 3, "what was cut off counts for nothing");
        // By Git: what is announced becomes what is pushed, or nothing.
        journal.replace(b"").unwrap();
        assert_eq!(told(&mut journal), [], "what was read from the remote");
        journal.add(record(Event::Advance)).unwrap();
        journal.amend(|record| record.commit = Some("c".into())).unwrap();
        assert_eq!(journal.take_new()[0].commit.as_deref(), Some("c"));
        journal.add(record(Event::Look)).unwrap();
        journal.add(record(Event::Advance)).unwrap();
        journal.retract().unwrap();
        assert_eq!(told(&mut journal), [Event::Look]);
        journal.reload().unwrap();
        assert_eq!(told(&mut journal), []);
    }
}
