//! `graylane ramp run`: a rollout that goes by itself.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use indicatif::ProgressBar;

use super::desk;
use crate::args::{ByGit, Files, Format, RampRun};
use crate::clusters::{self, InCluster, PLACE, for_one, reaches_all};
use crate::plain;
use crate::printer::{Outcome, Printer};
use crate::prometheus::Several;
use crate::ramp::apply::Apply;
use crate::ramp::cluster::{Cluster, Shared, lock};
use crate::ramp::git::{Asked, Place, Remote};
use crate::ramp::journal::{Event, Journal};
use crate::ramp::kubectl::Kubectl;
use crate::ramp::run::{Progress, Run};
use crate::ramp::runner::{self, Watch};
use crate::ramp::shell::asked_to_end;
use crate::ramp::synced::{SyncedBy, Tool};
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
    let names = names(&args.service, &desk, &log)?;
    let folder = log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _only = only_run(folder, &args.service)?;
    let bar = printer.progress(None);
    bar.enable_steady_tick(Duration::from_millis(120));
    let by_git = git.is_some();
    let cluster = cluster(args, &desk, &names, printer)?;
    let mut run = Run {
        paths: files.file,
        service: args.service.clone(),
        canary: args.canary.clone(),
        prometheus: Several::open(&args.asked, &names)?,
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
        synced_by: synced_by(&args.by_git, &names)?,
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

/// The clusters, if a run can take them through steps. One that has a canary to take back is kept from it by no cluster's mistake.
fn names(service: &str, desk: &Desk, log: &Path) -> Result<Vec<Option<String>>> {
    let clusters = match desk.clusters() {
        Ok(clusters) => clusters,
        Err(error) => {
            let records = Journal::peek(log, service).unwrap_or_default();
            ensure!(records.last().is_some_and(|last| last.event == Event::Abort), error);
            return Ok(clusters::names(&desk.project));
        }
    };
    let is_per_cluster = |one: &InCluster| {
        let rollout = one.mesh.service(service).and_then(|service| service.rest().rollout.as_ref());
        rollout.is_some_and(|rollout| rollout.per_cluster)
    };
    ensure!(
        !clusters.iter().any(is_per_cluster),
        "`{service}` has `perCluster: true`, and a run takes every cluster through the same steps: leave `perCluster` out, or set weights by hand"
    );
    Ok(clusters.into_iter().map(|one| one.name).collect())
}

/// The clusters that --apply applies to, if that is known.
fn cluster(
    args: &RampRun,
    desk: &Desk,
    names: &[Option<String>],
    printer: Printer,
) -> Result<Option<Shared>> {
    let by_git = &args.by_git;
    let Some(command) = &args.apply else { return Ok(None) };
    reaches_all("--apply", command, names)?;
    by_git.kubectl.iter().try_for_each(|words| reaches_all("--kubectl", words, names))?;
    let of = |name: &Option<String>| {
        let named = by_git.kubectl.as_deref().map(|words| Kubectl::of(&for_one(words, name.as_deref())));
        let kubectl = named.or_else(|| Kubectl::of_command(&for_one(command, name.as_deref())))?;
        Some((name.clone(), kubectl))
    };
    let all: Option<Vec<_>> = names.iter().map(of).collect();
    let Some((first, others)) = all.as_deref().and_then(<[_]>::split_first) else {
        ensure!(
            names.iter().all(Option::is_none),
            "--apply is no plain kubectl command, so it is not known whether every cluster answers: name them with --kubectl, as in \
             --kubectl 'kubectl --context {PLACE}'"
        );
        printer.say(
            "note: --apply is no plain kubectl command, so neither another run in the cluster nor Argo CD or Flux is looked for: name the \
             cluster with --kubectl",
        );
        return Ok(None);
    };
    let id = format!(
        "{}-{:x}",
        std::process::id(),
        std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos())
    );
    let watch = Watch::new(by_git.runner.clone().unwrap_or_else(runner::me), id, by_git.lease);
    let of = (&*desk.mesh.document.mesh.namespace, &*args.service);
    Ok(Some(Arc::new(Mutex::new(Cluster::new(first.clone(), others.to_vec(), of, watch)))))
}

/// The tool of --synced-by, in each cluster.
fn synced_by(by_git: &ByGit, names: &[Option<String>]) -> Result<Vec<SyncedBy>> {
    let Some(tool) = &by_git.synced_by else { return Ok(Vec::new()) };
    let kubectl = by_git.kubectl.as_deref().unwrap_or("kubectl");
    // Argo CD has an Application for each cluster, all in one; Flux is in each of them.
    reaches_all("--synced-by or --kubectl", &format!("{tool} {kubectl}"), names)?;
    let of = |name: &Option<String>| {
        let one = |text: &str| for_one(text, name.as_deref());
        let parsed = one(tool).parse::<Tool>();
        let tool = parsed.map_err(|why| anyhow!("invalid --synced-by `{}`: {why}", plain::line(tool)))?;
        Ok(SyncedBy { tool, cluster: name.clone(), kubectl: Kubectl::of(&one(kubectl)) })
    };
    names.iter().map(of).collect()
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
