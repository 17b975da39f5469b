//! Applications that lose the header in each way that applications do: it is restored, and `report` says who lost it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::Value as Json;

use crate::bank::Bank;

const LIMIT: Duration = Duration::from_secs(60);
/// Journeys of each kind.
const TIMES: usize = 10;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What applications keep, and where the tenant comes from at api and at ledger. The gateway lets no baggage of ours in:
/// the sidecar of api writes it when it restores.
const KEPT: [(&str, [&str; 2]); 3] = [
    ("api:x-request-id,ledger:x-request-id", ["memory", "memory"]),
    ("api:traceparent,ledger:traceparent", ["memory", "memory"]),
    ("api:x-request-id,ledger:baggage", ["memory", "baggage"]),
];

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    for (forward, sources) in KEPT {
        for number in 0..TIMES {
            journey(bank, forward, sources, number).await?;
        }
    }
    nothing_left(bank).await?;
    late(bank).await?;
    reported(bank).await?;
    forgotten(bank).await
}

/// A gray user's calls, where every application forgets the header.
async fn journey(bank: &Bank<'_>, forward: &str, sources: [&str; 2], number: usize) -> Result<()> {
    let trace = TRACE.replace("4bf92f35", &format!("{:08x}", 1 + number + 100 * forward.len()));
    let headers = [("tenant", "gray-v1"), ("traceparent", trace.as_str())];
    let visit = bank.journey(&format!("path=api,ledger,orders&forward={forward}"), &headers).await?;
    let [api, ledger, orders] = visit.all()[..] else { bail!("the chain broke: {visit:?}") };
    ensure!(orders.deployment() == "orders-v2", "{forward}: {visit:?}");
    for (hop, (caller, source)) in [ledger, orders].into_iter().zip([api, ledger].into_iter().zip(sources)) {
        let seen = hop.headers.get("tenant").map(String::as_str);
        ensure!(seen == Some("gray-v1"), "{forward}: {} sees {seen:?}", hop.pod);
        let decided = caller.decided.as_deref().unwrap_or_default();
        ensure!(
            decided.contains(&format!("source={source}")),
            "{forward}: {} decided `{decided}`",
            caller.pod
        );
    }
    Ok(())
}

/// An application that copies nothing makes a live request of it: this is what cannot be restored.
async fn nothing_left(bank: &Bank<'_>) -> Result<()> {
    let visit = bank.journey("path=api,orders&forward=api:nothing", &[("tenant", "gray-v1")]).await?;
    let [_, orders] = visit.all()[..] else { bail!("the chain broke: {visit:?}") };
    ensure!(orders.headers.get("tenant").map(String::as_str) == Some("green"), "{visit:?}");
    Ok(())
}

/// A call that is made after the answer: its log says what arrived.
async fn late(bank: &Bank<'_>) -> Result<()> {
    bank.journey("run=late-call&path=api,orders&forward=api:x-request-id&late=api", &[("tenant", "gray-v1")])
        .await?;
    let arrived = until("the late call arrives", LIMIT, async || {
        let log = bank
            .cluster
            .kubectl(&["-n", "bank", "logs", "-l", "app=orders", "-c", "app", "--tail=200"])
            .await?;
        let found = log.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
        Ok(Look::at(found.into_iter().find(|line| line["run"] == "late-call"), || log.clone()))
    })
    .await?;
    ensure!(arrived["headers"]["tenant"] == "gray-v1", "{arrived}");
    let pod = arrived["pod"].as_str().context("no pod")?;
    ensure!(pod.starts_with("orders-v2-"), "{arrived}");
    Ok(())
}

/// `graylane report` names the workload that lost it.
async fn reported(bank: &Bank<'_>) -> Result<()> {
    bank.status(&bank.document).await?; // writes the file
    let arguments = ["report", "-f", "bank.yaml", "--prometheus", &bank.cluster.prometheus];
    until("report says who lost the header", LIMIT, async || {
        // Prometheus sees nothing grow that has its full height when it is first scraped.
        for (number, (forward, sources)) in KEPT.into_iter().enumerate() {
            journey(bank, forward, sources, TIMES + number).await?;
        }
        let said = bank.cluster.graylane(&arguments).await?;
        let named = ["~ api receives", "~ ledger receives"].iter().all(|words| said.text.contains(words));
        Ok(Look::whether(named, || format!("exit {}: {}", said.code, said.text)))
    })
    .await
}

/// A call that an application makes after `policy.remember`, while the one that came in is still open: it is lost, and `report`
/// names the workload.
async fn forgotten(bank: &Bank<'_>) -> Result<()> {
    let short = bank.changed("sticky:\n", "policy: {remember: 1s}\nsticky:\n")?;
    bank.run(&short).await?;
    let arguments = ["report", "-f", "bank.yaml", "--prometheus", &bank.cluster.prometheus];
    until("report says who called too late", LIMIT, async || {
        let late = "path=api,orders&forward=api:x-request-id&wait=api:2";
        let visit = bank.journey(late, &[("tenant", "gray-v1")]).await?;
        let [_, orders] = visit.all()[..] else { bail!("the chain broke: {visit:?}") };
        ensure!(orders.headers.get("tenant").map(String::as_str) == Some("green"), "{visit:?}");
        let said = bank.cluster.graylane(&arguments).await?;
        let named = said.code == 1 && said.text.contains("! api receives");
        Ok(Look::whether(named, || format!("exit {}: {}", said.code, said.text)))
    })
    .await
}
