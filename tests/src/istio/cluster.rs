//! Which of several clusters a control plane is, and where its parts are.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join;
use serde_json::{Value as Json, json};

use super::control_plane::{ControlPlane, LIMIT, ROOT};
use super::objects::{KEPT_LABEL, namespace};
use super::wait::{Look, until};

/// The label that says to which network something belongs.
const NETWORK_LABEL: &str = "topology.istio.io/network";

/// A cluster: what tells it from the others that run at the same time, on the same loopback interface.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// What istiod is told that it is called.
    pub id: &'static str,
    /// Where its control plane listens; no other may be there.
    pub host: Ipv4Addr,
    /// Pods have the addresses from this number on. Those of clusters that run at the same time must differ in their low byte,
    /// from which ports of agents are made.
    pub first_pod: u16,
    /// Whether it is one of several, each of which has a network of its own, with its id as name. Then its pods have
    /// certificates and take nothing but mutual TLS, because gateways between networks pass on nothing else.
    pub has_network: bool,
}

impl Cluster {
    /// The only one: plaintext, no network.
    pub const ONLY: Self =
        Self { id: "Kubernetes", host: Ipv4Addr::LOCALHOST, first_pod: 1, has_network: false };

    /// An address of its control plane.
    pub(super) fn at(&self, port: u16) -> SocketAddr {
        (self.host, port).into()
    }

    /// Where its proxies ask for their configuration.
    pub(super) fn discovery(&self) -> SocketAddr {
        self.at(15010)
    }

    /// istiod's own pages.
    pub(super) fn istiod(&self) -> SocketAddr {
        self.at(15081)
    }

    /// `kubectl proxy`.
    pub(super) fn kubernetes(&self) -> SocketAddr {
        self.at(8001)
    }

    /// The API server.
    pub(super) fn api_server(&self) -> SocketAddr {
        self.at(6443)
    }

    /// Istio's root namespace, which says on which network the cluster is.
    pub(super) fn root_namespace(&self) -> Json {
        let mut root = namespace(ROOT);
        if self.has_network {
            root["metadata"]["labels"] = json!({NETWORK_LABEL: self.id});
        }
        root
    }

    /// What its pods speak with each other, as a rule for all of them.
    pub(super) fn mtls(&self) -> Json {
        // Without certificates, inbound listeners would wait for them for ever.
        let mode = if self.has_network { "STRICT" } else { "DISABLE" };
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": "mtls", "namespace": ROOT, "labels": {KEPT_LABEL: "true"}},
            "spec": {"mtls": {"mode": mode}},
        })
    }

    /// How programs reach its API server.
    pub(super) fn kubeconfig(&self) -> Json {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "main",
            // The API server makes its own certificate at every start.
            "clusters": [{"name": "main", "cluster": {
                "server": format!("https://{}", self.api_server()), "insecure-skip-tls-verify": true,
            }}],
            "users": [{"name": "main", "user": {"token": "secret"}}],
            "contexts": [{"name": "main", "context": {"cluster": "main", "user": "main"}}],
        })
    }
}

impl ControlPlane {
    /// Lets two control planes read each other's services and endpoints, as `istioctl create-remote-secret` does.
    ///
    /// # Errors
    /// When they do not in time.
    pub async fn connect(&self, other: &Self) -> Result<()> {
        try_join(self.read(other), other.read(self)).await.map(drop)
    }

    async fn read(&self, other: &Self) -> Result<()> {
        let id = other.cluster.id;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {
                "name": format!("istio-remote-secret-{id}"), "namespace": ROOT,
                "labels": {"istio/multiCluster": "true", KEPT_LABEL: "true"},
                "annotations": {"networking.istio.io/cluster": id},
            },
            "stringData": {id: other.cluster.kubeconfig().to_string()},
        });
        self.kube.apply(&secret).await?;
        until(&format!("{} reads {id}", self.cluster.id), LIMIT, async || {
            let known: Json = serde_json::from_str(&self.debug("/debug/clusterz").await?)?;
            let clusters = known.as_array().map(Vec::as_slice).unwrap_or_default();
            let is_read = |one: &Json| one["id"] == id && one["syncStatus"] == "synced";
            Ok(Look::whether(clusters.iter().any(is_read), || format!("{known}\n{}", self.log_ends())))
        })
        .await
    }

    /// Makes a service the gateway by which other networks reach this one: at the address of a pod, and at this port, which
    /// is the service's and the pod's.
    ///
    /// # Errors
    /// When this istiod, or that of `other`, does not take it for one in time.
    pub async fn open_network(
        &self,
        namespace: &str,
        service: &str,
        address: (Ipv4Addr, u16),
        other: &Self,
    ) -> Result<()> {
        ensure!(self.cluster.has_network, "{} has no network", self.cluster.id);
        let patch = json!({
            "metadata": {"labels": {
                NETWORK_LABEL: self.cluster.id, "networking.istio.io/gatewayPort": address.1.to_string(),
            }},
            "spec": {"externalIPs": [address.0]},
        });
        let patch = patch.to_string();
        let arguments = ["patch", "service", service, "--namespace", namespace, "--type=merge", "--patch"];
        self.kube.kubectl(&[&arguments[..], &[&patch]].concat(), "").await?;
        for plane in [self, other] {
            let what = format!("{} knows the gateway of {}", plane.cluster.id, self.cluster.id);
            until(&what, LIMIT, async || {
                let known: Json = serde_json::from_str(&plane.debug("/debug/networkz").await?)?;
                let gateways = known.as_array().map(Vec::as_slice).unwrap_or_default();
                let is_it = |one: &Json| {
                    one["Network"] == self.cluster.id
                        && one["Addr"] == address.0.to_string()
                        && one["Port"] == address.1
                };
                Ok(Look::whether(gateways.iter().any(is_it), || known.to_string()))
            })
            .await
            .with_context(|| plane.log_ends())?;
        }
        Ok(())
    }
}
