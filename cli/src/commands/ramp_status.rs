//! `graylane ramp status`: where a rollout stands, and what its next step waits for.

use std::collections::BTreeMap;

use anyhow::Result;
use graylane_mesh::windows::Opening;
use serde::Serialize;

use super::desk;
use crate::args::{Format, RampStatus};
use crate::document::model::{MetricSource, PROMOTE};
use crate::plain;
use crate::printer::Printer;
use crate::ramp::journal::Journal;
use crate::ramp::{Ahead, Desk, Next, Standing};
use crate::simulate::percent;
use crate::time::{now, rfc3339};

/// What machines get.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    #[serde(flatten)]
    standing: Standing,
    /// The steps that wait for an approval, as `25` or `promote`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pauses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_return: Option<NoReturn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<Judged>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoReturn {
    percent: String,
    reached: bool,
    /// Since when it holds there.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<String>,
}

/// Of the next step.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    step: String,
    approvers: Vec<String>,
    by: Option<String>,
    /// May it begin outside of every window?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    outside_window: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Window {
    open: bool,
    next: Option<String>,
    /// By the clock of its zone.
    text: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hooks {
    before: BTreeMap<String, String>,
    after_abort: Option<String>,
    /// How the one before the next step failed the last time.
    failed: Option<String>,
}

/// Whose requests count in figures.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    tenants: Vec<String>,
    left_out: Vec<String>,
    /// Envoy's own statistics do not tell tenants apart.
    all: bool,
}

/// Prints it.
pub(super) fn run(args: &RampStatus, desk: &Desk, printer: Printer) -> Result<()> {
    let log = desk::log(&args.files, args.log.as_deref(), &args.service);
    let records = Journal::peek(&log, &args.service)?;
    let at = args.at.map_or_else(now, |at| u64::try_from(at).unwrap_or(0));
    let standing = desk.standing(&args.service)?;
    let canary = desk.canary(&args.service, None);
    let ahead = canary.ok().and_then(|canary| Ahead::of(desk, &args.service, canary, &records));
    let report = report(standing, desk, ahead.as_ref(), at);
    match args.output {
        Format::Json => printer.json(&report),
        Format::Text => printer.data(&text(&report)),
    }
}

fn report(standing: Standing, desk: &Desk, ahead: Option<&Ahead<'_>>, at: u64) -> Report {
    let judged = judged(desk, &standing);
    let Some(ahead) = ahead else {
        return Report {
            standing,
            pauses: Vec::new(),
            no_return: None,
            approval: None,
            window: None,
            hooks: None,
            judged,
        };
    };
    let rollout = ahead.rollout();
    let outside = ahead.approved(true).filter(|_| ahead.has_windows());
    let steps = rollout.percentages().map(Some).chain([None]);
    let paused = steps.filter(|step| rollout.pauses_before(*step));
    let no_return = rollout.no_return();
    let window = ahead.has_windows().then(|| match ahead.opening(at) {
        Opening::Open => Window { open: true, next: None, text: None },
        Opening::At { at, text } => Window { open: false, next: Some(rfc3339(at)), text: Some(text) },
        Opening::Never => Window { open: false, next: None, text: None },
    });
    let hooks = &rollout.hooks;
    let has_hooks = !hooks.before.is_empty() || hooks.after_abort.is_some();
    Report {
        standing,
        pauses: paused.map(|step| step.map_or_else(|| PROMOTE.to_owned(), percent)).collect(),
        no_return: no_return.map(|mark| NoReturn {
            percent: percent(mark),
            reached: ahead.no_way_back().is_some(),
            held: ahead.held().map(|record| record.time.clone()),
        }),
        approval: (ahead.is_paused() || outside.is_some()).then(|| Approval {
            step: ahead.step(),
            approvers: ahead.approvers().to_vec(),
            by: outside
                .or_else(|| ahead.approved(false))
                .and_then(|record| Some(record.approval.as_ref()?.name.clone())),
            outside_window: outside.is_some(),
        }),
        window,
        hooks: has_hooks.then(|| Hooks {
            before: hooks.before.clone(),
            after_abort: hooks.after_abort.clone(),
            failed: ahead.failed().map(crate::ramp::journal::Ran::said),
        }),
        judged,
    }
}

