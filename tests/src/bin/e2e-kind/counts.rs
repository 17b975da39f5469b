//! What the modules count, pod by pod: each request is decided by exactly one of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::join_all;
use graylane_tests::istio::{Look, until};

use crate::bank::Bank;
use crate::drain::drained;
use crate::native::{GATEWAY, Pods, SIDECARS, names};

const LIMIT: Duration = Duration::from_secs(90);
/// The native module is told of once a second: so long without a new count, and nothing is under way.
const QUIET: Duration = Duration::from_secs(3);
/// Chains of calls that are counted.
const CHAINS: usize = 60;
const TENANTS: [Option<&str>; 4] = [Some("gray-v1"), Some("green"), None, Some("unheard-of")];

/// Requests, by pod and direction.
pub type Counts = BTreeMap<(String, String), u64>;

/// Of all pods of the bank, and of the gateway.
async fn all(bank: &Bank<'_>) -> Result<Counts> {
    let mut counts = counted(bank, SIDECARS).await?;
    counts.extend(counted(bank, GATEWAY).await?);
    Ok(counts)
}

/// A line of what a pod counted.
pub struct Series {
    /// The pod.
    pub pod: String,
    /// The line, with its labels.
    pub line: String,
    /// How many.
    pub value: u64,
}

/// The value of a label of a line.
pub fn label<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    line.split(&format!("{name}=\"")).nth(1)?.split('"').next()
}

/// What these pods counted.
pub async fn counted(bank: &Bank<'_>, pods: Pods<'_>) -> Result<Counts> {
    let mut counts = Counts::new();
    for Series { pod, line, value } in series(bank, pods).await? {
        let direction = label(&line, "direction").with_context(|| line.clone())?;
        *counts.entry((pod, direction.to_owned())).or_default() += value;
    }
    Ok(counts)
}

/// The same, line by line.
pub async fn series(bank: &Bank<'_>, pods: Pods<'_>) -> Result<Vec<Series>> {
    let there = names(bank.cluster, pods).await?;
    let read = async |pod: &String| {
        let path = "stats/prometheus?filter=graylane_requests_total";
        anyhow::Ok((pod.clone(), bank.cluster.admin(pods.namespace, pod, path).await?))
    };
    let mut all = Vec::new();
    for read in join_all(there.iter().map(read)).await {
        let (pod, text) = read?;
        for line in text.lines().filter(|line| line.starts_with("graylane_requests_total{")) {
            let value = line.rsplit(' ').next().and_then(|value| value.parse().ok());
            let value = value.with_context(|| line.to_owned())?;
            all.push(Series { pod: pod.clone(), line: line.to_owned(), value });
        }
    }
    Ok(all)
}

/// The counts, once nothing is added any more.
async fn settled(bank: &Bank<'_>) -> Result<Counts> {
    let mut last = (all(bank).await?, Instant::now());
    until("counts come to rest", LIMIT, async || {
        let now = all(bank).await?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        let rest = last.1.elapsed() >= QUIET;
        Ok(Look::at(rest.then(|| last.0.clone()), || format!("{:?}", last.0)))
    })
    .await
}

/// Each pod counts as many decisions as requests came to it and left it: none was decided twice, or by nobody.
pub async fn each_decided_once(bank: &Bank<'_>) -> Result<()> {
    // What a running pod counted with one module goes with its last listener once it has switched to the other.
    drained(bank).await?;
    let before = settled(bank).await?;
    let mut want = Counts::new();
    let gateways = names(bank.cluster, GATEWAY).await?;
    let [gateway] = &gateways[..] else { anyhow::bail!("expected one gateway, got {gateways:?}") };
    for number in 0..CHAINS {
        let user = format!("user-{number}");
        let mut headers = vec![("x-user-id", user.as_str())];
        headers.extend(TENANTS[number % TENANTS.len()].map(|tenant| ("tenant", tenant)));
        let visit = bank.journey("path=api,orders,ledger", &headers).await?;
        *want.entry((gateway.clone(), "gateway".to_owned())).or_default() += 1;
        let all = visit.all();
        for (place, visit) in all.iter().enumerate() {
            let mut count = |direction: &str| {
                *want.entry((visit.pod.clone(), direction.to_owned())).or_default() += 1;
            };
            count("inbound");
            if place + 1 < all.len() {
                count("outbound");
            }
        }
    }
    let mut got = settled(bank).await?;
    for (key, count) in &mut got {
        let before = before.get(key).copied().unwrap_or_default();
        *count = count
            .checked_sub(before)
            .with_context(|| format!("{key:?} counted {before}, and now {count}"))?;
    }
    got.retain(|_, count| *count > 0);
    ensure!(got == want, "expected these counts: {want:#?}\ngot: {got:#?}");
    println!(
        "   {CHAINS} chains of calls: {} decisions, one for each way in and out",
        want.values().sum::<u64>()
    );
    Ok(())
}
