//! Two clusters of one mesh, each with a control plane and a network of its own, and one file that is applied in both: a
//! user gets the same version by either, whichever cluster has pods of it.

mod chain;
mod failover;
mod policies;
mod side;
mod weights;

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures_util::future::try_join;
use graylane_tests::istio::{Cluster, ControlPlane};

use self::side::{Side, agree};
use crate::compare::{Way, chosen, place};
use crate::example::Example;

/// Beside the only cluster of the other scenarios.
const EAST: Cluster =
    Cluster { id: "east", host: Ipv4Addr::new(127, 0, 0, 2), first_pod: 0x8001, has_network: true };
const WEST: Cluster =
    Cluster { id: "west", host: Ipv4Addr::new(127, 0, 0, 3), first_pod: 0x8081, has_network: true };
/// Users, and the requests of each by each gateway.
const USERS: usize = 40;
const REQUESTS: usize = 3;

/// Runs it.
pub async fn run(shared: &ControlPlane) -> Result<()> {
    let start = |cluster| ControlPlane::start_as(&shared.tools, cluster);
    let begin = Instant::now();
    let (east, west) = try_join(start(EAST), start(WEST)).await?;
    println!("   two control planes: {:.1} s", begin.elapsed().as_secs_f64());
    let result = both(&east, &west).await;
    if result.is_err() {
        for plane in [&east, &west] {
            println!("--- {}\n{}{}", plane.cluster.id, plane.last_words(), plane.log_ends());
        }
    }
    result
}

async fn both(east: &ControlPlane, west: &ControlPlane) -> Result<()> {
    let example = Example::at("clusters", Path::new(env!("CARGO_MANIFEST_DIR")).join("istio/clusters"))?;
    east.connect(west).await?;
    let sides = try_join(Side::create(east, [15180, 15443]), Side::create(west, [15181, 15444]));
    let (mut east, mut west) = sides.await?;
    try_join(east.open(&west), west.open(&east)).await?;
    try_join(east.apply(&example), west.apply(&example)).await?;
    agree(&east, &west).await?;
    let past_mtls = east.mesh.pod(&east.api("v1")).receive(9080, "api:8080").send().await;
    ensure!(past_mtls.is_err(), "pods take nothing but mutual TLS: {past_mtls:?}");
    let subsets = subsets(&example)?;
    each_by_itself(&east, &west, &subsets).await?;
    chain::run(&east, &west).await?;
    failover::run(&mut east, &mut west, &subsets).await?;
    failover::without_rules(&east, &west, &example, &subsets).await?;
    policies::run(&mut east, &west, &example, &subsets).await?;
    weights::run(&east, &west, &example).await?;
    Ok(())
}

/// The subset of each user that the core says.
fn subsets(example: &Example) -> Result<Vec<String>> {
    let api = place(example, "api")?;
    let subsets = chosen(example, &api, Way::Gateway(&example.doors()[0], side::HOST), USERS)?;
    let canary = subsets.iter().filter(|subset| *subset == "canary").count();
    ensure!((1..USERS).contains(&canary), "users of both versions: {subsets:?}");
    Ok(subsets)
}

/// Every user's requests by one cluster's gateway; fails unless they reach the pod that is the subset's.
async fn ask(side: &Side<'_>, subsets: &[String], stable: &str, canary: &str) -> Result<()> {
    for (number, subset) in subsets.iter().enumerate() {
        let wanted = if subset == "canary" { canary } else { stable };
        for _ in 0..REQUESTS {
            let answer = side.request(number).send().await?;
            ensure!(
                answer.who() == wanted,
                "user-{number}, who comes in by the {}, is to get {wanted}: {answer:?}",
                side.name
            );
        }
    }
    Ok(())
}

/// Each user gets the version that the core says, of the cluster by which he comes in.
async fn each_by_itself(east: &Side<'_>, west: &Side<'_>, subsets: &[String]) -> Result<()> {
    let before = (east.passed().await?, west.passed().await?);
    for side in [east, west] {
        ask(side, subsets, &side.api("v1"), &side.api("v2")).await?;
    }
    let after = (east.passed().await?, west.passed().await?);
    ensure!(before == after, "nothing goes from cluster to cluster: {before:?}, {after:?}");
    Ok(())
}
