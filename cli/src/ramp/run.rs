//! A rollout that goes by itself: write, apply, wait, judge; then the next step, or back.
//!
//! Where it stands is in the file (the weight) and in the log (since when). So it can be killed at any moment and
//! started again, and one look at a time is enough, as in a CronJob. What it is about to write is in the log before it is
//! in the file, with the file's hash, so that an edit of somebody else is told from half an edit of its own.
//!
//! The files are locked while they are read and changed, and not while something is asked or applied. What was decided
//! meanwhile counts only if they still say what they said.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use graylane_decide::config::Weight;

use super::ahead::{Ahead, leaves};
use super::apply::{Apply, lagging};
use super::change::{Desk, Opened};
use super::cluster::Shared;
use super::git::Remote;
use super::journal::{Event, Journal, Record};
use super::judge::{Judgement, Verdict, together};
use super::lock::Lock;
use super::resume::{Standing, standing};
use super::synced::SyncedBy;
use crate::document::finding::Severity;
use crate::lower;
use crate::prometheus::Several;
use crate::simulate::{Setting, percent};

/// A run.
pub struct Run {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// The service.
    pub service: String,
    /// The canary; none: the only one.
    pub canary: Option<String>,
    /// What is asked for figures.
    pub prometheus: Several,
    /// How steps are applied.
    pub apply: Apply,
    /// Seconds that each step is watched.
    pub hold: Option<u64>,
    /// Requests before any verdict.
    pub requests: u32,
    /// Begin again after an abort or a promotion.
    pub anew: bool,
    /// The log.
    pub journal: Journal,
    /// Seconds since 1970.
    pub clock: Box<dyn Fn() -> u64>,
    /// By Git: the remote that it is pushed to.
    pub git: Option<Remote>,
    /// By Git: what brings it into each cluster.
    pub synced_by: Vec<SyncedBy>,
    /// The cluster that is applied to, where it is known.
    pub cluster: Option<Shared>,
}

/// What one look came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The weight was raised; there is more to do at once.
    Advance(String),
    /// There is more to do at once.
    On(String),
    /// Nothing to do until the next look.
    Wait(String),
    /// The canary is the baseline, or is at its last step.
    Done(String),
    /// The canary was worse, and its weight is 0 now.
    Aborted(String),
    /// A person did something else; only a person lets it go on.
    Stopped(String),
    /// The canary is worse, and beyond its point of no return; only a person goes back.
    Held(String),
    /// It is aborted, and the hook that follows has not succeeded yet.
    Retry(String),
}

impl Run {
    /// Reads the files.
    pub(super) fn read(&self) -> Result<Desk> {
        match Desk::open(&self.paths)? {
            Opened::Desk(desk) => Ok(*desk),
            Opened::Broken(opened) => {
                let first = opened.findings.iter().find(|finding| finding.severity == Severity::Error);
                bail!(
                    "the file is no longer valid: {}; see `graylane check`",
                    first.map_or("it has no document", |finding| &finding.message)
                )
            }
        }
    }

