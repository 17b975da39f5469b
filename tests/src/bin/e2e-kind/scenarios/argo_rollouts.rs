//! `examples/argo-rollouts` with the real controller: it moves the weights, and users stay where these put them.

use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::Value as Json;

use crate::bank::Bank;
use crate::controllers::{Controller, adopt, apply, namespace, reads_point, theirs, untouched, weighs};
use crate::crowd::{Crowd, Way, flipped, moved_back};

const LIMIT: Duration = Duration::from_secs(120);
const EXAMPLE: &str = "argo-rollouts";
const HOST: &str = "web.shop.example.com";
const USERS: usize = 300;
const TESTERS: usize = 20;
/// Users come to `web`, which calls the service.
const LIVE: Way = Way { host: HOST, path: "/?path=web,api", cookie: false, tester: false };
const TESTER: Way = Way { tester: true, ..LIVE };
/// Whose proxy draws.
const CALLER: (&str, &str) = ("shop", "deployment/web");
const OWNED: &str = "rollouts.argoproj.io,virtualservices,destinationrules -n shop";

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let around = namespace("shop", HOST, &bank.cluster.noted("app-image")?);
    bank.cluster.apply(&around).await?;
    let kubeconfig = std::env::var("KUBECONFIG")?;
    let arguments =
        ["--kubeconfig", &kubeconfig, "--namespaced", "--namespace", "shop", "--leader-elect=false"];
    let ports = ["--metricsPort", "0", "--healthzPort", "0"];
    let mut controller =
        Controller::start(bank, "rollouts-controller", "crds", &[&arguments[..], &ports].concat(), &[])
            .await?;
    let result = controller.explain(released(bank).await);
    let alive = controller.ensure_alive();
    bank.cluster.delete(&around).await?;
    controller.stop(bank).await?;
    result.and(alive)
}

async fn released(bank: &Bank<'_>) -> Result<()> {
    let image = bank.cluster.noted("app-image")?;
    let all = ["Rollout", "Service", "DestinationRule", "VirtualService"];
    bank.cluster.apply(&theirs(EXAMPLE, &all, &image, "v1")?).await?;
    bank.cluster.rolled_out("shop").await?;
    at(bank, "Healthy", 0).await?;
    // Before the first request: a connection that is open goes on without a filter that is new.
    let (document, rendered) = adopt(bank, EXAMPLE).await?;
    bank.runs(&document).await?;
    reads_point(bank, CALLER, true).await?;
    let crowd = Crowd::new(bank, "shop", "bank");
    reached(&crowd).await?;

    // To half of the users, and back.
    bank.cluster.apply(&theirs(EXAMPLE, &["Rollout"], &image, "v2")?).await?;
    at(bank, "Paused", 10).await?;
    go_on(bank).await?;
    at(bank, "Paused", 50).await?;
    sticky(bank, &crowd, 50).await?;
    without(bank, &crowd, &rendered).await?;
    patch(bank, r#"{"status":{"abort":true}}"#).await?;
    at(bank, "Degraded", 0).await?;
    crowd.ensure_all(LIVE, USERS, "v1").await?;
    println!("   aborted: all of {USERS} users are back");

    // Again, to the end, with requests all the time.
    let live = crowd.watch(LIVE, USERS);
    patch(bank, r#"{"status":{"abort":false}}"#).await?;
    at(bank, "Paused", 10).await?;
    let testers = crowd.watch(TESTER, TESTERS);
    sticky(bank, &crowd, 10).await?;
    go_on(bank).await?;
    at(bank, "Paused", 50).await?;
    sticky(bank, &crowd, 50).await?;
    go_on(bank).await?;
    at(bank, "Healthy", 0).await?;
    crowd.ensure_all(LIVE, USERS, "v2").await?;
    let (seen, requests) = crowd.seen(live).await?;
    let back = moved_back(&seen, "v2");
    ensure!(back.is_empty(), "{} of {USERS} users moved back: {back:?}", back.len());
    let (seen, tested) = crowd.seen(testers).await?;
    ensure!(seen.values().flatten().all(|version| version == "v2"), "a tester left the canary: {seen:?}");
    println!(
        "   10, 50, 100 %: {requests} requests, 0 failed, 0 users moved back; {tested} of testers, all to the canary"
    );
    untouched(bank, &rendered, OWNED).await
}

/// Without the EnvoyFilter users flip; it is back afterwards.
async fn without(bank: &Bank<'_>, crowd: &Crowd<'_>, rendered: &str) -> Result<()> {
    bank.cluster.kubectl(&["delete", "envoyfilter", "-A", "-l", "graylane.dev/service=api"]).await?;
    reads_point(bank, CALLER, false).await?;
    let flipped = flipped(&crowd.ask(LIVE, USERS, 3, None).await?);
    println!("   without the EnvoyFilter: {flipped} of {USERS} users flip within 3 requests at 50 %");
    ensure!(flipped > USERS / 3, "without the EnvoyFilter users flip: {flipped} of {USERS}");
    apply(bank, rendered).await?;
    reads_point(bank, CALLER, true).await
}

/// Waits until the gateway, the caller and the service are in touch.
async fn reached(crowd: &Crowd<'_>) -> Result<()> {
    until("the service is reached", LIMIT, async || {
        let asked = crowd.ask(LIVE, 1, 1, None).await;
        Ok(Look::whether(asked.is_ok(), || format!("{asked:?}")))
    })
    .await
}

/// Everybody where the weight puts them, and testers on the canary.
async fn sticky(bank: &Bank<'_>, crowd: &Crowd<'_>, weight: u64) -> Result<()> {
    weighs(bank, CALLER, "api.shop.svc", "|canary|api.shop.svc", weight).await?;
    let on_canary = crowd.ensure_sticky(LIVE, USERS, weight, ["v1", "v2"]).await?;
    crowd.ensure_all(TESTER, TESTERS, "v2").await?;
    println!("   {weight} %: 0 of {USERS} users flip; {on_canary} of them are on the canary");
    Ok(())
}

/// Waits until the Rollout is in this phase, and the canary has this weight, at the caller as well.
async fn at(bank: &Bank<'_>, phase: &str, weight: u64) -> Result<()> {
    until("the Rollout is there", LIMIT, async || {
        let rollout = bank.cluster.get("rollouts.argoproj.io api -n shop").await?.remove(0);
        let (status, metadata) = (&rollout["status"], &rollout["metadata"]);
        let observed = status["observedGeneration"].as_str().unwrap_or_default();
        let generation = metadata["generation"].to_string();
        let now = observed == generation;
        let canary = status.pointer("/canary/weights/canary/weight").and_then(Json::as_u64).unwrap_or(0);
        let there = now && status["phase"] == phase && canary == weight;
        Ok(Look::whether(there, || format!("{phase} at {weight} %: {status}")))
    })
    .await?;
    weighs(bank, CALLER, "api.shop.svc", "|canary|api.shop.svc", weight).await
}

/// What `kubectl argo rollouts promote` does.
async fn go_on(bank: &Bank<'_>) -> Result<()> {
    patch(bank, r#"{"status":{"pauseConditions":null}}"#).await
}

async fn patch(bank: &Bank<'_>, patch: &str) -> Result<()> {
    let what = [
        "-n",
        "shop",
        "patch",
        "rollouts.argoproj.io",
        "api",
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ];
    bank.cluster.kubectl(&what).await.map(drop)
}
