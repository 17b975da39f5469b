//! `graylane ramp`: a rollout, step by step.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use super::ramp_forced::Forced;
use super::ramp_person::{Raise, raised};
use super::{desk, ramp_person, ramp_status};
use crate::args::{Format, Ramp, RampAbort, RampEdit, RampPromote, RampSet};
use crate::lower;
use crate::percent;
use crate::printer::{Outcome, Printer};
use crate::ramp::journal::{By, Event, Journal, Record};
use crate::ramp::{self, Ahead, Desk, Lock, Opened, skipped};
use crate::simulate::{self, Moves, Setting};

/// Runs it.
pub fn run(args: &Ramp, printer: Printer) -> Result<Outcome> {
    let files = match args {
        Ramp::Status(args) => &args.files,
        Ramp::Next(args) => &args.files,
        Ramp::Abort(args) => {
            let lock = Lock::of(&args.edit.files.file)?;
            let (outcome, canary) = abort(args, &lock, printer)?;
            drop(lock);
            let RampEdit { files, service, log, .. } = &args.edit;
            let log = desk::log(files, log.as_deref(), service);
            ramp_person::after_abort(files, service, &canary, &log, printer);
            return Ok(outcome);
        }
        Ramp::Approve(args) => return ramp_person::approve(args, printer),
        Ramp::Set(args) => &args.files,
        Ramp::Promote(args) => &args.files,
        Ramp::Run(args) => return super::ramp_run::run(args, printer),
    };
    cleared(args, None, printer)?;
    // Read, changed and written by one at a time.
    let lock = if matches!(args, Ramp::Status(_)) { None } else { Some(Lock::of(&files.file)?) };
    let Some(desk) = desk::open(files, printer)? else { return Ok(Outcome::Failure) };
    cleared(args, Some(&desk), printer)?;
    match (args, &lock) {
        (Ramp::Status(args), _) => ramp_status::run(args, &desk, printer)?,
        (Ramp::Next(args), Some(lock)) => next(args, lock, &desk, printer)?,
        (Ramp::Set(args), Some(lock)) => set(args, lock, &desk, printer)?,
        (Ramp::Promote(args), Some(lock)) => promote(args, lock, &desk, printer)?,
        _ => {}
    }
    Ok(Outcome::Ok)
}

/// What an edit has to wait for: before the lock, since a hook takes its time, and again under it.
fn cleared(args: &Ramp, desk: Option<&Desk>, printer: Printer) -> Result<()> {
    let check = |files, service, log: &Option<PathBuf>, force, canary: &Option<String>, to| {
        let log = desk::log(files, log.as_deref(), service);
        let to_next = matches!(args, Ramp::Next(_));
        let raise = Raise { files, service, log, force, to_next };
        match desk {
            Some(desk) => raise.still(desk, canary.as_deref(), to),
            None => raise.cleared(canary.as_deref(), to, printer),
        }
    };
    match args {
        Ramp::Next(args) => check(&args.files, &args.service, &args.log, false, &args.canary, Some(10_000)),
        Ramp::Promote(args) => check(&args.files, &args.service, &args.log, false, &args.canary, None),
        Ramp::Set(args) => args.weights.iter().try_for_each(|one| {
            check(&args.files, &args.service, &args.log, args.force, &one.subset, Some(one.buckets))
        }),
        _ => Ok(()),
    }
}

fn next(args: &RampEdit, lock: &Lock, desk: &Desk, printer: Printer) -> Result<()> {
    let weight = desk.canary(&args.service, args.canary.as_deref())?;
    let step = desk.next(&args.service, weight.buckets)?;
    let setting = Setting { subset: Some(weight.subset.clone()), buckets: step, from: None };
    let log = desk::log(&args.files, args.log.as_deref(), &args.service);
    let forced = Forced::default();
    let edit = Edit { desk, lock, service: &args.service, log, event: Event::Set, forced };
    write(&edit, &[setting], Against::Refused, args.output, printer)
}

