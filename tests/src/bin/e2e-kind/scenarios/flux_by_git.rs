//! `graylane ramp run --git`, as a repository that Flux watches has it: each step a commit, judged once Flux has brought it into the
//! cluster, from 1 % to promoted.

use anyhow::{Result, ensure};

use crate::ask::HOST;
use crate::bank::Bank;
use crate::crowd::{Crowd, Way, moved_back};
use crate::flux::{KUSTOMIZATION, synced};
use crate::git::{BRANCH, FILE, Git, commit};

const USERS: usize = 1000;
const LIVE: Way = Way { host: HOST, path: "/?path=api", cookie: false, tester: false };

/// A run that applies by itself does not begin, and prints the command that does.
async fn refused(bank: &Bank<'_>, file: &str) -> Result<()> {
    let apply = ["--once", "--apply", "kubectl apply -f -", "--image", &bank.image];
    let arguments =
        [&["ramp", "run", "api", "-f", file, "--prometheus", &bank.cluster.prometheus][..], &apply].concat();
    let said = bank.cluster.graylane(&arguments).await?;
    let instead = format!("--git --synced-by {KUSTOMIZATION}");
    ensure!(said.code == 2 && said.text.contains(&instead), "expected `{instead}`: {said:?}");
    Ok(())
}

/// A rollout of api, with requests all the time.
pub async fn run(bank: &Bank<'_>, git: &Git) -> Result<()> {
    let before = bank.changed(
        "    rollout:\n      weights: {canary: 25}\n      salt: release-42\n  ledger:",
        "    rollout:\n      weights: {canary: 0}\n      salt: release-42\n      steps: [1, 25, 100]\n  ledger:",
    )?;
    commit(git, &before, "api: a rollout").await?;
    synced(bank, git).await?;
    bank.runs(&before).await?;
    refused(bank, &git.clone.join(FILE).display().to_string()).await?;
    let begin = git.run(&["rev-parse", "HEAD"]).await?;
    let crowd = Crowd::new(bank, "bank", "bank");
    crowd.ensure_all(LIVE, USERS, "v1").await?;
    let watch = crowd.watch(LIVE, USERS);

    let file = git.clone.join(FILE).display().to_string();
    let by_git = ["--git", "--synced-by", KUSTOMIZATION, "--ticket", "CHG-1042"];
    let judged = ["--prometheus", &bank.cluster.prometheus, "--min-requests", "20"];
    let often = ["--hold", "15s", "--interval", "2s"];
    let arguments = [&["ramp", "run", "api", "-f", &file][..], &by_git, &judged, &often].concat();
    let said = bank.cluster.graylane(&arguments).await?;
    ensure!(said.code == 0, "exit {}: {}", said.code, said.text);

    git.run(&["pull", "--quiet", "--ff-only", "origin", BRANCH]).await?;
    let after = std::fs::read_to_string(git.clone.join(FILE))?;
    ensure!(after.contains("baseline: canary"), "not promoted: {after}");
    synced(bank, git).await?;
    bank.runs(&after).await?;
    crowd.ensure_all(LIVE, USERS, "v2").await?;
    let (seen, requests) = crowd.seen(watch).await?;
    let back = moved_back(&seen, "v2");
    ensure!(back.is_empty(), "{} of {USERS} users moved back: {back:?}", back.len());
    let subjects = git.run(&["log", "--reverse", "--format=%s", &format!("{begin}..")]).await?;
    let steps: Vec<&str> = subjects.lines().collect();
    for commit in git.run(&["rev-list", &format!("{begin}..")]).await?.lines() {
        let files = git.run(&["show", "--name-only", "--format=", commit]).await?;
        ensure!(files.contains("rendered/"), "a step is not rendered: {files}");
    }
    ensure!(steps.len() >= 4, "1, 25, 100 % and promoted are four commits: {steps:?}");
    println!("   by Git: {}; {requests} requests, 0 failed, 0 of {USERS} users moved back", steps.join(", "));
    Ok(())
}
