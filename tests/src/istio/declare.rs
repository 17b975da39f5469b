//! What a mesh is declared to consist of.

use std::collections::BTreeMap;

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name; its first word is the protocol, as everywhere in Istio.
    pub name: String,
    /// The port that callers know.
    pub number: u16,
    /// The port of the pods.
    pub target: u16,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Name.
    pub name: String,
    /// Ports.
    pub ports: Vec<Port>,
    /// Labels of its pods.
    pub selector: BTreeMap<String, String>,
}

impl Port {
    /// Whether applications call it.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.name.starts_with("http")
    }
}

impl Service {
    /// A service without ports and pods.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ports: Vec::new(), selector: BTreeMap::new() }
    }

    /// Adds an HTTP port: the one that callers know, and that of the pods.
    #[must_use]
    pub fn port(mut self, number: u16, target: u16) -> Self {
        self.ports.push(Port { name: format!("http-{number}"), number, target });
        self
    }

    /// Adds a port for TLS that is passed on, the same of the service and of its pods. No application calls it.
    #[must_use]
    pub fn tls_port(mut self, number: u16) -> Self {
        self.ports.push(Port { name: format!("tls-{number}"), number, target: number });
        self
    }

    /// Says which pods are its own.
    #[must_use]
    pub fn selector(mut self, labels: &[(&str, &str)]) -> Self {
        self.selector = owned(labels);
        self
    }

    /// Whether a pod is one of its own.
    #[must_use]
    pub fn selects(&self, pod: &Pod) -> bool {
        !self.selector.is_empty()
            && self.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
    }
}

/// What stands in front of a pod's application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: the application listens on the pod's address itself.
    Plain,
    /// An Envoy that asks istiod itself.
    Sidecar,
    /// An Envoy under Istio's agent, which fetches images of plugins for it.
    Agent,
    /// An Envoy as gateway; there is no application.
    Gateway,
    /// A gateway's Envoy under Istio's agent, which has its certificate.
    AgentGateway,
}

impl Kind {
    /// Whether it is a gateway, with whichever Envoy.
    #[must_use]
    pub const fn is_gateway(self) -> bool {
        matches!(self, Self::Gateway | Self::AgentGateway)
    }
}

/// A pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Name; one of its kind in the mesh.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What stands in front of its application.
    pub kind: Kind,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// Variables of its proxy's environment.
    pub environment: Vec<(String, String)>,
}

impl Pod {
    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.to_owned(), labels: BTreeMap::new(), kind, ready: true, environment: Vec::new() }
    }

    /// An application without sidecar.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        Self::new(name, Kind::Plain)
    }

    /// An application with a sidecar: an Envoy that asks istiod itself, up in less than a second.
    #[must_use]
    pub fn sidecar(name: &str) -> Self {
        Self::new(name, Kind::Sidecar)
    }

    /// An application with a sidecar as it is in Istio's image: Envoy under `pilot-agent`.
    #[must_use]
    pub fn agent(name: &str) -> Self {
        Self::new(name, Kind::Agent)
    }

    /// A gateway.
    #[must_use]
    pub fn gateway(name: &str) -> Self {
        Self::new(name, Kind::Gateway)
    }

    /// A gateway as it is in Istio's image: Envoy under `pilot-agent`.
    #[must_use]
    pub fn agent_gateway(name: &str) -> Self {
        Self::new(name, Kind::AgentGateway)
    }

    /// Its labels.
    #[must_use]
    pub fn labels(mut self, labels: &[(&str, &str)]) -> Self {
        self.labels = owned(labels);
        self
    }

    /// Variables of its proxy's environment, as a Deployment has them.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment = variables.into_iter().collect();
        self
    }

    /// Starts as a pod that is not ready.
    #[must_use]
    pub fn unready(mut self) -> Self {
        self.ready = false;
        self
    }
}

fn owned(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
