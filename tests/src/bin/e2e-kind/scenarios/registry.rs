//! No registry while pods start.

use anyhow::{Result, ensure};
use graylane_tests::host::module_path;

use super::restart::restart;
use super::upgrade::push;
use crate::bank::Bank;
use crate::load::Load;

/// A sidecar that cannot fetch the module serves as plain Istio; tenants still go by header.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let scale = ["-n", "registry", "scale", "deployment/registry"];
    bank.cluster.kubectl(&[&scale[..], &["--replicas=0"]].concat()).await?;
    let result = meanwhile(bank).await;

    // The registry returns empty. Agents do not try again before something changes.
    bank.cluster.kubectl(&[&scale[..], &["--replicas=1"]].concat()).await?;
    bank.cluster.rolled_out("registry").await?;
    fill(bank).await?;
    restart(bank, "").await?;
    bank.runs(&bank.document).await?;
    result
}

/// Pushes the filter to a registry that lost it: the same bytes have the same digest.
pub async fn fill(bank: &Bank<'_>) -> Result<()> {
    let again = push(bank, "again", &std::fs::read(module_path())?).await?;
    ensure!(again == bank.image, "the same module has another digest: {again}, and had {}", bank.image);
    Ok(())
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
