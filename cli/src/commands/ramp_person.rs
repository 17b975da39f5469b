//! What a person's edit of a rollout has to wait for, as a run does: approvals, windows, hooks, the point of no return.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use graylane_decide::config::Weight;

use super::desk;
use crate::args::{Files, RampApprove};
use crate::lower;
use crate::printer::{Outcome, Printer};
use crate::ramp::git::{Asked, Place, Remote, is_by_git};
use crate::ramp::journal::{Approval, By, Event, Journal, Record};
use crate::ramp::{Ahead, Desk, Hook, Lock, Next, Opened, only_run};
use crate::simulate::percent;
use crate::time::now;

/// An edit that is about to be made.
pub(super) struct Raise<'a> {
    pub files: &'a Files,
    pub service: &'a str,
    pub log: PathBuf,
    /// Nothing is waited for; what that leaves out is said elsewhere.
    pub force: bool,
    /// It is to the next step, whatever that is.
    pub to_next: bool,
}

impl Raise<'_> {
    /// Asks again under the lock: another edit may have taken the step that was waited for, and its approval with it.
    ///
    /// # Errors
    /// When the step that is next now has to wait.
    pub fn still(&self, desk: &Desk, canary: Option<&str>, to: Option<u16>) -> Result<()> {
        let Some(canary) = raised(desk, self.service, canary, to).filter(|_| !self.force) else {
            return Ok(());
        };
        let records = Journal::peek(&self.log, self.service)?;
        let Some(ahead) = Ahead::of(desk, self.service, &canary, &records) else { return Ok(()) };
        if let Some(why) = self.waits(&ahead) {
            bail!("{why}");
        }
        let hook = ahead.hook(&lower::revision(&desk.mesh)).filter(|_| ahead.is_reached_by(to));
        if let Some(hook) = hook {
            bail!("the file was changed meanwhile, and the hook {} did not run: try again", hook.place());
        }
        Ok(())
    }

    fn waits(&self, ahead: &Ahead<'_>) -> Option<String> {
        let next = Next::here(self.service);
        ahead.unapproved(next).or_else(|| ahead.closed(now(), next))
    }

    /// Waits for what has to come before: no lock is held meanwhile, since a hook takes its time. A file that is not in order is
    /// reported later.
    ///
    /// # Errors
    /// When an approval is missing, no window is open, or a hook fails.
    pub fn cleared(&self, canary: Option<&str>, to: Option<u16>, printer: Printer) -> Result<()> {
        if self.force {
            return Ok(());
        }
        let Ok(Opened::Desk(desk)) = Desk::open(&self.files.file) else { return Ok(()) };
        let Some(canary) = raised(&desk, self.service, canary, to) else { return Ok(()) };
        let canary = &canary;
        let records = Journal::peek(&self.log, self.service)?;
        let Some(ahead) = Ahead::of(&desk, self.service, canary, &records) else { return Ok(()) };
        if let Some(why) = self.waits(&ahead) {
            bail!("{why}");
        }
        let to_weight = if self.to_next { ahead.weight() } else { to };
        if let Some(weight) = to_weight.filter(|weight| ahead.passed_by(*weight).is_some()) {
            printer.say(&format!(
                "{} % is past the point of no return: from then on `{}` is not taken back without --past-no-return",
                percent(weight),
                canary.subset
            ));
        }
        let Some(hook) = ahead.hook(&lower::revision(&desk.mesh)).filter(|_| ahead.is_reached_by(to)) else {
            return Ok(());
        };
        let said = run(&hook, &desk, canary, self.service, &self.log, printer)?;
        ensure!(said.0, "the hook {} {}: nothing is written", hook.place(), said.1);
        printer.say(&format!("the hook {} {}", hook.place(), said.1));
        Ok(())
    }
}

/// The canary that rises by an edit to this weight; none: it does not. One without an entry has 0 %.
pub(super) fn raised(desk: &Desk, service: &str, canary: Option<&str>, to: Option<u16>) -> Option<Weight> {
    let written = desk.canary(service, canary).ok().cloned();
    let none = |name: &str| Weight { subset: name.to_owned(), buckets: 0, from: Default::default() };
    let canary = written.or_else(|| canary.map(none))?;
    to.map_or(canary.buckets == 10_000, |to| to > canary.buckets).then_some(canary)
}

/// Runs a hook and writes it into the log: did it succeed, and how did it go.
fn run(
    hook: &Hook<'_>,
    desk: &Desk,
    canary: &Weight,
    service: &str,
    log: &Path,
    printer: Printer,
) -> Result<(bool, String)> {
    let say = |line: &str| printer.say(&format!("{service}: {line}"));
    let mut record =
        printer.runtime()?.block_on(hook.run(desk, canary, (service, Some(&desk.folder())), &say))?;
    record.by = Some(By::Person);
    let ran = record.hook.clone().context("a hook without a result")?;
    Journal::open(log, service)?.add(record)?;
    Ok((ran.exit == Some(0), ran.said()))
}

/// The hook that follows an abort of a person. The abort stands, whatever becomes of it.
pub(super) fn after_abort(files: &Files, service: &str, canary: &str, log: &Path, printer: Printer) {
    let hook = || -> Result<()> {
        let Opened::Desk(desk) = Desk::open(&files.file)? else {
            printer.say("a hook after the abort is run once the file is in order, by `graylane ramp abort`");
            return Ok(());
        };
        let canary = desk.canary(service, Some(canary))?;
        let records = Journal::peek(log, service)?;
        let ahead = Ahead::of(&desk, service, canary, &records);
        let Some(hook) = ahead.as_ref().and_then(|ahead| ahead.owed(&lower::revision(&desk.mesh))) else {
            return Ok(());
        };
        let folder = log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(_only) = only_run(folder, service) else {
            printer.say("the run that is under way runs the hook after the abort");
            return Ok(());
        };
        let (succeeded, said) = run(&hook, &desk, canary, service, log, printer)?;
        let again = format!(
            "warning: the hook after the abort {said}; run `graylane ramp abort {service}` to repeat it"
        );
        printer.say(&if succeeded { format!("the hook after the abort {said}") } else { again });
        Ok(())
    };
    if let Err(error) = hook() {
        printer.say(&format!("warning: the hook after the abort: {error:#}"));
    }
}

