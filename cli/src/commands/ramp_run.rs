//! `graylane ramp run`: a rollout that goes by itself, and `graylane status`: what pods run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::Serialize;

use crate::args::{Files, Format, RampRun, Status};
use crate::document::duration;
use crate::lower;
use crate::printer::{Outcome, Printer};
use crate::prometheus::Prometheus;
use crate::ramp::apply::{Apply, Plugin, plugins};
use crate::ramp::journal::Journal;
use crate::ramp::run::{Progress, Run};

/// Runs it.
pub fn run(args: &RampRun, printer: Printer) -> Result<Outcome> {
    let Some(desk) = super::ramp::desk(&args.render.files, printer)? else { return Ok(Outcome::Findings) };
    desk.rollout(&args.service)?;
    let log = args.log.clone().unwrap_or_else(|| beside(&args.render.files, &args.service));
    let mut run = Run {
        service: args.service.clone(),
        canary: args.canary.clone(),
        prometheus: Prometheus::new(&args.prometheus)?,
        apply: Apply {
            command: args.apply.clone(),
            options: super::render::options(&args.render, printer)?,
            settle: args.settle,
        },
        hold: args.hold.map(|hold| hold.as_secs().max(1)),
        requests: args.min_requests,
        anew: args.anew,
        journal: Journal::open(&log, &args.service)?,
    };
    tokio::runtime::Runtime::new()?.block_on(take_steps(args, &mut run, printer))
}

/// The log of a service, beside its file.
fn beside(files: &Files, service: &str) -> PathBuf {
    let last = files.file.last().map_or(Path::new("."), PathBuf::as_path);
    let folder = if last.is_dir() { last } else { last.parent().unwrap_or(Path::new(".")) };
    folder.join(format!("graylane-ramp-{service}.jsonl"))
}

async fn take_steps(args: &RampRun, run: &mut Run, printer: Printer) -> Result<Outcome> {
    // Drawn on stderr, and only if that is a terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(120));
    let mut written = run.journal.records.len();
    loop {
        // The file is read anew each time: it is where people say what they want.
        let Some(desk) = super::ramp::desk_quietly(&args.render.files, printer)? else {
            return Ok(Outcome::Failure);
        };
        let progress = run.look(&desk).await?;
        if args.output == Format::Json {
            for record in &run.journal.records[written..] {
                printer.data(&(serde_json::to_string(record)? + "\n"))?;
            }
        }
        written = run.journal.records.len();
        let say = |text: &str| bar.suspend(|| printer.say(&format!("{}: {text}", args.service)));
        match &progress {
            Progress::On(what) => say(what),
            Progress::Wait(what) if args.once || bar.is_hidden() => say(what),
            Progress::Wait(what) => bar.set_message(format!("{}: {what}", args.service)),
            Progress::Done(what) | Progress::Aborted(what) => {
                bar.finish_and_clear();
                if args.output == Format::Text {
                    printer.data(&format!("{}: {what}\n", args.service))?;
                }
                let aborted = matches!(progress, Progress::Aborted(_));
                return Ok(if aborted { Outcome::Findings } else { Outcome::Ok });
            }
        }
        if matches!(progress, Progress::Wait(_)) {
            if args.once {
                return Ok(Outcome::Ok);
            }
            tokio::time::sleep(args.interval).await;
        }
    }
}

/// What machines get.
#[derive(Serialize)]
struct Report<'a> {
    revision: &'a str,
    current: usize,
    other: usize,
    plugins: &'a [Plugin],
}

/// Says which pods run the configuration of the file, and which do not.
pub fn status(args: &Status, printer: Printer) -> Result<Outcome> {
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Findings) };
    let prometheus = Prometheus::new(&args.prometheus)?;
    let plugins = tokio::runtime::Runtime::new()?.block_on(plugins(&prometheus, &mesh))?;
    let revision = lower::revision(&mesh);
    let current = plugins.iter().filter(|plugin| plugin.current).count();
    let other = plugins.len() - current;
    match args.output {
        Format::Json => printer.json(&Report { revision: &revision, current, other, plugins: &plugins })?,
        Format::Text => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(["namespace", "pod", "plugin", "runs", ""]);
            for plugin in &plugins {
                let mark = if plugin.current { "" } else { "another configuration" };
                let runs = plugin.revision.as_deref().unwrap_or("nothing");
                table.add_row([&*plugin.namespace, &plugin.pod, &plugin.direction, runs, mark]);
            }
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            printer.data(&(table.trim_fmt() + "\n"))?;
            printer.say(&format!("{current} of {} plugins run revision {revision}", plugins.len()));
        }
    }
    if plugins.is_empty() {
        printer.say("no pod says which configuration it runs: is the filter's port of metrics scraped?");
    }
    Ok(if other == 0 && current > 0 { Outcome::Ok } else { Outcome::Findings })
}

/// Reads a duration of an option.
pub fn span(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        return Ok(Duration::ZERO);
    }
    duration::parse(text).context(duration::EXAMPLES).map_err(|error| error.to_string())
}
