//! What the next step waits for: an approval, a window, a hook; and whether the canary is beyond its point of no return.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::change::Desk;
use super::journal::{Event, Ran, Record};
use super::next::Next;
use super::past::{AFTER_ABORT, Past};
use super::shell::{Ended, Shell};
use crate::document::duration;
use crate::document::model::{self, PROMOTE};
use crate::lower;
use crate::simulate::{Moves, percent};
use graylane_decide::config::Weight;
use graylane_mesh::windows::{Opening, opening};

/// How long a hook may take where the file does not say.
const LIMIT: Duration = Duration::from_secs(300);

/// A canary, the log, and the step that is next.
#[derive(Clone, Copy)]
pub struct Ahead<'a> {
    service: &'a str,
    canary: &'a str,
    /// Its weight, in hundredths of a percent.
    buckets: u16,
    rollout: &'a model::Rollout,
    /// The next step in hundredths of a percent; none: the promotion.
    step: Option<u16>,
    past: Past<'a>,
}

/// A hook that is to run.
pub struct Hook<'a> {
    /// The step, as in the log.
    pub step: String,
    /// The command.
    pub command: &'a str,
    limit: Duration,
    env: Vec<(&'static str, String)>,
}

impl<'a> Ahead<'a> {
    /// Of the step behind the canary's weight, or of the promotion. None: the service has no rollout in the file.
    #[must_use]
    pub fn of(desk: &'a Desk, service: &'a str, canary: &'a Weight, records: &'a [Record]) -> Option<Self> {
        let rollout = desk.project.document.services.get(service)?.rollout.as_ref()?;
        let (_, resolved) = desk.rollout(service).ok()?;
        let past = Past::of(records, &canary.subset, &resolved.salt);
        let step = rollout.percentages().find(|step| *step > canary.buckets);
        Some(Self { service, canary: &canary.subset, buckets: canary.buckets, rollout, step, past })
    }

    /// The same, of each declared step on the way to a weight; of the next one if that is beyond it.
    pub fn each(self, to: u16) -> impl Iterator<Item = Self> {
        let between = move |step: &u16| *step > self.buckets && *step <= to;
        let steps: Vec<u16> = self.rollout.percentages().filter(between).collect();
        let next = steps.is_empty().then_some(self);
        steps.into_iter().map(move |step| Self { step: Some(step), ..self }).chain(next)
    }

