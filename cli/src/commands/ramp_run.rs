//! `graylane ramp run`: a rollout that goes by itself.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::ProgressBar;

use super::desk;
use crate::args::{ByGit, Files, Format, RampRun};
use crate::plain;
use crate::printer::{Outcome, Printer};
use crate::prometheus::Prometheus;
use crate::ramp::apply::Apply;
use crate::ramp::cluster::{Cluster, Shared, lock};
use crate::ramp::git::{Asked, Place, Remote};
use crate::ramp::journal::Journal;
use crate::ramp::kubectl::Kubectl;
use crate::ramp::run::{Progress, Run};
use crate::ramp::runner::{self, Watch};
use crate::ramp::shell::asked_to_end;
use crate::ramp::synced::SyncedBy;
use crate::ramp::{Desk, only_run};
use crate::time::now;

/// Runs it.
pub fn run(args: &RampRun, printer: Printer) -> Result<Outcome> {
    let mut files = args.render.files.clone();
    let git = match &args.by_git {
        by_git if by_git.pushed.git => Some(remote(by_git, &files, args, printer)?),
        _ => None,
    };
    if let Some(git) = &git {
        files.file.clone_from(&git.paths);
    }
    let Some(desk) = desk::open(&files, printer)? else { return Ok(Outcome::Failure) };
    desk.rollout(&args.service)?;
    let log = git.as_ref().map(|git| git.log_file.clone());
    let log = log.unwrap_or_else(|| desk::log(&files, args.log.as_deref(), &args.service));
    let folder = log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _only = only_run(folder, &args.service)?;
    let bar = printer.progress(None);
    bar.enable_steady_tick(Duration::from_millis(120));
    let by_git = git.is_some();
    let kubectl = Kubectl::of(args.by_git.kubectl.as_deref().unwrap_or("kubectl"));
    let cluster = cluster(args, &desk, printer);
    let mut run = Run {
        paths: files.file,
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
        clock: Box::new(now),
        git,
        synced_by: args.by_git.synced_by.clone().map(|tool| SyncedBy { tool, kubectl }),
        cluster,
    };
    if (args.resume || args.anew) && !by_git {
        run.resume()?;
    }
    let outcome = printer.runtime()?.block_on(async {
        tokio::select! {
            // Nothing more is begun then, and others need not wait for the end of the lease.
            biased;
            signal = asked_to_end() => bail!("ended by {signal}; another run can go on at once"),
            outcome = take_steps(args, &mut run, &bar, printer) => outcome,
        }
    });
    if let Some(git) = &mut run.git {
        git.release();
    }
    if let Some(cluster) = &run.cluster {
        lock(cluster).release();
    }
    outcome
}

/// The cluster that --apply applies to, if that is known.
fn cluster(args: &RampRun, desk: &Desk, printer: Printer) -> Option<Shared> {
    let command = args.apply.as_ref()?;
    let named = args.by_git.kubectl.as_deref().map(Kubectl::of);
    let Some(kubectl) = named.or_else(|| Kubectl::of_command(command)) else {
        printer.say(
            "note: --apply is no plain kubectl command, so neither another run in the cluster nor Argo CD or Flux is looked for: name the \
             cluster with --kubectl",
        );
        return None;
    };
    let by_git = &args.by_git;
    let id = format!(
        "{}-{:x}",
        std::process::id(),
        std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos())
    );
    let watch = Watch::new(by_git.runner.clone().unwrap_or_else(runner::me), id, by_git.lease);
    let cluster = Cluster::new(kubectl, &desk.mesh.document.mesh.namespace, &args.service, watch);
    Some(Arc::new(Mutex::new(cluster)))
}

/// The remote of a rollout by Git.
fn remote(by_git: &ByGit, files: &Files, args: &RampRun, printer: Printer) -> Result<Remote> {
    let asked = Asked {
        remote: by_git.pushed.remote.clone(),
        branch: by_git.pushed.branch.clone(),
        ticket: by_git.ticket.clone(),
        runner: by_git.runner.clone(),
        lease: by_git.lease,
        limit: by_git.pushed.git_timeout,
        resume: args.resume || args.anew,
    };
    let remote = Remote::open(Place::of(&files.file, &asked)?, &args.service, &asked)?;
    if remote.is_behind() {
        printer.say(&format!(
            "note: the checkout has commits that are not pushed: the rollout goes by {}",
            remote.name()
        ));
    }
    Ok(remote)
}

async fn take_steps(args: &RampRun, run: &mut Run, bar: &ProgressBar, printer: Printer) -> Result<Outcome> {
    let mut advanced = false;
    loop {
        // The file is read again each time: people may have edited it.
        let progress = run.turn(args.once).await?;
        if args.output == Format::Json {
            for record in run.journal.take_new() {
                printer.json_line(&record)?;
            }
        }
        // What the log and Git say may be of others: each is one line.
        let line = |text: &str| plain::line(&format!("{}: {text}", args.service)).into_owned();
        let say = |text: &str| bar.suspend(|| printer.say(&line(text)));
        match &progress {
            Progress::On(what) => say(what),
            Progress::Advance(what) => {
                advanced = true;
                say(what);
            }
            Progress::Wait(what) | Progress::Retry(what) if args.once || bar.is_hidden() => say(what),
            Progress::Wait(what) | Progress::Retry(what) => {
                bar.set_message(line(what));
            }
            Progress::Done(what)
            | Progress::Aborted(what)
            | Progress::Stopped(what)
            | Progress::Held(what) => {
                bar.finish_and_clear();
                if args.output == Format::Text {
                    printer.data(&format!("{}\n", line(what)))?;
                }
                return Ok(match progress {
                    Progress::Done(_) => Outcome::Ok,
                    Progress::Held(_) => Outcome::Held,
                    _ => Outcome::Findings,
                });
            }
        }
        if matches!(progress, Progress::Wait(_) | Progress::Retry(_)) {
            if args.once {
                return Ok(match progress {
                    // The abort stands, whatever becomes of its hook.
                    Progress::Retry(_) => Outcome::Findings,
                    _ if advanced => Outcome::Ok,
                    _ => Outcome::Held,
                });
            }
            tokio::time::sleep(args.interval).await;
        }
    }
}
