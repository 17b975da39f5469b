//! `graylane ramp run`, judged by the Prometheus of the cluster, waiting for every pod.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ask::ask;
use crate::bank::Bank;

const LIMIT: Duration = Duration::from_secs(240);

/// Live users, of whom each so many meets an error on the canary.
struct Users(JoinHandle<()>);

impl Users {
    fn start(bank: &Bank<'_>, fail: Option<usize>) -> Self {
        let (client, gateway) = (bank.cluster.client.clone(), bank.cluster.gateway.clone());
        Self(tokio::spawn(async move {
            for number in 0usize.. {
                let failing = fail.is_some_and(|each| number.is_multiple_of(each));
                let path = if failing { "/?path=api&fail=api-v2" } else { "/?path=api" };
                let user = format!("user-{}", number * 7 % 1009);
                let (client, gateway) = (client.clone(), gateway.clone());
                tokio::spawn(async move {
                    // What does not come is the canary's business.
                    let _ = ask(&client, &gateway, path, &[("x-user-id", &user)]).await;
                });
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }))
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a rollout of api to its end; its exit code, and what it said.
async fn rollout(bank: &Bank<'_>) -> Result<(i32, String)> {
    let document = bank.changed(
        "    rollout:\n      weights: {canary: 25}\n      salt: release-42\n  ledger:",
        "    rollout:\n      weights: {canary: 0}\n      salt: release-42\n      steps: [1, 25, 100]\n  ledger:",
    )?;
    bank.run(&document).await?;
    // The log of a rollout before.
    let log = bank.cluster.folder.path().join("graylane-ramp-api.jsonl");
    if log.exists() {
        std::fs::remove_file(log)?;
    }
    let image = &bank.image;
    let apply = format!("graylane render -f bank.yaml --no-pin --image {image} | kubectl apply -f -");
    let program = std::env::var("GRAYLANE")?;
    let apply = apply.replacen("graylane", &program, 1);
    let arguments = [
        "ramp",
        "run",
        "api",
        "-f",
        "bank.yaml",
        "--prometheus",
        &bank.cluster.prometheus,
        "--apply",
        &apply,
        "--hold",
        "15s",
        "--interval",
        "2s",
        "--settle",
        "5s",
        "--min-requests",
        "20",
    ];
    let said = timeout(LIMIT, bank.cluster.graylane(&arguments)).await??;
    Ok((said.code, said.text))
}

/// A canary that is as good as the baseline.
pub async fn promoted(bank: &Bank<'_>) -> Result<()> {
    let _users = Users::start(bank, None);
    let (code, said) = rollout(bank).await?;
    ensure!(code == 0, "exit {code}: {said}");
    let file = std::fs::read_to_string(bank.cluster.folder.path().join("bank.yaml"))?;
    ensure!(file.contains("canary: 100") || file.contains("baseline: canary"), "not promoted: {file}");
    Ok(())
}

/// A canary of which each fifth request fails.
pub async fn aborted(bank: &Bank<'_>) -> Result<()> {
    let _users = Users::start(bank, Some(5));
    let (code, said) = rollout(bank).await?;
    ensure!(code == 1, "exit {code}: {said}");
    let file = std::fs::read_to_string(bank.cluster.folder.path().join("bank.yaml"))?;
    ensure!(file.contains("weights: {canary: 0}"), "not taken back: {file}");
    Ok(())
}
