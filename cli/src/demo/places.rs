//! Where the pods are: a port for each, and the clusters that lead to them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use graylane_mesh::envoy::{cluster_name, clusters as led_to};
use tokio::net::TcpSocket;

use crate::mesh::{Mesh, Service};

/// A port that is kept for an Envoy: bound, but not listened on, so that Envoy can bind it too (its listeners set
/// SO_REUSEPORT) and no other process gets it in between.
pub struct Reserved {
    /// Where it is.
    pub address: SocketAddr,
    _socket: TcpSocket,
}

impl Reserved {
    fn new() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        Ok(Self { address: socket.local_addr()?, _socket: socket })
    }
}

/// Addresses of clusters, by name.
pub type Clusters = BTreeMap<String, Vec<SocketAddr>>;

/// A port for each pod: subset by subset, in the clusters that lead to it. All pods are healthy, so a cluster with fallback has those
/// of its subset.
pub fn reserve<'m>(
    mesh: &'m Mesh,
    clusters: &mut Clusters,
) -> Result<Vec<(&'m Service, &'m String, Reserved)>> {
    let mut places = Vec::new();
    for service in &mesh.services {
        for subset in service.subsets.keys() {
            let port = Reserved::new()?;
            clusters.entry(cluster(service, subset)).or_default().push(port.address);
            clusters.entry(cluster(service, "")).or_default().push(port.address);
            places.push((service, subset, port));
        }
    }
    for one in led_to(mesh) {
        let here = places.iter().filter(|(service, subset, _)| {
            Some(&service.name) == one.service.as_ref()
                && one.subset.as_ref().is_none_or(|name| name == *subset)
        });
        clusters.entry(one.name).or_insert_with(|| here.map(|(_, _, port)| port.address).collect());
    }
    Ok(places)
}

/// The cluster of a service's subset; no subset: all pods.
pub fn cluster(service: &Service, subset: &str) -> String {
    cluster_name(&service.host, subset, service.port.unwrap_or(80))
}
