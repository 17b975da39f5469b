//! A step under way: what was counted, the verdict, and what follows from it.

use anyhow::Result;
use graylane_decide::config::Weight;

use super::change::Desk;
use super::figures::sample;
use super::journal::{Event, Record};
use super::judge::{Judgement, LATENCY, Limits, REQUESTS, Sample, Verdict, judge, judge_guard, together};
use super::run::{Progress, Run, said};
use crate::clusters::{InCluster, said_of};
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
        let now = (self.clock)();
        let Some(watched) = now.checked_sub(since) else {
            let ahead = since.saturating_sub(now);
            return Ok(Progress::Wait(format!(
                "hold: according to the log the step begins {ahead} s from now: clocks differ"
            )));
        };
        // A window has to have a length.
        let elapsed = watched.max(1);
        let hold = self.hold.unwrap_or_else(|| self.declared_hold(desk));
        let (findings, figures, baseline) = self.findings(desk, canary, gate, [elapsed, hold]).await;
        let verdict = together(&findings);
        let look = self.record(desk, canary, Event::Look);
        self.journal.add(Record {
            verdict: Some(verdict),
            guards: findings.clone(),
            figures: figures.map(|figures| Sample { latencies: Vec::new(), ..figures }),
            baseline,
            ..look
        })?;
        let what = said(&findings);
        let weight = crate::percent::of(canary.buckets);
        let decided = Record {
            from: Some(weight),
            to: Some(0.0),
            hash: Some(desk.hash()),
            ..self.record(desk, canary, Event::Abort)
        };
        if let Some(held) = self.held(desk, canary, verdict, &what)? {
            return Ok(held);
        }
        match verdict {
            Verdict::Abort => self.note(desk, decided, format!("abort: {what}")),
            Verdict::Pass if watched >= hold => {
                if desk.next(&self.service, canary.buckets).is_err() && canary.buckets < 10_000 {
                    return Ok(Progress::Done(format!("`{}` is at its last step", canary.subset)));
                }
                self.take(desk, canary, &what).await
            }
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
        [elapsed, hold]: [u64; 2],
    ) -> (Vec<Judgement>, Option<Sample>, Option<Sample>) {
        let queries = Queries::of(&desk.mesh);
        let service = desk.project.document.services.get(&self.service);
        let rollout = service.and_then(|service| service.rollout.as_ref());
        let has_guards = rollout.is_some_and(|rollout| !rollout.guards.is_empty());
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
                if !queries.know_latency() {
                    findings.retain(|finding| finding.guard != LATENCY);
                }
                if let Some(few) = findings.iter_mut().find(|finding| finding.guard == REQUESTS) {
                    few.why += &enough(&figures, &baseline, limits.requests, [elapsed, hold]);
                }
                findings.extend(lasting(&figures, &baseline, hold).filter(|_| !has_guards));
                if alone {
                    findings.iter_mut().for_each(Judgement::soften);
                }
                (findings, Some(figures), Some(baseline))
            }
        };
        for guard in rollout.iter().flat_map(|rollout| &rollout.guards) {
            for (cluster, prometheus) in self.prometheus.iter() {
                let value = prometheus.number(&guard.query).await.map_err(|problem| problem.to_string());
                let mut judgement = judge_guard(guard, value);
                judgement.why = said_of(cluster, &judgement.why);
                findings.push(judgement);
            }
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
        // Of those who take part: pinned tenants and load tests have their own traffic, and their own failures.
        let (service, rollout) = desk.rollout(&self.service).map_err(|error| error.to_string())?;
        let is_judged = |tenant: &&String| !desk.mesh.unjudged().any(|other| other == *tenant);
        let judged: Vec<String> = rollout.tenants.iter().filter(is_judged).cloned().collect();
        let part = gate.map_or(Part::Lane(&canary.subset, &judged), Part::Tenant);
        let clusters = self.clusters(desk).map_err(|error| format!("{error:#}"))?;
        let ask = async |part: Part<'_>| {
            let mut all = Sample::default();
            for (InCluster { name, mesh }, prometheus) in &clusters {
                let of = match mesh.service(&self.service) {
                    Some(service) => sample(prometheus, Queries::of(mesh), service, part, elapsed).await,
                    None => Err(format!("there is no service `{}`", self.service)),
                };
                let of = of.map_err(|why| said_of(name.as_deref(), &why))?;
                all = all.and(of).ok_or("the latency histograms of the clusters have different buckets, so they cannot be added up: use one version of Istio and the same buckets in all")?;
            }
            Ok::<_, String>(all)
        };
        Ok((ask(part).await?, ask(Part::Lane(&service.baseline, &judged)).await?))
    }
}

