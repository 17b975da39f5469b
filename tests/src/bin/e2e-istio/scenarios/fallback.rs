//! `fallback: baseline`: a pinned tenant whose subset has no healthy pod gets the baseline, on stock Istio.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Call, ControlPlane, Count, Mesh, Pod};
use tokio::time::sleep;

use super::examples::has_filter;
use crate::compare::place;
use crate::example::{CALLER, Example, version};

/// Requests for each situation.
const TIMES: usize = 300;
/// How long an ejected pod that is still dead may cost answers when it is tried again.
const UNEJECTION: Duration = Duration::from_millis(1500);
/// How long an ejection lasts, and a little more.
const WATCHED: Duration = Duration::from_secs(36);
/// Between two requests.
const PACE: Duration = Duration::from_millis(10);
/// What the lane is called with fallback.
const CLUSTER: &str = "outbound|8080|canary-or-baseline|web.shop.svc.cluster.local";

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("shop")?;
    let web = place(&example, "web")?.service;
    let labels = web.subsets.get("canary").context("web has a canary")?;
    let pod = |name: &str| version(name, "web", labels);
    let mut mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    mesh.add(example.namespace(), pod("web-v2-b")).await?;
    mesh.add(example.namespace(), pod("web-v2-c")).await?;
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    only(&mesh, &["web-v2", "web-v2-b", "web-v2-c"], "all ready").await?;

    mesh.set_ready("web-v2-c", false).await?;
    only(&mesh, &["web-v2", "web-v2-b"], "one of three unready").await?;
    mesh.set_ready("web-v2-b", false).await?;
    only(&mesh, &["web-v2"], "two of three unready").await?;
    mesh.set_ready("web-v2", false).await?;
    only(&mesh, &["web-v1"], "all unready").await?;
    mesh.set_ready("web-v2-b", true).await?;
    only(&mesh, &["web-v2-b"], "one is ready again").await?;

    for name in ["web-v2", "web-v2-b", "web-v2-c"] {
        mesh.remove(name).await?;
    }
    only(&mesh, &["web-v1"], "no pod at all").await?;
    mesh.add(example.namespace(), pod("web-v2-d")).await?;
    only(&mesh, &["web-v2-d"], "one pod again").await?;

    dead_but_ready(&mut mesh).await?;
    mesh.remove("web-v1").await?;
    let live = mesh.pod(CALLER).call("web:8080").count(20).await?;
    ensure!(live.keys().all(|who| who == "503"), "the baseline itself has no fallback: {live:?}");
    Ok(())
}

/// A canary that is ready but answers no request: until it is ejected, and whenever it is tried again.
async fn dead_but_ready(mesh: &mut Mesh<'_>) -> Result<()> {
    mesh.kill_app("web-v2-d")?;
    let begin = Instant::now();
    let (mut answers, mut failures) = (Count::new(), Vec::new());
    while begin.elapsed() < WATCHED {
        let at = begin.elapsed();
        let who = gray(mesh).send().await?.who();
        if who != "web-v1" {
            failures.push(at);
        }
        *answers.entry(who).or_default() += 1;
        // A pace, not a wait: a user sends no thousand requests a second.
        sleep(PACE).await;
    }
    let outages = outages(&failures);
    println!("   a dead canary, {} s: {answers:?}, outages {outages:?}", WATCHED.as_secs());
    let ejections =
        mesh.proxy(CALLER).stats(&format!("{}.*ejections_enforced_total", regex(CLUSTER))).await?;
    ensure!(
        ejections.values().any(|count| *count >= 2),
        "it was ejected, tried, and ejected again: {ejections:?}"
    );
    for (from, to) in outages {
        ensure!(to - from <= UNEJECTION, "an outage of {:?}, from {from:?} on: {answers:?}", to - from);
    }
    Ok(())
}

/// Failures that belong together: from when to when.
fn outages(failures: &[Duration]) -> Vec<(Duration, Duration)> {
    let mut outages: Vec<(Duration, Duration)> = Vec::new();
    for at in failures {
        match outages.last_mut() {
            Some((_, to)) if *at - *to < Duration::from_secs(5) => *to = *at,
            _ => outages.push((*at, *at)),
        }
    }
    outages
}

fn gray(mesh: &Mesh<'_>) -> Call {
    mesh.pod(CALLER).call("web:8080").header("tenant", "gray-v1")
}

/// Fails if anybody else answers.
async fn only(mesh: &Mesh<'_>, pods: &[&str], when: &str) -> Result<()> {
    let count = gray(mesh).count(TIMES).await?;
    let others: BTreeMap<_, _> = count.iter().filter(|(who, _)| !pods.contains(&who.as_str())).collect();
    ensure!(others.is_empty(), "{when}: {others:?} of {TIMES} are not by {pods:?}");
    println!("   {when}: {count:?}");
    Ok(())
}

fn regex(text: &str) -> String {
    text.replace('|', "\\|").replace('.', "\\.")
}
