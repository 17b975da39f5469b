//! A version without pods in one cluster is served by the other; without pods in both, by nobody. Users keep their version.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use graylane_tests::istio::Count;

use super::side::{Side, agree};
use super::{ask, each_by_itself};
use crate::example::Example;

/// The name by which the gateway between the clusters knows the canary.
const CANARY: &str = "outbound_.8080_.canary_.api.shop.svc.cluster.local";

/// Takes the canary away and brings it back.
pub async fn run(
    east: &mut Side<'_>,
    west: &mut Side<'_>,
    example: &Example,
    subsets: &[String],
) -> Result<()> {
    east.mesh.remove(&east.api("v2")).await?;
    agree(east, west).await?;
    by_the_other(east, west, subsets).await?;

    west.mesh.remove(&west.api("v2")).await?;
    agree(east, west).await?;
    for side in [&*east, &*west] {
        ask(side, subsets, &side.api("v1"), "503").await?;
    }

    west.add_api("v2").await?;
    agree(east, west).await?;
    by_the_other(east, west, subsets).await?;
    without_rules(east, west, example, subsets).await?;

    east.add_api("v2").await?;
    agree(east, west).await?;
    each_by_itself(east, west, subsets).await?;
    spread(east, west, example, subsets).await
}

/// The east's users of the canary get the west's, through the gateway between them.
async fn by_the_other(east: &Side<'_>, west: &Side<'_>, subsets: &[String]) -> Result<()> {
    let before = west.passed().await?;
    ask(east, subsets, &east.api("v1"), &west.api("v2")).await?;
    ask(west, subsets, &west.api("v1"), &west.api("v2")).await?;
    let after = west.passed().await?;
    ensure!(after.get(CANARY) > before.get(CANARY), "the west's gateway passed it on: {before:?}, {after:?}");
    ensure!(after.keys().all(|name| name == CANARY || before.contains_key(name)), "and nothing else: {after:?}");

    let gray = east.gray(0).send().await?;
    ensure!(
        gray.who() == west.api("v2") && gray.seen("tenant") == Some("gray-v1"),
        "a pinned tenant goes there too, and is known there: {gray:?}"
    );
    Ok(())
}

/// The file is not applied in the west: its gateway for others knows no subset, so the way to its canary ends there.
async fn without_rules(
    east: &Side<'_>,
    west: &Side<'_>,
    example: &Example,
    subsets: &[String],
) -> Result<()> {
    west.plane.delete(&example.render_with_filter(&[]).await?).await?;
    let mut answers = Count::new();
    for number in (0..subsets.len()).filter(|number| subsets.get(*number).is_some_and(|is| is == "canary")) {
        let answer = east.request(number).send().await?;
        *answers.entry(super::side::brief(&answer)).or_default() += 1;
    }
    println!("   no DestinationRule in the west: {answers:?}");
    ensure!(answers.keys().all(|answer| answer.starts_with("503")), "{answers:?}");
    west.apply(example).await?;
    agree(east, west).await
}

/// Without `outlierDetection`, Istio takes no cluster before the other: pods of both serve, each user's version stays.
async fn spread(
    east: &Side<'_>,
    west: &Side<'_>,
    example: &Example,
    subsets: &[String],
) -> Result<()> {
    let plain = example.edited(|file| {
        file["services"]["api"].as_object_mut().map(|api| api.remove("trafficPolicy"));
    })?;
    east.apply(&plain).await?;
    for (subset, version) in [("stable", "v1"), ("canary", "v2")] {
        let mut who = BTreeSet::new();
        for number in (0..subsets.len()).filter(|number| subsets.get(*number).is_some_and(|is| is == subset)) {
            who.insert(east.request(number).send().await?.who());
        }
        let both = BTreeSet::from([east.api(version), west.api(version)]);
        ensure!(who == both, "users of {subset}: {who:?}, not {both:?}");
    }
    Ok(())
}
