//! No istiod for a minute.

use std::time::{Duration, Instant};

use anyhow::Result;
use graylane_tests::istio::{Look, until};

use crate::bank::Bank;
use crate::load::Load;

/// How many requests long it is gone: a minute.
const REQUESTS: usize = 6000;
const LIMIT: Duration = Duration::from_secs(60);

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let load = Load::start(bank).await?;
    let scale = ["-n", "istio-system", "scale", "deployment/istiod"];
    bank.cluster.kubectl(&[&scale[..], &["--replicas=0"]].concat()).await?;
    load.more(REQUESTS).await;
    bank.cluster.kubectl(&[&scale[..], &["--replicas=1"]].concat()).await?;
    bank.cluster.rolled_out("istio-system").await?;
    // Each Envoy calls again after a pause that grew up to 30 seconds. Until then it keeps what it had, endpoints of pods that
    // are gone as well, and its metrics say that it runs the file. What only a new configuration can bring shows that it is back.
    let tenants = bank.changed("  gray-v1: {}\n", "  gray-v1: {}\n  gray-v2: {}\n")?;
    let begin = Instant::now();
    let objects = bank.render(&tenants, &bank.image, &[]).await?;
    // Its webhook is refused until kube-proxy knows the new pod.
    until("istiod accepts objects", LIMIT, async || {
        let applied = bank.cluster.apply(&objects).await;
        Ok(Look::whether(applied.is_ok(), || format!("{applied:?}")))
    })
    .await?;
    bank.runs(&tenants).await?;
    println!("   istiod is back, and configures every pod after {} s", begin.elapsed().as_secs());
    load.judge("istiod gone for a minute", &[&bank.document, &tenants]).await
}
