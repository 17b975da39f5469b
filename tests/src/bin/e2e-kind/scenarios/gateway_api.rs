//! A Gateway of the Gateway API, whose pods istiod deploys: `examples/edge` behind it, with HTTPRoutes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane_tests::istio::{Look, until};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::edge::{ACME, SHOP, around, everybody, gateway_as_it_was, stream, tokens};
use crate::bank::Bank;
use crate::controllers::program;
use crate::native::{Pods, runs};

const LIMIT: Duration = Duration::from_secs(120);
const NAMESPACE: &str = "istio-ingress";
/// The pods that istiod deploys for the Gateway `public`.
const PODS: Pods<'static> = Pods {
    namespace: NAMESPACE,
    selector: "gateway.networking.k8s.io/gateway-name=public",
    deployment: "public-istio",
};

/// Runs it: the shop in the place of the bank.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let cluster = bank.cluster;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/edge/graylane.yaml");
    let document = std::fs::read_to_string(path)?;
    let (from, to) = ("gateway: {selector: {istio: ingressgateway}, name", "gateway: {name");
    ensure!(document.contains(from), "the gateway of examples/edge is written otherwise: {document}");
    let document = document
        .replace(from, to)
        .replace("namespace: shop}", "namespace: shop, routes: gateway-api}")
        .replace("    port: 8080\n", "    port: 8080\n    kubernetes: {targetPort: 9080}\n");
    let definitions = program("istioctl").await?.with_file_name("standard").display().to_string();
    let bank_objects = bank.render(&bank.document, &bank.image, &[]).await?;
    cluster.delete(&bank_objects).await?;
    let around = around(&cluster.noted("app-image")?);
    let mut left = vec![around.clone()];
    let result: Result<()> = async {
        cluster.kubectl(&["apply", "--server-side", "-f", &definitions]).await?;
        cluster.kubectl(&["wait", "--for=condition=Established", "--all", "crd", "--timeout=60s"]).await?;
        cluster.apply(&around).await?;
        let gateway = stream(&gateway());
        left.push(gateway.clone());
        cluster.apply(&gateway).await?;
        let shop = bank.render(&document, &bank.image, &[]).await?;
        left.push(shop.clone());
        cluster.apply(&shop).await?;
        deployed(bank).await?;
        cluster.rolled_out("shop").await?;
        bank.runs(&document).await?;
        runs(bank, PODS, "shop", false).await?;
        let (forwarded, _kubectl) = forward().await?;
        everybody(&forwarded, &document).await?;
        println!("   istiod deployed the gateway: the filter is in its pods by targetRefs, and tokens, hosts and cookies count");
        Ok(())
    }
    .await;
    let result = match result {
        Ok(()) => Ok(()),
        Err(error) => Err(error).context(gateway_log(bank).await),
    };
    for objects in left.iter().rev() {
        cluster.delete(objects).await?;
    }
    cluster.kubectl(&["delete", "--ignore-not-found", "-f", &definitions]).await?;
    // It would go on asking for what is gone.
    cluster.kubectl(&["-n", "istio-system", "rollout", "restart", "deployment/istiod"]).await?;
    cluster.replaced("istio-system").await?;
    gateway_as_it_was(bank).await?;
    result
}

/// The Gateway, with a Service that needs no load balancer, and the keys of tokens at its pods.
fn gateway() -> [Json; 2] {
    let listener = |(name, host): (&str, &str)| {
        json!({"name": name, "hostname": host, "port": 80, "protocol": "HTTP",
               "allowedRoutes": {"namespaces": {"from": "All"}}})
    };
    let listeners = [("shop", SHOP), ("acme", ACME)].map(listener);
    let target = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"});
    [
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
               "metadata": {"name": "public", "namespace": NAMESPACE,
                            "annotations": {"networking.istio.io/service-type": "ClusterIP"}},
               "spec": {"gatewayClassName": "istio", "listeners": listeners}}),
        tokens(&json!({"targetRefs": [target]}), NAMESPACE),
    ]
}

/// Waits until istiod has deployed the Gateway, and has taken the routes for it.
async fn deployed(bank: &Bank<'_>) -> Result<()> {
    let cluster = bank.cluster;
    let wait = ["-n", NAMESPACE, "wait", "--for=condition=Programmed", "gateway/public", "--timeout=120s"];
    cluster.kubectl(&wait).await?;
    cluster.rolled_out(NAMESPACE).await?;
    until("the Gateway has routes", LIMIT, async || {
        let gateways =
            cluster.get(&format!("gateway.gateway.networking.k8s.io public -n {NAMESPACE}")).await?;
        let status = &gateways.first().context("no Gateway")?["status"]["listeners"];
        let attached = |listener: &Json| listener["attachedRoutes"].as_u64().is_some_and(|count| count > 0);
        let all = status.as_array().is_some_and(|all| all.len() == 2 && all.iter().all(attached));
        Ok(Look::whether(all, || status.to_string()))
    })
    .await
}

/// A way to the Gateway's port from here, as long as the process lives.
async fn forward() -> Result<(String, Child)> {
    let mut kubectl = Command::new("kubectl")
        .args(["-n", NAMESPACE, "port-forward", "--address=127.0.0.1", "service/public-istio", ":80"])
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(kubectl.stdout.take().context("no standard output")?).lines();
    // `Forwarding from 127.0.0.1:45123 -> 80`
    let first = timeout(LIMIT, lines.next_line()).await.context("kubectl port-forward hangs")??;
    let first = first.context("kubectl port-forward ends without a word")?;
    let address = first.split(' ').nth(2).filter(|address| address.starts_with("127.0.0.1:"));
    let address = address.with_context(|| format!("kubectl port-forward says `{first}`"))?;
    // It says each connection; nobody reads on, so what it writes must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((format!("http://{address}"), kubectl))
}

/// The end of the gateway's log.
async fn gateway_log(bank: &Bank<'_>) -> String {
    let log = ["-n", NAMESPACE, "logs", "-l", PODS.selector, "--tail=12"];
    bank.cluster.kubectl(&log).await.unwrap_or_else(|error| error.to_string())
}
