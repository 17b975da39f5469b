//! A rollout that goes by itself: write, apply, wait, judge; then the next step, or back.
//!
//! Where it stands is in the file (the weight) and in the log (since when). So it can be killed at any moment and
//! started again, and one look at a time is enough, as in a CronJob.

use anyhow::{Context, Result, ensure};
use graylane_decide::config::Weight;

use super::apply::{Apply, lagging};
use super::change::Desk;
use super::journal::{Event, Journal, Record, now, rfc3339};
use super::judge::{Finding, Limits, NO_END, Sample, Verdict, judge, judge_guard, together};
use crate::lower;
use crate::mesh::Mesh;
use crate::prometheus::{Problem, Prometheus};
use crate::queries::{Part, Queries};
use crate::simulate::{Setting, percent};

/// A run.
pub struct Run {
    /// The service.
    pub service: String,
    /// The canary; none: the only one.
    pub canary: Option<String>,
    /// What is asked for figures.
    pub prometheus: Prometheus,
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
}

/// What one look came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// A step was taken; there is more to do at once.
    On(String),
    /// Nothing to do until the next look.
    Wait(String),
    /// The canary is the baseline, or is at its last step.
    Done(String),
    /// The canary was worse, and has nobody any more.
    Aborted(String),
}

/// Seconds that a step is watched where nobody says.
const HOLD: u64 = 600;

impl Run {
    /// One look, and what follows from it.
    ///
    /// # Errors
    /// When a file cannot be written, or a command fails.
    pub async fn look(&mut self, desk: &Desk) -> Result<Progress> {
        let last = self.journal.last().cloned();
        let (_, rollout) = desk.rollout(&self.service)?;
        if let Some(last) = &last {
            let is = rollout.weights.iter().find(|weight| weight.subset == last.canary);
            let is = is.map_or(0, |weight| weight.buckets);
            let nobody = rollout.weights.iter().all(|weight| weight.buckets == 0);
            match last.event {
                Event::Abort => return self.abort(desk, last).await,
                Event::Promote => return self.promote(desk, last).await,
                // Only a person begins again: with --anew, or by giving a canary a weight.
                Event::Aborted if is == 0 && !self.anew => {
                    return Ok(Progress::Aborted(format!("`{}` was aborted at {}", last.canary, last.time)));
                }
                Event::Promoted if nobody && !self.anew => {
                    return Ok(Progress::Done(format!("`{}` was promoted at {}", last.canary, last.time)));
                }
                _ => {}
            }
        }
        let canary = desk.canary(&self.service, self.canary.as_deref())?.clone();
        let gate = if canary.buckets == 0 { self.gate(desk, &canary.subset)? } else { None };
        if canary.buckets == 0 && gate.is_none() {
            return self.advance(desk, &canary);
        }
        let revision = lower::revision(&desk.mesh);
        let same = |last: &&Record| last.canary == canary.subset && last.revision == revision;
        match last.as_ref().filter(same).map(|last| (last.event, last.at)) {
            Some((Event::Step, since)) => self.judge(desk, &canary, gate.as_deref(), since).await,
            Some((Event::Applied, _)) => {
                if !self.apply.options.without_filter
                    && let Some(why) = lagging(&self.prometheus, &desk.mesh).await
                {
                    return Ok(Progress::Wait(format!("{} % is applied: {why}", percent(canary.buckets))));
                }
                self.note(desk, &canary, Event::Step)?;
                Ok(Progress::On(match &gate {
                    Some(gate) => format!("watching `{gate}` before a live user is moved"),
                    None => format!("every pod runs {} %", percent(canary.buckets)),
                }))
            }
            _ => {
                self.apply.run(&desk.mesh).await?;
                self.note(desk, &canary, Event::Applied)?;
                Ok(Progress::On(format!("`{}` has {} %", canary.subset, percent(canary.buckets))))
            }
        }
    }

    /// The tenant that tries the canary before a live user does.
    fn gate(&self, desk: &Desk, canary: &str) -> Result<Option<String>> {
        let service = desk.project.document.services.get(&self.service);
        let gate = service.and_then(|service| service.rollout.as_ref()?.gate.clone());
        let pin = gate.as_ref().and_then(|gate| service?.pins.get(gate));
        ensure!(
            gate.is_none() || pin.is_some_and(|subset| subset == canary),
            "`gate: {}` tries `{canary}` before live users do, and is not pinned to it: change its pin, or leave `gate` out",
            gate.as_deref().unwrap_or_default()
        );
        Ok(gate)
    }

    fn advance(&self, desk: &Desk, canary: &Weight) -> Result<Progress> {
        let step = desk.next(&self.service, canary.buckets)?;
        let setting = Setting { subset: Some(canary.subset.clone()), buckets: step, from: None };
        desk.write(&desk.set(&self.service, &[setting])?)?;
        Ok(Progress::On(format!("on to {} %", percent(step))))
    }

