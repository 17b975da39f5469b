//! `graylane ramp run`: a rollout that goes by itself, and `graylane status`: what pods run.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::{Format, RampRun, Status};
use crate::document::duration;
use crate::printer::{Outcome, Printer};
use crate::prometheus::{Prometheus, Sample};
use crate::queries::Queries;
use crate::ramp::apply::{Apply, NATIVE, Plugin, half_over, plugins};
use crate::ramp::journal::Journal;
use crate::ramp::only_run;
use crate::ramp::run::{Progress, Run};
use crate::{lower, plain};

/// Runs it.
pub fn run(args: &RampRun, printer: Printer) -> Result<Outcome> {
    let files = &args.render.files;
    let Some(desk) = super::ramp::desk(files, printer)? else { return Ok(Outcome::Failure) };
    desk.rollout(&args.service)?;
    let log = super::ramp::log(files, args.log.as_deref(), &args.service);
    let folder = log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _only = only_run(folder, &args.service)?;
    let bar = printer.progress(None);
    bar.enable_steady_tick(Duration::from_millis(120));
    let mut run = Run {
        paths: files.file.clone(),
        service: args.service.clone(),
        canary: args.canary.clone(),
        prometheus: Prometheus::open(&args.asked)?,
        apply: Apply {
            command: args.apply.clone(),
            options: super::render::options(&args.render, printer)?,
            settle: args.settle,
            limit: args.apply_timeout,
            say: {
                let (bar, service) = (bar.clone(), args.service.clone());
                Box::new(move |line| bar.suspend(|| printer.say(&format!("{service}: {line}"))))
            },
        },
        hold: args.hold.map(|hold| hold.as_secs().max(1)),
        requests: args.min_requests,
        anew: args.anew,
        journal: Journal::open(&log, &args.service)?,
    };
    if args.resume || args.anew {
        run.resume()?;
    }
    printer.runtime()?.block_on(take_steps(args, &mut run, &bar, printer))
}

async fn take_steps(args: &RampRun, run: &mut Run, bar: &ProgressBar, printer: Printer) -> Result<Outcome> {
    let mut written = run.journal.records.len();
    let mut advanced = false;
    loop {
        // The file is read anew each time: it is where people say what they want.
        let progress = run.look().await?;
        if args.output == Format::Json {
            for record in run.journal.records.iter().skip(written) {
                printer.json_line(record)?;
            }
        }
        written = run.journal.records.len();
        let say = |text: &str| bar.suspend(|| printer.say(&format!("{}: {text}", args.service)));
        match &progress {
            Progress::On(what) => say(what),
            Progress::Advance(what) => {
                advanced = true;
                say(what);
            }
            Progress::Wait(what) if args.once || bar.is_hidden() => say(what),
            Progress::Wait(what) => {
                bar.set_message(plain::line(&format!("{}: {what}", args.service)).into_owned());
            }
            Progress::Done(what) | Progress::Aborted(what) | Progress::Stopped(what) => {
                bar.finish_and_clear();
                if args.output == Format::Text {
                    printer.data(&format!("{}: {what}\n", args.service))?;
                }
                let done = matches!(progress, Progress::Done(_));
                return Ok(if done { Outcome::Ok } else { Outcome::Findings });
            }
        }
        if matches!(progress, Progress::Wait(_)) {
            if args.once {
                return Ok(if advanced { Outcome::Ok } else { Outcome::Held });
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
    let Some((_, mesh)) = super::mesh(&args.files.file, printer)? else { return Ok(Outcome::Failure) };
    let prometheus = Prometheus::open(&args.asked)?;
    let runtime = printer.runtime()?;
    let plugins = runtime.block_on(plugins(&prometheus, &mesh))?;
    let queries = Queries::of(&mesh);
    let unreadable = runtime.block_on(prometheus.query(&queries.invalid()))?;
    let without = runtime.block_on(prometheus.query(&queries.proxies_without_filter()))?;
    let revision = lower::revision(&mesh);
    let current = plugins.iter().filter(|plugin| plugin.current).count();
    let other = plugins.len() - current;
    match args.output {
        Format::Json => printer.json(&Report { revision: &revision, current, other, plugins: &plugins })?,
        Format::Text => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(["namespace", "pod", "plugin", "module", "runs", ""]);
            for plugin in &plugins {
                let mark = if plugin.current { "" } else { "another configuration" };
                let runs = plugin.revision.as_deref().unwrap_or("nothing");
                let told = [&*plugin.namespace, &plugin.pod, &plugin.direction].map(plain::line);
                table.add_row([&*told[0], &*told[1], &*told[2], plugin.module, runs, mark]);
            }
            for column in table.column_iter_mut() {
                column.set_padding((0, 2));
            }
            printer.data(&(table.trim_fmt() + "\n"))?;
            let native = plugins.iter().filter(|plugin| plugin.module == NATIVE).count();
            let native =
                if native > 0 { format!(", {native} of them as native module") } else { String::new() };
            printer.say(&format!("{current} of {} plugins run revision {revision}{native}", plugins.len()));
        }
    }
    let half_over = half_over(&plugins);
    if !half_over.is_empty() {
        printer.say(&format!(
            "the native module for one direction, the filter for the other: {}; what comes in there is not restored when it goes out: \
             docs/native.md",
            half_over.join(", ")
        ));
    }
    if let Some(first) = unreadable.first() {
        printer.say(&format!(
            "{} plugins cannot read the configuration they were given last, as the one for {} of {}; they keep the one \
             before, if there was one",
            unreadable.len(),
            plain::line(first.label("direction")),
            place(first)
        ));
    }
    if !without.is_empty() {
        let places: Vec<String> = without.iter().map(place).collect();
        printer.say(&format!("without a plugin: {}", places.join(", ")));
    }
    if plugins.is_empty() {
        printer.say("no pod says which configuration it runs: is the filter's port of metrics scraped?");
    }
    let fine =
        other == 0 && current > 0 && unreadable.is_empty() && without.is_empty() && half_over.is_empty();
    Ok(if fine { Outcome::Ok } else { Outcome::Findings })
}

/// The pod of a series; the gateway's has none if no pod of it says anything.
fn place(sample: &Sample) -> String {
    match [sample.label("namespace"), sample.label("pod")].map(plain::line) {
        [namespace, pod] if pod.is_empty() => format!("the gateway in {namespace}"),
        [namespace, pod] => format!("{namespace}/{pod}"),
    }
}

/// Reads a duration of an option.
pub fn span(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        return Ok(Duration::ZERO);
    }
    duration::parse(text).context(duration::EXAMPLES).map_err(|error| error.to_string())
}
