//! `graylane demo`: the file as a real mesh on loopback.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use graylane_decide::config::{Accept, Mode};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Demo, Format};
use crate::demo::{self, Cast, KeyOf, Live, Setup, Testbed};
use crate::document;
use crate::document::model::{DebugHeader, HashKind};
use crate::envoy::locate;
use crate::mesh::Mesh;
use crate::playground;
use crate::printer::{Outcome, Printer};
use crate::wasm;

/// The file that is run if none is given.
const BANK: &str = include_str!("../demo/bank.yaml");
/// Pods that a demo starts at most; each is an Envoy of about 90 MB.
const MAX_PODS: usize = 16;

/// Runs it.
pub fn run(args: &Demo, printer: Printer) -> Result<Outcome> {
    let Some(mesh) = read(args, printer)? else { return Ok(Outcome::Failure) };
    let runtime = printer.runtime()?;
    runtime.block_on(async {
        tokio::select! {
            outcome = show(args, printer, mesh) => outcome,
            // Everything that was started ends with what is dropped here.
            stopped = asked_to_stop() => {
                stopped?;
                printer.say("stopped");
                Ok(Outcome::Failure)
            }
        }
    })
}

/// Waits for ctrl-C, for a kind kill, or for the terminal to go away.
async fn asked_to_stop() -> Result<()> {
    let (mut end, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        result = tokio::signal::ctrl_c() => Ok(result?),
        _ = end.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}

fn read(args: &Demo, printer: Printer) -> Result<Option<Mesh>> {
    if !args.file.is_empty() {
        let found = super::mesh(&args.file, printer)?;
        ensure!(
            found.as_ref().is_none_or(|(_, mesh)| !mesh.has_gateway_api()),
            "`mesh.routes: gateway-api` is for Kubernetes, which the demo does without: write `routes: virtual-service`"
        );
        return Ok(found.map(|(_, mut mesh)| {
            if mesh.document.sticky.hash.take() == Some(HashKind::Keyed) {
                printer.say("note: units are made without a key here (`sticky.hash`): a demo has no secrets");
            }
            if mesh.document.edge.tokens.take().is_some() {
                printer.say("note: lane tokens are not read here (`edge.tokens`): a demo has no secrets");
            }
            mesh
        }));
    }
    let loaded = document::load_text("examples/bank/graylane.yaml", BANK)?;
    Ok(Some(Mesh::of(&crate::check::open(loaded).checked()?)))
}

/// Writes the file for access logs.
fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// The order of the services on the way: those that are exposed first.
fn path(mesh: &Mesh) -> Vec<String> {
    let exposed =
        |name: &String| mesh.document.services.get(name).is_some_and(|service| service.expose.is_some());
    let mut names: Vec<String> = mesh.services.iter().map(|service| service.name.clone()).collect();
    names.sort_by_key(|name| !exposed(name));
    names
}

/// The services on the way, as they were named; the file without all others.
fn narrowed(mut mesh: Mesh, names: &[String]) -> Result<Mesh> {
    for name in names {
        let known: Vec<&str> = mesh.services.iter().map(|service| service.name.as_str()).collect();
        ensure!(
            known.contains(&name.as_str()),
            "--path: unknown service `{name}`; the file has {}",
            known.join(", ")
        );
    }
    let mut seen = BTreeSet::new();
    if let Some(again) = names.iter().find(|name| !seen.insert(*name)) {
        bail!("--path: `{again}` twice; a demo tells hops apart by their service");
    }
    if !names.is_empty() {
        mesh.services.retain(|service| names.contains(&service.name));
    }
    Ok(mesh)
}

/// The demo has one gateway: that where callers choose their tenant, if there is one. Says which ones are left out.
fn with_one_gateway(mesh: &mut Mesh) -> Vec<String> {
    let ingresses = mesh.ingresses();
    let open = ingresses.iter().find(|ingress| ingress.accept == Accept::Always);
    let Some(kept) = open.or(ingresses.first()).and_then(|ingress| ingress.name).map(ToOwned::to_owned)
    else {
        return Vec::new();
    };
    let others = ingresses.iter().filter_map(|ingress| ingress.name).filter(|name| *name != kept);
    let others = others.map(|name| format!("edge.gateways.{name}; its gateway is `{kept}`")).collect();
    mesh.keep_gateway(&kept);
    others
}

/// What of a file the demo does not run: reported, so that it is not taken for tested.
fn left_out(mesh: &Mesh) -> Vec<String> {
    let mut list = Vec::new();
    if mesh.ingresses().iter().flat_map(|ingress| ingress.keys).any(|key| key.claim.is_some()) {
        list.push("sticky.keys (claim), which needs a token that Istio verifies".to_owned());
    }
    for service in &mesh.services {
        let name = &service.name;
        let fields: Vec<&str> = service.rest().http.keys().map(String::as_str).collect();
        if !fields.is_empty() {
            list.push(format!("services.{name}.http ({})", fields.join(", ")));
        }
        let parts = [
            ("routes", service.routes.len() > 1),
            ("expose.routes", !service.outside.is_empty()),
            ("versions", !service.versions.is_empty()),
            ("trafficPolicy", !service.traffic_policy.is_empty()),
            ("fallback, as all pods are healthy", service.falls_back),
        ];
        list.extend(
            parts.into_iter().filter(|(_, is)| *is).map(|(part, _)| format!("services.{name}.{part}")),
        );
    }
    list
}

async fn show(args: &Demo, printer: Printer, mesh: Mesh) -> Result<Outcome> {
    let mut mesh = narrowed(mesh, &args.path)?;
    mesh.document.telemetry.debug_header = DebugHeader::Everybody(true);
    if mesh.mode == Mode::Observe && mesh.modes.is_empty() {
        printer.say("the file says `mode: observe`; the demo enforces, and observes at its end");
    } else if mesh.mode == Mode::Off || !mesh.gateways_enforce() || !mesh.modes.is_empty() {
        printer.say(
            "the file says which pods observe or are off; the demo enforces at all, and observes at its end",
        );
    }
    mesh.set_mode(Mode::Enforce);
    let others = with_one_gateway(&mut mesh);
    for part in others.into_iter().chain(left_out(&mesh)) {
        printer.say(&format!("not part of the demo: {part}"));
    }
    let pods: usize = mesh.services.iter().map(|service| service.subsets.len()).sum();
    ensure!(
        pods <= MAX_PODS,
        "this file has {pods} subsets; a demo starts an Envoy for each, for at most {MAX_PODS}"
    );
    let client = crate::http::direct().build()?;
    let path = if args.path.is_empty() { path(&mesh) } else { args.path.clone() };
    let cast = Cast::of(&mesh, &path, &client);

    let bar = progress(args, printer, pods as u64 + 2);
    if let Some(path) = &args.logs {
        // Before anything is started for it.
        write(path, "")?;
    }
    bar.set_message("starting Envoys");
    let setup = Setup {
        envoy: locate()?,
        module: wasm::module()?,
        entry: path.first().cloned().unwrap_or_default(),
        worker_tenant: Some(cast.gray.clone()),
        native: None,
        logs: args.logs.is_some(),
        mesh,
    };
    let mut testbed = Testbed::start(setup, |name| {
        bar.inc(1);
        bar.set_message(format!("{name} serves"));
    })
    .await?;
    bar.set_length(0);
    let rows = demo::run(&mut testbed, &cast, args.users as usize, |name| {
        bar.tick();
        bar.set_message(name.to_owned());
    })
    .await?;
    bar.finish_and_clear();
    if let Some(path) = &args.logs {
        write(path, &testbed.access_logs()?)?;
    }
    let ok = rows.iter().all(|row| row.ok);
    match args.output {
        Format::Json => printer.json(&json!({"scenarios": rows}))?,
        Format::Text => printer.data(&demo::render(&rows, printer.width()))?,
    }
    let right = rows.iter().filter(|row| row.ok).count();
    printer.say(&format!(
        "{right} of {} scenarios as expected, on {} real Envoys",
        rows.len(),
        testbed.envoys().count()
    ));
    if args.keep {
        keep(&testbed, &cast, &args.file, printer).await?;
    }
    Ok(if ok { Outcome::Ok } else { Outcome::Findings })
}

async fn keep(testbed: &Testbed, cast: &Cast<'_>, files: &[PathBuf], printer: Printer) -> Result<()> {
    let path = cast.path.join(",");
    let curl = |header: &str| {
        format!(
            "  curl -i -H '{header}' 'http://{}/?run=mine&path={path}&forward={}:request-id'",
            testbed.gateway, cast.path[0]
        )
    };
    let live = Live::start(testbed, files).await?;
    printer.say(&format!("\nStill up; end it with ctrl-C. Its lanes, live: http://{}/", live.address));
    if playground::is_there() {
        printer.say(&format!("Its file in the playground: http://{}/playground", live.address));
    }
    printer.say("Try:");
    printer.say(&curl(&format!("{}: {}", testbed.mesh.header, cast.gray)));
    if let Some(KeyOf::Header(key)) = &cast.key {
        printer.say(&curl(&format!("{key}: user-7")));
    }
    printer.say("");
    for (what, address) in testbed.addresses() {
        printer.say(&format!("  http://{address:<22} {what}"));
    }
    // Until ctrl-C.
    demo::keep_moving(testbed, cast).await;
    Ok(())
}

fn progress(args: &Demo, printer: Printer, steps: u64) -> ProgressBar {
    let bar = if args.quiet { ProgressBar::hidden() } else { printer.progress(Some(steps)) };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
