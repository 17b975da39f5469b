//! The native module in some pods, by an image volume, and the filter in the others: over and back under load, without a
//! registry, in a proxy that is newer than the module, and at the gateway.

use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::Value as Json;

use super::{edge, registry};
use crate::bank::Bank;
use crate::counts::each_decided_once;
use crate::load::Load;
use crate::native::{GATEWAY, Pods, Way, always_one, give, names, push, runs, take, template, upgrade};

const LIMIT: Duration = Duration::from_secs(120);
/// As a file with the example's plugins is rendered for the native module.
const NATIVE: &[&str] = &["--native"];
const FILTERS: &[&str] = &["--native", "--only", "EnvoyFilter"];

const fn pods<'p>(deployment: &'p str, selector: &'p str) -> Pods<'p> {
    Pods { namespace: "bank", deployment, selector }
}

/// Of each service one workload with the module; those that a chain goes through take turns.
const OVER: [Pods<'static>; 3] = [
    pods("api-v2", "app=api,version=v2"),
    pods("orders-v1", "app=orders,version=v1"),
    pods("ledger-v1", "app=ledger,version=v1"),
];
const STAY: [Pods<'static>; 2] =
    [pods("api-v1", "app=api,version=v1"), pods("orders-v2", "app=orders,version=v2")];

/// Over and back under load: pod by pod, and running pods at once; a change of the file meanwhile; a proxy that is too new.
pub async fn over_and_back(bank: &Bank<'_>) -> Result<()> {
    let image = push(bank, "1", b"").await?;
    let result = over_and_back_with(bank, &image).await;
    let load = Load::start(bank).await?;
    let back = back(bank).await;
    result.and(back)?;
    load.judge("back, pod by pod", &[&bank.document]).await?;
    each_decided_once(bank).await
}

async fn over_and_back_with(bank: &Bank<'_>, image: &str) -> Result<()> {
    // EnvoyFilters reach nobody before a pod has the label.
    apply(bank, &bank.document, NATIVE).await?;
    let load = Load::start(bank).await?;
    template(bank, Some(image)).await?;
    for (pods, way) in OVER.into_iter().zip([Way::Patch, Way::Patch, Way::Template]) {
        give(bank, pods, way, image).await?;
    }
    bank.cluster.replaced("bank").await?;
    both_sides(bank).await?;
    load.judge("over, pod by pod", &[&bank.document]).await?;
    status_shows(bank, &bank.document, 6).await?;
    each_decided_once(bank).await?;

    // Running pods, all at once.
    let filters = bank.render(&bank.document, &bank.image, FILTERS).await?;
    let native = &names(bank.cluster, OVER[0]).await?[0];
    let load = Load::start(bank).await?;
    let turn = async {
        bank.cluster.delete(&filters).await?;
        for pods in OVER {
            runs(bank, pods, "bank", false).await?;
        }
        bank.cluster.apply(&filters).await?;
        both_sides(bank).await
    };
    always_one(bank, "bank", native, turn).await?;
    load.judge("running pods back and over", &[&bank.document]).await?;
    each_decided_once(bank).await?;

    let weights = bank.changed("weights: {canary: 25}", "weights: {canary: 60}")?;
    let load = Load::start(bank).await?;
    apply(bank, &weights, NATIVE).await?;
    status_shows(bank, &weights, 6).await?;
    load.more(200).await;
    load.judge("weights 25 to 60 with both modules", &[&bank.document, &weights]).await?;
    apply(bank, &bank.document, NATIVE).await?;
    status_shows(bank, &bank.document, 6).await?;

    // It has label and file, and is of a version that the EnvoyFilters do not name.
    let load = Load::start(bank).await?;
    upgrade(bank, OVER[2]).await?;
    bank.cluster.replaced("bank").await?;
    runs(bank, OVER[2], "bank", false).await?;
    load.judge("a proxy that is newer than the module", &[&bank.document]).await?;
    status_shows(bank, &bank.document, 4).await?;
    each_decided_once(bank).await
}

/// Pods that start while there is no registry: where their node has the image they run the module, and where it has not they
/// wait, and those of before serve.
pub async fn registry_gone(bank: &Bank<'_>) -> Result<()> {
    let [first, second] = [push(bank, "1", b"").await?, push(bank, "2", b"second").await?];
    apply(bank, &bank.document, NATIVE).await?;
    give(bank, OVER[0], Way::Patch, &first).await?;
    bank.cluster.replaced("bank").await?;
    runs(bank, OVER[0], "bank", true).await?;

    registry::remove(bank).await?;
    let result = without_registry(bank, &second).await;
    registry::restore(bank).await?;
    ensure!(push(bank, "2", b"second").await? == second, "the same module has another digest");
    let result = match result {
        Ok(load) => waited(bank, load).await,
        Err(error) => Err(error),
    };
    result.and(back(bank).await)
}

async fn without_registry(bank: &Bank<'_>, second: &str) -> Result<Load> {
    let api = pods("api", "app=api");
    let load = Load::start(bank).await?;
    let more = ["-n", "bank", "scale", "deployment/api-v2", "--replicas=2"];
    bank.cluster.kubectl(&more).await?;
    bank.cluster.replaced("bank").await?;
    ensure!(names(bank.cluster, OVER[0]).await?.len() == 2, "api-v2 has not two pods");
    runs(bank, OVER[0], "bank", true).await?;
    load.judge("one pod more without a registry", &[&bank.document]).await?;
    status_shows(bank, &bank.document, 4).await?;
    each_decided_once(bank).await?;

    // An image that its node does not have.
    let load = Load::start(bank).await?;
    give(bank, OVER[0], Way::Patch, second).await?;
    until("a pod waits for its image", LIMIT, async || {
        let pods = bank.cluster.get(&format!("pods -n bank -l {}", api.selector)).await?;
        let waits = |pod: &Json| {
            let all = [&pod["status"]["containerStatuses"], &pod["status"]["initContainerStatuses"]];
            let all = all.into_iter().filter_map(Json::as_array).flatten();
            let reasons: Vec<&str> =
                all.filter_map(|status| status["state"]["waiting"]["reason"].as_str()).collect();
            reasons.iter().any(|reason| reason.contains("ImagePull"))
        };
        let states = || pods.iter().map(|pod| pod["status"].to_string()).collect::<Vec<_>>().join("\n");
        Ok(Look::whether(pods.iter().any(waits), states))
    })
    .await?;
    load.more(300).await;
    Ok(load)
}

/// The registry is back, and so the pod that waited for it comes up.
async fn waited(bank: &Bank<'_>, load: Load) -> Result<()> {
    // The kubelet waits longer after each try: another pod has not tried yet.
    let all = bank.cluster.get(&format!("pods -n bank -l {}", OVER[0].selector)).await?;
    for pod in all.iter().filter(|pod| pod["status"]["phase"] == "Pending") {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        bank.cluster.kubectl(&["-n", "bank", "delete", "pod", name, "--wait=false"]).await?;
    }
    bank.cluster.replaced("bank").await?;
    runs(bank, OVER[0], "bank", true).await?;
    load.judge("a pod that waits for its image", &[&bank.document]).await?;
    bank.cluster.kubectl(&["-n", "bank", "scale", "deployment/api-v2", "--replicas=1"]).await?;
    bank.cluster.replaced("bank").await?;
    each_decided_once(bank).await
}

/// The module at the gateway: the bank under load, and then all that `edge` shows.
pub async fn gateway(bank: &Bank<'_>) -> Result<()> {
    let image = push(bank, "1", b"").await?;
    let result = gateway_with(bank, &image).await;
    take(bank, GATEWAY).await?;
    bank.cluster.replaced("istio-system").await?;
    result.and(back(bank).await)
}

async fn gateway_with(bank: &Bank<'_>, image: &str) -> Result<()> {
    apply(bank, &bank.document, NATIVE).await?;
    let load = Load::start(bank).await?;
    give(bank, GATEWAY, Way::Gateway, image).await?;
    bank.cluster.replaced("istio-system").await?;
    runs(bank, GATEWAY, "bank", true).await?;
    load.judge("the gateway over", &[&bank.document]).await?;
    status_shows(bank, &bank.document, 1).await?;
    each_decided_once(bank).await?;
    let filters = bank.render(&bank.document, &bank.image, FILTERS).await?;
    bank.cluster.delete(&filters).await?;
    edge::run(bank, NATIVE).await
}

/// Applies what is rendered of a file.
async fn apply(bank: &Bank<'_>, document: &str, more: &[&str]) -> Result<()> {
    bank.cluster.apply(&bank.render(document, &bank.image, more).await?).await
}

async fn both_sides(bank: &Bank<'_>) -> Result<()> {
    for (all, native) in [(&OVER[..], true), (&STAY[..], false)] {
        for pods in all {
            runs(bank, *pods, "bank", native).await?;
        }
    }
    Ok(())
}

/// Waits until `graylane status` finds nothing wrong, and shows so many plugins as native module.
async fn status_shows(bank: &Bank<'_>, document: &str, native: usize) -> Result<()> {
    until("status shows the native modules", LIMIT, async || {
        let said = bank.status(document).await?;
        let found = said.text.lines().filter(|line| line.contains("  native  ")).count();
        Ok(Look::whether(said.code == 0 && found == native, || format!("exit {}: {}", said.code, said.text)))
    })
    .await
}

/// Every pod of the bank as it was, and no EnvoyFilter.
async fn back(bank: &Bank<'_>) -> Result<()> {
    apply(bank, &bank.document, &[]).await?;
    for pods in OVER {
        take(bank, pods).await?;
    }
    bank.cluster.replaced("bank").await?;
    template(bank, None).await?;
    let filters = bank.render(&bank.document, &bank.image, FILTERS).await?;
    bank.cluster.delete(&filters).await?;
    for pods in OVER.into_iter().chain(STAY) {
        runs(bank, pods, "bank", false).await?;
    }
    Ok(())
}