/// None: all tenants take part, and none is left out.
fn judged(desk: &Desk, standing: &Standing) -> Option<Judged> {
    let left_out: Vec<String> = desk.mesh.unjudged().map(ToOwned::to_owned).collect();
    let all = desk.mesh.document.telemetry.source == MetricSource::Envoy;
    let others = desk.mesh.tenants.len() > standing.tenants.len();
    let tenants = standing.tenants.iter().filter(|name| !left_out.contains(name)).cloned().collect();
    (!left_out.is_empty() || (all && others)).then_some(Judged { tenants, left_out, all })
}

fn text(report: &Report) -> String {
    let standing = &report.standing;
    // What the log says may be of others.
    let line = |name: &str, text: &str| format!("{name:9} {}", plain::line(text));
    let mut lines: Vec<String> =
        standing.weights.iter().map(|(canary, share)| line(canary, &format!("{share} %"))).collect();
    lines.push(line(&standing.baseline, "the rest"));
    lines.push(line("tenants", &standing.tenants.join(", ")));
    lines.push(line("salt", &standing.salt));
    if !standing.steps.is_empty() {
        lines.push(line("steps", &steps(report)));
    }
    lines.extend(standing.hold.as_ref().map(|hold| line("hold", hold)));
    lines.extend(report.no_return.as_ref().map(|mark| {
        let reached = match &mark.held {
            Some(time) => {
                format!("held since {time}: waits for {}", Next::here(&standing.service).resume())
            }
            None if mark.reached => "reached: a bad verdict holds, and only a person goes back".to_owned(),
            None => "not reached".to_owned(),
        };
        line("noReturn", &format!("{} %, {reached}", mark.percent))
    }));
    lines.extend(report.approval.as_ref().map(|approval| {
        let step = &approval.step;
        let is = match &approval.by {
            Some(by) if approval.outside_window => format!("{step}: by {by}, outside of every window too"),
            Some(by) => format!("{step}: by {by}"),
            None => format!("{step} waits for one of {}", approval.approvers.join(", ")),
        };
        line("approval", &is)
    }));
    lines.extend(report.window.as_ref().map(|window| {
        let is = match (window.open, &window.text) {
            (true, _) => "open".to_owned(),
            (false, Some(text)) => format!("closed until {text}"),
            (false, None) => "none opens".to_owned(),
        };
        line("window", &is)
    }));
    if let Some(hooks) = &report.hooks {
        let before = hooks.before.iter().map(|(step, command)| format!("before {step}: {command}"));
        let after = hooks.after_abort.iter().map(|command| format!("after an abort: {command}"));
        let failed = hooks.failed.iter().map(|failed| format!("the last one {failed}"));
        lines.extend(before.chain(after).chain(failed).map(|hook| line("hook", &hook)));
    }
    lines.extend(report.judged.as_ref().map(|judged| {
        let who = if judged.all {
            "requests of all tenants: Envoy's statistics do not tell them apart".to_owned()
        } else {
            format!("requests of {}; left out: {}", judged.tenants.join(", "), judged.left_out.join(", "))
        };
        line("judged", &who)
    }));
    lines.join("\n") + "\n"
}

/// The steps in a row, with the pauses between them.
fn steps(report: &Report) -> String {
    let is_paused = |step: &str| report.pauses.iter().any(|pause| pause == step);
    let mut all = Vec::new();
    for step in report.standing.steps.iter().map(ToString::to_string) {
        all.extend(is_paused(&step).then(|| "pause".to_owned()));
        all.push(step);
    }
    all.extend(is_paused(PROMOTE).then(|| "pause".to_owned()));
    let next = report.standing.next.map_or_else(String::new, |next| format!("; next: {next}"));
    all.join(", ") + &next
}
