//! Changes while requests come: of weights, of the plugins' configuration, of their image.

use anyhow::{Result, ensure};

use super::upgrade::{has_module, push_same};
use crate::bank::Bank;
use crate::load::Load;

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let load = Load::start(bank).await?;
    let weights = bank.changed("weights: {canary: 25}", "weights: {canary: 60}")?;
    bank.run(&weights).await?;
    load.more(200).await;
    load.judge("weights 25 to 60", &[&bank.document, &weights]).await?;

    let load = Load::start(bank).await?;
    let tenants = weights.replace("  gray-v1: {}\n", "  gray-v1: {}\n  gray-v2: {}\n");
    ensure!(tenants != weights, "the bank's file has no gray-v1");
    bank.run(&tenants).await?;
    load.more(200).await;
    load.judge("a tenant more", &[&weights, &tenants]).await?;

    let load = Load::start(bank).await?;
    let image = push_same(bank, "changed").await?;
    bank.cluster.apply(&bank.render(&tenants, &image, &[]).await?).await?;
    has_module(bank, &image).await?;
    load.more(200).await;
    load.judge("another image", &[&tenants]).await
}
