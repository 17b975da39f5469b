//! Pods of the cluster that run the native module: how they get it, and what shows which of the two modules decides.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::{join_all, try_join};
use graylane_mesh::native::STRIP;
use graylane_mesh::resources::NATIVE_LABEL;
use graylane_tests::host::native_path;
use graylane_tests::istio::{Look, chains, until};
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use crate::bank::Bank;
use crate::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(90);
/// The native module is told of once a second: so long without a new count, and nothing is under way.
const QUIET: Duration = Duration::from_secs(3);
/// Chains of calls that are counted.
const CHAINS: usize = 60;
const TENANTS: [Option<&str>; 4] = [Some("gray-v1"), Some("green"), None, Some("unheard-of")];
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

/// The gateway's.
pub const GATEWAY: Pods<'static> =
    Pods { namespace: "istio-system", deployment: "istio-ingressgateway", selector: "istio=ingressgateway" };

/// Pushes a native module under a tag, with something behind its end by which its digest differs; its image, as a pod names it.
pub async fn push(bank: &Bank<'_>, tag: &str, behind: &[u8]) -> Result<String> {
    let cluster = bank.cluster;
    let module = [std::fs::read(native_path())?.as_slice(), behind].concat();
    std::fs::write(cluster.folder.path().join("libgraylane.so"), module)?;
    let layout = format!("native-{tag}");
    let said = cluster.graylane(&["package", "--native", "libgraylane.so", "--out", &layout]).await?;
    ensure!(said.code == 0, "package: {}", said.text);
    let reference = format!("{}/mesh/graylane-native:{tag}", cluster.registry);
    let said = cluster.graylane(&["push", &reference, "--insecure", "--layout", &layout]).await?;
    ensure!(said.code == 0, "push: {}", said.text);
    let (_, digest) = said.text.trim().split_once('@').with_context(|| said.text.clone())?;
    Ok(format!("{REGISTRY}/mesh/graylane-native@{digest}"))
}

/// What a pod's template gets, as docs/native.md says it: file, label, and metrics' names as of the filter.
pub fn with_module(image: &str) -> Json {
    template(Some(image), &json!({"runtimeValues": {STRIP: "true"}}))
}

/// The same, in a proxy that says it is of a version of Istio to come.
pub fn with_newer_proxy(image: &str) -> Json {
    let version = json!({"ISTIO_META_ISTIO_VERSION": "1.32.0"});
    template(Some(image), &json!({"runtimeValues": {STRIP: "true"}, "proxyMetadata": version}))
}

/// A pod's template as it was.
pub fn without_module() -> Json {
    template(None, &Json::Null)
}

fn template(image: Option<&str>, proxy: &Json) -> Json {
    let text = |json: Json| image.map(|_| json.to_string());
    let volume = json!({"graylane": {"image": {"reference": image, "pullPolicy": "IfNotPresent"}}});
    let mount = json!({"graylane": {"mountPath": "/graylane", "readOnly": true}});
    json!({"spec": {"template": {"metadata": {
        "labels": {NATIVE_LABEL: image.map(|_| "true")},
        "annotations": {
            "sidecar.istio.io/userVolume": text(volume),
            "sidecar.istio.io/userVolumeMount": text(mount),
            "proxy.istio.io/config": text(proxy.clone()),
        },
    }}}})
}

/// Changes a deployment, and does not wait for its pods.
pub async fn patch(cluster: &Cluster, pods: Pods<'_>, change: &Json) -> Result<()> {
    let text = change.to_string();
    let arguments =
        ["-n", pods.namespace, "patch", "deployment", pods.deployment, "--type=strategic", "-p", &text];
    cluster.kubectl(&arguments).await.map(drop)
}

/// Waits until no pod of before is left.
pub async fn rolled_out(cluster: &Cluster, namespace: &str) -> Result<()> {
    cluster.rolled_out(namespace).await?;
    until("the pods of before are gone", LIMIT, async || {
        let pods = cluster.get(&format!("pods -n {namespace}")).await?;
        let going = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_string()).count();
        Ok(Look::whether(going == 0, || format!("{going} are still there")))
    })
    .await
}

