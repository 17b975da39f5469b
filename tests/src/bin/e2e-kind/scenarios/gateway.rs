//! A gateway that scales out while the registry is gone: its pods have the filter in their image.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt as _;
use futures_util::stream;

use super::registry;
use crate::ask::{Answer, ask, deployment};
use crate::bank::Bank;
use crate::core::Core;
use crate::counts::counted;
use crate::native::GATEWAY;

const IMAGE: &str = "graylane.local/gateway:1";
/// Requests while it scales out, each on a connection of its own, so that every pod gets some.
const REQUESTS: usize = 10_000;
/// How many of them are under way at a time.
const AT_ONCE: usize = 16;
const REPLICAS: usize = 3;
/// What a stranger would send to be on a canary.
const FORGED: [(&str, &str); 2] =
    [("x-graylane-subset", "api.bank.svc.cluster.local/canary"), ("x-graylane-unit", "of-a-stranger")];

/// Runs it, and puts the gateway back.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let said = bank
        .cluster
        .graylane(&["package", "--gateway-image", &bank.cluster.proxy, "--out", "gateway-image"])
        .await?;
    ensure!(said.code == 0, "package: {}", said.text);
    let url = said.text.lines().next().context("no URL")?.to_owned();
    bank.cluster.image(IMAGE, "gateway-image").await?;
    runs_image(bank, IMAGE).await?;
    bank.cluster.apply(&bank.render(&bank.document, &bank.image, &["--gateway-url", &url]).await?).await?;
    bank.runs(&bank.document).await?;

    registry::remove(bank).await?;
    let result = scales_out(bank).await;

    registry::restore(bank).await?;
    scale(bank, 1).await?;
    bank.cluster.apply(&bank.render(&bank.document, &bank.image, &[]).await?).await?;
    runs_image(bank, &bank.cluster.proxy).await?;
    bank.runs(&bank.document).await?;
    result
}

/// Replaces the gateway's pods by some of this image. istioctl's Deployment names it; where istiod injects it, it is an annotation.
async fn runs_image(bank: &Bank<'_>, image: &str) -> Result<()> {
    let image = format!("istio-proxy={image}");
    let arguments = ["-n", "istio-system", "set", "image", "deployment/istio-ingressgateway", &image];
    bank.cluster.kubectl(&arguments).await?;
    bank.cluster.replaced("istio-system").await
}

async fn scale(bank: &Bank<'_>, replicas: usize) -> Result<()> {
    let replicas_argument = format!("--replicas={replicas}");
    let arguments = ["-n", "istio-system", "scale", "deployment/istio-ingressgateway", &replicas_argument];
    bank.cluster.kubectl(&arguments).await?;
    bank.cluster.replaced("istio-system").await
}

async fn scales_out(bank: &Bank<'_>) -> Result<()> {
    let mut core = Core::new(&bank.document)?;
    let users: Vec<String> = (0..200).map(|number| format!("user-{number}")).collect();
    let mut expected = Vec::new();
    for user in &users {
        let outcome = core.gateway("api", crate::ask::HOST, "/", &[("x-user-id", user)], None)?;
        expected.push(core.deployment("api", &outcome)?);
    }
    // No connection is used twice.
    let client =
        graylane::http::direct().timeout(Duration::from_secs(15)).pool_max_idle_per_host(0).build()?;
    let send = async |number: usize| -> Result<(usize, Answer)> {
        let headers = [&[("x-user-id", users[number % users.len()].as_str())], &FORGED[..]].concat();
        Ok((number, ask(&client, &bank.cluster.gateway, "/hostname", &headers).await?))
    };
    let requests = async {
        let mut answers = stream::iter((0..REQUESTS).map(send)).buffer_unordered(AT_ONCE);
        let mut wrong = Vec::new();
        while let Some(answer) = answers.next().await {
            let (number, answer) = answer?;
            if answer.status != 200 || deployment(&answer.body) != expected[number % users.len()] {
                wrong.push(format!("{number}: {answer:?}"));
            }
        }
        ensure!(wrong.is_empty(), "{} of {REQUESTS}: {:#?}", wrong.len(), &wrong[..wrong.len().min(6)]);
        anyhow::Ok(())
    };
    let (requests, scaled) = tokio::join!(requests, scale(bank, REPLICAS));
    scaled?;
    requests?;
    // What came while pods started went to the first one: now to all.
    let mut answers = stream::iter((0..REQUESTS / 10).map(send)).buffer_unordered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        let (number, answer) = answer?;
        ensure!(deployment(&answer.body) == expected[number % users.len()], "{number}: {answer:?}");
    }
    let decided: Vec<u64> = counted(bank, GATEWAY).await?.into_values().collect();
    ensure!(
        decided.len() == REPLICAS && decided.iter().all(|count| *count > 0),
        "decided by each: {decided:?}"
    );
    println!(
        "   a gateway scales out without a registry: {} requests, 0 failed, 0 forged headers passed; decided by each pod: {decided:?}",
        REQUESTS + REQUESTS / 10
    );
    Ok(())
}
