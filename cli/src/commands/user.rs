//! `graylane user`: one user's side in each rollout, and when it changed.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::args::{Format, User};
use crate::hash_key;
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::time;
use crate::user::{self, Change, Commit, History, Made, Side, Sides, Since, Skipped};

/// What machines get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    unit: &'a str,
    commit: Option<&'a Commit>,
    sides: Vec<Row<'a>>,
    changes: &'a [Change],
    skipped: &'a [Skipped],
    is_cut: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    side: &'a Side,
    since: &'a Option<Since>,
}

/// Runs it.
pub fn run(args: &User, printer: Printer) -> Result<Outcome> {
    ensure!(
        !args.key.is_empty(),
        "the key is empty: expected the user's value of the file's sticky key, such as a user id"
    );
    let key = args.key.as_bytes();
    let paths = &args.files.file;
    let hash_key = args.hash_key.hash_key_file.as_deref();
    let history = match &args.at {
        Some(at) => History::of(paths, key, hash_key, Ok(time::parse(at)?))
            .context("--at needs the history of the file in Git")?,
        None => {
            let Some((file, _)) = super::mesh(paths, printer)? else { return Ok(Outcome::Failure) };
            let mesh = hash_key::given(&file, hash_key)?;
            let sides = Sides::of(&mesh, key)?;
            said(&mesh, &sides, printer);
            History::of(paths, key, hash_key, Err((sides.clone(), Made::of(&mesh)))).unwrap_or_else(|error| {
                printer.say(&format!("note: when it changed is not known: {error:#}"));
                History::none(sides)
            })
        }
    };
    match args.output {
        Format::Json => printer.json(&Report {
            unit: &history.sides.unit,
            commit: history.commit.as_ref(),
            sides: history
                .sides
                .all
                .iter()
                .zip(&history.since)
                .map(|(side, since)| Row { side, since })
                .collect(),
            changes: &history.changes,
            skipped: &history.skipped,
            is_cut: history.is_cut,
        })?,
        Format::Text => printer.data(&user::text(&history))?,
    }
    Skipped::notes(&history.skipped).iter().for_each(|note| printer.say(note));
    if history.is_cut && history.since.iter().flatten().any(|since| since.or_before) {
        printer.say("note: the history is cut off, so what was before is not known: `git fetch --unshallow` gets more");
    }
    Ok(Outcome::Ok)
}

/// What makes an answer another one than a reader expects.
fn said(mesh: &Mesh, sides: &Sides, printer: Printer) {
    if !mesh.has_keys() {
        printer.say("note: the file has no sticky key, so no key of a user counts: each request is placed by its own id");
    }
    for side in sides.all.iter().filter(|side| side.subset.is_none()) {
        let name = &side.service;
        printer.say(&format!("note: another controller sets the weights of `{name}`: `graylane explain --against` shows the side"));
    }
}
