//! `examples/flagger` with the real controller: it moves the weights, and users stay where these put them. Beside it a Canary
//! with Flagger's own session affinity, without graylane: what that keeps together, and what it does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::json;

use super::edge::gateway_as_it_was;
use crate::bank::Bank;
use crate::controllers::{Controller, adopt, namespace, reads_point, theirs, untouched, weighs};
use crate::crowd::{Crowd, Jars, Way, flipped, moved_back};
use crate::gate::Gate;
use crate::native::{GATEWAY, runs};

const LIMIT: Duration = Duration::from_secs(120);
const EXAMPLE: &str = "flagger";
const USERS: usize = 300;
/// Of whom so many come by `web`, which calls the service.
const BY_WEB: usize = 100;
/// With a cookie that says who they are: graylane's key.
const LIVE: Way = Way { host: "shop.example.com", path: "/", cookie: true, tester: false };
const WEB: Way = Way { host: "web.shop.example.com", path: "/?path=web,api", ..LIVE };
/// With Flagger's affinity alone.
const PLAIN: Way = Way { host: "plain.example.com", path: "/", cookie: false, tester: false };
const PLAIN_WEB: Way = Way { host: "web.plain.example.com", path: "/?path=web,api", ..PLAIN };
/// How often each of them comes back.
const VISITS: usize = 10;
/// Whose proxies draw.
const PROXIES: [(&str, &str); 2] =
    [("istio-system", "deployment/istio-ingressgateway"), ("shop", "deployment/web")];
const OWNED: &str = "canaries.flagger.app,virtualservices,destinationrules,deployments,services -n shop";
const ANALYSIS: &str = "{interval: 1m, threshold: 5, stepWeights: [10, 50, 100]}";
/// Share of requests to the canary that did not fail.
const QUERY: &str = r#"100 * sum(rate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"outbound[|]8080[|][|]api-canary[.]shop[.]svc[.]cluster[.]local",envoy_response_code_class="2"}[{{ interval }}])) / sum(rate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"outbound[|]8080[|][|]api-canary[.]shop[.]svc[.]cluster[.]local"}[{{ interval }}]))"#;

/// Runs it, in the place of the bank.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let image = bank.cluster.noted("app-image")?;
    let around = [namespace("shop", WEB.host, &image), namespace("plain", PLAIN_WEB.host, &image)].concat();
    bank.cluster.delete(&bank.render(&bank.document, &bank.image, &[]).await?).await?;
    bank.cluster.apply(&[around.as_str(), &gateway()].concat()).await?;
    let kubeconfig = std::env::var("KUBECONFIG")?;
    let metrics = bank.cluster.prometheus.clone();
    let arguments =
        ["-kubeconfig", &kubeconfig, "-metrics-server", &metrics, "-port", "0", "-log-level", "info"];
    let often = ["-control-loop-interval", "1s"];
    let mut controller =
        Controller::start(bank, "flagger", "crd.yaml", &[&arguments[..], &often].concat(), &[]).await?;
    let mut rendered = String::new();
    let result = controller.explain(released(bank, &mut rendered).await);
    let alive = controller.ensure_alive();
    bank.cluster.delete(&rendered).await?;
    bank.cluster.delete(&around).await?;
    controller.stop(bank).await?;
    gateway_as_it_was(bank).await?;
    result.and(alive)
}

/// The Gateway that the example names, with the hosts of both.
fn gateway() -> String {
    let servers = json!([{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [LIVE.host, PLAIN.host]}]);
    let gateway = json!({"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
                         "metadata": {"name": "public", "namespace": "istio-ingress"},
                         "spec": {"selector": {"istio": "ingressgateway"}, "servers": servers}});
    format!("---\n{gateway}\n")
}

