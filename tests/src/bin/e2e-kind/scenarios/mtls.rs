//! mTLS in its strict form: nothing changes for the bank, and a caller without a certificate gets no answer.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{Look, until};

use crate::ask::Next;
use crate::bank::Bank;

const LIMIT: Duration = Duration::from_secs(60);
const STRICT: &str = "apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: bank}
spec: {mtls: {mode: STRICT}}
";
/// An application without a sidecar, and its service.
const STRANGER: &str = "apiVersion: v1
kind: Pod
metadata: {name: stranger-v1-0, namespace: default, labels: {app: stranger}}
spec:
  containers:
    - {name: app, image: IMAGE, args: [serve], readinessProbe: {httpGet: {path: /healthz, port: 9080}, periodSeconds: 1}}
  terminationGracePeriodSeconds: 0
";

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let stranger = STRANGER.replace("IMAGE", &bank.cluster.noted("app-image")?);
    bank.cluster.apply(&stranger).await?;
    bank.cluster.kubectl(&["wait", "--for=condition=Ready", "pod/stranger-v1-0", "--timeout=60s"]).await?;
    let result = strict(bank).await;
    bank.cluster.delete(&stranger).await?;
    bank.cluster.delete(STRICT).await?;
    result
}

async fn strict(bank: &Bank<'_>) -> Result<()> {
    let plain = call(bank).await?;
    ensure!(plain.contains("\"status\":200"), "without the policy a stranger may call: {plain}");
    bank.cluster.apply(STRICT).await?;
    until("a stranger gets no answer", LIMIT, async || {
        let said = call(bank).await?;
        Ok(Look::whether(!said.contains("\"status\":200"), || said))
    })
    .await?;
    for tenant in ["green", "gray-v1"] {
        let visit = bank.journey("path=api,orders,ledger", &[("tenant", tenant)]).await?;
        ensure!(visit.all().len() == 3, "{visit:?}");
        for hop in visit.all() {
            let certificate = hop.headers.get("x-forwarded-client-cert");
            let certificate = certificate.with_context(|| format!("{} was called without mTLS", hop.pod))?;
            ensure!(certificate.contains("URI=spiffe://cluster.local/ns/"), "{certificate}");
            ensure!(!matches!(hop.next.as_deref(), Some(Next::Words(_))), "{hop:?}");
        }
    }
    Ok(())
}

/// A call to api from outside the mesh, and the answer.
async fn call(bank: &Bank<'_>) -> Result<String> {
    let path = "/api/v1/namespaces/default/pods/stranger-v1-0:9080/proxy/?path=stranger,api.bank";
    // The stranger answers 502 where its call fails, which kubectl takes for an error: its words are all that counts.
    Ok(match bank.cluster.kubectl(&["get", "--raw", path]).await {
        Ok(said) => said,
        Err(error) => format!("{error:#}"),
    })
}