    /// Lets a run go on that a person stopped, or that holds past the point of no return.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn resume(&mut self) -> Result<()> {
        let _lock = Lock::of(&self.paths)?;
        let desk = self.read()?;
        self.journal.reload()?;
        let stopped = standing(&self.journal, &desk, self.next(), self.anew) != Standing::Free;
        let canary = desk.canary(&self.service, self.canary.as_deref());
        // To begin anew is not to say that what holds is repaired.
        let holds = canary.as_ref().ok().filter(|_| !self.anew).is_some_and(|canary| {
            let ahead = Ahead::of(&desk, &self.service, canary, &self.journal.records);
            ahead.is_some_and(|ahead| ahead.held().is_some())
        });
        if stopped || holds {
            let canary = canary?.clone();
            self.journal.add(self.record(&desk, &canary, Event::Resume))?;
        }
        Ok(())
    }

    /// One look, and what follows from it.
    ///
    /// # Errors
    /// When a file cannot be read or written, or a command fails.
    pub async fn look(&mut self) -> Result<Progress> {
        let lock = Lock::of(&self.paths)?;
        let desk = self.read()?;
        self.journal.reload()?;
        if let Standing::Stopped(why) = standing(&self.journal, &desk, self.next(), self.anew) {
            drop(lock);
            return self.stop(&desk, why).await;
        }
        let last = self.journal.last().cloned();
        let (_, rollout) = desk.rollout(&self.service)?;
        let nobody = rollout.weights.iter().all(|weight| weight.buckets == 0);
        let promoted =
            |record: &Record| Progress::Done(format!("`{}` was promoted at {}", record.canary, record.time));
        if let Some(record) = self.journal.persons().next().filter(|record| record.event == Event::Promote)
            && nobody
            && !self.anew
        {
            return Ok(promoted(record));
        }
        if let Some(last) = &last {
            let is = rollout.weights.iter().find(|weight| weight.subset == last.canary);
            let is = is.map_or(0, |weight| weight.buckets);
            match last.event {
                Event::Abort => return self.abort(lock, &desk, last).await,
                Event::Promote => {
                    return match self.unsure() {
                        Some(hold) => Ok(hold),
                        None => self.promote(lock, &desk, last).await,
                    };
                }
                Event::Advance if is != last.buckets() => return self.cut_off(&desk, last, is),
                // Only a person starts over: with --anew, or by giving a canary a weight.
                Event::Aborted if self.owes(&desk, &last.canary) => {
                    drop(lock);
                    return self.repeat_hook(&desk, last).await;
                }
                Event::Aborted if is == 0 && !self.anew => {
                    return Ok(Progress::Aborted(format!("`{}` was aborted at {}", last.canary, last.time)));
                }
                Event::Promoted if nobody && !self.anew => return Ok(promoted(last)),
                _ => {}
            }
        }
        let canary = desk.canary(&self.service, self.canary.as_deref())?.clone();
        let gate = if canary.buckets == 0 { self.gate(&desk, &canary.subset)? } else { None };
        drop(lock);
        if canary.buckets == 0 && gate.is_none() {
            return self.take(&desk, &canary, "").await;
        }
        let revision = lower::revision(&desk.mesh);
        let same = |last: &&Record| last.canary == canary.subset && last.revision == revision;
        match last.as_ref().filter(same).map(|last| (last.event, last.at)) {
            Some((Event::Step, since)) => self.judge(&desk, &canary, gate.as_deref(), since).await,
            Some((Event::Applied, _)) => {
                if !self.apply.options.without_filter
                    && let Some(why) = lagging(&self.clusters(&desk)?).await
                {
                    return Ok(Progress::Wait(format!("{} % is applied: {why}", percent(canary.buckets))));
                }
                if let Some(why) = self.unsynced() {
                    return Ok(Progress::Wait(format!(
                        "hold: {} % is pushed: {why}",
                        percent(canary.buckets)
                    )));
                }
                let said = match &gate {
                    Some(gate) => format!("watching `{gate}` before a live user is moved"),
                    None => format!("every pod runs {} %", percent(canary.buckets)),
                };
                self.note(&desk, self.record(&desk, &canary, Event::Step), said)
            }
            _ => {
                if let Some(hold) = self.unsure() {
                    return Ok(hold);
                }
                self.bring(&desk).await?;
                let said = format!("`{}` has {} %", canary.subset, percent(canary.buckets));
                self.note(&desk, self.record(&desk, &canary, Event::Applied), said)
            }
        }
    }

    /// The hook that follows an abort, where it did not succeed yet.
    async fn repeat_hook(&mut self, desk: &Desk, last: &Record) -> Result<Progress> {
        let canary = desk.canary(&self.service, Some(&last.canary))?.clone();
        let aborted = || format!("`{}` was aborted at {}", last.canary, last.time);
        Ok(match self.after_abort(desk, &canary).await? {
            Some(retry) => retry,
            None if self.anew => Progress::On(aborted()),
            None => Progress::Aborted(aborted()),
        })
    }

    /// A step that was announced, and cut off before it was written: what allowed it may be gone, so the canary is
    /// judged again, and everything is waited for that a step waits for. The files are locked.
    fn cut_off(&mut self, desk: &Desk, last: &Record, is: u16) -> Result<Progress> {
        if self.git.is_some() {
            self.journal.retract()?;
        } else {
            let canary = Weight { subset: last.canary.clone(), buckets: is, from: Default::default() };
            self.journal.add(self.record(desk, &canary, Event::CutOff))?;
        }
        Ok(Progress::On(format!("the step to {} % was cut off: looking again", percent(last.buckets()))))
    }

    /// Stops. What a person took off the canary is taken off in the mesh too.
    pub(super) async fn stop(&mut self, desk: &Desk, why: String) -> Result<Progress> {
        if let Some(last) = self.journal.last().filter(|last| last.event != Event::Stopped).cloned() {
            let (_, rollout) = desk.rollout(&self.service)?;
            let weight = rollout.weights.iter().find(|weight| weight.subset == last.canary);
            let buckets = weight.map_or(0, |weight| weight.buckets);
            if buckets == 0 && last.buckets() > 0 {
                self.bring(desk).await?;
            }
            let canary = Weight { subset: last.canary, buckets, from: Default::default() };
            self.journal.add(self.record(desk, &canary, Event::Stopped))?;
        }
        // The hook that follows an abort is the run's also where a person aborted.
        if let Ok(canary) = desk.canary(&self.service, self.canary.as_deref()).cloned()
            && self.owes(desk, &canary.subset)
            && let Some(retry) = self.after_abort(desk, &canary).await?
        {
            return Ok(retry);
        }
        Ok(Progress::Stopped(why))
    }

    /// The tenant that tries the canary before a live user does.
    fn gate(&self, desk: &Desk, canary: &str) -> Result<Option<String>> {
        let service = desk.project.document.services.get(&self.service);
        let gate = service.and_then(|service| service.rollout.as_ref()?.gate.clone());
        let pin = gate.as_ref().and_then(|gate| service?.pins.get(gate));
        ensure!(
            gate.is_none() || pin.is_some_and(|subset| subset == canary),
            "`gate: {}` must try `{canary}` before live users do, but is not pinned to it: change its pin, or leave `gate` out",
            gate.as_deref().unwrap_or_default()
        );
        Ok(gate)
    }

    /// On to the next step: what is to be first, then the file.
    pub(super) fn advance(&mut self, lock: &Lock, desk: &Desk, canary: &Weight) -> Result<Progress> {
        let step = desk.next(&self.service, canary.buckets)?;
        let weight = Weight { buckets: step, ..canary.clone() };
        let setting = Setting { subset: Some(canary.subset.clone()), buckets: step, from: None };
        let moves = desk.set(&self.service, &[setting])?.moves;
        if let Some(why) = leaves(desk, &self.service, &moves, &self.journal.records) {
            return Ok(Progress::Wait(format!(
                "hold: {} % of `{}` takes users off another canary, and {why}",
                percent(step),
                canary.subset
            )));
        }
        let last_chance = Ahead::of(desk, &self.service, canary, &self.journal.records)
            .is_some_and(|ahead| ahead.is_last_chance());
        if last_chance {
            let note = self.record(desk, &weight, Event::NoReturn);
            self.journal.add(note).context("where the rollout stands would be lost")?;
        }
        let record = Record {
            from: Some(crate::percent::of(canary.buckets)),
            to: Some(crate::percent::of(step)),
            hash: Some(desk.hash()),
            ..self.record(desk, &weight, Event::Advance)
        };
        self.journal.add(record).context("where the rollout stands would be lost")?;
        match self.set(lock, desk, &canary.subset, step)? {
            Progress::Advance(said) if last_chance => Ok(Progress::Advance(format!(
                "{said}, the point of no return: from here on the run does not take it back"
            ))),
            set => Ok(set),
        }
    }

    fn set(&mut self, lock: &Lock, desk: &Desk, canary: &str, buckets: u16) -> Result<Progress> {
        let setting = Setting { subset: Some(canary.to_owned()), buckets, from: None };
        let service = self.service.clone();
        self.put(lock, desk, &|desk| desk.set(&service, std::slice::from_ref(&setting)))?;
        Ok(Progress::Advance(format!("on to {} %", percent(buckets))))
    }

    async fn abort(&mut self, lock: Lock, desk: &Desk, last: &Record) -> Result<Progress> {
        let canary = desk.canary(&self.service, Some(&last.canary))?.clone();
        if canary.buckets > 0 {
            self.set(&lock, desk, &canary.subset, 0)?;
            return Ok(Progress::On(format!("`{}` has 0 % in the file", canary.subset)));
        }
        drop(lock);
        // What was begun anew has ended.
        self.anew = false;
        if let Some(why) = self.unsynced() {
            return Ok(Progress::Wait(format!("hold: the abort is pushed: {why}")));
        }
        if let Some(wait) = self.take_back(desk).await? {
            return Ok(wait);
        }
        match self.note(desk, self.record(desk, &canary, Event::Aborted), String::new())? {
            Progress::On(said) if said.is_empty() => {
                if let Some(retry) = self.after_abort(desk, &canary).await? {
                    return Ok(retry);
                }
                Ok(Progress::Aborted(format!("`{}` is aborted{}", canary.subset, self.why())))
            }
            changed => Ok(changed),
        }
    }

    async fn promote(&mut self, lock: Lock, desk: &Desk, last: &Record) -> Result<Progress> {
        let (service, _) = desk.rollout(&self.service)?;
        if service.baseline != last.canary {
            let name = self.service.clone();
            self.put(&lock, desk, &|desk| Ok(desk.promote(&name, Some(&last.canary), None)?.change))?;
            return Ok(Progress::On(format!("`{}` is the baseline in the file", last.canary)));
        }
        drop(lock);
        if let Some(why) = self.unsynced() {
            return Ok(Progress::Wait(format!("hold: the promotion is pushed: {why}")));
        }
        self.bring(desk).await?;
        let canary = Weight { subset: last.canary.clone(), buckets: 10_000, from: Default::default() };
        match self.note(desk, self.record(desk, &canary, Event::Promoted), String::new())? {
            Progress::On(said) if said.is_empty() => {
                Ok(Progress::Done(format!("`{}` is promoted", last.canary)))
            }
            changed => Ok(changed),
        }
    }

    /// Why it was aborted.
    fn why(&self) -> String {
        let look = self.journal.records.iter().rev().find(|record| record.verdict == Some(Verdict::Abort));
        look.map_or_else(String::new, |look| format!(": {}", said(&look.guards)))
    }

    pub(super) fn record(&self, desk: &Desk, canary: &Weight, event: Event) -> Record {
        let weight = crate::percent::of(canary.buckets);
        let revision = lower::revision(&desk.mesh);
        Record::at((self.clock)(), &self.service, &canary.subset, weight, event, revision)
    }

    /// Writes down what was done or decided, unless a person did something meanwhile.
    pub(super) fn note(&mut self, desk: &Desk, record: Record, said: String) -> Result<Progress> {
        let _lock = Lock::of(&self.paths)?;
        let Some(now) = self.undisturbed(desk)? else { return Ok(changed()) };
        // What was decided goes by the whole file, as its point of no return.
        if record.hash.is_some() && now.hash() != desk.hash() {
            return Ok(changed());
        }
        // That of the file as it is now, whatever else was written into it meanwhile.
        let record = Record { hash: record.hash.map(|_| now.hash()), ..record };
        self.journal.add(record).context("where the rollout stands would be lost")?;
        Ok(Progress::On(said))
    }

    /// The files as they are now, if this rollout is in them as it was, and no person said anything since. They are
    /// locked.
    pub(super) fn undisturbed(&mut self, desk: &Desk) -> Result<Option<Desk>> {
        let before = self.journal.persons().count();
        self.journal.reload()?;
        let now = self.read()?;
        let same = lower::revision(&now.mesh) == lower::revision(&desk.mesh)
            && now.rollout(&self.service).ok().map(|(_, rollout)| &rollout.weights)
                == desk.rollout(&self.service).ok().map(|(_, rollout)| &rollout.weights);
        Ok((same && self.journal.persons().count() == before).then_some(now))
    }
}

/// What is said when what was decided does not count any more.
pub(super) fn changed() -> Progress {
    Progress::On("the file was changed meanwhile: reading it again".to_owned())
}

/// The findings that count: those of the worst verdict.
pub(super) fn said(findings: &[Judgement]) -> String {
    let worst = together(findings);
    let worst = findings.iter().filter(|finding| finding.verdict == worst);
    worst.map(|finding| format!("{}: {}", finding.guard, finding.why)).collect::<Vec<_>>().join("; ")
}
