//! Pods that go while requests come.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::Value as Json;

use crate::bank::Bank;
use crate::load::Load;

const LIMIT: Duration = Duration::from_secs(120);
/// Requests that may be under way to one pod, or sent before its endpoint is gone.
const MOST: usize = 60;

/// All deployments at once.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let load = Load::start(bank).await?;
    restart(bank, "").await?;
    load.judge("restart of every deployment", &[&bank.document]).await
}

/// Restarts a deployment of the bank, or all, and waits until no pod of before is left.
pub async fn restart(bank: &Bank<'_>, deployment: &str) -> Result<()> {
    let what = format!("deployment{}{deployment}", if deployment.is_empty() { "" } else { "/" });
    bank.cluster.kubectl(&["-n", "bank", "rollout", "restart", &what]).await?;
    bank.cluster.replaced("bank").await
}

/// One pod of two, without a warning. Who was under way to it, or sent before its endpoint was gone, may fail.
pub async fn killed(bank: &Bank<'_>) -> Result<()> {
    let two = ["-n", "bank", "scale", "deployment/api-v2"];
    bank.cluster.kubectl(&[&two[..], &["--replicas=2"]].concat()).await?;
    bank.cluster.rolled_out("bank").await?;
    let load = Load::start(bank).await?;
    let pods = bank.cluster.get("pods -n bank -l app=api,version=v2").await?;
    let text =
        |pointer: &str| pods[0].pointer(pointer).and_then(Json::as_str).context("a pod without a name");
    let (pod, address) = (text("/metadata/name")?, text("/status/podIP")?);
    bank.cluster.kubectl(&["-n", "bank", "delete", "pod", pod, "--grace-period=0", "--force"]).await?;
    until("its endpoint is gone", LIMIT, async || {
        let slices = bank.cluster.kubectl(&["-n", "bank", "get", "endpointslices", "-o", "json"]).await?;
        Ok(Look::whether(!slices.contains(&format!("\"{address}\"")), || slices.clone()))
    })
    .await?;
    let gone = log_time(bank).await?;
    bank.cluster.rolled_out("bank").await?;
    load.more(300).await;
    load.at_most("a pod killed", MOST, &[&bank.document]).await?;
    explained(bank, address, &gone).await?;
    bank.cluster.kubectl(&[&two[..], &["--replicas=1"]].concat()).await?;
    Ok(())
}

/// Now, as the gateway's access log says it: the time of a request.
async fn log_time(bank: &Bank<'_>) -> Result<String> {
    let marker = "/hostname?now";
    until("the gateway logs a request", LIMIT, async || {
        bank.ask(marker, &[]).await?;
        let log = gateway_log(bank).await?;
        let line = log.lines().rev().find(|line| line.contains(marker));
        Ok(Look::at(line.and_then(started).map(str::to_owned), || "no line yet".to_owned()))
    })
    .await
}

async fn gateway_log(bank: &Bank<'_>) -> Result<String> {
    let log = ["-n", "istio-system", "logs", "deployment/istio-ingressgateway", "--since=3m", "--tail=-1"];
    bank.cluster.kubectl(&log).await
}

/// When a request of the log began: `[2026-…Z]`.
fn started(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split_once(']').map(|(time, _)| time)
}

/// Every request that failed had this address for its upstream, and began before the endpoint was gone.
async fn explained(bank: &Bank<'_>, address: &str, gone: &str) -> Result<()> {
    let log = gateway_log(bank).await?;
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("HTTP/1.1\" 5")).collect();
    let unexplained: Vec<&&str> = failed
        .iter()
        .filter(|line| {
            !line.contains(&format!("\"{address}:")) || started(line).is_none_or(|time| time > gone)
        })
        .collect();
    ensure!(unexplained.is_empty(), "{address} was gone at {gone}: {unexplained:#?}");
    println!(
        "   a pod killed: {} requests failed in the gateway's log, each sent to it before its endpoint was gone",
        failed.len()
    );
    Ok(())
}
