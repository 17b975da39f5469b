//! `graylane history`: who changed a rollout, when, why, and whom it moved; and the commit of a revision.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::args::{Format, History as Args};
use crate::check::Opened;
use crate::document;
use crate::history::{self, Entry, History};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::time::rfc3339;
use crate::user::Skipped;

/// What machines get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    service: &'a str,
    entries: &'a [Entry],
    skipped: &'a [Skipped],
    is_cut: bool,
}

/// Runs it.
pub fn run(args: &Args, printer: Printer) -> Result<Outcome> {
    match (&args.revision, &args.service) {
        (Some(revision), _) => revision_of(args, revision, printer),
        (None, Some(service)) => of(args, service, printer),
        (None, None) => Ok(Outcome::Failure),
    }
}

fn of(args: &Args, service: &str, printer: Printer) -> Result<Outcome> {
    // One that is not in order now has a history all the same.
    let now = document::open(&args.files.file).ok().and_then(|Opened { file, .. }| file);
    if now.is_none() {
        printer.say("note: the file on disk is not in order: only what is committed is shown");
    }
    let now = now.map(|file| Mesh::of(&file));
    let History { entries, skipped, is_cut } = history::of(&args.files.file, service, now.as_ref())?;
    let shown = entries.len().min(args.number);
    match args.output {
        Format::Json => {
            let entries = entries.get(..shown).unwrap_or_default();
            printer.json(&Report { service, entries, skipped: &skipped, is_cut })?;
        }
        Format::Text if entries.is_empty() => {
            printer.data(&format!("the rollout of `{service}` was never changed\n"))?;
        }
        Format::Text => {
            let history = History { entries, skipped: Vec::new(), is_cut };
            printer.data(&history::text(&history, shown))?;
            let left = history.entries.len() - shown;
            if left > 0 {
                printer.say(&format!("{left} older changes are left out: see -n"));
            }
        }
    }
    Skipped::notes(&skipped).iter().for_each(|note| printer.say(note));
    if is_cut {
        printer.say("note: the history is cut off, so what was before is not known: `git fetch --unshallow` gets more");
    }
    Ok(Outcome::Ok)
}

fn revision_of(args: &Args, revision: &str, printer: Printer) -> Result<Outcome> {
    ensure!(
        revision.len() >= 4 && revision.len() <= 12 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "invalid revision `{revision}`: expected the 12 hex digits of `graylane status`, or the first of them"
    );
    let wanted = BTreeSet::from([revision.to_ascii_lowercase()]);
    let (found, read) = history::of_revisions(&args.files.file, &wanted)?;
    let Some(found) = found.into_values().next() else {
        printer.say(&format!(
            "revision {revision} is of none of the last {read} commits of the file: was it applied from another branch, with other layers \
             (-f) or other variables, or before it was committed?"
        ));
        return Ok(Outcome::Failure);
    };
    match args.output {
        Format::Json => printer.json(&found)?,
        Format::Text => printer.data(&format!(
            "revision {}\ncommit   {}\ntime     {}\nwho      {}\nmessage  {}\n",
            found.revision,
            found.commit.id,
            rfc3339(found.commit.time),
            found.author,
            found.commit.subject
        ))?,
    }
    Ok(Outcome::Ok)
}