async fn released(bank: &Bank<'_>, rendered: &mut String) -> Result<()> {
    let image = bank.cluster.noted("app-image")?;
    let gate = Gate::start().await?;
    bank.cluster.apply(&canaries(bank, &gate, &image)?).await?;
    bank.cluster.rolled_out("shop").await?;
    bank.cluster.rolled_out("plain").await?;
    at(bank, "shop", "Initialized", 0).await?;
    at(bank, "plain", "Initialized", 0).await?;
    as_the_example_says(bank).await?;
    let (document, objects) = adopt(bank, EXAMPLE).await?;
    *rendered = objects;
    bank.runs(&document).await?;
    runs(bank, GATEWAY, "shop", false).await?;
    for proxy in PROXIES {
        reads_point(bank, proxy, true).await?;
    }
    let (crowd, plain) = (Crowd::new(bank, "shop", "shop"), Crowd::new(bank, "plain", "shop"));
    for (crowd, way) in [(&crowd, LIVE), (&crowd, WEB), (&plain, PLAIN), (&plain, PLAIN_WEB)] {
        until("the service is reached", LIMIT, async || {
            let asked = crowd.ask(way, 1, 1, None).await;
            Ok(Look::whether(asked.is_ok(), || format!("{asked:?}")))
        })
        .await?;
    }

    // A release that is taken back half way.
    let watch = crowd.watch(LIVE, USERS);
    release(bank, &image, "v2", &["shop", "plain"]).await?;
    advance(bank, &gate, &["shop", "plain"], 10).await?;
    sticky(bank, &crowd, 10, ["v1", "v2"]).await?;
    weighs(bank, PROXIES[0], ".plain.svc", "|api-canary.plain.svc", 10).await?;
    drifts(&plain).await?;
    advance(bank, &gate, &["shop", "plain"], 50).await?;
    sticky(bank, &crowd, 50, ["v1", "v2"]).await?;
    for proxy in [PROXIES[0], ("plain", "deployment/web")] {
        weighs(bank, proxy, ".plain.svc", "|api-canary.plain.svc", 50).await?;
    }
    flips(&plain).await?;
    ensure!(moved_back(&crowd.seen(watch).await?.0, "v2").is_empty(), "users moved back on the way up");
    gate.roll_back("shop", true);
    at(bank, "shop", "Failed", 0).await?;
    gate.roll_back("shop", false);
    weights(bank, 0).await?;
    crowd.ensure_all(LIVE, USERS, "v1").await?;
    crowd.ensure_all(WEB, BY_WEB, "v1").await?;
    println!("   rolled back: all of {USERS} users are back");

    // And one to its end.
    let watch = crowd.watch(LIVE, USERS);
    release(bank, &image, "v3", &["shop"]).await?;
    for weight in [10, 50, 100] {
        advance(bank, &gate, &["shop"], weight).await?;
        sticky(bank, &crowd, weight, ["v1", "v3"]).await?;
    }
    gate.open("shop");
    at(bank, "shop", "Succeeded", 0).await?;
    weights(bank, 0).await?;
    crowd.ensure_all(LIVE, USERS, "v3").await?;
    crowd.ensure_all(WEB, BY_WEB, "v3").await?;
    let (seen, requests) = crowd.seen(watch).await?;
    let back = moved_back(&seen, "v3");
    ensure!(back.is_empty(), "{} of {USERS} users moved back: {back:?}", back.len());
    println!("   10, 50, 100 % and promoted: {requests} requests, 0 failed, 0 users moved back");
    untouched(bank, rendered, OWNED).await
}

/// The example's Deployment and Canary, and the same in another namespace, with Flagger's own affinity.
fn canaries(bank: &Bank<'_>, gate: &Gate, image: &str) -> Result<String> {
    let example = theirs(EXAMPLE, &["Deployment", "Canary"], image, "v1")?;
    ensure!(example.contains(ANALYSIS), "the example's Canary has no `analysis: {ANALYSIS}`");
    let with = |more: &str| {
        let quick = ANALYSIS.replace("interval: 1m", "interval: 10s");
        let analysis = quick.replace('}', &format!(", webhooks: {}, {more}}}", gate.webhooks()));
        example.replace(ANALYSIS, &analysis)
    };
    let metric =
        "metrics: [{name: success, templateRef: {name: success}, thresholdRange: {min: 99}, interval: 10s}]";
    let template = json!({"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate",
                          "metadata": {"name": "success", "namespace": "shop"},
                          "spec": {"query": QUERY, "provider": {"type": "prometheus", "address": bank.cluster.prometheus}}});
    let plain = with("sessionAffinity: {cookieName: flagger-cookie, maxAge: 3600}")
        .replace("namespace: shop", "namespace: plain")
        .replace(LIVE.host, PLAIN.host);
    Ok(format!("{}---\n{template}\n---\n{plain}", with(metric)))
}

