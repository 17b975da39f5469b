//! The native module in the place of the filter: in pods that have its label and a proxy that it was tried in, and in no
//! others; over and back under load, and never both or neither in one chain; the kill switch takes both out. One of the pods runs under Istio's agent, with the
//! bootstrap that Istio makes: which metrics Prometheus gets of it is Istio's doing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane::lower;
use graylane_mesh::resources::NATIVE_LABEL;
use graylane_tests::host::native_path;
use graylane_tests::istio::{ControlPlane, Look, Mesh, Pod, Proxy, VERSION_LABEL, chains, until};
use tokio::time::sleep;

use super::examples::has_filter;
use crate::compare::ensure_who;
use crate::example::{CALLER, CALLER_HOST, CALLER_PORT, Example};

/// A pod with the label and a proxy that the module was tried in; one with the label and a newer proxy.
const PODS: [(&str, &str); 2] = [("caller-native", "1.31.0"), ("caller-newer", "1.32.0")];
/// How often the mesh goes over and back.
const TURNS: usize = 2;
/// How long a proxy may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Between two requests of the load.
const PACE: Duration = Duration::from_millis(10);

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("bank")?;
    let mut mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    for (name, version) in PODS {
        let labels = [("app", CALLER), (NATIVE_LABEL, "true"), (VERSION_LABEL, version)];
        let pod = if name == PODS[0].0 { Pod::agent(name) } else { Pod::sidecar(name) };
        mesh.add(example.namespace(), pod.labels(&labels)).await?;
    }
    let file = format!("--native={}", native_path().display());
    let both = example.render_with_filter(&[&file]).await?;
    let filters = example.render_with_filter(&[&file, "--only", "EnvoyFilter"]).await?;
    // The EnvoyFilters first: which object istiod learns of first makes no difference.
    plane.apply(&filters).await?;
    plane.apply(&both).await?;
    has_filter(&example, &mesh).await?;
    let (native, newer) = (mesh.proxy(PODS[0].0), mesh.proxy(PODS[1].0));
    runs(native, true).await?;
    runs(newer, false).await?;
    runs(mesh.proxy(CALLER), false).await?;
    let revision = u64::from_str_radix(&lower::revision(&example.meaning), 16)?;
    let shown = native.stats(r"^istiocustom\.graylane_config_revision").await?;
    ensure!(shown.len() == 2 && shown.values().all(|shown| *shown == revision), "{revision}: {shown:?}");
    restored(&mesh).await?;
    memories_are_not_shared(plane, &mesh, &filters).await?;

    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async {
        while !stop.load(Ordering::Relaxed) {
            let answer = mesh.pod(PODS[0].0).call("api:8080").header("tenant", "gray-v1").send().await?;
            ensure_who(&answer, "api-v2", "while the mesh goes over and back")?;
            sent.fetch_add(1, Ordering::Relaxed);
            sleep(PACE).await;
        }
        anyhow::Ok(())
    };
    let turns = async {
        for _ in 0..TURNS {
            plane.delete(&filters).await?;
            runs(native, false).await?;
            plane.apply(&filters).await?;
            runs(native, true).await?;
        }
        stop.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    tokio::try_join!(load, turns)?;
    ensure!(sent.load(Ordering::Relaxed) > 100, "{sent:?} requests are no load");
    ensure!(native.rejections().await? == 0, "{}", native.log_end());
    restored(&mesh).await?;

    // The kill switch: where there is no plugin there is nothing that the EnvoyFilters could replace.
    plane.apply(&example.off().await?).await?;
    runs_neither(native).await?;
    plane.apply(&both).await?;
    runs(native, true).await
}

