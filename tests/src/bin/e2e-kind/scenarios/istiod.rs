//! Nobody who configures proxies, for a minute.

use std::time::Duration;

use anyhow::Result;

use crate::bank::Bank;
use crate::load::Load;

/// How many requests long it is gone: a minute.
const REQUESTS: usize = 6000;

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let load = Load::start(bank).await?;
    let scale = ["-n", "istio-system", "scale", "deployment/istiod"];
    bank.cluster.kubectl(&[&scale[..], &["--replicas=0"]].concat()).await?;
    load.more(REQUESTS).await;
    bank.cluster.kubectl(&[&scale[..], &["--replicas=1"]].concat()).await?;
    bank.cluster.rolled_out("istio-system").await?;
    tokio::time::timeout(Duration::from_secs(60), bank.runs(&bank.document)).await??;
    load.judge("istiod gone for a minute", &[&bank.document]).await
}
