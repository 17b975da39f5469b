//! Before a step, and after an abort: what a run waits for, and the hooks that it runs.

use anyhow::{Context as _, Result};
use graylane_decide::config::Weight;

use super::ahead::{Ahead, Hook};
use super::change::Desk;
use super::journal::{Event, Record};
use super::judge::Verdict;
use super::lock::Lock;
use super::next::Next;
use super::run::{Progress, Run, changed};
use crate::clusters::said_of;
use crate::lower;
use crate::prometheus::Problem;

/// How far Prometheus' clock may be from this one, in seconds, where the time of day decides.
const SKEW: f64 = 60.0;

impl Run {
    /// The next step or the promotion, unless something has to be waited for. No lock is held meanwhile.
    pub(super) async fn take(&mut self, desk: &Desk, canary: &Weight, what: &str) -> Result<Progress> {
        if let Some(hold) = self.unsure() {
            return Ok(hold);
        }
        let next = desk.next(&self.service, canary.buckets);
        let promotes = next.is_err() && canary.buckets == 10_000;
        if !promotes && let Err(error) = next {
            return Err(error);
        }
        if let Some(progress) = self.cleared(desk, canary).await? {
            return Ok(progress);
        }
        if promotes {
            let record = Record {
                from: Some(100.0),
                to: Some(100.0),
                hash: Some(desk.hash()),
                ..self.record(desk, canary, Event::Promote)
            };
            return self.note(desk, record, format!("promote: {what}"));
        }
        let step = next?;
        let lock = Lock::of(&self.paths)?;
        match self.undisturbed(desk)? {
            // What is next may have been edited.
            Some(now)
                if desk.next(&self.service, canary.buckets).ok() == Some(step)
                    && now.hash() == desk.hash() =>
            {
                self.advance(&lock, &now, canary)
            }
            _ => Ok(changed()),
        }
    }

    /// What the next step waits for; none: it may be taken. After a hook everything is looked at again, since it took its
    /// time.
    async fn cleared(&mut self, desk: &Desk, canary: &Weight) -> Result<Option<Progress>> {
        let service = self.service.clone();
        let records = self.journal.records.clone();
        let Some(ahead) = Ahead::of(desk, &service, canary, &records) else { return Ok(None) };
        if let Some(why) = ahead.unapproved(self.next()) {
            return Ok(Some(Progress::Wait(why)));
        }
        if let Some(why) = self.outside(desk, canary).await {
            return Ok(Some(Progress::Wait(why)));
        }
        let Some(hook) = ahead.hook(&lower::revision(&desk.mesh)) else { return Ok(None) };
        let record = self.run_hook(desk, canary, &hook).await?;
        let ran = record.hook.clone().context("a hook without a result")?;
        self.add_note(record)?;
        let said = format!("the hook {} {}", hook.place(), ran.said());
        Ok(Some(match ran.exit {
            Some(0) => Progress::On(said),
            _ => Progress::Wait(format!("hold: {said}; it is run again")),
        }))
    }

    /// Why the next step has to wait for a window, or for clocks that agree.
    pub(super) async fn outside(&self, desk: &Desk, canary: &Weight) -> Option<String> {
        let ahead = Ahead::of(desk, &self.service, canary, &self.journal.records);
        let ahead = ahead.filter(Ahead::has_windows)?;
        if let Some(why) = self.clocks_differ().await {
            return Some(format!("hold: {} waits for a window, and {why}", ahead.what()));
        }
        ahead.closed((self.clock)(), self.next())
    }