/// Names of pods that are there to stay.
pub async fn names(cluster: &Cluster, pods: Pods<'_>) -> Result<Vec<String>> {
    let all = cluster.get(&format!("pods -n {} -l {}", pods.namespace, pods.selector)).await?;
    let stay = all.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    Ok(stay.filter_map(|pod| pod["metadata"]["name"].as_str()).map(ToOwned::to_owned).collect())
}

/// What a proxy answers on its admin port.
async fn admin(cluster: &Cluster, namespace: &str, pod: &str, path: &str) -> Result<String> {
    let agent = ["pilot-agent", "request", "GET", path];
    cluster.kubectl(&[&["-n", namespace, "exec", pod, "-c", "istio-proxy", "--"][..], &agent].concat()).await
}

/// Of each of a pod's chains that has one of ours, which of the two modules, all of them.
async fn modules(bank: &Bank<'_>, namespace: &str, pod: &str, mesh: &str) -> Result<Vec<Vec<bool>>> {
    let dump = admin(bank.cluster, namespace, pod, "config_dump?resource=dynamic_listeners").await?;
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

/// Requests, by pod and direction.
type Counts = BTreeMap<(String, String), u64>;

async fn counted(bank: &Bank<'_>) -> Result<Counts> {
    let mut pods = Vec::new();
    for (namespace, selector) in
        [("bank", "security.istio.io/tlsMode=istio"), ("istio-system", GATEWAY.selector)]
    {
        let there = names(bank.cluster, Pods { namespace, selector, deployment: "" }).await?;
        pods.extend(there.into_iter().map(|pod| (namespace, pod)));
    }
    let read = async |(namespace, pod): &(&str, String)| {
        let path = "stats/prometheus?filter=graylane_requests_total";
        anyhow::Ok((pod.clone(), admin(bank.cluster, namespace, pod, path).await?))
    };
    let mut counts = Counts::new();
    for read in join_all(pods.iter().map(read)).await {
        let (pod, text) = read?;
        for line in text.lines().filter(|line| line.starts_with("graylane_requests_total{")) {
            let direction = line.split("direction=\"").nth(1).and_then(|rest| rest.split('"').next());
            let value = line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok());
            let (direction, value) = direction.zip(value).with_context(|| line.to_owned())?;
            *counts.entry((pod.clone(), direction.to_owned())).or_default() += value;
        }
    }
    Ok(counts)
}

/// The counts, once nothing is added any more.
async fn settled(bank: &Bank<'_>) -> Result<Counts> {
    let mut last = (counted(bank).await?, Instant::now());
    until("counts come to rest", LIMIT, async || {
        let now = counted(bank).await?;
        if now != last.0 {
            last = (now, Instant::now());
        }
        let rest = last.1.elapsed() >= QUIET;
        Ok(Look::at(rest.then(|| last.0.clone()), || format!("{:?}", last.0)))
    })
    .await
}

/// Each pod counts as many decisions as requests came to it and left it: none was decided twice, or by nobody.
pub async fn each_decided_once(bank: &Bank<'_>) -> Result<()> {
    let before = settled(bank).await?;
    let mut want = Counts::new();
    let gateways = names(bank.cluster, GATEWAY).await?;
    let [gateway] = &gateways[..] else { anyhow::bail!("expected one gateway, got {gateways:?}") };
    for number in 0..CHAINS {
        let user = format!("user-{number}");
        let mut headers = vec![("x-user-id", user.as_str())];
        headers.extend(TENANTS[number % TENANTS.len()].map(|tenant| ("tenant", tenant)));
        let visit = bank.journey("path=api,orders,ledger", &headers).await?;
        *want.entry((gateway.clone(), "gateway".to_owned())).or_default() += 1;
        let all = visit.all();
        for (place, visit) in all.iter().enumerate() {
            let mut count = |direction: &str| {
                *want.entry((visit.pod.clone(), direction.to_owned())).or_default() += 1;
            };
            count("inbound");
            if place + 1 < all.len() {
                count("outbound");
            }
        }
    }
    let mut got = settled(bank).await?;
    for (key, count) in &mut got {
        *count -= before.get(key).copied().unwrap_or_default();
    }
    got.retain(|_, count| *count > 0);
    ensure!(got == want, "expected these counts: {want:#?}\ngot: {got:#?}");
    println!(
        "   {CHAINS} chains of calls: {} decisions, one for each way in and out",
        want.values().sum::<u64>()
    );
    Ok(())
}
