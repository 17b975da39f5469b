//! How a mesh comes up.

use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde_json::Value as Json;

use super::super::cluster::ROOT;
use super::super::control_plane::ControlPlane;
use super::super::declare::{Kind, Pod, Service};
use super::super::network::pod_address;
use super::super::objects;
use super::super::wait::{Look, until};
use super::{Mesh, PodHandle};

const LIMIT: Duration = Duration::from_secs(30);

impl Mesh<'_> {
    pub(super) async fn create(&mut self, pods: Vec<(String, Pod)>) -> Result<()> {
        let namespaces = self.services.iter().map(|(namespace, _)| namespace);
        let namespaces: Vec<String> =
            namespaces.chain(pods.iter().map(|(namespace, _)| namespace)).cloned().collect();
        // The root namespace is there, with labels that must stay.
        for namespace in namespaces.into_iter().filter(|namespace| namespace != ROOT) {
            self.plane.kept(&namespace);
            self.plane.kube.apply(&objects::namespace(&namespace)).await?;
        }
        for (namespace, service) in &self.services {
            self.plane.kube.apply(&objects::service(namespace, service)).await?;
        }
        self.add_pods(pods).await
    }

    /// Adds pods: first what Kubernetes says about them, then their processes.
    pub(super) async fn add_pods(&mut self, pods: Vec<(String, Pod)>) -> Result<()> {
        let names: Vec<String> = pods.iter().map(|(_, pod)| pod.name.clone()).collect();
        for (namespace, pod) in pods {
            let name = pod.name.clone();
            let address = self.plane.next_address().map(pod_address)?;
            let mut handle = PodHandle { namespace, address, pod, app: None, proxy: None };
            let ports: Vec<u16> =
                self.ports_of(&handle.namespace, &handle.pod).iter().map(|port| port.target).collect();
            handle.start_app(&ports).await?;
            ensure!(self.pods.insert(name.clone(), handle).is_none(), "there are two pods `{name}`");
        }
        self.ensure_gateway_ports_are_free()?;
        try_join_all(names.iter().map(|name| self.describe(name))).await?;
        self.publish_endpoints().await?;
        // Side by side: each takes most of a second, waiting. They are started by this thread, which lasts.
        let plane = self.plane;
        let new = self.pods.values_mut().filter(|pod| names.contains(&pod.pod.name));
        try_join_all(new.map(|pod| pod.start_proxy(plane))).await?;
        plane.push().await
    }

    /// Creates a pod and its Sidecar resource in Kubernetes.
    async fn describe(&self, name: &str) -> Result<()> {
        let PodHandle { namespace, address, pod, app, .. } = self.pod(name);
        let kube = &self.plane.kube;
        let object = objects::pod(namespace, pod);
        kube.apply(&object).await?;
        kube.set_status(&object, &objects::pod_status(*address, pod.ready)).await?;
        if matches!(pod.kind, Kind::Sidecar | Kind::Agent) {
            let inbound = self.ports_of(namespace, pod);
            let outbound: Vec<u16> = self.outbound.iter().copied().collect();
            let app = app.as_ref().map_or(0, |app| app.port);
            kube.apply(&objects::sidecar(namespace, pod, *address, &outbound, &inbound, app)).await?;
        }
        Ok(())
    }

    /// Writes down which pods serve which service, and waits until istiod knows.
    pub(super) async fn publish_endpoints(&self) -> Result<()> {
        for (namespace, service) in &self.services {
            let pods: Vec<_> = self
                .pods_of(namespace, service)
                .map(|pod| (pod.name(), pod.address, pod.pod.ready))
                .collect();
            self.plane.kube.apply(&objects::endpoint_slice(namespace, service, &pods)).await?;
        }
        self.known_by(self.plane).await
    }

    fn pods_of(&self, namespace: &str, service: &Service) -> impl Iterator<Item = &PodHandle> {
        self.pods.values().filter(move |pod| pod.namespace == namespace && service.selects(&pod.pod))
    }

    /// Waits until a control plane knows which pods of this mesh are ready: its own, or one that reads its cluster.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn known_by(&self, plane: &ControlPlane) -> Result<()> {
        let cluster = self.plane.cluster.id;
        until(&format!("{}'s istiod knows the endpoints of {cluster}", plane.cluster.id), LIMIT, async || {
            let known: Json = serde_json::from_str(&plane.debug("/debug/endpointShardz").await?)?;
            let missing = self.services.iter().find_map(|(namespace, service)| {
                let ready = self.pods_of(namespace, service).filter(|pod| pod.pod.ready);
                let mut wanted: Vec<String> = ready.map(|pod| pod.address.to_string()).collect();
                wanted.sort();
                let host = format!("{}.{namespace}.svc.cluster.local", service.name);
                let known = ready_addresses(&known[&host][namespace], cluster);
                (known != wanted).then(|| format!("of {host} it knows {known:?}, not {wanted:?}"))
            });
            Ok(Look::whether(missing.is_none(), || missing.unwrap_or_default()))
        })
        .await
    }

    /// A gateway listens on all addresses, whatever its own is: the port must be unused.
    fn ensure_gateway_ports_are_free(&self) -> Result<()> {
        let ports = |pod: &PodHandle| -> Vec<u16> {
            self.ports_of(&pod.namespace, &pod.pod).iter().map(|port| port.target).collect()
        };
        for gateway in self.pods.values().filter(|pod| pod.pod.kind.is_gateway()) {
            let others = self.pods.values().filter(|pod| pod.name() != gateway.name()).flat_map(ports);
            let others: Vec<u16> = others.chain(self.outbound.iter().copied()).collect();
            let taken = ports(gateway).into_iter().find(|port| others.contains(port));
            ensure!(
                taken.is_none(),
                "gateway `{}` listens on port {} of all addresses, which others use too: give its service another target port",
                gateway.name(),
                taken.unwrap_or_default()
            );
        }
        Ok(())
    }
}

/// The addresses of a service in a cluster that istiod takes for ready, in order.
fn ready_addresses(shards: &Json, cluster: &str) -> Vec<String> {
    let shards = shards["Shards"].as_object().into_iter().flatten();
    // Named by the registry and the cluster. Those of ServiceEntries, which have no cluster of their own, are not compared.
    let shards = shards.filter(|(name, _)| **name == format!("Kubernetes/{cluster}"));
    let endpoints = shards.filter_map(|(_, shard)| shard.as_array()).flatten();
    // 1 is healthy; those that are not ready may be in it or not, which depends on Istio's settings.
    let ready = endpoints.filter(|endpoint| endpoint["HealthStatus"] == 1);
    let addresses = ready.filter_map(|endpoint| endpoint["Addresses"][0].as_str());
    let mut addresses: Vec<String> = addresses.map(str::to_owned).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}