/// How long it takes until both have enough requests, at the rate that they had so far.
fn enough(canary: &Sample, baseline: &Sample, needed: f64, [elapsed, hold]: [u64; 2]) -> String {
    let short = [canary, baseline].into_iter().map(|sample| sample.requests).filter(|has| *has < needed);
    let least = short.fold(f64::INFINITY, f64::min);
    if least < 1.0 {
        let long = if elapsed < hold {
            ""
        } else {
            "; streams and requests that last longer than `hold` count when they end: give them a guard of their own"
        };
        return format!(": it cannot be said how long that takes{long}");
    }
    let seconds = ((needed - least) / least * elapsed as f64).ceil();
    format!(": at this rate in {}", span(seconds))
}

/// A number of seconds, in words.
fn span(seconds: f64) -> String {
    match seconds {
        under if under < 120.0 => format!("{under:.0} s"),
        under if under < 7200.0 => format!("{:.0} min", under / 60.0),
        under if under < 172_800.0 => format!("{:.0} h", under / 3600.0),
        more => format!("{:.0} days", more / 86_400.0),
    }
}

/// Requests that last longer than a step is watched: their errors would come after the next step.
fn lasting(canary: &Sample, baseline: &Sample, hold: u64) -> Option<Judgement> {
    let longest = [canary, baseline].into_iter().filter_map(Sample::p99).fold(0.0, f64::max);
    (longest >= hold as f64 * 1000.0).then(|| Judgement {
        guard: "duration".into(),
        verdict: Verdict::Hold,
        why: format!(
            "requests last longer (p99 {:.0} s) than a step is watched ({hold} s): raise `hold`, or give the rollout a guard of its own",
            longest / 1000.0
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::judge::NO_END;
    use super::*;

    fn sample(requests: f64, latencies: &[(f64, f64)]) -> Sample {
        Sample { requests, errors: 0.0, latencies: latencies.to_vec() }
    }

    #[test]
    fn it_is_said_how_long_it_takes_until_there_are_enough_requests() {
        let enough = |canary, baseline, elapsed| {
            enough(&sample(canary, &[]), &sample(baseline, &[]), 100.0, [elapsed, 600])
        };
        assert_eq!(enough(20.0, 500.0, 60), ": at this rate in 4 min");
        assert_eq!(enough(50.0, 90.0, 60), ": at this rate in 60 s");
        assert_eq!(enough(1.0, 500.0, 3600), ": at this rate in 4 days");
        assert_eq!(enough(0.0, 500.0, 60), ": it cannot be said how long that takes");
        assert!(enough(0.0, 500.0, 600).contains("streams"), "{}", enough(0.0, 500.0, 600));
    }

    #[test]
    fn requests_that_last_longer_than_a_step_hold() {
        let short = sample(1000.0, &[(1000.0, 1000.0), (NO_END, 1000.0)]);
        let long = sample(1000.0, &[(1000.0, 900.0), (60_000.0, 1000.0), (NO_END, 1000.0)]);
        assert_eq!(lasting(&short, &short, 30), None);
        assert_eq!(lasting(&short, &long, 60), None);
        for (canary, baseline) in [(&short, &long), (&long, &short)] {
            let found = lasting(canary, baseline, 30).unwrap();
            assert_eq!(found.verdict, Verdict::Hold);
            assert!(found.why.contains("p99 54 s") && found.why.contains("guard"), "{}", found.why);
        }
    }
}
