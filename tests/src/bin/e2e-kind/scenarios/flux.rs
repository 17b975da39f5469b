//! The Flux section of docs/gitops.md with the real controllers: what is committed is what the cluster runs, and what is changed
//! by hand is taken back. At last a rollout by Git.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::Value as Json;
use tokio::process::Command;

use super::flux_by_git;
use crate::bank::Bank;
use crate::flux::{Flux, Page, synced};
use crate::git::{BRANCH, FILE, Git, commit};
use crate::load::Load;

const LIMIT: Duration = Duration::from_secs(120);
const ROUTES: [&str; 2] = ["bank-api", "bank-orders"];

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let git = Git::start(bank.cluster.folder.path()).await?;
    let page = Page::read(&git)?;
    let flux = Flux::start(bank).await?;
    let result = flux.explain(delivered(bank, &git, &page).await);
    let stopped = flux.stop(bank, &page).await;
    result.and(stopped)
}

async fn delivered(bank: &Bank<'_>, git: &Git, page: &Page) -> Result<()> {
    let (quarter, half) = (weight(bank, 25)?, weight(bank, 50)?);
    repository(bank, git, page).await?;
    commit(git, &quarter, "The bank").await?;
    checked(git, page, &half).await?;
    let load = Load::start(bank).await?;
    bank.cluster.apply(&page.manifests).await?;
    runs(bank, git, &quarter, 25).await?;
    load.more(200).await;
    load.judge("Flux takes the bank over", &[&quarter]).await?;

    let load = Load::start(bank).await?;
    commit(git, &half, "canary 50 %").await?;
    runs(bank, git, &half, 50).await?;
    load.more(200).await;
    load.judge("a commit: 25 to 50 %", &[&quarter, &half]).await?;
    by_hand(bank, git, &half).await?;
    flux_by_git::run(bank, git).await
}

/// The hook of the page, and the filter's image in a file.
async fn repository(bank: &Bank<'_>, git: &Git, page: &Page) -> Result<()> {
    let hooks = git.clone.join("hooks");
    std::fs::create_dir_all(&hooks)?;
    std::fs::write(hooks.join("pre-commit"), &page.hook)?;
    std::fs::set_permissions(hooks.join("pre-commit"), PermissionsExt::from_mode(0o755))?;
    std::fs::write(git.clone.join("image"), format!("{}\n", bank.image))?;
    git.run(&["config", "core.hooksPath", "hooks"]).await.map(drop)
}

/// The bank with another weight.
fn weight(bank: &Bank<'_>, weight: u64) -> Result<String> {
    bank.changed("weights: {canary: 25}", &format!("weights: {{canary: {weight}}}"))
}

/// The check passes what the hook rendered, and refuses what was committed past it.
async fn checked(git: &Git, page: &Page, other: &str) -> Result<()> {
    let passes = async || {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", &page.check]).current_dir(&git.clone).kill_on_drop(true);
        anyhow::Ok(shell.output().await?.status.success())
    };
    ensure!(passes().await?, "the check refuses what the hook rendered");
    std::fs::write(git.clone.join(FILE), other)?;
    git.run(&["commit", "--quiet", "--all", "--no-verify", "--message", "without the hook"]).await?;
    ensure!(!passes().await?, "the check passes a commit without the hook");
    git.run(&["reset", "--quiet", "--hard", &format!("origin/{BRANCH}")]).await.map(drop)
}

/// Waits until Flux has applied what is at the top of the branch, and every pod runs it.
async fn runs(bank: &Bank<'_>, git: &Git, document: &str, weight: u64) -> Result<()> {
    synced(bank, git).await?;
    for route in ROUTES {
        let (weights, _) = weights(bank, route).await?;
        ensure!(weights.iter().all(|is| *is == weight), "{route} has {weights:?}, expected {weight}");
    }
    bank.runs(document).await
}

/// The canary's weights in a VirtualService, and how often that was written.
async fn weights(bank: &Bank<'_>, name: &str) -> Result<(Vec<u64>, u64)> {
    let object = bank.cluster.get(&format!("virtualservice {name} -n bank")).await?.remove(0);
    let routes = object.pointer("/spec/http").and_then(Json::as_array).cloned().unwrap_or_default();
    let all = routes.iter().filter_map(|route| route["route"].as_array()).flatten();
    let canary = all.filter(|to| to.pointer("/destination/subset").is_some_and(|subset| subset == "canary"));
    let weights: Vec<u64> = canary.filter_map(|to| to["weight"].as_u64()).collect();
    ensure!(!weights.is_empty(), "{name} gives the canary no weight: {object}");
    Ok((weights, object["metadata"]["generation"].as_u64().unwrap_or_default()))
}

/// What somebody applies beside Git is taken back: why `ramp run --apply` refuses a mesh that Flux has.
async fn by_hand(bank: &Bank<'_>, git: &Git, document: &str) -> Result<()> {
    let load = Load::start(bank).await?;
    let mut before = Vec::new();
    for route in ROUTES {
        before.push(weights(bank, route).await?.1);
    }
    let other = weight(bank, 75)?;
    bank.cluster.apply(&bank.render(&other, &bank.image, &[]).await?).await?;
    for (route, before) in ROUTES.into_iter().zip(before) {
        until("Flux takes back what was applied by hand", LIMIT, async || {
            let (weights, writes) = weights(bank, route).await?;
            let back = writes >= before + 2 && weights.iter().all(|weight| *weight == 50);
            Ok(Look::whether(back, || {
                format!("{route}: {weights:?}, {writes} writes, {before} of them before")
            }))
        })
        .await?;
    }
    runs(bank, git, document, 50).await?;
    load.more(200).await;
    load.judge("75 % by hand, taken back", &[document, &other]).await
}
