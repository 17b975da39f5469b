//! Clusters that disagree about a weight: who has his place between the two gets a version that depends on the way in.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures_util::future::try_join;

use super::side::{Side, agree};
use super::{ask, subsets};
use crate::example::Example;

/// The west has 10 % instead of the file's 50 %.
pub async fn run(east: &Side<'_>, west: &Side<'_>, example: &Example) -> Result<()> {
    let behind =
        example.edited(|file| file["services"]["api"]["rollout"]["weights"]["canary"] = 10.into())?;
    try_join(east.apply(example), west.apply(&behind)).await?;
    agree(east, west).await?;
    let (in_east, in_west) = (subsets(example)?, subsets(&behind)?);
    ask(east, &in_east, &east.api("v1"), &east.api("v2")).await?;
    ask(west, &in_west, &west.api("v1"), &west.api("v2")).await?;

    let differ: BTreeSet<usize> =
        (0..in_east.len()).filter(|user| in_east.get(*user) != in_west.get(*user)).collect();
    let all_are_between = differ.iter().all(|user| {
        in_east.get(*user).is_some_and(|is| is == "canary")
            && in_west.get(*user).is_some_and(|is| is == "stable")
    });
    ensure!(!differ.is_empty() && all_are_between, "users between 10 and 50 %: {differ:?}");
    println!("   50 % in the east, 10 % in the west: {} of {} users differ", differ.len(), in_east.len());
    Ok(())
}
