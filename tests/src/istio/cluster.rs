//! Which of several clusters a control plane is, and where its parts are.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value as Json, json};

use super::objects::{KEPT_LABEL, namespace};

/// Istio's root namespace.
pub const ROOT: &str = "istio-system";
/// The label that says to which network something belongs.
pub(super) const NETWORK_LABEL: &str = "topology.istio.io/network";

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
