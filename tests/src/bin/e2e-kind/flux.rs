//! Flux's two controllers, as processes of this machine with the rights of their own accounts, and what docs/gitops.md has for them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::{Value as Json, json};

use crate::bank::Bank;
use crate::controllers::Controller;
use crate::git::{BRANCH, Git};

const LIMIT: Duration = Duration::from_secs(120);
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const NAMESPACE: &str = "flux-system";
/// The Kustomization of the page, as `graylane ramp run --synced-by` names it.
pub const KUSTOMIZATION: &str = "flux:flux-system/bank";
/// What Flux writes on all that it applied.
const APPLIED: &str = "kustomize.toolkit.fluxcd.io/name=bank";
const OBJECTS: &str = "virtualservices,destinationrules,wasmplugins,telemetries -A -l";

/// Both controllers, and what they need in the cluster.
pub struct Flux {
    own: String,
    source: Controller,
    kustomize: Controller,
}

impl Flux {
    /// Starts them; they have nothing to do yet.
    pub async fn start(bank: &Bank<'_>) -> Result<Self> {
        let own = Path::new(CHECKOUT).join("tests/kind/files/flux.yaml");
        let own = std::fs::read_to_string(&own).with_context(|| own.display().to_string())?;
        bank.cluster.apply(&own).await?;
        Ok(Self { own, source: source_controller(bank).await?, kustomize: kustomize_controller(bank).await? })
    }

    /// What a scenario came to, with the ends of their logs if it failed.
    pub fn explain<T>(&self, result: Result<T>) -> Result<T> {
        self.source.explain(self.kustomize.explain(result))
    }

    /// Without the Kustomization, all that it applied goes (`prune`); then the rest of what the page has, and the controllers.
    pub async fn stop(mut self, bank: &Bank<'_>, page: &Page) -> Result<()> {
        let alive = self.source.ensure_alive().and(self.kustomize.ensure_alive());
        let pruned = pruned(bank).await;
        let removed = bank.cluster.delete(&page.manifests).await;
        self.kustomize.stop(bank).await?;
        self.source.stop(bank).await?;
        bank.cluster.delete(&self.own).await?;
        alive.and(pruned).and(removed)
    }
}

async fn pruned(bank: &Bank<'_>) -> Result<()> {
    ensure!(
        !bank.cluster.get(&format!("{OBJECTS} {APPLIED}")).await?.is_empty(),
        "Flux has applied nothing that is to be pruned"
    );
    let kustomization = ["kustomizations.kustomize.toolkit.fluxcd.io", "bank", "--timeout=60s"];
    bank.cluster.kubectl(&[&["-n", NAMESPACE, "delete"][..], &kustomization].concat()).await?;
    until("what Flux applied is gone", LIMIT, async || {
        let left = bank.cluster.get(&format!("{OBJECTS} {APPLIED}")).await?;
        Ok(Look::whether(left.is_empty(), || format!("{} objects are left", left.len())))
    })
    .await
}

async fn source_controller(bank: &Bank<'_>) -> Result<Controller> {
    // Where others fetch what it has fetched.
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let address = [format!("--storage-addr={address}"), format!("--storage-adv-addr={address}")];
    let folder = bank.cluster.folder.path().join("artifacts");
    std::fs::create_dir_all(&folder)?;
    let path = format!("--storage-path={}", folder.display());
    controller(bank, "source-controller", &[&address[0], &address[1], &path]).await
}

async fn kustomize_controller(bank: &Bank<'_>) -> Result<Controller> {
    // ConfigMaps and Secrets of substitutions, which there are none of, are not to be read.
    controller(bank, "kustomize-controller", &["--feature-gates=DisableConfigWatchers=true"]).await
}

/// One of the two, as its own account, for one namespace.
async fn controller(bank: &Bank<'_>, name: &str, more: &[&str]) -> Result<Controller> {
    let config = kubeconfig(bank, name).await?;
    let config = config.to_str().context("the folder's name is not UTF-8")?;
    let temporary = bank.cluster.folder.path().display().to_string();
    let arguments = ["--watch-all-namespaces=false", "--metrics-addr=0", "--health-addr=0"];
    let environment = [("KUBECONFIG", config), ("RUNTIME_NAMESPACE", NAMESPACE), ("TMPDIR", &temporary)];
    Controller::start(bank, name, "crd", &[&arguments[..], more].concat(), &environment).await
}

/// A kubeconfig with an account's token.
async fn kubeconfig(bank: &Bank<'_>, account: &str) -> Result<PathBuf> {
    let token = bank.cluster.kubectl(&["-n", NAMESPACE, "create", "token", account, "--duration=1h"]).await?;
    let config = bank.cluster.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"]).await?;
    let mut config: Json = serde_json::from_str(&config)?;
    config["users"][0]["user"] = json!({"token": token.trim()});
    let path = bank.cluster.folder.path().join(format!("{account}.kubeconfig"));
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

/// Waits until Flux has applied what is at the top of the branch.
pub async fn synced(bank: &Bank<'_>, git: &Git) -> Result<()> {
    let commit = git.run(&["rev-parse", &format!("origin/{BRANCH}")]).await?;
    let wanted = format!("{BRANCH}@sha1:{commit}");
    until("Flux has applied the commit", LIMIT, async || {
        let what = format!("kustomizations.kustomize.toolkit.fluxcd.io bank -n {NAMESPACE}");
        let status = &bank.cluster.get(&what).await?.remove(0)["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True");
        Ok(Look::whether(ready && status["lastAppliedRevision"] == wanted, || format!("{wanted}: {status}")))
    })
    .await
}

/// What the page has: the hook that renders, the check that it did, and the manifests.
pub struct Page {
    /// For `hooks/pre-commit`.
    pub hook: String,
    /// For a pull request.
    pub check: String,
    /// For the cluster.
    pub manifests: String,
}

impl Page {
    /// With the addresses of this machine, and often: tests do not wait for minutes.
    pub fn read(git: &Git) -> Result<Self> {
        let path = Path::new(CHECKOUT).join("docs/gitops.md");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let section = text.split("\n## Flux\n").nth(1).context("docs/gitops.md has no section on Flux")?;
        let block = |of: &str, begin: &str| {
            let rest = section.split(&format!("```{of}\n{begin}")).nth(1);
            let block = rest.and_then(|rest| rest.split("```").next());
            let missing = || format!("docs/gitops.md has no block of {of} that begins with `{begin}`");
            block.map(|rest| format!("{begin}{rest}")).with_context(missing)
        };
        let replaced = |text: String, pairs: &[(&str, &str)]| {
            pairs.iter().try_fold(text, |text, (from, to)| {
                ensure!(text.contains(from), "docs/gitops.md has no `{from}`");
                Ok(text.replace(from, to))
            })
        };
        let program = std::env::var("GRAYLANE")?;
        let url = ("https://git.example.com/bank/mesh.git", git.url.as_str());
        let often = [("interval: 1m", "interval: 1s"), ("interval: 5m", "interval: 3s")];
        Ok(Self {
            hook: replaced(block("sh", "#!/bin/sh")?, &[("| graylane ", &format!("| {program} "))])?,
            check: replaced(block("sh", "graylane render")?, &[("graylane ", &format!("{program} "))])?,
            manifests: replaced(block("yaml", "apiVersion")?, &[&[url][..], &often].concat())?,
        })
    }
}