/// `graylane ramp approve`.
pub(super) fn approve(args: &RampApprove, printer: Printer) -> Result<Outcome> {
    if args.pushed.git {
        return approve_by_git(args, printer);
    }
    ensure!(
        args.log.is_some() || !is_by_git(&args.files.file, &args.service, &args.pushed.remote),
        "the rollout of `{0}` is by Git, and does not see an approval in a log here: `graylane ramp approve {0} --git --by {1}`",
        args.service,
        args.by
    );
    let _lock = Lock::of(&args.files.file)?;
    let Some(desk) = desk::open(&args.files, printer)? else { return Ok(Outcome::Failure) };
    let log = desk::log(&args.files, args.log.as_deref(), &args.service);
    match approval(args, &desk, &Journal::peek(&log, &args.service)?, printer)? {
        Ok(record) => {
            Journal::open(&log, &args.service)?.add(record.clone())?;
            allowed(&record, "", printer)
        }
        Err(outcome) => Ok(outcome),
    }
}

/// By Git: what is pushed is asked, and the approval is pushed.
fn approve_by_git(args: &RampApprove, printer: Printer) -> Result<Outcome> {
    let pushed = &args.pushed;
    let asked = Asked {
        remote: pushed.remote.clone(),
        branch: pushed.branch.clone(),
        ticket: None,
        runner: Some(args.by.clone()),
        lease: Duration::from_secs(1),
        limit: pushed.git_timeout,
        resume: false,
    };
    let mut remote = Remote::open(Place::of(&args.files.file, &asked)?, &args.service, &asked)?;
    let files = Files { file: remote.paths.clone() };
    let records = remote.records()?;
    let Some(desk) = desk::open(&files, printer)? else { return Ok(Outcome::Failure) };
    let record = match approval(args, &desk, &records, printer)? {
        Ok(record) => record,
        Err(outcome) => return Ok(outcome),
    };
    let still = || match Desk::open(&files.file)? {
        Opened::Desk(now) => {
            let canary = now.canary(&args.service, args.canary.as_deref())?;
            let ahead = Ahead::of(&now, &args.service, canary, &records);
            Ok(ahead.is_some_and(|ahead| Some(ahead.step()) == record.step))
        }
        Opened::Broken(_) => Ok(false),
    };
    let commit = remote.approve(&record, &still)?;
    allowed(&record, &format!(", commit {}", commit.get(..12).unwrap_or(&commit)), printer)
}

fn allowed(record: &Record, place: &str, printer: Printer) -> Result<Outcome> {
    let Some(approval) = &record.approval else { return Ok(Outcome::Failure) };
    let outside = if approval.outside_window { ", outside of every window too" } else { "" };
    let what = match record.step.as_deref() {
        Some("promote") | None => "the promotion".to_owned(),
        Some(step) => format!("{step} %"),
    };
    printer.data(&format!(
        "{}: `{}` allows {what} of `{}`{outside}{place}\n",
        record.service, approval.name, record.canary
    ))?;
    Ok(Outcome::Ok)
}

/// The line of an approval, if there is something to approve and this person may.
fn approval(
    args: &RampApprove,
    desk: &Desk,
    records: &[Record],
    printer: Printer,
) -> Result<Result<Record, Outcome>> {
    let service = &args.service;
    let canary = desk.canary(service, args.canary.as_deref())?;
    let Some(ahead) = Ahead::of(desk, service, canary, records) else { bail!("`{service}` has no rollout") };
    if desk.next(service, canary.buckets).is_err() && canary.buckets < 10_000 {
        desk.next(service, canary.buckets)?;
    }
    let refused = |why: String| {
        printer.say(&format!("error: {why}"));
        Ok(Err(Outcome::Findings))
    };
    if !ahead.approvers().contains(&args.by) {
        let who = match ahead.approvers() {
            [] => "nobody may: add `approvers` to its rollout".to_owned(),
            some => format!("those who may are {}", some.join(", ")),
        };
        return refused(format!("`{}` may not approve a step of `{service}`; {who}", args.by));
    }
    let what = ahead.what();
    if args.outside_window && !ahead.has_windows() {
        return refused(format!("`{service}` has no windows, so {what} waits for none"));
    }
    if !args.outside_window && !ahead.is_paused() {
        return refused(format!("{what} is next, and no pause is before it: there is nothing to approve"));
    }
    if let Some(before) = ahead.approved(args.outside_window) {
        let by = before.approval.as_ref().map_or("", |approval| &approval.name);
        printer.say(&format!("`{by}` allowed {what} at {} already", before.time));
        return Ok(Err(Outcome::Ok));
    }
    let weight = crate::percent::of(canary.buckets);
    let mut record =
        Record::now(service, &canary.subset, weight, Event::Approve, lower::revision(&desk.mesh));
    record.by = Some(By::Person);
    record.salt = Some(desk.rollout(service)?.1.salt.clone());
    record.step = Some(ahead.step());
    let (name, ticket) = (args.by.clone(), args.ticket.clone());
    record.approval = Some(Approval { name, ticket, outside_window: args.outside_window });
    Ok(Ok(record))
}