fn set(args: &RampSet, lock: &Lock, desk: &Desk, printer: Printer) -> Result<()> {
    let steps = desk.steps(&args.service);
    for setting in &args.weights {
        let from = match &setting.subset {
            Some(name) => {
                let (_, rollout) = desk.rollout(&args.service)?;
                rollout
                    .weights
                    .iter()
                    .find(|weight| weight.subset == *name)
                    .map_or(0, |weight| weight.buckets)
            }
            None => desk.canary(&args.service, None)?.buckets,
        };
        let left_out: Vec<String> =
            skipped(&steps, from, setting.buckets).into_iter().map(simulate::percent).collect();
        ensure!(
            left_out.is_empty() || args.force,
            "from {} % to {} % skips the declared step {}: run `graylane ramp next {}`, or pass --force",
            simulate::percent(from),
            simulate::percent(setting.buckets),
            left_out.join(", "),
            args.service
        );
    }
    let against = if args.force { Against::Said } else { Against::Refused };
    let log = desk::log(&args.files, args.log.as_deref(), &args.service);
    let mut forced = Forced::of(&args.answers);
    if args.force {
        forced.left_out(desk, &args.service, &args.weights, &log, printer)?;
    }
    forced.backwards(desk, &args.service, &args.weights, &log, args.past_no_return, printer)?;
    let edit = Edit { desk, lock, service: &args.service, log, event: Event::Set, forced };
    write(&edit, &args.weights, against, args.output, printer)
}

/// Other mistakes in the files are reported and do not prevent it: an abort is urgent. The canary.
fn abort(args: &RampAbort, lock: &Lock, printer: Printer) -> Result<(Outcome, String)> {
    let RampAbort { edit: args, past_no_return, answers } = args;
    let mut forced = Forced::of(answers);
    let log = desk::log(&args.files, args.log.as_deref(), &args.service);
    match Desk::open(&args.files.file) {
        Ok(Opened::Desk(desk)) => {
            printer.findings(&desk.warnings.without_notes(), &desk.sources);
            let canary = desk.canary(&args.service, args.canary.as_deref())?.clone();
            let setting = Setting { subset: Some(canary.subset.clone()), buckets: 0, from: None };
            let settings = [setting];
            forced.backwards(&desk, &args.service, &settings, &log, *past_no_return, printer)?;
            let edit = Edit { desk: &desk, lock, service: &args.service, log, event: Event::Abort, forced };
            write(&edit, &settings, Against::Said, args.output, printer)?;
            return Ok((Outcome::Ok, canary.subset));
        }
        Ok(Opened::Broken(loaded)) => desk::broken(&loaded, printer),
        Err(error) => printer.say(&format!("error: {error:#}")),
    }
    let aborted = ramp::abort(&args.files.file, &args.service, args.canary.as_deref())?;
    let records = Journal::peek(&log, &args.service).unwrap_or_default();
    forced.may_go_back(aborted.no_way_back(&records).as_deref(), *past_no_return, printer)?;
    let mut record = Record::now(&args.service, &aborted.canary, 0.0, Event::Abort, String::new());
    record.by = Some(By::Person);
    (record.from, record.to, record.hash) = (Some(aborted.from), Some(0.0), Some(aborted.hash.clone()));
    let record = forced.into(record);
    note(&log, &args.service, record, printer);
    aborted.write(lock)?;
    printer
        .say("the files have errors, listed above; they do not affect the rollout's own lines, and the canary is aborted");
    let (service, canary, from) = (&args.service, &aborted.canary, aborted.from);
    match args.output {
        Format::Json => {
            let weights = BTreeMap::from([(canary.clone(), 0.0)]);
            printer.json(&Report { service, weights, moves: None })?;
        }
        Format::Text if from == 0.0 => printer.data(&format!("{service}: {canary} stays at 0 %\n"))?,
        Format::Text => printer.data(&format!("{service}: {canary} {from} % → 0 %\n"))?,
    }
    Ok((Outcome::Ok, aborted.canary.clone()))
}

/// Writes an abort into the log. One that cannot be written is in no abort's way: the file says it too.
fn note(log: &Path, service: &str, record: Record, printer: Printer) {
    if let Err(error) = Journal::open(log, service).and_then(|mut journal| journal.add(record)) {
        printer.say(&format!("warning: {error:#}"));
    }
}

fn promote(args: &RampPromote, lock: &Lock, desk: &Desk, printer: Printer) -> Result<()> {
    let promotion = desk.promote(&args.service, args.canary.as_deref(), args.salt.as_deref())?;
    let log = desk::log(&args.files, args.log.as_deref(), &args.service);
    let mut record = person(desk, &args.service, &promotion.canary, Event::Promote, (10_000, 10_000));
    record.revision = lower::revision(&promotion.change.mesh);
    Journal::open(&log, &args.service)?.add(record)?;
    desk.write(lock, &promotion.change)?;
    printer.data(&format!(
        "{}: `{}` is the baseline now, `{}` has 0 %; no user moves\n",
        args.service, promotion.canary, promotion.baseline
    ))?;
    if !promotion.pinned.is_empty() {
        printer.say(&format!(
            "{} took no part, and is pinned to `{}`: take the pin away to move it",
            promotion.pinned.join(", "),
            promotion.baseline
        ));
    }
    match &args.salt {
        Some(salt) => printer.say(&format!("the next rollout has the salt {salt}")),
        None => printer.say(&format!(
            "before the next rollout write `salt: {}`, here and in every service that shares it, so that other users move first",
            promotion.salt
        )),
    }
    Ok(())
}

