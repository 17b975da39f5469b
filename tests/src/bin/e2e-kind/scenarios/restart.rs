//! Pods that go while requests come.

use std::time::Duration;

use anyhow::{Context, Result};
use graylane_tests::istio::{Look, until};

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
    bank.cluster.rolled_out("bank").await?;
    until("the pods of before are gone", LIMIT, async || {
        let pods = bank.cluster.get("pods -n bank").await?;
        let going: Vec<_> =
            pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_string()).collect();
        Ok(Look::whether(going.is_empty(), || format!("{} are still there", going.len())))
    })
    .await
}

/// One pod of two, without a warning.
pub async fn killed(bank: &Bank<'_>) -> Result<()> {
    let two = ["-n", "bank", "scale", "deployment/api-v2"];
    bank.cluster.kubectl(&[&two[..], &["--replicas=2"]].concat()).await?;
    bank.cluster.rolled_out("bank").await?;
    let load = Load::start(bank).await?;
    let pods = bank.cluster.get("pods -n bank -l app=api,version=v2").await?;
    let pod = pods[0]["metadata"]["name"].as_str().context("a pod without a name")?;
    bank.cluster.kubectl(&["-n", "bank", "delete", "pod", pod, "--grace-period=0", "--force"]).await?;
    bank.cluster.rolled_out("bank").await?;
    load.more(300).await;
    load.at_most("a pod killed", MOST, &[&bank.document]).await?;
    bank.cluster.kubectl(&[&two[..], &["--replicas=1"]].concat()).await?;
    Ok(())
}
