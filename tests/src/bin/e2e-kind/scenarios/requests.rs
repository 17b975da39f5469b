//! Requests of every tenant, hop by hop; and that they pass what only a cluster has: injected sidecars, captured
//! connections, probes of the kubelet, an image that the agent fetched.

use anyhow::{Context, Result, ensure};

use crate::ask::deployment;
use crate::bank::Bank;
use crate::core::Core;

/// Users of each tenant.
const USERS: usize = 25;
const TENANTS: [Option<&str>; 4] = [None, Some("green"), Some("gray-v1"), Some("unheard-of")];
const SERVICES: [&str; 3] = ["api", "orders", "ledger"];
/// The table that people read.
const TABLE: &str = include_str!("../../../../kind/requests.tsv");

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    is_a_cluster(bank).await?;
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[tenant, user, want] = fields.as_slice() else { anyhow::bail!("`{line}` has not three fields") };
        let mut headers = vec![("x-user-id", user)];
        headers.extend((tenant != "-").then_some(("tenant", tenant)));
        let answer = bank.ask("/hostname", &headers).await?;
        ensure!(deployment(&answer.body) == want, "`{line}`: {answer:?}");
    }
    let mut core = Core::new(&bank.document)?;
    let query = format!("path={}", SERVICES.join(","));
    for tenant in TENANTS {
        for number in 0..USERS {
            let user = format!("user-{number}");
            let mut headers = vec![("x-user-id", user.as_str())];
            headers.extend(tenant.map(|tenant| ("tenant", tenant)));
            let visit = bank.journey(&query, &headers).await?;
            core.compare(&SERVICES, &headers, &visit.all())?;
        }
    }
    Ok(())
}

/// What `e2e-istio` has to play.
async fn is_a_cluster(bank: &Bank<'_>) -> Result<()> {
    let pods = bank.cluster.get("pods -n bank").await?;
    ensure!(!pods.is_empty(), "the bank has no pods");
    for pod in &pods {
        let names = |field: &str| -> Vec<String> {
            let containers = pod["spec"][field].as_array().into_iter().flatten();
            containers.filter_map(|one| one["name"].as_str()).map(str::to_owned).collect()
        };
        let all = [names("containers"), names("initContainers")].concat();
        ensure!(all.iter().any(|name| name == "istio-proxy"), "no sidecar was injected: {all:?}");
        ensure!(all.iter().any(|name| name == "istio-init"), "nothing captures connections: {all:?}");
        let text = pod["spec"].to_string();
        ensure!(text.contains("/app-health/app/readyz"), "the kubelet's probe does not go through the agent");
    }
    let pod = pods[0]["metadata"]["name"].as_str().context("a pod without a name")?;
    let log = bank.cluster.kubectl(&["-n", "bank", "logs", pod, "-c", "istio-proxy"]).await?;
    let (_, digest) = bank.image.split_once('@').context("an image without a digest")?;
    ensure!(
        log.lines().any(|line| line.contains("fetching image") && line.contains(digest)),
        "{pod}: the agent fetched no image {digest}"
    );
    let slices = bank.cluster.get("endpointslices -n bank -l kubernetes.io/service-name=api").await?;
    let ready = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    let ready = ready.filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
    ensure!(ready == 2, "api has {ready} endpoints that are ready, expected 2");
    Ok(())
}
