//! One line of the log.

use serde::{Deserialize, Serialize};

use crate::percent;
use crate::ramp::judge::{Judgement, Sample, Verdict};
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
    /// Somebody who may allowed a step.
    Approve,
    /// A hook ran.
    Hook,
    /// The canary is to have its point of no return.
    #[serde(rename = "noReturn")]
    NoReturn,
    /// The canary is worse, and beyond its point of no return: it is not aborted.
    Held,
    /// A step that was announced was never written: it is as if it had not been.
    #[serde(rename = "cutOff")]
    CutOff,
}

impl Event {
    /// Does it change nothing of where the rollout stands?
    #[must_use]
    pub fn is_note(self) -> bool {
        matches!(self, Self::Look | Self::Approve | Self::Hook | Self::NoReturn | Self::Held | Self::CutOff)
    }
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Who gave it.
    pub name: String,
    /// The ticket or change that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Does the step go on outside every window?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside_window: bool,
}

/// A hook that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ran {
    /// The command.
    pub command: String,
    /// Its exit code; none: it was killed.
    pub exit: Option<i32>,
    /// How long it took.
    pub seconds: u64,
    /// The end of what it said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

/// Who answers for an edit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The ticket or change that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
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
    /// By Git: the commit that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
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
    /// Of an approval or a hook: the step, as `25` or `promote`; of a hook also `afterAbort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Of an approval or a hook: the salt of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Of an approval: who gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// Of a hook: what ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Ran>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of a person's edit: what `--force` or `--past-no-return` left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
    /// Of a person's edit: who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

impl Record {
    /// A line of now.
    #[must_use]
    pub fn now(service: &str, canary: &str, weight: f64, event: Event, revision: String) -> Self {
        Self::at(crate::time::now(), service, canary, weight, event, revision)
    }

    /// A line of some time, in seconds since 1970.
    #[must_use]
    pub fn at(at: u64, service: &str, canary: &str, weight: f64, event: Event, revision: String) -> Self {
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
            commit: None,
            revision,
            verdict: None,
            guards: Vec::new(),
            figures: None,
            baseline: None,
            step: None,
            salt: None,
            approval: None,
            hook: None,
            why: None,
            forced: Vec::new(),
            answer: None,
        }
    }

    /// The weight that the file has after this, in hundredths of a percent.
    #[must_use]
    pub fn buckets(&self) -> u16 {
        percent::buckets(self.to.unwrap_or(self.weight))
    }
}
