//! `graylane simulate`: who moves when weights change.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::args::{Format, Simulate};
use crate::printer::{Outcome, Printer};
use crate::simulate::{self, Layout, Moves, Users};

/// What machines get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    service: &'a str,
    #[serde(flatten)]
    moves: &'a Moves,
    empty_lines: u64,
}

/// Runs it.
pub fn run(args: &Simulate, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let (service, rollout) = simulate::rollout(&mesh, &args.service)?;
    let from = simulate::changed(service, &rollout.weights, &args.from)?;
    let to = simulate::changed(service, &from, &args.to)?;
    let (before, after) = (Layout::of(&service.baseline, &from), Layout::of(&service.baseline, &to));
    let none = Users::none(&mesh.salt, &rollout.salt);
    let users = match &args.users_file {
        Some(path) => {
            // Drawn on stderr, and only if that is a terminal.
            let bar = ProgressBar::no_length();
            let read = simulate::from_file(none, path, |bytes, length| {
                if let Some(length) = length.filter(|_| bar.length().is_none()) {
                    bar.set_length(length);
                    bar.set_style(style());
                }
                bar.set_position(bytes);
            });
            bar.finish_and_clear();
            read?
        }
        None => simulate::made(none, args.users),
    };
    let moves = simulate::moves(&before, &after, &users.by_bucket);
    match args.output {
        Format::Json => {
            let report = Report { service: &service.name, moves: &moves, empty_lines: users.empty_lines };
            printer.json(&report)?;
        }
        Format::Text => printer.data(&simulate::render(&before, &after, &moves, printer.width()))?,
    }
    if users.empty_lines > 0 {
        printer.say(&format!("note: {} empty lines were skipped", users.empty_lines));
    }
    Ok(Outcome::Ok)
}

fn style() -> ProgressStyle {
    let template = "{wide_bar} {bytes} of {total_bytes}, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
