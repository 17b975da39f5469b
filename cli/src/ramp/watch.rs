//! A step under way: what was counted, the verdict, and what follows from it.

use anyhow::Result;
use graylane_decide::config::Weight;

use super::change::Desk;
use super::figures::sample;
use super::journal::{Event, Record, now};
use super::judge::{Judgement, Limits, Sample, Verdict, judge, judge_guard, together};
use super::lock::Lock;
use super::run::{Progress, Run, changed, said};
use crate::queries::{Part, Queries};

/// Default seconds that a step is watched.
const HOLD: u64 = 600;

impl Run {
    /// Judges the canary since its step began.
    pub(super) async fn judge(
        &mut self,
        desk: &Desk,
        canary: &Weight,
        gate: Option<&str>,
        since: u64,
    ) -> Result<Progress> {
        let now = now();
        let Some(watched) = now.checked_sub(since) else {
            let ahead = since.saturating_sub(now);
            return Ok(Progress::Wait(format!(
                "hold: according to the log the step begins {ahead} s from now: clocks differ"
            )));
        };
        // A window has to have a length.
        let elapsed = watched.max(1);
        let (findings, figures, baseline) = self.findings(desk, canary, gate, elapsed).await;
        let verdict = together(&findings);
        let look = self.record(desk, canary, Event::Look);
        self.journal.add(Record {
            verdict: Some(verdict),
            guards: findings.clone(),
            figures: figures.map(|figures| Sample { latencies: Vec::new(), ..figures }),
            baseline,
            ..look
        })?;
        let hold = self.hold.unwrap_or_else(|| self.declared_hold(desk));
        let what = said(&findings);
        let weight = f64::from(canary.buckets) / 100.0;
        let decided = |event, to| Record {
            from: Some(weight),
            to: Some(to),
            hash: Some(desk.hash()),
            ..self.record(desk, canary, event)
        };
        match verdict {
            Verdict::Abort => self.note(desk, decided(Event::Abort, 0.0), format!("abort: {what}")),
            Verdict::Pass if watched >= hold => match desk.next(&self.service, canary.buckets) {
                Ok(_) => {
                    let lock = Lock::of(&self.paths)?;
                    match self.undisturbed(desk)? {
                        Some(now) => self.advance(&lock, &now, canary),
                        None => Ok(changed()),
                    }
                }
                Err(_) if canary.buckets == 10_000 => {
                    self.note(desk, decided(Event::Promote, 100.0), format!("promote: {what}"))
                }
                Err(_) => Ok(Progress::Done(format!("`{}` is at its last step", canary.subset))),
            },
            Verdict::Pass => Ok(Progress::Wait(format!("{watched} of {hold} s, {what}"))),
            Verdict::Hold => Ok(Progress::Wait(format!("hold: {what}"))),
        }
    }

    fn declared_hold(&self, desk: &Desk) -> u64 {
        let hold = desk.standing(&self.service).ok().and_then(|standing| standing.hold);
        let hold = hold.and_then(|hold| crate::document::duration::parse(&hold));
        hold.map_or(HOLD, |hold| hold.as_secs().max(1))
    }

    /// What all guards find, and what was counted.
    async fn findings(
        &self,
        desk: &Desk,
        canary: &Weight,
        gate: Option<&str>,
        elapsed: u64,
    ) -> (Vec<Judgement>, Option<Sample>, Option<Sample>) {
        let limits =
            Limits::of(desk.mesh.document.alerts.as_ref(), self.requests, desk.steps(&self.service).len());
        let (mut findings, figures, baseline) = match self.samples(desk, canary, gate, elapsed).await {
            Err(why) => {
                (vec![Judgement { guard: "metrics".into(), verdict: Verdict::Hold, why }], None, None)
            }
            Ok((figures, mut baseline)) => {
                // Once the canary has everybody, it is compared with the baseline as it last was.
                let alone = canary.buckets == 10_000 && baseline.requests < limits.requests;
                if alone && let Some(last) = self.journal.last_baseline(&canary.subset, limits.requests) {
                    baseline = last.clone();
                }
                let mut findings = judge(&figures, &baseline, &limits);
                if alone {
                    findings.iter_mut().for_each(Judgement::soften);
                }
                (findings, Some(figures), Some(baseline))
            }
        };
        let guards =
            desk.project.document.services.get(&self.service).and_then(|service| service.rollout.as_ref());
        for guard in guards.iter().flat_map(|rollout| &rollout.guards) {
            let value = self.prometheus.number(&guard.query).await.map_err(|problem| problem.to_string());
            findings.push(judge_guard(guard, value));
        }
        (findings, figures, baseline)
    }

    async fn samples(
        &self,
        desk: &Desk,
        canary: &Weight,
        gate: Option<&str>,
        elapsed: u64,
    ) -> Result<(Sample, Sample), String> {
        let part = gate.map_or(Part::Subset(&canary.subset), Part::Tenant);
        let service = desk.mesh.service(&self.service).ok_or("the service is gone")?;
        let ask = |part| sample(&self.prometheus, Queries::of(&desk.mesh), service, part, elapsed);
        Ok((ask(part).await?, ask(Part::Subset(&service.baseline)).await?))
    }
}
