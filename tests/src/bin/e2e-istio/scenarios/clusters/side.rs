//! One of the two clusters: its control plane and its pods.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use futures_util::future::{try_join, try_join_all};
use graylane::lower;
use graylane_tests::istio::{Call, ControlPlane, Mesh, Pod, Service};
use serde_json::{Value as Json, json};

use crate::compare::user;
use crate::example::{Example, INGRESS};

/// The pod, the service and the app label of the gateway between the clusters.
pub const EAST_WEST: &str = "eastwest";
/// The public host of `api`.
pub const HOST: &str = "shop.example.com";
/// Where gateways are.
const ROOT: &str = "istio-system";

/// A cluster of the scenario.
pub struct Side<'p> {
    /// Its control plane.
    pub plane: &'p ControlPlane,
    /// Its pods: the gateways, and those of the services.
    pub mesh: Mesh<'p>,
    /// Its name.
    pub name: &'static str,
    /// Ports of its gateways, which listen on all addresses: for users, and for the other cluster.
    ports: [u16; 2],
}

impl<'p> Side<'p> {
    /// Starts its pods. `stock` has its only one in the west.
    pub async fn create(plane: &'p ControlPlane, ports: [u16; 2]) -> Result<Self> {
        let name = plane.cluster.id;
        let [users, others] = ports;
        let plan = plane
            .mesh("shop")
            .service(Service::new("api").port(8080, 9080).selector(&[("app", "api")]))
            .service(Service::new("stock").port(8080, 9080).selector(&[("app", "stock")]))
            .pod(versioned(name, "api", "v1"))
            .pod(versioned(name, "api", "v2"))
            .namespace(ROOT)
            .service(Service::new("ingressgateway").port(80, users).selector(&[("istio", "ingressgateway")]))
            .service(Service::new(EAST_WEST).tls_port(others).selector(&[("istio", EAST_WEST)]))
            .pod(Pod::agent_gateway(INGRESS).labels(&[("istio", "ingressgateway"), locality(name)]))
            .pod(
                Pod::agent_gateway(EAST_WEST)
                    .labels(&[("istio", EAST_WEST), locality(name)])
                    // As Istio's chart has it: without it, it would pass requests on to the cluster that they come from.
                    .environment([("ISTIO_META_REQUESTED_NETWORK_VIEW".to_owned(), name.to_owned())]),
            );
        let plan =
            if name == "west" { plan.namespace("shop").pod(versioned(name, "stock", "v1")) } else { plan };
        let mesh = plan.create().await?;
        Ok(Self { plane, mesh, name, ports })
    }

    /// Opens its network to the other cluster, and applies its gateways.
    pub async fn open(&self, other: &Self) -> Result<()> {
        let [_, port] = self.ports;
        let address = (self.mesh.pod(EAST_WEST).address, port);
        self.plane.open_network(ROOT, EAST_WEST, address, other.plane).await?;
        let users = json!({"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [HOST]});
        let others = json!({
            "port": {"number": port, "name": "tls", "protocol": "TLS"},
            "tls": {"mode": "AUTO_PASSTHROUGH"}, "hosts": ["*.local"],
        });
        let gateways = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "istio-ingress"}}),
            gateway("istio-ingress", "public", "ingressgateway", &users),
            gateway(ROOT, "cross-network", EAST_WEST, &others),
        ];
        let yaml: String = gateways.iter().map(|object| format!("---\n{object}\n")).collect();
        self.plane.apply(&yaml).await
    }

    /// Applies what is rendered of a file, and waits until every proxy runs with it.
    pub async fn apply(&self, example: &Example) -> Result<()> {
        self.plane.apply(&example.render_with_filter(&[]).await?).await?;
        let revision = lower::revision(&example.meaning);
        let pods = self.mesh.pods().filter(|pod| pod.name() != EAST_WEST);
        try_join_all(pods.filter_map(|pod| Some((pod.name(), pod.proxy()?))).map(async |(name, proxy)| {
            let role = if name == INGRESS { "gateway" } else { "outbound" };
            proxy.wait_for_plugin(role, &revision).await
        }))
        .await
        .map(drop)
    }

    /// A pod of `api`, by its version.
    pub fn api(&self, version: &str) -> String {
        format!("api-{version}-{}", self.name)
    }

    /// Starts a pod of `api` again, as a new one of the same name.
    pub async fn add_api(&mut self, version: &str) -> Result<()> {
        self.mesh.add("shop", versioned(self.name, "api", version)).await
    }

    /// A request to `api` by the gateway for users.
    pub fn request(&self, number: usize) -> Call {
        let call = self.mesh.pod(INGRESS).receive(self.ports[0], HOST);
        user(number).iter().fold(call, |call, (name, value)| call.header(name, value))
    }

    /// The same of a tester, who is gray.
    pub fn gray(&self, number: usize) -> Call {
        self.request(number).header("x-tester", "yes")
    }

    /// How many connections its gateway for the other cluster has passed on, by the name that they asked for.
    pub async fn passed(&self) -> Result<BTreeMap<String, u64>> {
        let all = self.mesh.proxy(EAST_WEST).get_json("/clusters?format=json").await?;
        let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
        let count = |host: &Json| {
            let stats = list(&host["stats"]);
            let total = stats.iter().find(|stat| stat["name"] == "cx_total");
            // Numbers of 64 bits are strings in Envoy's JSON.
            total.and_then(|stat| stat["value"].as_str()?.parse::<u64>().ok()).unwrap_or(0)
        };
        let counts = list(&all["cluster_statuses"]).into_iter().filter_map(|cluster| {
            let name = cluster["name"].as_str().filter(|name| name.starts_with("outbound_."))?;
            Some((name.to_owned(), list(&cluster["host_statuses"]).iter().map(count).sum()))
        });
        Ok(counts.filter(|(_, count)| *count > 0).collect())
    }
}

/// Waits until both know the pods of both, and all proxies do.
pub async fn agree(east: &Side<'_>, west: &Side<'_>) -> Result<()> {
    let known = try_join(east.mesh.known_by(west.plane), west.mesh.known_by(east.plane));
    known.await.context("the clusters read each other's pods")?;
    try_join(east.plane.push(), west.plane.push()).await.map(drop)
}

fn gateway(namespace: &str, name: &str, istio: &str, server: &Json) -> Json {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"istio": istio}, "servers": [server]},
    })
}

/// The label that says where a pod is, in the place of its node's.
fn locality(cluster: &'static str) -> (&'static str, &'static str) {
    ("istio-locality", if cluster == "east" { "east.a.1" } else { "west.a.1" })
}

/// A pod whose sidecar speaks mutual TLS, as the injector's label says.
fn versioned(cluster: &'static str, app: &str, version: &str) -> Pod {
    Pod::agent(&format!("{app}-{version}-{cluster}")).labels(&[
        ("app", app),
        ("version", version),
        ("security.istio.io/tlsMode", "istio"),
        locality(cluster),
    ])
}
