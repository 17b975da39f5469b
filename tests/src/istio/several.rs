//! Several clusters of one mesh: each reads the other's services, and is reached by its own gateway between networks.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join;
use serde_json::{Value as Json, json};

use super::cluster::{NETWORK_LABEL, ROOT};
use super::control_plane::{ControlPlane, LIMIT};
use super::objects::KEPT_LABEL;
use super::wait::{Look, until};

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
