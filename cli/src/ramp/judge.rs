//! The verdict on a canary, from what was counted of it and of the baseline in the same time.

use serde::{Deserialize, Serialize};

use super::evidence::{Count, evidence};
use crate::document::model::Alerts;

/// A rollout may be aborted by mistake with at most this probability, over all its steps and looks.
const MISTAKES: f64 = 0.01;

/// When a canary counts as worse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// So many times the baseline's error ratio, and at least so much.
    pub errors: (f64, f64),
    /// So many times the baseline's 99th percentile, and at least so many milliseconds.
    pub latency: (f64, f64),
    /// No verdict before both have so many requests.
    pub requests: f64,
    /// Evidence above which chance is ruled out.
    pub evidence: f64,
}

impl Limits {
    /// As the file says under `alerts`; where it says nothing, twice the errors and at least 1 %, or half as slow again
    /// and at least 1 ms.
    #[must_use]
    pub fn of(alerts: Option<&Alerts>, requests: u32, steps: usize) -> Self {
        let errors = alerts.and_then(|alerts| alerts.error_ratio.as_ref());
        let errors = errors.map_or((2.0, 0.01), |worse| (worse.canary_over_baseline, worse.min));
        let latency = alerts.and_then(|alerts| alerts.latency_p99.as_ref());
        let latency = latency.map_or((1.5, 1.0), |worse| (worse.canary_over_baseline, worse.min));
        // Errors and latency are tested at every step, and at the gate before the first.
        let tests = 2.0 * (steps + 1) as f64;
        Self { errors, latency, requests: f64::from(requests), evidence: (tests / MISTAKES).ln() }
    }
}

/// The bound of the last bucket of a histogram: JSON has no infinity.
pub const NO_END: f64 = f64::MAX;

/// What was counted of one subset or tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Requests.
    pub requests: f64,
    /// Those that failed.
    pub errors: f64,
    /// How many took no longer than so many milliseconds, by bound; that of the last one is [`NO_END`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies: Vec<(f64, f64)>,
}

impl Sample {
    /// The 99th percentile in milliseconds, linear within a bucket as Prometheus' `histogram_quantile`; none without
    /// requests. The last bucket has no end, so it counts as its begin.
    #[must_use]
    pub fn p99(&self) -> Option<f64> {
        let (_, all) = self.latencies.last().filter(|(_, all)| *all > 0.0)?;
        let rank = 0.99 * all;
        let place = self.latencies.iter().position(|(_, count)| *count >= rank)?;
        let (end, count) = self.latencies[place];
        let (begin, below) = place.checked_sub(1).map_or((0.0, 0.0), |before| self.latencies[before]);
        Some(if end < NO_END { begin + (end - begin) * (rank - below) / (count - below) } else { begin })
    }

    /// Together with what was counted in another cluster. None: their histograms have other bounds.
    #[must_use]
    pub fn and(mut self, other: Self) -> Option<Self> {
        // Where there was no request there is no histogram.
        if self.requests == 0.0 {
            return Some(other);
        }
        if other.requests > 0.0 {
            // Not known yet in one of them: not known of both.
            if self.latencies.is_empty() || other.latencies.is_empty() {
                self.latencies.clear();
            } else {
                let bounds = |one: &Self| one.latencies.iter().map(|(end, _)| *end).collect::<Vec<_>>();
                if bounds(&self) != bounds(&other) {
                    return None;
                }
                self.latencies.iter_mut().zip(&other.latencies).for_each(|(ours, theirs)| ours.1 += theirs.1);
            }
        }
        Some(Self { requests: self.requests + other.requests, errors: self.errors + other.errors, ..self })
    }

    /// Requests that took longer than a bound of the histogram.
    fn slower(&self, than: f64) -> Count {
        let all = self.latencies.last().map_or(0.0, |(_, all)| *all);
        let within = self.latencies.iter().find(|(end, _)| *end >= than).map_or(all, |(_, count)| *count);
        Count { requests: all, bad: (all - within).max(0.0) }
    }