    async fn judge(
        &mut self,
        desk: &Desk,
        canary: &Weight,
        gate: Option<&str>,
        since: u64,
    ) -> Result<Progress> {
        let elapsed = now().saturating_sub(since).max(1);
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
        match verdict {
            Verdict::Abort => {
                self.note(desk, canary, Event::Abort)?;
                Ok(Progress::On(format!("abort: {what}")))
            }
            Verdict::Pass if elapsed >= hold => match desk.next(&self.service, canary.buckets) {
                Ok(_) => self.advance(desk, canary),
                Err(_) if canary.buckets == 10_000 => {
                    self.note(desk, canary, Event::Promote)?;
                    Ok(Progress::On(format!("promote: {what}")))
                }
                Err(_) => Ok(Progress::Done(format!("`{}` is at its last step", canary.subset))),
            },
            Verdict::Pass => Ok(Progress::Wait(format!("{elapsed} of {hold} s, {what}"))),
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
    ) -> (Vec<Finding>, Option<Sample>, Option<Sample>) {
        let limits =
            Limits::of(desk.mesh.document.alerts.as_ref(), self.requests, desk.steps(&self.service).len());
        let (mut findings, figures, baseline) = match self.samples(desk, canary, gate, elapsed).await {
            Err(problem) => {
                let why = problem.to_string();
                (vec![Finding { guard: "metrics".into(), verdict: Verdict::Hold, why }], None, None)
            }
            Ok((figures, mut baseline)) => {
                // Once the canary has everybody, it is compared with the baseline as it last was.
                let alone = canary.buckets == 10_000 && baseline.requests < limits.requests;
                if alone && let Some(last) = self.journal.last_baseline(&canary.subset, limits.requests) {
                    baseline = last.clone();
                }
                let mut findings = judge(&figures, &baseline, &limits);
                if alone {
                    findings.iter_mut().for_each(Finding::soften);
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
    ) -> Result<(Sample, Sample), Problem> {
        let part = gate.map_or(Part::Subset(&canary.subset), Part::Tenant);
        let baseline =
            desk.mesh.service(&self.service).map(|service| service.baseline.clone()).unwrap_or_default();
        Ok((
            self.sample(&desk.mesh, part, elapsed).await?,
            self.sample(&desk.mesh, Part::Subset(&baseline), elapsed).await?,
        ))
    }

    async fn sample(&self, mesh: &Mesh, part: Part<'_>, elapsed: u64) -> Result<Sample, Problem> {
        let Some(service) = mesh.service(&self.service) else { return Err(Problem::NoData) };
        let (queries, window) = (Queries::of(mesh), format!("{elapsed}s"));
        // What was never asked for has no series, and that is no failure.
        let number = async |promql: String| match self.prometheus.number(&promql).await {
            Err(Problem::NoData | Problem::NotANumber) => Ok(0.0),
            other => other,
        };
        let requests = number(queries.count(service, part, &window)).await?;
        let errors = requests * number(queries.error_ratio(service, part, &window)).await?;
        let buckets = self.prometheus.query(&queries.latencies(service, part, &window)).await?;
        let bound = |sample: &crate::prometheus::Sample| {
            let end: f64 = sample.label("le").parse().ok()?;
            Some((end.min(NO_END), sample.value))
        };
        let mut latencies: Vec<(f64, f64)> = buckets
            .iter()
            .filter_map(bound)
            .filter(|(end, count)| !end.is_nan() && !count.is_nan())
            .collect();
        latencies.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(Sample { requests, errors, latencies })
    }

    async fn abort(&mut self, desk: &Desk, last: &Record) -> Result<Progress> {
        let canary = desk.canary(&self.service, Some(&last.canary))?.clone();
        if canary.buckets > 0 {
            let setting = Setting { subset: Some(canary.subset.clone()), buckets: 0, from: None };
            desk.write(&desk.set(&self.service, &[setting])?)?;
            return Ok(Progress::On(format!("`{}` has nobody in the file", canary.subset)));
        }
        self.apply.run(&desk.mesh).await?;
        self.note(desk, &canary, Event::Aborted)?;
        Ok(Progress::Aborted(format!("`{}` is aborted{}", canary.subset, self.why())))
    }

    async fn promote(&mut self, desk: &Desk, last: &Record) -> Result<Progress> {
        let (service, _) = desk.rollout(&self.service)?;
        if service.baseline != last.canary {
            let promotion = desk.promote(&self.service, Some(&last.canary), None)?;
            desk.write(&promotion.change)?;
            return Ok(Progress::On(format!("`{}` is the baseline in the file", last.canary)));
        }
        self.apply.run(&desk.mesh).await?;
        let canary = Weight { subset: last.canary.clone(), buckets: 10_000, from: Default::default() };
        self.note(desk, &canary, Event::Promoted)?;
        Ok(Progress::Done(format!("`{}` is promoted", last.canary)))
    }

    /// Why it was aborted.
    fn why(&self) -> String {
        let look = self.journal.records.iter().rev().find(|record| record.verdict == Some(Verdict::Abort));
        look.map_or_else(String::new, |look| format!(": {}", said(&look.guards)))
    }

    fn record(&self, desk: &Desk, canary: &Weight, event: Event) -> Record {
        let at = now();
        Record {
            time: rfc3339(at),
            at,
            service: self.service.clone(),
            canary: canary.subset.clone(),
            weight: f64::from(canary.buckets) / 100.0,
            event,
            revision: lower::revision(&desk.mesh),
            verdict: None,
            guards: Vec::new(),
            figures: None,
            baseline: None,
        }
    }

    fn note(&mut self, desk: &Desk, canary: &Weight, event: Event) -> Result<()> {
        let record = self.record(desk, canary, event);
        self.journal.add(record).context("where the rollout stands would be lost")
    }
}

/// The findings that count: those of the worst verdict.
fn said(findings: &[Finding]) -> String {
    let worst = together(findings);
    let worst = findings.iter().filter(|finding| finding.verdict == worst);
    worst.map(|finding| format!("{}: {}", finding.guard, finding.why)).collect::<Vec<_>>().join("; ")
}