/// What becomes of an edit that moves users of a canary whose weight does not fall.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Against {
    Refused,
    Said,
}

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    service: &'a str,
    weights: BTreeMap<String, f64>,
    /// None: the files are not in order, so it cannot be said.
    moves: Option<Moves>,
}

/// A line of the log about what a person does.
fn person(desk: &Desk, service: &str, canary: &str, event: Event, (from, to): (u16, u16)) -> Record {
    let mut record = Record::now(service, canary, percent::of(to), event, lower::revision(&desk.mesh));
    record.by = Some(By::Person);
    (record.from, record.to) = (Some(percent::of(from)), Some(percent::of(to)));
    record.hash = Some(desk.hash());
    record
}

/// An edit of a person.
struct Edit<'a> {
    desk: &'a Desk,
    lock: &'a Lock,
    service: &'a str,
    log: PathBuf,
    event: Event,
    forced: Forced,
}

fn write(
    edit: &Edit<'_>,
    settings: &[Setting],
    against: Against,
    output: Format,
    printer: Printer,
) -> Result<()> {
    let Edit { desk, lock, service, log, event, forced } = edit;
    let change = desk.set(service, settings)?;
    let back = change.moves.moved_back;
    if back > 0 {
        let message =
            format!("{} % of the users leave a canary whose weight does not fall", percent::of(back));
        if against == Against::Refused {
            bail!("{message}: let one canary fill from each end, or pass `ramp set … --force`");
        }
        printer.say(&format!("warning: {message}"));
    }
    // The log first, then the edit: a run that sees the edit must know who made it.
    for setting in settings {
        let canary = desk.canary(service, setting.subset.as_deref());
        let (name, from) = match (canary, &setting.subset) {
            (Ok(weight), _) => (weight.subset.clone(), weight.buckets),
            (Err(_), Some(name)) => (name.clone(), 0),
            (Err(error), None) => return Err(error),
        };
        if passes(edit, setting)? {
            let note = person(desk, service, &name, Event::NoReturn, (from, setting.buckets));
            Journal::open(log, service)?.add(note)?;
        }
        let record = person(desk, service, &name, *event, (from, setting.buckets));
        let record = forced.clone().into(record);
        if *event == Event::Abort {
            note(log, service, record, printer);
        } else {
            Journal::open(log, service)?.add(record)?;
        }
    }
    desk.write(lock, &change)?;
    let after = Desk { mesh: change.mesh, ..(*desk).clone() };
    let weights = after.standing(service)?.weights;
    match output {
        Format::Json => printer.json(&Report { service, weights, moves: Some(change.moves) }),
        Format::Text => printer.data(&said(desk, service, &weights, &change.moves)?),
    }
}

/// Does the canary get to its point of no return? The log says so, as a run's does.
fn passes(edit: &Edit<'_>, setting: &Setting) -> Result<bool> {
    let Edit { desk, service, log, event, .. } = edit;
    let canary = raised(desk, service, setting.subset.as_deref(), Some(setting.buckets));
    let Some(canary) = canary.filter(|_| *event == Event::Set) else { return Ok(false) };
    let records = Journal::peek(log, service)?;
    let ahead = Ahead::of(desk, service, &canary, &records);
    Ok(ahead.is_some_and(|ahead| ahead.passed_by(setting.buckets).is_some()))
}

fn said(desk: &Desk, service: &str, after: &BTreeMap<String, f64>, moves: &Moves) -> Result<String> {
    let before = desk.standing(service)?.weights;
    let mut text = String::new();
    for (canary, is) in after {
        let was = before.get(canary).copied().unwrap_or(0.0);
        let now = if was == *is { format!("stays at {is} %") } else { format!("{was} % → {is} %") };
        text += &format!("{service}: {canary} {now}\n");
    }
    for way in &moves.matrix {
        text +=
            &format!("  {} % of the users move from {} to {}\n", percent::of(way.users), way.from, way.to);
    }
    if moves.moved == 0 {
        text += "  no user moves\n";
    }
    Ok(text)
}
