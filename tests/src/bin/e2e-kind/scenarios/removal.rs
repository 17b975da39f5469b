//! The kill switch, and the end of it all.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};

use crate::bank::Bank;
use crate::load::Load;

const LIMIT: Duration = Duration::from_secs(60);
const KINDS: &str =
    "wasmplugins,virtualservices,destinationrules,telemetries,envoyfilters,requestauthentications";

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let all = bank.render(&bank.document, &bank.image, &[]).await?;
    let load = Load::start(bank).await?;
    let off = bank.cluster.graylane(&["off", "-f", "bank.yaml"]).await?;
    ensure!(off.code == 0, "{}", off.text);
    bank.cluster.apply(&off.text).await?;
    load.more(300).await;
    load.none_failed("the kill switch").await?;
    for _ in 0..20 {
        let visit = bank.journey("path=api,orders,ledger", &[("tenant", "gray-v1")]).await?;
        let all = visit.all();
        ensure!(all[0].deployment() == "api-v2" && all[1].deployment() == "orders-v2", "{visit:?}");
    }

    bank.cluster.delete(&all).await?;
    for object in bank.cluster.get(&format!("{KINDS} -A")).await? {
        let name = object["metadata"]["name"].as_str().context("an object without a name")?;
        ensure!(!name.starts_with("bank-"), "{} {name} is left", object["kind"]);
    }
    // Plain Istio: the gateway has no route for the bank, and inside it services are drawn by their endpoints.
    until("the gateway knows no bank", LIMIT, async || {
        let answer = bank.ask("/hostname", &[]).await?;
        Ok(Look::whether(answer.status == 404, || format!("{answer:?}")))
    })
    .await?;
    let answer = bank.ask("/hostname", &[]).await?;
    ensure!(answer.decided.is_empty(), "somebody still decides: {answer:?}");
    Ok(())
}