    /// All that going to a weight at once leaves out.
    #[must_use]
    pub fn left_out(self, to: u16, now: u64) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for step in self.each(to) {
            let what = step.what();
            if step.step.is_some_and(|step| step < to) {
                all.push(format!("the step {what}"));
            }
            if step.is_paused() && step.approved(false).is_none() {
                let who = self.rollout.approvers.join(", ");
                all.push(format!("the pause before {what}, which one of {who} has to end"));
            }
            if let Some(hook) = step.hook("").filter(|_| step.is_reached_by(Some(to))) {
                all.push(format!("the hook {}: `{}`", hook.place(), hook.command));
            }
        }
        all.extend(self.closed_until(now).map(|next| format!("the window: {next}")));
        all.extend(self.passed_by(to).map(|mark| {
            format!(
                "the way back: {} % is the point of no return, and from there on `{}` is not taken back without --past-no-return",
                percent(mark),
                self.canary
            )
        }));
        all
    }

    /// The point of no return, if the canary gets there by an edit to this weight and was not there before.
    #[must_use]
    pub fn passed_by(&self, to: u16) -> Option<u16> {
        self.rollout.no_return().filter(|mark| to >= *mark && self.no_way_back().is_none())
    }

    /// The weight of the next step; none: the promotion.
    #[must_use]
    pub fn weight(&self) -> Option<u16> {
        self.step
    }

    /// The next step as in the log: `25` or `promote`.
    #[must_use]
    pub fn step(&self) -> String {
        self.step.map_or_else(|| PROMOTE.to_owned(), percent)
    }

    /// The same in a sentence.
    #[must_use]
    pub fn what(&self) -> String {
        self.step.map_or_else(|| "the promotion".to_owned(), |step| format!("{} %", percent(step)))
    }

    /// Is a pause before the next step?
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.rollout.pauses_before(self.step)
    }

    /// Who may approve.
    #[must_use]
    pub fn approvers(&self) -> &'a [String] {
        &self.rollout.approvers
    }

    /// The approval of the next step that there is.
    #[must_use]
    pub fn approved(&self, outside: bool) -> Option<&'a Record> {
        self.past.approved(&self.step(), &self.rollout.approvers, outside)
    }

    /// When the next step may begin.
    #[must_use]
    pub fn opening(&self, now: u64) -> Opening {
        opening(&self.rollout.windows, now.cast_signed())
    }

    /// Does the rollout have windows?
    #[must_use]
    pub fn has_windows(&self) -> bool {
        !self.rollout.windows.is_empty()
    }

    /// Why the next step has to wait for a person.
    #[must_use]
    pub fn unapproved(&self, next: Next<'_>) -> Option<String> {
        if !self.is_paused() || self.approved(false).is_some() {
            return None;
        }
        let who = self.rollout.approvers.join(", ");
        Some(format!("{} waits for an approval: {}, by one of {who}", self.what(), next.approve()))
    }

    /// Why the next step has to wait for a window.
    #[must_use]
    pub fn closed(&self, now: u64, next: Next<'_>) -> Option<String> {
        let until = self.closed_until(now)?;
        let sooner = if self.rollout.approvers.is_empty() {
            String::new()
        } else {
            let who = self.rollout.approvers.join(", ");
            format!("; sooner with {}, by one of {who}", next.approve_outside())
        };
        Some(format!("{} waits for a window: {until}{sooner}", self.what()))
    }

    fn closed_until(&self, now: u64) -> Option<String> {
        match self.opening(now) {
            Opening::Open => None,
            _ if self.approved(true).is_some() => None,
            Opening::At { text, .. } => Some(format!("the next one opens on {text}")),
            Opening::Never => Some("none opens".to_owned()),
        }
    }

    /// The hook that has to succeed before the next step, and did not yet.
    #[must_use]
    pub fn hook(&self, revision: &str) -> Option<Hook<'a>> {
        let command = self.rollout.hook_before(self.step)?;
        let step = self.step();
        if self.past.ran(&step, command) {
            return None;
        }
        let to = step.clone();
        Some(self.with(step, command, [percent(self.buckets), to], revision))
    }

    /// The hook that follows an abort, and did not succeed yet.
    #[must_use]
    pub fn owed(&self, revision: &str) -> Option<Hook<'a>> {
        let command = self.rollout.hooks.after_abort.as_deref()?;
        let way = [percent(self.past.owes(command)?), "0".to_owned()];
        Some(self.with(AFTER_ABORT.to_owned(), command, way, revision))
    }

    fn with(&self, step: String, command: &'a str, [from, to]: [String; 2], revision: &str) -> Hook<'a> {
        let timeout = self.rollout.hooks.timeout.as_deref();
        let env = vec![
            ("GRAYLANE_SERVICE", self.service.to_owned()),
            ("GRAYLANE_CANARY", self.canary.to_owned()),
            ("GRAYLANE_FROM", from),
            ("GRAYLANE_TO", to),
            ("GRAYLANE_REVISION", revision.to_owned()),
        ];
        Hook { step, command, limit: timeout.and_then(duration::parse).unwrap_or(LIMIT), env }
    }

    /// Is the next step reached by an edit to this weight? None: the promotion.
    #[must_use]
    pub fn is_reached_by(&self, to: Option<u16>) -> bool {
        match (self.step, to) {
            (Some(step), Some(to)) => to >= step,
            (step, to) => step.is_none() && to.is_none(),
        }
    }

    /// Why the canary does not go back by itself: it has, or had, its point of no return.
    #[must_use]
    pub fn no_way_back(&self) -> Option<String> {
        let mark = self.rollout.no_return()?;
        let mark_text = percent(mark);
        let canary = self.canary;
        if self.buckets >= mark {
            return Some(format!(
                "`{canary}` has {} % of the users, and its point of no return is {mark_text} % (`noReturn`)",
                percent(self.buckets)
            ));
        }
        let at = self.past.reached(mark)?;
        Some(format!("`{canary}` had its point of no return, {mark_text} % (`noReturn`), at {at}"))
    }

    /// Does the next step reach the point of no return?
    #[must_use]
    pub fn is_last_chance(&self) -> bool {
        self.step.and_then(|step| self.passed_by(step)).is_some()
    }

    /// The line that says that it holds at this weight, unless a person let it go on since.
    #[must_use]
    pub fn held(&self) -> Option<&'a Record> {
        self.past.held()
    }

    /// How a hook before the next step failed the last time.
    #[must_use]
    pub fn failed(&self) -> Option<&'a Ran> {
        let command = self.rollout.hook_before(self.step)?;
        self.past.failed(&self.step(), command)?.hook.as_ref()
    }

    /// The rollout as it is written.
    #[must_use]
    pub fn rollout(&self) -> &'a model::Rollout {
        self.rollout
    }
}

