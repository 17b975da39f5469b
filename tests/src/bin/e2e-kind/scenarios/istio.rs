//! An upgrade of Istio, and back: a second revision of istiod, the namespace moved, the gateway last. The plugins change their
//! kind on the way, from WasmPlugin to TrafficExtension: each set is labelled with the revision that reads it, so no proxy ever has
//! both, or none.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};

use super::restart::restart;
use crate::bank::Bank;
use crate::load::Load;

const LIMIT: Duration = Duration::from_secs(120);
const OLD: &str = "default";
const NEW: &str = "next";
const WASM_PLUGIN: [&str; 2] = ["--extension", "wasm-plugin"];
const TRAFFIC_EXTENSION: [&str; 2] = ["--extension", "traffic-extension"];

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let old = plugins(bank, OLD, WASM_PLUGIN).await?;
    let new = plugins(bank, NEW, TRAFFIC_EXTENSION).await?;
    bank.cluster.apply(&old).await?;
    install(bank, NEW, false).await?;
    bank.cluster.apply(&new).await?;
    decided_once(bank).await.context("two revisions of istiod")?;

    let load = Load::start(bank).await?;
    let result = moved(bank, OLD, NEW, &old).await;
    load.judge("istiod default to next, WasmPlugin to TrafficExtension", &[&bank.document]).await?;
    result?;

    bank.cluster.apply(&old).await?;
    let load = Load::start(bank).await?;
    let result = moved(bank, NEW, OLD, &new).await;
    load.judge("and back", &[&bank.document]).await?;
    result?;
    let uninstall = ["uninstall", "--skip-confirmation", "--revision", NEW];
    bank.cluster.istioctl(&uninstall, "").await?;
    until("the second revision is gone", LIMIT, async || {
        let pods = bank.cluster.get(&format!("pods -n istio-system -l istio.io/rev={NEW}")).await?;
        Ok(Look::whether(pods.is_empty(), || format!("{} pods", pods.len())))
    })
    .await
}

/// Only the plugins, for the proxies of a revision.
async fn plugins(bank: &Bank<'_>, revision: &str, extension: [&str; 2]) -> Result<String> {
    let kinds = ["--only", "WasmPlugin,TrafficExtension", "--istio-revision", revision];
    bank.render(&bank.document, &bank.image, &[&extension[..], &kinds].concat()).await
}

/// Puts istiod of a revision there, or moves the gateway to it.
async fn install(bank: &Bank<'_>, revision: &str, with_gateway: bool) -> Result<()> {
    let file = |name: &str| bank.cluster.state(name).display().to_string();
    let (istio, mesh) = (file("istio.yaml"), file("mesh.yaml"));
    let mut arguments = vec!["install", "--skip-confirmation", "-f", &istio, "-f", &mesh];
    let set = format!("revision={revision}");
    if revision != OLD {
        arguments.extend(["--set", &set]);
    }
    if !with_gateway {
        arguments.extend(["--set", "components.ingressGateways[0].enabled=false"]);
    }
    bank.cluster.istioctl(&arguments, "").await?;
    bank.cluster.rolled_out("istio-system").await
}

/// The namespace and then the gateway, from one revision to another; the first one's plugins go.
async fn moved(bank: &Bank<'_>, from: &str, to: &str, plugins: &str) -> Result<()> {
    let label = |revision: &str| match revision {
        OLD => ["istio.io/rev-", "istio-injection=enabled"],
        _ => ["istio-injection-", "istio.io/rev=next"],
    };
    bank.cluster.kubectl(&[&["label", "--overwrite", "namespace", "bank"], &label(to)[..]].concat()).await?;
    restart(bank, "orders-v2").await?;
    decided_once(bank).await.context("a workload moved")?;
    restart(bank, "").await?;
    decided_once(bank).await.context("the namespace moved")?;
    install(bank, to, true).await?;
    bank.cluster.replaced("istio-system").await?;
    decided_once(bank).await.context("the gateway moved")?;
    bank.cluster.delete(plugins).await?;
    bank.runs(&bank.document).await?;
    decided_once(bank).await.with_context(|| format!("the plugins of {from} gone"))
}

/// Every proxy has one plugin for each direction.
async fn decided_once(bank: &Bank<'_>) -> Result<()> {
    let places = [
        ("bank", "security.istio.io/tlsMode=istio", &["bank-inbound", "bank-outbound"][..]),
        ("istio-system", "istio=ingressgateway", &["bank-gateway"]),
    ];
    for (namespace, selector, plugins) in places {
        for pod in bank.cluster.get(&format!("pods -n {namespace} -l {selector}")).await? {
            let pod = pod["metadata"]["name"].as_str().context("a pod without a name")?;
            let dump = bank.cluster.admin(namespace, pod, "config_dump?resource=ecds_filters").await?;
            let said: serde_json::Value = serde_json::from_str(&dump)?;
            let filters = said["configs"].as_array().context("no filters")?;
            let names = filters.iter().filter_map(|filter| filter["ecds_filter"]["name"].as_str());
            let names: Vec<&str> = names.collect();
            for plugin in plugins {
                let count = names.iter().filter(|name| name.contains(plugin)).count();
                ensure!(count == 1, "{pod} has {count} filters of {plugin}: {names:?}");
            }
        }
    }
    Ok(())
}
