//! A version without pods in one cluster is served by the other; without pods in both, by nobody. Users keep their version.

use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{Count, Look, until};

use super::side::{EAST_WEST, Side, agree};
use super::{ask, each_by_itself};
use crate::example::Example;

/// The name by which the gateway between the clusters knows the canary.
const CANARY: &str = "outbound_.8080_.canary_.api.shop.svc.cluster.local";
/// Requests of one user while a pod is dead that reports ready, and how many of them it may cost: each is tried three times,
/// and the fifth failure ejects it.
const TIMES: usize = 30;
const COST: usize = 5;
/// How long a proxy keeps lines of its log back, and more.
const LOG_LIMIT: Duration = Duration::from_secs(30);

/// Takes canaries away and brings them back. In the end the east has none, and the west has one.
pub async fn run(east: &mut Side<'_>, west: &mut Side<'_>, subsets: &[String]) -> Result<()> {
    east.mesh.remove(&east.api("v2")).await?;
    agree(east, west).await?;
    by_the_other(east, west, subsets).await?;

    west.mesh.remove(&west.api("v2")).await?;
    agree(east, west).await?;
    for side in [&*east, &*west] {
        ask(side, subsets, &side.api("v1"), "503").await?;
    }

    west.add_api("v2").await?;
    east.add_api("v2").await?;
    agree(east, west).await?;
    each_by_itself(east, west, subsets).await?;
    dead(east, west, subsets).await?;
    east.mesh.remove(&east.api("v2")).await?;
    agree(east, west).await
}

/// The east's users of the canary get the west's, through the gateway between them.
async fn by_the_other(east: &Side<'_>, west: &Side<'_>, subsets: &[String]) -> Result<()> {
    let before = west.passed().await?;
    ask(east, subsets, &east.api("v1"), &west.api("v2")).await?;
    ask(west, subsets, &west.api("v1"), &west.api("v2")).await?;
    let after = west.passed().await?;
    ensure!(after.get(CANARY) > before.get(CANARY), "the west's gateway passed it on: {before:?}, {after:?}");
    ensure!(
        after.keys().all(|name| name == CANARY || before.contains_key(name)),
        "and nothing else: {after:?}"
    );

    let gray = east.gray(0).send().await?;
    ensure!(
        gray.who() == west.api("v2") && gray.seen("tenant") == Some("gray-v1"),
        "a pinned tenant goes there too, and is known there: {gray:?}"
    );
    Ok(())
}

/// The east's canary dies and Kubernetes does not notice: a few requests fail until it is ejected, then the west's serves.
async fn dead(east: &mut Side<'_>, west: &Side<'_>, subsets: &[String]) -> Result<()> {
    let canary = east.api("v2");
    east.mesh.kill_proxy(&canary)?;
    let user = subsets.iter().position(|subset| subset == "canary").unwrap_or(0);
    let answers = east.request(user).count(TIMES).await?;
    println!("   a dead canary in the east: {answers:?}");
    let of = |who: &str| answers.get(who).copied().unwrap_or(0);
    let (failed, served) = (of("503"), of(&west.api("v2")));
    ensure!(failed + served == TIMES && failed <= COST, "the canary of the west, or nobody: {answers:?}");
    Ok(())
}

/// The file is not applied in the west, and the east has no canary: the west's gateway for others knows no subsets, so the
/// way to its canary ends there.
pub async fn without_rules(
    east: &Side<'_>,
    west: &Side<'_>,
    example: &Example,
    subsets: &[String],
) -> Result<()> {
    west.plane.delete(&example.render_with_filter(&[]).await?).await?;
    let mut answers = Count::new();
    for (number, subset) in subsets.iter().enumerate() {
        let answer = east.request(number).send().await?;
        if subset == "stable" {
            ensure!(answer.who() == east.api("v1"), "the stable version is near: {answer:?}");
        } else {
            *answers.entry(format!("{} {}", answer.who(), answer.text())).or_default() += 1;
        }
    }
    println!("   without the file in the west: {answers:?}");
    ensure!(answers.keys().all(|answer| answer.starts_with("503 ")), "no canary: {answers:?}");
    until("the west's gateway has logged a name that it does not know", LOG_LIMIT, async || {
        let log = west.mesh.proxy(EAST_WEST).access_log();
        let unknown = log.iter().any(|line| line.contains("flags=NR"));
        Ok(Look::whether(unknown, || log.iter().rev().take(5).cloned().collect::<Vec<_>>().join("\n")))
    })
    .await
}
