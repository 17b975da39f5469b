//! No registry while pods start.

use anyhow::{Result, ensure};
use graylane_tests::host::module_path;

use super::restart::restart;
use super::upgrade::push;
use crate::bank::Bank;
use crate::load::Load;

/// A sidecar that cannot fetch the module serves as plain Istio; tenants still go by header.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    remove(bank).await?;
    let result = meanwhile(bank).await;

    // Agents do not try again before something changes.
    restore(bank).await?;
    restart(bank, "").await?;
    bank.runs(&bank.document).await?;
    result
}

/// Takes the registry away.
pub async fn remove(bank: &Bank<'_>) -> Result<()> {
    scale(bank, 0).await
}

/// Brings it back. It is empty, so the filter is pushed again: the same bytes have the same digest.
pub async fn restore(bank: &Bank<'_>) -> Result<()> {
    scale(bank, 1).await?;
    let again = push(bank, "again", &std::fs::read(module_path())?).await?;
    ensure!(again == bank.image, "the same module has another digest: {again}, and had {}", bank.image);
    Ok(())
}

async fn scale(bank: &Bank<'_>, replicas: usize) -> Result<()> {
    let replicas = format!("--replicas={replicas}");
    bank.cluster.kubectl(&["-n", "registry", "scale", "deployment/registry", &replicas]).await?;
    bank.cluster.replaced("registry").await
}

async fn meanwhile(bank: &Bank<'_>) -> Result<()> {
    let load = Load::start(bank).await?;
    restart(bank, "").await?;
    load.none_failed("pods that start without a registry").await?;
    bank.status_says(&bank.document, &["without a plugin: bank/api-v1"]).await?;
    let gray = bank.journey("path=api,orders,ledger", &[("tenant", "gray-v1")]).await?;
    ensure!(gray.all().len() == 3 && gray.all()[1].deployment() == "orders-v2", "{gray:?}");
    Ok(())
}
