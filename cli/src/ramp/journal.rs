//! The log of a rollout: a JSON object a line, appended, never rewritten. What was killed goes on from here and from the
//! file.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::judge::{Judgement, Sample, Verdict};
use super::pending::adopt;
use crate::time::rfc3339;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A weight is about to be written into the file.
    Advance,
    /// A weight was written and applied; pods may not run it yet.
    Applied,
    /// Every pod runs it: the step begins.
    Step,
    /// The canary was judged.
    Look,
    /// It was decided to abort.
    Abort,
    /// The weight 0 is applied.
    Aborted,
    /// It was decided to promote.
    Promote,
    /// The promotion is applied.
    Promoted,
    /// A person set weights.
    Set,
    /// Something else than the run was in the file or in the log: it stopped.
    Stopped,
    /// A person let it go on.
    Resume,
}

/// Who wrote a line that a run might have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Somebody who called `ramp set`, `next`, `abort` or `promote`.
    Person,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// The service.
    pub service: String,
    /// The canary.
    pub canary: String,
    /// Its weight in percent.
    pub weight: f64,
    /// What happened.
    pub event: Event,
    /// Who did it; none: a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// The weight before, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// The weight that the file is to have, in percent; none: as `weight`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// The SHA-256 of the file before; of several files, of all their texts in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The revision that pods are to run.
    pub revision: String,
    /// Of a look: the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Of a look: what each guard found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Judgement>,
    /// Of a look: what was counted of the canary, or of the gate's tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<Sample>,
    /// Of a look: what was counted of the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Sample>,
}

/// The log.
pub struct Journal {
    path: PathBuf,
    file: File,
    service: String,
    /// Its lines about one service.
    pub records: Vec<Record>,
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
        let mut journal =
            Self { path: path.to_owned(), file, service: service.to_owned(), records: Vec::new() };
        journal.reload()?;
        Ok(journal)
    }

    /// Reads what others wrote.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or a newer version wrote it.
    pub fn reload(&mut self) -> Result<()> {
        let name = self.path.display();
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        let size = (&self.file).take(MAX_BYTES + 1).read_to_end(&mut bytes);
        let size = size.with_context(|| format!("cannot read the log `{name}`"))?;
        ensure!(
            size as u64 <= MAX_BYTES,
            "the log `{name}` is larger than {} MiB: move it away, and go on with `--resume`",
            MAX_BYTES >> 20
        );
        self.records.clear();
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            // Half a line was left by a process that was killed while writing.
            let Ok(json) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
            if json["service"].as_str() != Some(&self.service) {
                continue;
            }
            let record = serde_json::from_value(json);
            self.records.push(record.with_context(|| {
                format!("{name}:{}: this line is not a record of this version of graylane", number + 1)
            })?);
        }
        Ok(())
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
        self.records.push(record);
        Ok(())
    }

    /// The last line of a run other than an observation, or one that allows it to continue.
    #[must_use]
    pub fn last(&self) -> Option<&Record> {
        let of_run = |record: &&Record| record.event != Event::Look && record.by.is_none();
        self.records.iter().rev().find(of_run)
    }

    /// What a person wrote since then, the last first.
    pub fn persons(&self) -> impl Iterator<Item = &Record> {
        let since =
            self.records.iter().rev().take_while(|record| record.by.is_some() || record.event == Event::Look);
        since.filter(|record| record.by.is_some())
    }

    /// What was last counted of the baseline while it still had requests of its own.
    #[must_use]
    pub fn last_baseline(&self, canary: &str, requests: f64) -> Option<&Sample> {
        let fits = |record: &&Record| record.canary == canary && record.weight < 100.0;
        let looks = self.records.iter().rev().filter(fits);
        looks.filter_map(|record| record.baseline.as_ref()).find(|sample| sample.requests >= requests)
    }
}

impl Record {
    /// A line of now.
    #[must_use]
    pub fn now(service: &str, canary: &str, weight: f64, event: Event, revision: String) -> Self {
        let at = now();
        Self {
            time: rfc3339(at.cast_signed()),
            at,
            service: service.to_owned(),
            canary: canary.to_owned(),
            weight,
            event,
            by: None,
            from: None,
            to: None,
            hash: None,
            revision,
            verdict: None,
            guards: Vec::new(),
            figures: None,
            baseline: None,
        }
    }

    /// The weight that the file has after this, in hundredths of a percent.
    #[must_use]
    pub fn buckets(&self) -> u16 {
        (self.to.unwrap_or(self.weight) * 100.0).round().clamp(0.0, 10_000.0) as u16
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_line_is_passed_over_and_what_follows_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ramp.jsonl");
        let record = Record {
            time: rfc3339(1),
            at: 1,
            service: "api".into(),
            canary: "canary".into(),
            weight: 5.0,
            event: Event::Step,
            by: None,
            from: None,
            to: None,
            hash: None,
            revision: "0".into(),
            verdict: None,
            guards: Vec::new(),
            figures: None,
            baseline: None,
        };
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
}