/// Waits until no chain of HTTP filters has one of ours.
async fn runs_neither(proxy: &Proxy) -> Result<()> {
    until(&format!("{} runs neither", proxy.pod()), LIMIT, async || {
        let chains = chains(&proxy.get_json("/config_dump?include_eds=false").await?, "bank");
        let none = !chains.is_empty() && chains.iter().all(Vec::is_empty);
        Ok(Look::whether(none, || format!("{chains:?}\n{}", proxy.log_end())))
    })
    .await?;
    proxy.settle().await
}

/// What came in before a running pod went back and goes out after it: restored from baggage, and not from memory.
async fn memories_are_not_shared(plane: &ControlPlane, mesh: &Mesh<'_>, filters: &str) -> Result<()> {
    let (pod, native) = (mesh.pod(PODS[0].0), mesh.proxy(PODS[0].0));
    let id = "0b7e4f1a-5c1d-4b9e-8a53-6d0f2c9be001";
    let comes_in = async || {
        let request = pod.receive(CALLER_PORT, CALLER_HOST).header("tenant", "gray-v1");
        let answer = request.header("x-request-id", id).send().await?;
        ensure_who(&answer, PODS[0].0, "a request comes in")
    };
    let goes_out = async || pod.call("api:8080").header("x-request-id", id).send().await;
    comes_in().await?;
    ensure_who(&goes_out().await?, "api-v2", "the module remembers")?;
    plane.delete(filters).await?;
    runs(native, false).await?;
    let lost = goes_out().await?;
    ensure!(lost.seen("tenant") == Some("green"), "the filter has a memory of its own: {lost:?}");
    let carried = pod.call("api:8080").header("x-request-id", id).header("baggage", "tenant=gray-v1");
    ensure_who(&carried.send().await?, "api-v2", "baggage")?;
    comes_in().await?;
    ensure_who(&goes_out().await?, "api-v2", "the filter remembers")?;
    plane.apply(filters).await?;
    runs(native, true).await
}

/// Waits until each chain of HTTP filters that has one of ours has exactly one, and it is this one.
async fn runs(proxy: &Proxy, native: bool) -> Result<()> {
    let what = format!("{} runs the {} alone", proxy.pod(), if native { "native module" } else { "filter" });
    until(&what, LIMIT, async || {
        let chains = chains(&proxy.get_json("/config_dump?include_eds=false").await?, "bank");
        let ours = |chain: &Vec<bool>| !chain.is_empty();
        let all_right = chains.iter().filter(|chain| ours(chain)).all(|chain| *chain == [native]);
        let enough = chains.iter().filter(|chain| ours(chain)).count() >= 2;
        Ok(Look::whether(all_right && enough, || format!("{chains:?}\n{}", proxy.log_end())))
    })
    .await?;
    proxy.settle().await
}

/// What an application loses is restored, in the native pod as in others, and counted as such.
async fn restored(mesh: &Mesh<'_>) -> Result<()> {
    let pod = mesh.pod(PODS[0].0);
    let native = mesh.proxy(PODS[0].0);
    for number in 0..10 {
        let id = format!("c7a9f8c0-1b1e-4d3c-9f7b-{number:012x}");
        let request = pod.receive(CALLER_PORT, CALLER_HOST).then("api:8080", &["x-request-id"]);
        let answer = request.header("tenant", "gray-v1").header("x-request-id", &id).send().await?;
        ensure_who(&answer, "api-v2", "the lost header is restored")?;
        ensure!(answer.seen("tenant") == Some("gray-v1"), "{answer:?}");
    }
    // By the name that the filter's has, although Istio's bootstrap keeps few statistics and Envoy puts a prefix before most.
    until("what was restored is counted", LIMIT, async || {
        let metrics = native.metrics().await?;
        let restored = metrics.lines().filter(|line| {
            line.starts_with("graylane_requests_total{") && line.contains("source=\"memory\"")
        });
        let counted: u64 = restored.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        let ours = || metrics.lines().filter(|line| line.contains("graylane")).collect::<Vec<_>>().join("\n");
        Ok(Look::whether(counted >= 10, ours))
    })
    .await
    .context("told once a second")
}
