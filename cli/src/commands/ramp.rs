//! `graylane ramp`: a rollout, step by step.

use anyhow::{Result, bail, ensure};
use serde::Serialize;

use crate::args::{Files, Format, Ramp, RampEdit, RampPromote, RampSet, RampStatus};
use crate::mesh::Mesh;
use crate::printer::{Outcome, Printer};
use crate::ramp::{Desk, skipped};
use crate::simulate::{Moves, Setting, percent};

/// Reads and checks the files of a rollout. None: they are not in order, and it was said why.
pub(super) fn desk(files: &Files, printer: Printer) -> Result<Option<Desk>> {
    let loaded = super::checked(&files.file, printer)?;
    Ok(loaded.and_then(|(loaded, mesh)| Desk::new(&files.file, loaded, mesh)))
}

/// As [`desk`], for files whose warnings were said already.
pub(super) fn desk_quietly(files: &Files, printer: Printer) -> Result<Option<Desk>> {
    let mut loaded = crate::document::load(&files.file)?;
    if let Some(project) = &loaded.project {
        crate::check::check(project, &mut loaded.findings);
    }
    if loaded.findings.has_errors() {
        return desk(files, printer);
    }
    let mesh = loaded.project.as_ref().map(Mesh::of);
    Ok(mesh.and_then(|mesh| Desk::new(&files.file, loaded, mesh)))
}

/// Runs it.
pub fn run(args: &Ramp, printer: Printer) -> Result<Outcome> {
    let files = match args {
        Ramp::Status(args) => &args.files,
        Ramp::Next(args) | Ramp::Abort(args) => &args.files,
        Ramp::Set(args) => &args.files,
        Ramp::Promote(args) => &args.files,
        Ramp::Run(args) => return super::ramp_run::run(args, printer),
    };
    let Some(desk) = desk(files, printer)? else { return Ok(Outcome::Findings) };
    match args {
        Ramp::Status(args) => status(args, &desk, printer)?,
        Ramp::Next(args) => next(args, &desk, printer)?,
        Ramp::Set(args) => set(args, &desk, printer)?,
        Ramp::Abort(args) => abort(args, &desk, printer)?,
        Ramp::Promote(args) => promote(args, &desk, printer)?,
        Ramp::Run(_) => {}
    }
    Ok(Outcome::Ok)
}

fn status(args: &RampStatus, desk: &Desk, printer: Printer) -> Result<()> {
    let standing = desk.standing(&args.service)?;
    if args.output == Format::Json {
        return printer.json(&standing);
    }
    let listed = |list: &[f64]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut lines: Vec<String> =
        standing.weights.iter().map(|(canary, share)| format!("{canary:9} {share} %")).collect();
    lines.push(format!("{:9} the rest", standing.baseline));
    lines.push(format!("{:9} {}", "tenants", standing.tenants.join(", ")));
    lines.push(format!("{:9} {}", "salt", standing.salt));
    if !standing.steps.is_empty() {
        let next = standing.next.map_or_else(String::new, |next| format!("; next: {next}"));
        lines.push(format!("{:9} {}{next}", "steps", listed(&standing.steps)));
    }
    lines.extend(standing.hold.map(|hold| format!("{:9} {hold}", "hold")));
    printer.data(&(lines.join("\n") + "\n"))
}

fn next(args: &RampEdit, desk: &Desk, printer: Printer) -> Result<()> {
    let weight = desk.canary(&args.service, args.canary.as_deref())?;
    let step = desk.next(&args.service, weight.buckets)?;
    let setting = Setting { subset: Some(weight.subset.clone()), buckets: step, from: None };
    write(desk, &args.service, &[setting], Against::Refused, args.output, printer)
}

fn set(args: &RampSet, desk: &Desk, printer: Printer) -> Result<()> {
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
        let left_out: Vec<String> = skipped(&steps, from, setting.buckets).into_iter().map(percent).collect();
        ensure!(
            left_out.is_empty() || args.force,
            "from {} % to {} % leaves out the declared step {}: take `graylane ramp next {}`, or pass --force",
            percent(from),
            percent(setting.buckets),
            left_out.join(", "),
            args.service
        );
    }
    let against = if args.force { Against::Said } else { Against::Refused };
    write(desk, &args.service, &args.weights, against, args.output, printer)
}

fn abort(args: &RampEdit, desk: &Desk, printer: Printer) -> Result<()> {
    let canary = desk.canary(&args.service, args.canary.as_deref())?.subset.clone();
    let setting = Setting { subset: Some(canary), buckets: 0, from: None };
    // Whatever else it moves: who aborts has a reason.
    write(desk, &args.service, &[setting], Against::Said, args.output, printer)
}

fn promote(args: &RampPromote, desk: &Desk, printer: Printer) -> Result<()> {
    let promotion = desk.promote(&args.service, args.canary.as_deref(), args.salt.as_deref())?;
    desk.write(&promotion.change)?;
    printer.data(&format!(
        "{}: `{}` is the baseline now, `{}` has 0 %; nobody moves\n",
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
            "before the next rollout write `salt: {}`, here and where it is shared, so that other users are first",
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
    weights: std::collections::BTreeMap<String, f64>,
    moves: Moves,
}

fn write(
    desk: &Desk,
    service: &str,
    settings: &[Setting],
    against: Against,
    output: Format,
    printer: Printer,
) -> Result<()> {
    let change = desk.set(service, settings)?;
    let back = change.moves.moved_back;
    if back > 0 {
        let message = format!("{} % of the users leave a canary whose weight does not fall", share(back));
        if against == Against::Refused {
            bail!("{message}: let one canary fill from each end, or pass `ramp set … --force`");
        }
        printer.say(&format!("warning: {message}"));
    }
    desk.write(&change)?;
    let after = Desk { mesh: change.mesh, ..desk.clone() };
    let weights = after.standing(service)?.weights;
    match output {
        Format::Json => printer.json(&Report { service, weights, moves: change.moves }),
        Format::Text => printer.data(&said(desk, service, &weights, &change.moves)?),
    }
}

/// Hundredths of a percent, as percent.
fn share(buckets: u64) -> f64 {
    buckets as f64 / 100.0
}

fn said(
    desk: &Desk,
    service: &str,
    after: &std::collections::BTreeMap<String, f64>,
    moves: &Moves,
) -> Result<String> {
    let before = desk.standing(service)?.weights;
    let mut text = String::new();
    for (canary, is) in after {
        let was = before.get(canary).copied().unwrap_or(0.0);
        let now = if was == *is { format!("stays at {is} %") } else { format!("{was} % → {is} %") };
        text += &format!("{service}: {canary} {now}\n");
    }
    for way in &moves.matrix {
        text += &format!("  {} % of the users move from {} to {}\n", share(way.users), way.from, way.to);
    }
    if moves.moved == 0 {
        text += "  nobody moves\n";
    }
    Ok(text)
}