    /// The commands that messages name.
    pub(super) fn next(&self) -> Next<'_> {
        Next::of(&self.service, self.git.is_some())
    }

    async fn run_hook(&self, desk: &Desk, canary: &Weight, hook: &Hook<'_>) -> Result<Record> {
        self.still_ours()?;
        // The clone of a run by Git has the files alone, and no scripts beside them.
        let folder = desk.folder();
        let folder = self.git.is_none().then_some(folder.as_path());
        let record = hook.run(desk, canary, (&self.service, folder), &*self.apply.say).await?;
        Ok(Record { at: (self.clock)(), ..record })
    }

    /// Adds a line that changes nothing of where the rollout stands.
    fn add_note(&mut self, record: Record) -> Result<()> {
        let _lock = Lock::of(&self.paths)?;
        self.journal.reload()?;
        self.journal.add(record).context("what a hook did would be lost")
    }

    /// A window is open by this machine's clock; that is believed if Prometheus' agrees.
    async fn clocks_differ(&self) -> Option<String> {
        let here = (self.clock)() as f64;
        for (cluster, prometheus) in self.prometheus.iter() {
            let why = match prometheus.number("vector(time())").await {
                Ok(there) if (there - here).abs() <= SKEW => continue,
                Ok(there) => Problem::Clock((there - here).abs() as u64).to_string(),
                Err(problem) => {
                    let how = match problem {
                        Problem::NoData => "returned nothing".to_owned(),
                        problem => format!("failed: {problem}"),
                    };
                    format!(
                        "cannot read Prometheus' clock (`vector(time())` {how}), so windows are not trusted; check `--prometheus`"
                    )
                }
            };
            return Some(said_of(cluster, &why));
        }
        None
    }

    /// Was it aborted, and did the hook that follows not succeed yet?
    pub(super) fn owes(&self, desk: &Desk, canary: &str) -> bool {
        let Ok(canary) = desk.canary(&self.service, Some(canary)) else { return false };
        let ahead = Ahead::of(desk, &self.service, canary, &self.journal.records);
        ahead.is_some_and(|ahead| ahead.owed("").is_some())
    }

    /// Runs the hook that follows an abort, until it succeeds once. None: there is none that did not yet.
    pub(super) async fn after_abort(&mut self, desk: &Desk, canary: &Weight) -> Result<Option<Progress>> {
        let service = self.service.clone();
        let records = self.journal.records.clone();
        let Some(ahead) = Ahead::of(desk, &service, canary, &records) else { return Ok(None) };
        let Some(hook) = ahead.owed(&lower::revision(&desk.mesh)) else { return Ok(None) };
        let record = self.run_hook(desk, canary, &hook).await?;
        let ran = record.hook.clone().context("a hook without a result")?;
        self.add_note(record)?;
        let said = format!("the hook {} {}", hook.place(), ran.said());
        if ran.exit == Some(0) {
            (self.apply.say)(&said);
            return Ok(None);
        }
        Ok(Some(Progress::Retry(format!("`{}` is aborted, but {said}; it is run again", canary.subset))))
    }

    /// A bad verdict beyond the point of no return: it is written down, and nothing is moved. From then on nothing is,
    /// whatever is seen later, until a person lets it go on: the users of a canary that is only sometimes bad are the
    /// last that may become more by themselves.
    pub(super) fn held(
        &mut self,
        desk: &Desk,
        canary: &Weight,
        verdict: Verdict,
        what: &str,
    ) -> Result<Option<Progress>> {
        let Some(ahead) = Ahead::of(desk, &self.service, canary, &self.journal.records) else {
            return Ok(None);
        };
        let next = self.next();
        let ways = format!(
            "Repair `{}`, and let it go on with {}; or go back with {}",
            canary.subset,
            next.resume(),
            next.go_back()
        );
        let (no_way_back, before) = (ahead.no_way_back(), ahead.held().cloned());
        if verdict == Verdict::Abort
            && let Some(why) = no_way_back
        {
            let said = format!(
                "held, the canary is worse: {what}. {why}, so it is not taken back: users have written what only the canary may be \
                 able to read. {ways}"
            );
            if before.is_none() {
                let held = self.record(desk, canary, Event::Held);
                self.add_note(Record { why: Some(format!("{what}; {why}")), ..held })?;
            }
            return Ok(Some(Progress::Held(said)));
        }
        // Without a point of no return, as it may be by now, a bad verdict takes the canary back.
        Ok(before.filter(|_| verdict != Verdict::Abort).map(|before| {
            let why = before.why.unwrap_or_default();
            Progress::Held(format!("held since {}: {why}. Now: {what}. {ways}", before.time))
        }))
    }
}
