//! What is wrong with the plugins, while requests come.

use anyhow::{Context, Result};

use super::restart::restart;
use crate::bank::Bank;
use crate::load::Load;

/// A configuration that no filter can read: every plugin keeps its last good plan, and `status` says so.
pub async fn configuration(bank: &Bank<'_>) -> Result<()> {
    let load = Load::start(bank).await?;
    bank.cluster.apply(&bank.render_unreadable(&bank.document, &bank.image).await?).await?;
    bank.status_says(&bank.document, &["11 plugins cannot read"]).await?;
    load.more(300).await;
    load.judge("a broken configuration", &[&bank.document]).await?;

    // A pod that starts with it has no plan at all: it serves as plain Istio.
    let load = Load::start(bank).await?;
    restart(bank, "orders-v1").await?;
    load.none_failed("a pod that starts with a broken configuration").await
}

/// An image that is nowhere, for the sidecars.
pub async fn image(bank: &Bank<'_>) -> Result<()> {
    let (repository, _) = bank.image.split_once('@').context("an image without a digest")?;
    let missing = format!("{repository}@sha256:{}", "0".repeat(64));
    let load = Load::start(bank).await?;
    let sidecars = bank.render(&bank.document, &missing, &["--only", "WasmPlugin"]).await?;
    let sidecars: Vec<&str> =
        sidecars.split("---\n").filter(|one| !one.contains("pluginName: gateway")).collect();
    bank.cluster.apply(&sidecars.join("---\n")).await?;
    restart(bank, "").await?;
    bank.status_says(&bank.document, &["without a plugin: bank/api-v1"]).await?;
    load.none_failed("an image that is nowhere").await?;
    // Agents do not try again before something changes: pods that had none get theirs with the next image.
    bank.run(&bank.document).await
}
