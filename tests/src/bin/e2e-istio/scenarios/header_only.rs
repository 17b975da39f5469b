//! examples/header-only: routes written by hand, an application that loses the header, and a filter that brings it back
//! without a route of graylane's.

use anyhow::{Result, ensure};
use graylane_tests::istio::{ControlPlane, Mesh, Pod, Service};

use crate::compare::ensure_who;
use crate::example::{Example, INGRESS, INGRESS_PORT};

/// The routes that are there before.
const THEIRS: &str = include_str!("../../../../../examples/header-only/theirs/routes.yaml");
/// What the gateway needs to listen.
const GATEWAY: &str = "
---
apiVersion: v1
kind: Namespace
metadata: {name: istio-ingress}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public, namespace: istio-ingress}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
";
/// The port of web's pods, one for each version.
const WEB: u16 = 9080;
/// How often each request is sent.
const TIMES: usize = 10;

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("header-only")?;
    let labels = [("istio", "ingressgateway")];
    let version = |app: &'static str, version: &'static str| {
        let pod = Pod::sidecar(&format!("{app}-{version}"));
        pod.labels(&[("app", app), ("version", version)])
    };
    let of = |app: &'static str| Service::new(app).port(8080, WEB).selector(&[("app", app)]);
    let mesh = plane.mesh("shop").service(of("web")).pod(version("web", "v1")).pod(version("web", "v2"));
    let mesh = mesh
        .namespace("pay")
        .service(Service::new("ledger").port(8081, 9081).selector(&[("app", "ledger")]))
        .pod(version("ledger", "v1"))
        .pod(version("ledger", "v2"))
        .namespace("istio-system")
        .service(Service::new("istio-ingressgateway").port(80, INGRESS_PORT).selector(&labels))
        .pod(Pod::gateway(INGRESS).labels(&labels))
        .create()
        .await?;
    plane.apply(&format!("{GATEWAY}---\n{THEIRS}")).await?;
    for _ in 0..TIMES {
        let lost = chain(&mesh, "tenant: gray-v1").await?;
        ensure_who(&lost, "ledger-v1", "without the filter the lost header stays lost")?;
        ensure!(lost.pods.contains(&"web-v2".to_owned()), "web is reached by its header: {lost:?}");
    }

    let rendered = example.render_with_filter(&[]).await?;
    for kind in ["VirtualService", "DestinationRule"] {
        ensure!(!rendered.contains(&format!("kind: {kind}")), "no {kind} is graylane's");
    }
    plane.apply(&rendered).await?;
    let revision = graylane::lower::revision(&example.meaning);
    for pod in ["web-v1", "web-v2", "ledger-v1", "ledger-v2"] {
        for role in ["inbound", "outbound"] {
            mesh.proxy(pod).wait_for_plugin(role, &revision).await?;
        }
    }
    mesh.proxy(INGRESS).wait_for_plugin("gateway", &revision).await?;
    for _ in 0..TIMES {
        let restored = chain(&mesh, "x-tester: alice-7f3a9c").await?;
        ensure_who(&restored, "ledger-v2", "the lost header comes back")?;
        ensure!(restored.seen("tenant") == Some("gray-v1"), "{restored:?}");
        ensure!(restored.pods.contains(&"web-v2".to_owned()), "{restored:?}");
        for live in ["x-nobody: x", "tenant: gray-v1"] {
            let live = chain(&mesh, live).await?;
            ensure_who(&live, "ledger-v1", "who has no tenant, or says one that he may not, stays without")?;
            ensure!(live.seen("tenant").is_none(), "nothing is written where nothing was restored: {live:?}");
        }
    }
    Ok(())
}

/// A request from outside to web, whose application calls ledger and takes nothing along but the request id.
async fn chain(mesh: &Mesh<'_>, header: &str) -> Result<graylane_tests::istio::Answer> {
    let (name, value) = header.split_once(": ").unwrap_or((header, ""));
    let call = mesh.pod(INGRESS).receive(INGRESS_PORT, "shop.example.com");
    call.then("ledger.pay:8081", &["x-request-id"]).header(name, value).send().await
}
