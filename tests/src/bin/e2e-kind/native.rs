//! Pods of the cluster that run the native module: how they get it, and what shows which of the two modules decides.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join;
use graylane_mesh::resources::NATIVE_LABEL;
use graylane_tests::host::native_path;
use graylane_tests::istio::{Look, chains, until};
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use crate::bank::Bank;
use crate::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(90);
/// Where a node finds the cluster's registry: its port is open on each of them, and containerd takes plain HTTP of loopback alone.
const REGISTRY: &str = "127.0.0.1:30500";

/// Pods of a deployment.
#[derive(Clone, Copy)]
pub struct Pods<'p> {
    /// Their namespace.
    pub namespace: &'p str,
    /// Their deployment.
    pub deployment: &'p str,
    /// Their labels.
    pub selector: &'p str,
}

/// All pods of the bank.
pub const SIDECARS: Pods<'static> =
    Pods { namespace: "bank", selector: "security.istio.io/tlsMode=istio", deployment: "" };

/// The gateway's.
pub const GATEWAY: Pods<'static> =
    Pods { namespace: "istio-system", deployment: "istio-ingressgateway", selector: "istio=ingressgateway" };

/// Pushes a native module under a tag, with something behind its end by which its digest differs; its image, as a pod names it.
pub async fn push(bank: &Bank<'_>, tag: &str, behind: &[u8]) -> Result<String> {
    let module = [std::fs::read(native_path())?.as_slice(), behind].concat();
    std::fs::write(bank.cluster.folder.path().join("libgraylane.so"), module)?;
    let digest = bank.push(&["--native", "libgraylane.so"], "graylane-native", tag).await?;
    Ok(format!("{REGISTRY}/mesh/graylane-native@{digest}"))
}

/// How a pod gets the module: what `graylane render --native-pods` prints.
#[derive(Clone, Copy)]
pub enum Way {
    Patch,
    Gateway,
    Template,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Gateway => "gateway",
            Self::Template => "template",
        }
    }
}

/// What `render` prints for pods, as objects.
async fn printed(bank: &Bank<'_>, way: Way, image: &str) -> Result<Json> {
    let arguments = ["render", "--native-pods", way.name(), "--native-image", image];
    let said = bank.cluster.graylane(&arguments).await?;
    ensure!(said.code == 0, "{}", said.text);
    Ok(serde_saphyr::from_str(&said.text)?)
}

/// Gives the module's file to a deployment's pods, which start anew; does not wait for them.
pub async fn give(bank: &Bank<'_>, pods: Pods<'_>, way: Way, image: &str) -> Result<()> {
    let change = match way {
        Way::Template => {
            let annotations = json!({"inject.istio.io/templates": "sidecar,graylane"});
            json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
        }
        way => printed(bank, way, image).await?,
    };
    patch(bank.cluster, pods, &change).await
}

/// Tells a deployment's proxies that they are of a version of Istio to come.
pub async fn upgrade(bank: &Bank<'_>, pods: Pods<'_>) -> Result<()> {
    let proxy = json!({"proxyMetadata": {"ISTIO_META_ISTIO_VERSION": "1.32.0"}});
    let annotations = json!({"proxy.istio.io/config": proxy.to_string()});
    patch(bank.cluster, pods, &json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}))
        .await
}

/// A deployment as it was.
pub async fn take(bank: &Bank<'_>, pods: Pods<'_>) -> Result<()> {
    let names = [
        "sidecar.istio.io/userVolume",
        "sidecar.istio.io/userVolumeMount",
        "inject.istio.io/templates",
        "proxy.istio.io/config",
    ];
    let is_gateway = pods.deployment == GATEWAY.deployment;
    // istioctl's gateway has an annotation of its own of that name.
    let names = names.into_iter().filter(|name| !is_gateway || !name.starts_with("inject"));
    let annotations: BTreeMap<&str, Json> = names.map(|name| (name, Json::Null)).collect();
    let mut template = json!({"metadata": {"labels": {NATIVE_LABEL: null}, "annotations": annotations}});
    if is_gateway {
        let mounts = json!([{"mountPath": "/graylane", "$patch": "delete"}]);
        template["spec"] = json!({
            "containers": [{"name": "istio-proxy", "volumeMounts": mounts}],
            "volumes": [{"name": "graylane", "$patch": "delete"}],
        });
    }
    patch(bank.cluster, pods, &json!({"spec": {"template": template}})).await
}

