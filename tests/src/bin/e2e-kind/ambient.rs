//! The bank in ambient mode: its pods without sidecars, behind a waypoint; and what that counts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::json;

use crate::bank::Bank;
use crate::counts::{Series, label, series};
use crate::native::Pods;
use crate::scenarios::restart::restart;

const LIMIT: Duration = Duration::from_secs(120);
const GATEWAY: &str = "deployment/istio-ingressgateway";
const ISTIOD: &str = "deployment/istiod";
/// The waypoint's pods.
pub const SELECTOR: &str = "gateway.networking.k8s.io/gateway-name=waypoint";
const WAYPOINT: Pods<'static> = Pods { namespace: "bank", selector: SELECTOR, deployment: "waypoint" };
const MANIFEST: &str = include_str!("../../../kind/files/waypoint.yaml");
const SERVICES: [&str; 3] = ["api", "orders", "ledger"];

/// The bank's pods without sidecars, behind a waypoint.
pub async fn enter(bank: &Bank<'_>, file: &str, definitions: &Path, sidecars: &str) -> Result<()> {
    let cluster = bank.cluster;
    let folder = definitions.display().to_string();
    cluster.kubectl(&["apply", "--server-side", "-f", &folder]).await?;
    environment(bank, "=true").await?;
    cluster.delete(sidecars).await?;
    cluster.apply(&rendered(bank, file).await?).await?;
    labelled(
        bank,
        ["istio-injection-", "istio.io/use-waypoint=waypoint"],
        "istio.io/ingress-use-waypoint=true",
    )
    .await?;
    restart(bank, "").await?;
    cluster.apply(MANIFEST).await?;
    let programmed = ["wait", "--for=condition=Programmed", "gateway/waypoint", "--timeout=120s"];
    cluster.kubectl(&[&["-n", "bank"][..], &programmed].concat()).await?;
    cluster.rolled_out("bank").await?;
    until("the waypoint decides", LIMIT, async || {
        let answer = bank.ask("/hostname", &[]).await?;
        let counted = counts(bank).await?;
        let decided = answer.status == 200 && !counted.is_empty();
        Ok(Look::whether(decided, || format!("{answer:?}, counted: {counted:?}")))
    })
    .await
}

/// The bank with sidecars again.
pub async fn leave(bank: &Bank<'_>, file: &str, definitions: &Path) -> Result<()> {
    let cluster = bank.cluster;
    cluster.delete(&rendered(bank, file).await?).await?;
    cluster.delete(MANIFEST).await?;
    until("the waypoint is gone", LIMIT, async || {
        let left = cluster.get(&format!("deployments,pods -n bank -l {SELECTOR}")).await?;
        Ok(Look::whether(left.is_empty(), || format!("{} objects", left.len())))
    })
    .await?;
    labelled(bank, ["istio-injection=enabled", "istio.io/use-waypoint-"], "istio.io/ingress-use-waypoint-")
        .await?;
    // Before istiod starts anew, or it would go on asking for what is gone.
    let folder = definitions.display().to_string();
    cluster.kubectl(&["delete", "--ignore-not-found", "-f", &folder]).await?;
    environment(bank, "-").await?;
    cluster.apply(&bank.render(&bank.document, &bank.image, &[]).await?).await?;
    sidecars(bank, false).await?;
    restart(bank, "").await?;
    bank.runs(&bank.document).await
}

/// What is rendered of a file for waypoints.
pub async fn rendered(bank: &Bank<'_>, file: &str) -> Result<String> {
    bank.render(file, &bank.image, &["--data-plane", "ambient"]).await
}

/// Labels of the namespace, and of each service.
async fn labelled(bank: &Bank<'_>, namespace: [&str; 2], service: &str) -> Result<()> {
    let label = ["label", "--overwrite"];
    bank.cluster.kubectl(&[&label[..], &["namespace", "bank"], &namespace].concat()).await?;
    let services = [&["-n", "bank", "service"][..], &SERVICES, &[service]].concat();
    bank.cluster.kubectl(&[&label[..], &services].concat()).await.map(drop)
}

/// istiod knows waypoints, and the gateway HBONE (`=true`), or neither (`-`).
async fn environment(bank: &Bank<'_>, is: &str) -> Result<()> {
    for (deployment, variable) in [(ISTIOD, "PILOT_ENABLE_AMBIENT"), (GATEWAY, "ISTIO_META_ENABLE_HBONE")] {
        let set = ["-n", "istio-system", "set", "env", deployment, &format!("{variable}{is}")];
        bank.cluster.kubectl(&set).await?;
    }
    bank.cluster.replaced("istio-system").await
}

/// Sidecars for the pods of api, or none.
pub async fn sidecars(bank: &Bank<'_>, injected: bool) -> Result<()> {
    for deployment in ["api-v1", "api-v2"] {
        let label = json!({"sidecar.istio.io/inject": injected.then_some("true")});
        let patch = json!({"spec": {"template": {"metadata": {"labels": label}}}}).to_string();
        bank.cluster.kubectl(&["-n", "bank", "patch", "deployment", deployment, "--patch", &patch]).await?;
    }
    bank.cluster.replaced("bank").await
}

/// What the waypoint counted, by service and tenant.
pub async fn counts(bank: &Bank<'_>) -> Result<BTreeMap<(String, String), u64>> {
    let mut counts = BTreeMap::new();
    for Series { line, value, .. } in series(bank, WAYPOINT).await? {
        ensure!(
            label(&line, "direction") == Some("waypoint"),
            "a waypoint has the role waypoint alone: {line}"
        );
        let names = label(&line, "service").zip(label(&line, "tenant"));
        let (service, tenant) = names.with_context(|| line.clone())?;
        *counts.entry((service.to_owned(), tenant.to_owned())).or_default() += value;
    }
    Ok(counts)
}
