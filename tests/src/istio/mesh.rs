//! A mesh: services and pods in Kubernetes, their applications and proxies as processes.

mod change;
mod create;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};

use super::app::App;
use super::call::Call;
use super::control_plane::ControlPlane;
use super::declare::{Kind, Pod, Port, Service};
use super::network::outbound_address;
use super::proxy::Proxy;

/// A mesh that is being declared.
#[must_use]
pub struct Plan<'p> {
    plane: &'p ControlPlane,
    namespace: String,
    services: Vec<(String, Service)>,
    pods: Vec<(String, Pod)>,
    outbound: BTreeSet<u16>,
}

/// A running mesh. Dropping it ends its processes; its objects go with [`ControlPlane::reset`].
pub struct Mesh<'p> {
    plane: &'p ControlPlane,
    services: Vec<(String, Service)>,
    pods: BTreeMap<String, PodHandle>,
    outbound: BTreeSet<u16>,
}

/// A pod of a running mesh.
pub struct PodHandle {
    /// Its namespace.
    pub namespace: String,
    /// Its address.
    pub address: Ipv4Addr,
    pod: Pod,
    app: Option<App>,
    proxy: Option<Proxy>,
}

impl ControlPlane {
    /// Begins to declare a mesh; what follows is in this namespace.
    pub fn mesh(&self, namespace: &str) -> Plan<'_> {
        Plan {
            plane: self,
            namespace: namespace.to_owned(),
            services: Vec::new(),
            pods: Vec::new(),
            outbound: BTreeSet::new(),
        }
    }
}

impl<'p> Plan<'p> {
    /// What follows is in this namespace.
    pub fn namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Adds a service.
    pub fn service(mut self, service: Service) -> Self {
        self.services.push((self.namespace.clone(), service));
        self
    }

    /// Adds a pod.
    pub fn pod(mut self, pod: Pod) -> Self {
        self.pods.push((self.namespace.clone(), pod));
        self
    }

    /// Lets applications call this port too, which no service has: of a `ServiceEntry`, say.
    pub fn outbound(mut self, port: u16) -> Self {
        self.outbound.insert(port);
        self
    }

    /// Creates it all, and waits until every proxy runs with what istiod knows.
    ///
    /// # Errors
    /// When something does not come up.
    pub async fn create(self) -> Result<Mesh<'p>> {
        let ports = self.services.iter().flat_map(|(_, service)| &service.ports);
        let called = ports.filter(|port| port.is_http());
        let outbound = called.map(|port| port.number).chain(self.outbound).collect();
        let mut mesh = Mesh { plane: self.plane, services: self.services, pods: BTreeMap::new(), outbound };
        mesh.create(self.pods).await?;
        Ok(mesh)
    }
}

impl Mesh<'_> {
    /// A pod by its name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn pod(&self, name: &str) -> &PodHandle {
        let Some(pod) = self.pods.get(name) else { panic!("the mesh has no pod `{name}`") };
        pod
    }

    /// The proxy of a pod.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn proxy(&self, name: &str) -> &Proxy {
        let Some(proxy) = &self.pod(name).proxy else { panic!("pod `{name}` has no proxy") };
        proxy
    }

    /// All its pods.
    pub fn pods(&self) -> impl Iterator<Item = &PodHandle> {
        self.pods.values()
    }

    /// The ports of the services that a pod belongs to.
    fn ports_of(&self, namespace: &str, pod: &Pod) -> Vec<&Port> {
        let services = self.services.iter().filter(|(is, service)| is == namespace && service.selects(pod));
        let mut ports: Vec<&Port> = services.flat_map(|(_, service)| &service.ports).collect();
        // Two services may lead to the same port of a pod.
        ports.sort_by_key(|port| port.target);
        ports.dedup_by_key(|port| port.target);
        ports
    }
}

impl Drop for Mesh<'_> {
    fn drop(&mut self) {
        let end = |pod: &PodHandle| {
            let proxy = pod.proxy()?;
            let requests = proxy.access_log();
            let requests = requests.get(requests.len().saturating_sub(10)..).unwrap_or_default().join("\n");
            Some(format!("--- {}'s proxy\n{}\n{requests}\n", pod.name(), proxy.log_end()))
        };
        if let Ok(mut words) = self.plane.last_words.lock() {
            *words = self.pods.values().filter_map(end).collect();
        }
    }
}

impl PodHandle {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pod.name
    }

    /// Its proxy, if it has one that runs.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// The address at which its sidecar takes what its application sends.
    #[must_use]
    pub fn outbound(&self) -> Ipv4Addr {
        outbound_address(self.address)
    }

    /// A request that its application sends, such as to `api:8080`.
    ///
    /// # Panics
    /// When the authority has no port that is a number.
    #[must_use]
    pub fn call(&self, authority: &str) -> Call {
        match Call::through(outbound_address(self.address), authority) {
            Ok(call) => call,
            Err(error) => panic!("{error:#}"),
        }
    }

    /// A request that comes to one of its ports, straight from outside of the mesh: to the sidecar's inbound listener, a
    /// gateway's, or a plain application.
    #[must_use]
    pub fn receive(&self, port: u16, authority: &str) -> Call {
        Call::to((IpAddr::from(self.address), port).into(), authority)
    }

    /// Starts its application; a sidecar's own is asked by the sidecar only, on a port that only it knows.
    async fn start_app(&mut self, ports: &[u16]) -> Result<()> {
        let name = &self.pod.name;
        self.app = match self.pod.kind {
            Kind::Gateway | Kind::AgentGateway => None,
            Kind::Sidecar | Kind::Agent => {
                let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
                Some(App::start(name, &[loopback], Some(outbound_address(self.address))).await?)
            }
            Kind::Plain => {
                let addresses: Vec<SocketAddr> =
                    ports.iter().map(|port| (IpAddr::from(self.address), *port).into()).collect();
                Some(App::start(name, &addresses, None).await?)
            }
        };
        Ok(())
    }

    async fn start_proxy(&mut self, plane: &ControlPlane) -> Result<()> {
        let (namespace, pod, address) = (&self.namespace, &self.pod, self.address);
        ensure!(
            !plane.cluster.has_network || !matches!(pod.kind, Kind::Sidecar | Kind::Gateway),
            "`{}` would wait for a certificate for ever: in a cluster with a network it needs an agent",
            self.name()
        );
        let proxy = match pod.kind {
            Kind::Plain => return Ok(()),
            Kind::Sidecar | Kind::Gateway => super::sidecar::start(plane, namespace, pod, address).await,
            Kind::Agent | Kind::AgentGateway => super::agent::start(plane, namespace, pod, address).await,
        };
        let proxy = proxy.with_context(|| format!("the proxy of `{}`", self.name()))?;
        plane.watch(&proxy);
        self.proxy = Some(proxy);
        Ok(())
    }
}