    fn failed(&self) -> Count {
        Count { requests: self.requests, bad: self.errors }
    }
}

/// What is to become of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against the next step.
    Pass,
    /// It cannot be said yet.
    Hold,
    /// The canary is worse.
    Abort,
}

/// A verdict of one guard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// `errors`, `latency`, or one of the owner's.
    pub guard: String,
    /// The verdict.
    pub verdict: Verdict,
    /// In words.
    pub why: String,
}

impl Judgement {
    /// For a comparison with another hour: latency depends on the load, so that it rose may not be the canary's
    /// fault. A person is to look at it.
    pub fn soften(&mut self) {
        self.why += ", as it last was";
        if self.guard == LATENCY && self.verdict == Verdict::Abort {
            self.verdict = Verdict::Hold;
        }
    }
}

/// The guard of there being enough of them.
pub const REQUESTS: &str = "requests";
/// The guard of latency.
pub const LATENCY: &str = "latency";

/// Judges errors and latency.
#[must_use]
pub fn judge(canary: &Sample, baseline: &Sample, limits: &Limits) -> Vec<Judgement> {
    let finding = |guard: &str, verdict, why| Judgement { guard: guard.to_owned(), verdict, why };
    for (who, sample) in [("canary", canary), ("baseline", baseline)] {
        if sample.requests < limits.requests {
            let why = format!(
                "the {who} has {:.0} requests, and {:.0} are needed",
                sample.requests, limits.requests
            );
            return vec![finding(REQUESTS, Verdict::Hold, why)];
        }
    }
    let is_bad = |looks_worse: bool, evidence: f64| match looks_worse {
        false => Verdict::Pass,
        true if evidence >= limits.evidence => Verdict::Abort,
        true => Verdict::Hold,
    };
    let sure = |verdict| if verdict == Verdict::Hold { ", which may still be chance" } else { "" };

    let (is, was) = (canary.failed(), baseline.failed());
    let (times, least) = limits.errors;
    let worse = is.ratio() >= times * was.ratio() && is.ratio() >= least && is.bad > 0.0;
    let verdict = is_bad(worse, evidence(is, was));
    let percent = |count: Count| count.ratio() * 100.0;
    let why = format!(
        "{:.2} % of its requests failed, {:.2} % of the baseline's{}",
        percent(is),
        percent(was),
        sure(verdict)
    );
    let errors = finding("errors", verdict, why);

    let (times, least) = limits.latency;
    let latency = match (canary.p99(), baseline.p99()) {
        (Some(is), Some(was)) => {
            let limit = (times * was).max(least);
            let bound =
                baseline.latencies.iter().map(|(end, _)| *end).find(|end| *end >= limit).unwrap_or(limit);
            let verdict = is_bad(is >= limit, evidence(canary.slower(bound), baseline.slower(bound)));
            let why = format!("p99 is {is:.0} ms, the baseline's {was:.0} ms{}", sure(verdict));
            finding(LATENCY, verdict, why)
        }
        _ => finding(LATENCY, Verdict::Hold, "no latency histogram yet".to_owned()),
    };
    vec![errors, latency]
}

/// Judges one of the owner's numbers.
#[must_use]
pub fn judge_guard(guard: &crate::document::model::Guard, value: Result<f64, String>) -> Judgement {
    let (verdict, why) = match value {
        Err(problem) => (Verdict::Hold, problem),
        Ok(value) => match (guard.min.filter(|min| value < *min), guard.max.filter(|max| value > *max)) {
            (Some(min), _) => (Verdict::Abort, format!("{value} is below {min}")),
            (None, Some(max)) => (Verdict::Abort, format!("{value} is above {max}")),
            (None, None) => (Verdict::Pass, value.to_string()),
        },
    };
    Judgement { guard: guard.name.clone(), verdict, why }
}

/// The verdict of all guards together: the worst.
#[must_use]
pub fn together(findings: &[Judgement]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Hold)
}

#[cfg(test)]
mod tests;
