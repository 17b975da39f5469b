//! What the file says about failing pods decides which cluster comes first.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures_util::future::try_join;

use super::side::{Side, agree};
use crate::example::Example;

/// Requests of a pinned tenant.
const TIMES: usize = 60;

/// `fallback: baseline` in the place of `outlierDetection`, begun while the east has no canary.
pub async fn run(east: &mut Side<'_>, west: &Side<'_>, example: &Example, subsets: &[String]) -> Result<()> {
    let with_fallback = example.edited(|file| {
        let api = &mut file["services"]["api"];
        api["fallback"] = "baseline".into();
        api.as_object_mut().map(|api| api.remove("trafficPolicy"));
    })?;
    try_join(east.apply(&with_fallback), west.apply(&with_fallback)).await?;
    agree(east, west).await?;
    // A gateway of another network stands for pods of all versions and has no labels: without the network first, it ranked with
    // the baseline, and 40 of 60 requests went to the far canary.
    let drawn = east.gray(0).count(TIMES).await?;
    ensure!(drawn.keys().eq([&east.api("v1")]), "the near baseline, and nobody else: {drawn:?}");

    east.add_api("v2").await?;
    agree(east, west).await?;
    let near = east.gray(0).count(TIMES).await?;
    ensure!(near.keys().eq([&east.api("v2")]), "a canary that is near comes first: {near:?}");
    spread(east, west, subsets).await
}

/// Without `outlierDetection`, Istio takes no cluster before the other: pods of both serve, each user's version stays.
async fn spread(east: &Side<'_>, west: &Side<'_>, subsets: &[String]) -> Result<()> {
    for (subset, version) in [("stable", "v1"), ("canary", "v2")] {
        let mut who = BTreeSet::new();
        for (number, _) in subsets.iter().enumerate().filter(|(_, is)| *is == subset) {
            who.insert(east.request(number).send().await?.who());
        }
        let both = BTreeSet::from([east.api(version), west.api(version)]);
        ensure!(who == both, "users of {subset}: {who:?}, not {both:?}");
    }
    Ok(())
}