/// Why users who move here may not: they leave a canary that has, or had, its point of no return.
#[must_use]
pub fn leaves(desk: &Desk, service: &str, moves: &Moves, records: &[Record]) -> Option<String> {
    let (_, rollout) = desk.rollout(service).ok()?;
    let left = |weight: &&Weight| moves.matrix.iter().any(|way| way.from == weight.subset && way.users > 0);
    rollout
        .weights
        .iter()
        .filter(left)
        .find_map(|weight| Ahead::of(desk, service, weight, records).and_then(|ahead| ahead.no_way_back()))
}

impl Hook<'_> {
    /// Runs it in a folder, or where this process runs, and says what the log is to have.
    ///
    /// # Errors
    /// When no shell can be started, or this program was told to end.
    pub async fn run(
        &self,
        desk: &Desk,
        canary: &Weight,
        (service, folder): (&str, Option<&Path>),
        say: &dyn Fn(&str),
    ) -> Result<Record> {
        let (command, env, limit) = (self.command, &self.env[..], self.limit);
        let shell = Shell { command, name: "hook", input: "", env, folder, limit, say };
        let finished = shell.run().await?;
        let exit = match finished.ended {
            Ended::With(status) => status.code(),
            Ended::Late => None,
            Ended::Signal(signal) => {
                anyhow::bail!("ended by {signal}, and so is the hook `{}`", self.command)
            }
        };
        let salt = desk.rollout(service)?.1.salt.clone();
        let weight = crate::percent::of(canary.buckets);
        let revision = lower::revision(&desk.mesh);
        let mut record = Record::now(service, &canary.subset, weight, Event::Hook, revision);
        (record.step, record.salt) = (Some(self.step.clone()), Some(salt));
        record.hook = Some(Ran {
            command: self.command.to_owned(),
            exit,
            seconds: finished.took.as_secs(),
            lines: finished.lines,
        });
        Ok(record)
    }

    /// Where it runs, in a sentence.
    #[must_use]
    pub fn place(&self) -> String {
        match self.step.as_str() {
            AFTER_ABORT => "after the abort".to_owned(),
            PROMOTE => "before the promotion".to_owned(),
            step => format!("before {step} %"),
        }
    }
}

impl Ran {
    /// How it went, in a sentence.
    #[must_use]
    pub fn said(&self) -> String {
        let how = match self.exit {
            Some(0) => "succeeded".to_owned(),
            Some(code) => format!("failed with exit code {code}"),
            None => format!("was killed after {} s, see `hooks.timeout`", self.seconds),
        };
        let last = self.lines.last().filter(|_| self.exit != Some(0));
        last.map_or_else(|| how.clone(), |line| format!("{how}: {line}"))
    }
}