/// Flagger wrote what the example shows of it.
async fn as_the_example_says(bank: &Bank<'_>) -> Result<()> {
    let shown = theirs(EXAMPLE, &["DestinationRule", "VirtualService"], "", "")?;
    for one in shown.split("---\n") {
        let shown: serde_json::Value = serde_saphyr::from_str(one)?;
        let (kind, name) = (&shown["kind"], &shown["metadata"]["name"]);
        let what =
            format!("{}/{} -n shop", kind.as_str().unwrap_or_default(), name.as_str().unwrap_or_default());
        let mut there = bank.cluster.get(&what).await?.remove(0)["spec"].take();
        let mut shown = shown["spec"].clone();
        for spec in [&mut there, &mut shown] {
            let routes = spec.pointer_mut("/http/0/route").and_then(|routes| routes.as_array_mut());
            routes.into_iter().flatten().for_each(|route| route["weight"] = json!("any"));
        }
        ensure!(there == shown, "Flagger writes {what}: {there}; the example shows {shown}");
    }
    Ok(())
}

/// The owner's part of a release: another image, which is another label here.
async fn release(bank: &Bank<'_>, image: &str, version: &str, namespaces: &[&str]) -> Result<()> {
    for namespace in namespaces {
        let deployment = theirs(EXAMPLE, &["Deployment"], image, version)?;
        let deployment = deployment.replace("namespace: shop", &format!("namespace: {namespace}"));
        bank.cluster.apply(&deployment).await?;
    }
    Ok(())
}

/// Lets Flagger take its next step.
async fn advance(bank: &Bank<'_>, gate: &Gate, namespaces: &[&str], weight: u64) -> Result<()> {
    namespaces.iter().for_each(|namespace| gate.open(namespace));
    for namespace in namespaces {
        at(bank, namespace, "Progressing", weight).await?;
    }
    Ok(())
}

/// Waits until a Canary is in this phase, with this weight.
async fn at(bank: &Bank<'_>, namespace: &str, phase: &str, weight: u64) -> Result<()> {
    until("the Canary is there", LIMIT, async || {
        let canary = bank.cluster.get(&format!("canaries.flagger.app api -n {namespace}")).await?.remove(0);
        let status = &canary["status"];
        let there = status["phase"] == phase && status["canaryWeight"] == weight;
        Ok(Look::whether(there, || format!("{phase} at {weight} % in {namespace}: {status}")))
    })
    .await
}

/// Waits until both proxies have this weight.
async fn weights(bank: &Bank<'_>, weight: u64) -> Result<()> {
    for proxy in PROXIES {
        weighs(bank, proxy, ".shop.svc", "|api-canary.shop.svc", weight).await?;
    }
    Ok(())
}

/// Everybody where the weight puts them, at the gateway and between services.
async fn sticky(bank: &Bank<'_>, crowd: &Crowd<'_>, weight: u64, versions: [&str; 2]) -> Result<()> {
    weights(bank, weight).await?;
    let on_canary = crowd.ensure_sticky(LIVE, USERS, weight, versions).await?;
    crowd.ensure_sticky(WEB, BY_WEB, weight, versions).await?;
    println!(
        "   {weight} %: 0 of {USERS} users flip, nor do {BY_WEB} between services; {on_canary} are on the canary"
    );
    Ok(())
}

/// At 10 %, with Flagger's cookie: nobody leaves the canary, and with each request more of the others come to it.
async fn drifts(plain: &Crowd<'_>) -> Result<()> {
    let served = plain.ask(PLAIN, USERS, VISITS, Some(&mut Jars::new())).await?;
    let at = |visit: usize| served.values().filter(|versions| versions[visit] == "v2").count();
    ensure!(moved_back(&served, "v2").is_empty(), "who has Flagger's cookie stays on the canary");
    let (first, last) = (at(0), at(VISITS - 1));
    println!(
        "   Flagger's cookie at 10 %: {first} of {USERS} users on the canary at their first request, {last} at their {VISITS}th"
    );
    ensure!(last > 2 * first, "the share drifts");
    Ok(())
}

/// At 50 %, with Flagger's cookie: who keeps no cookies, and who comes by another service.
async fn flips(plain: &Crowd<'_>) -> Result<()> {
    let without = flipped(&plain.ask(PLAIN, USERS, 3, None).await?);
    let mut jars = Jars::new();
    let by_web = flipped(&plain.ask(PLAIN_WEB, USERS, 3, Some(&mut jars)).await?);
    println!(
        "   Flagger's cookie at 50 %: {without} of {USERS} users without a cookie jar flip within 3 requests, {by_web} with one between services"
    );
    ensure!(without > USERS / 3 && by_web > USERS / 3, "they flip");
    ensure!(jars.values().all(String::is_empty), "the cookie of a call between services reaches no user");
    Ok(())
}
