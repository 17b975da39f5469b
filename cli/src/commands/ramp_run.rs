//! `graylane ramp run`: a rollout that goes by itself.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;

use super::desk;
use crate::args::{Format, RampRun};
use crate::plain;
use crate::printer::{Outcome, Printer};
use crate::prometheus::Prometheus;
use crate::ramp::apply::Apply;
use crate::ramp::journal::Journal;
use crate::ramp::only_run;
use crate::ramp::run::{Progress, Run};

/// Runs it.
pub fn run(args: &RampRun, printer: Printer) -> Result<Outcome> {
    let files = &args.render.files;
    let Some(desk) = desk::open(files, printer)? else { return Ok(Outcome::Failure) };
    desk.rollout(&args.service)?;
    let log = desk::log(files, args.log.as_deref(), &args.service);
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
        // The file is read again each time: people may have edited it.
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