/// Adds a template to Istio's injector, or takes it out again (no image).
pub async fn template(bank: &Bank<'_>, image: Option<&str>) -> Result<()> {
    const BEGIN: &str = "templates:\n";
    let map = ["-n", "istio-system", "get", "configmap", "istio-sidecar-injector", "-o", "json"];
    let map: Json = serde_json::from_str(&bank.cluster.kubectl(&map).await?)?;
    let config = map["data"]["config"].as_str().context("no configuration of an injector")?;
    let without = config.lines().filter(|line| !line.starts_with("  graylane: "));
    let mut config = without.map(|line| format!("{line}\n")).collect::<String>();
    if let Some(image) = image {
        let values = printed(bank, Way::Template, image).await?;
        let text = &values["sidecarInjectorWebhook"]["templates"]["graylane"];
        ensure!(text.is_string() && config.contains(BEGIN), "{values}\n{config}");
        config = config.replacen(BEGIN, &format!("{BEGIN}  graylane: {text}\n"), 1);
    }
    let change = json!({"data": {"config": config}}).to_string();
    let patch = ["-n", "istio-system", "patch", "configmap", "istio-sidecar-injector", "--type=merge", "-p"];
    bank.cluster.kubectl(&[&patch[..], &[&change]].concat()).await.map(drop)
}

/// Changes a deployment, and does not wait for its pods.
async fn patch(cluster: &Cluster, pods: Pods<'_>, change: &Json) -> Result<()> {
    let text = change.to_string();
    let arguments =
        ["-n", pods.namespace, "patch", "deployment", pods.deployment, "--type=strategic", "-p", &text];
    cluster.kubectl(&arguments).await.map(drop)
}

/// Names of pods that are there to stay.
pub async fn names(cluster: &Cluster, pods: Pods<'_>) -> Result<Vec<String>> {
    let all = cluster.get(&format!("pods -n {} -l {}", pods.namespace, pods.selector)).await?;
    let stay = all.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    Ok(stay.filter_map(|pod| pod["metadata"]["name"].as_str()).map(ToOwned::to_owned).collect())
}

/// Of each of a pod's chains that has one of ours, which of the two modules, all of them.
async fn modules(bank: &Bank<'_>, namespace: &str, pod: &str, mesh: &str) -> Result<Vec<Vec<bool>>> {
    let dump = bank.cluster.admin(namespace, pod, "config_dump?resource=dynamic_listeners").await?;
    let chains = chains(&serde_json::from_str(&dump)?, mesh);
    Ok(chains.into_iter().filter(|chain| !chain.is_empty()).collect())
}

/// Waits until each chain of each of these pods that has one of ours has exactly this one.
pub async fn runs(bank: &Bank<'_>, pods: Pods<'_>, mesh: &str, native: bool) -> Result<()> {
    let what =
        format!("{} runs the {} alone", pods.deployment, if native { "native module" } else { "filter" });
    until(&what, LIMIT, async || {
        for name in names(bank.cluster, pods).await? {
            let found = modules(bank, pods.namespace, &name, mesh).await?;
            if found.is_empty() || found.iter().any(|chain| *chain != [native]) {
                return Ok(Look::NotYet(format!("{name}: {found:?}")));
            }
        }
        Ok(Look::Yes(()))
    })
    .await
}

/// Looks at a pod's chains again and again until `act` is done: each that had one of ours has exactly one, at each look.
pub async fn always_one(
    bank: &Bank<'_>,
    namespace: &str,
    pod: &str,
    act: impl Future<Output = Result<()>>,
) -> Result<()> {
    let there = modules(bank, namespace, pod, "bank").await?.len();
    let done = Notify::new();
    let look = async {
        let (mut looks, over) = (0, done.notified());
        tokio::pin!(over);
        loop {
            let found = modules(bank, namespace, pod, "bank").await?;
            ensure!(
                found.len() == there && found.iter().all(|chain| chain.len() == 1),
                "{pod}, look {looks}: {found:?}, of {there} chains"
            );
            looks += 1;
            if futures_util::poll!(&mut over).is_ready() {
                println!("   {pod}: {there} chains, {looks} looks, one of the two in each");
                return anyhow::Ok(());
            }
        }
    };
    let act = async {
        let result = act.await;
        done.notify_one();
        result
    };
    try_join(look, act).await.map(drop)
}
