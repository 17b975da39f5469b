//! What a request is known by survives the way from cluster to cluster: the tenant and the unit.

use anyhow::{Result, ensure};
use graylane_decide::names::UNIT_MEMBER;
use graylane_tests::istio::Answer;

use super::side::{EAST_WEST, Side};

/// The name by which the gateway between the clusters knows the service that is in the west only.
const STOCK: &str = "outbound_.8080_.stable_.stock.shop.svc.cluster.local";
/// Chains of calls; inbound and outbound meet on different workers in some of them.
const TIMES: usize = 20;

/// Users come to the east's `api`, whose application loses every header but the request id and calls a service that only the
/// west has.
pub async fn run(east: &Side<'_>, west: &Side<'_>) -> Result<()> {
    let before = passed(west).await?;
    for number in 0..TIMES {
        // A tester has the pinned tenant, which takes part in no rollout and so needs no unit; anybody else has a unit.
        for (call, tenant) in [(east.gray(number), "gray-v1"), (east.request(number), "green")] {
            let near = call.send().await?;
            let far = call.then("stock:8080", &["x-request-id"]).send().await?;
            let way = ["stock-v1-west".to_owned(), near.who()];
            ensure!(far.pods == way, "from the east's `api` to the west's stock: {far:?}");
            ensure!(far.seen("tenant").unwrap_or("green") == tenant, "the tenant arrives: {far:?}");
            ensure!(unit(&near).is_some() == (tenant == "green"), "who needs a unit has one: {near:?}");
            ensure!(unit(&far) == unit(&near), "and it arrives: {far:?}, {near:?}");
            let pinned = tenant == "green" || near.who() == east.api("v2");
            ensure!(pinned, "a pinned tenant has the canary near him: {near:?}");
        }
    }
    let after = passed(west).await?;
    ensure!(after > before, "{EAST_WEST} of the west passed them on: {before}, {after} connections");
    Ok(())
}

async fn passed(west: &Side<'_>) -> Result<u64> {
    Ok(west.passed().await?.get(STOCK).copied().unwrap_or(0))
}

/// The unit that an application was told.
fn unit(answer: &Answer) -> Option<&str> {
    answer.seen("baggage")?.split(',').map(str::trim).find(|member| member.starts_with(UNIT_MEMBER))
}
