//! One proxy on the way: its plans, its memory, and what they make of a request.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use graylane_decide::choice::sticky::Unit;
use graylane_decide::config::Config;
use graylane_decide::why::{Reason, Rejection, Source, UnitSource};
use graylane_decide::{Decision, Plan, Role, names, plan::Node};
use graylane_serve::in_memory::{InMemory, Pod};

use super::request::Headers;
use crate::lower;
use crate::mesh::{Ingress, Mesh, Service};
use crate::workers::Worker;

/// The label by which Istio names the service of a pod.
const CANONICAL: &str = names::SERVICE_LABELS[0];

/// Properties by their paths, in Envoy's wire form.
pub type Properties = BTreeMap<Vec<u8>, Vec<u8>>;

/// Where a request is sent.
pub struct Target {
    /// What applications call the service.
    pub authority: String,
    /// What the outside calls it.
    pub public: Option<String>,
    /// The cluster that the route leads to.
    pub cluster: String,
    /// Name of Envoy's route, for a service with several.
    pub route: Option<String>,
}

/// What was decided, detached from the plan.
pub struct Outcome {
    pub tenant: String,
    pub source: Source,
    pub unit: Option<Unit>,
    pub unit_source: UnitSource,
    /// The key that it is of, by its place in the gateway's configuration.
    pub key: Option<usize>,
    pub bucket: Option<u16>,
    pub subset: Option<String>,
    pub reason: Option<Reason>,
    /// The rule of the edge that gave the tenant: its place among the rules.
    pub rule: Option<u16>,
    /// The request goes no further; never where the mode is observe.
    pub rejection: Option<Rejection>,
}

impl Outcome {
    fn of(plan: &Plan, decision: &Decision<'_>) -> Self {
        Self {
            tenant: plan.tenants.name(decision.tenant).to_owned(),
            source: decision.source,
            unit: decision.unit,
            unit_source: decision.unit_source,
            key: decision.key,
            bucket: decision.bucket,
            subset: decision.subset.map(ToOwned::to_owned),
            reason: decision.reason,
            rule: decision.rule,
            rejection: if decision.enforce { decision.rejection } else { None },
        }
    }
}

/// A gateway, the sidecar of a pod, or a waypoint.
pub struct Proxy {
    inbound: Option<Plan>,
    outbound: Plan,
    /// Time stands still in it: a request is through before anything is forgotten.
    pod: Pod,
    /// Properties of the request, at the gateway.
    properties: Properties,
    /// Its namespace; none: a gateway, to which all services are visible.
    namespace: Option<String>,
    /// Its place on the way: each proxy makes ids of its own, the same ones in every run.
    place: usize,
    /// The time, at the gateway.
    now: u64,
}

impl Proxy {
    /// An ingress gateway. `now`: milliseconds since 1970, for tokens that expire.
    pub fn gateway(mesh: &Mesh, ingress: &Ingress<'_>, properties: Properties, now: u64) -> Result<Self> {
        let (hash_key, token_keys) = (mesh.hash_key, mesh.token_keys.clone());
        let node = Node { hash_key, token_keys, ..Node::default() };
        let plan = compiled(&lower::gateway(mesh, ingress), &node)?;
        Ok(Self { properties, now, ..Self::new(None, plan, 0) })
    }

    /// The sidecar of a service's pod; none: some pod in the mesh's namespace.
    pub fn sidecar(mesh: &Mesh, service: Option<&Service>, place: usize) -> Result<Self> {
        let namespace = service.map_or(&mesh.document.mesh.namespace, |service| &service.namespace);
        let label = |service: &Service| (CANONICAL.to_owned(), service.short_host().to_owned());
        let labels = service.map(label).into_iter().collect();
        Self::at(mesh, &Node { namespace: Some(namespace.clone()), labels, ..Node::default() }, place)
    }

    /// The waypoint before a service.
    pub fn waypoint(mesh: &Mesh, service: &Service, place: usize) -> Result<Self> {
        let node = Node { namespace: Some(service.namespace.clone()), ..Node::default() };
        Ok(Self::new(None, plan(mesh, Role::Waypoint, &node)?, place))
    }

    /// The sidecar of a worker's pod, labelled as a tenant's where that has a deployment of its own.
    pub fn worker(mesh: &Mesh, worker: &Worker, tenant: Option<&str>) -> Result<Self> {
        let labels = tenant.map(|tenant| (names::TENANT_LABEL.to_owned(), tenant.to_owned()));
        let namespace = Some(worker.namespace.clone());
        Self::at(mesh, &Node { namespace, labels: labels.into_iter().collect(), ..Node::default() }, 0)
    }

    fn at(mesh: &Mesh, node: &Node, place: usize) -> Result<Self> {
        let (inbound, outbound) = (plan(mesh, Role::Inbound, node)?, plan(mesh, Role::Outbound, node)?);
        Ok(Self { namespace: node.namespace.clone(), ..Self::new(Some(inbound), outbound, place) })
    }

    fn new(inbound: Option<Plan>, outbound: Plan, place: usize) -> Self {
        Self {
            inbound,
            outbound,
            pod: Pod::new(0),
            properties: Properties::new(),
            namespace: None,
            place,
            now: 0,
        }
    }

    /// A request of this pod, or through this gateway. None: the filter leaves it alone.
    pub fn send(&mut self, target: &Target, headers: &mut Headers) -> Option<Outcome> {
        match self.outbound.role {
            Role::Gateway => {
                // A gateway replaces the ids of outside callers (Envoy's use_remote_address).
                headers.retain(|(name, _)| name != "x-request-id");
                let public = target.public.as_ref().unwrap_or(&target.authority);
                add_missing(headers, ":authority", public.as_bytes());
            }
            // Behind a gateway it sees the public host.
            Role::Waypoint => add_missing(headers, ":authority", target.authority.as_bytes()),
            Role::Inbound | Role::Outbound => {
                headers.retain(|(name, _)| name != ":authority");
                add_missing(headers, ":authority", target.authority.as_bytes());
            }
        }
        as_envoy(headers, self.place);
        let mut host = InMemory::new(&mut self.pod, std::mem::take(headers));
        // A request that is written down has a token at most, neither certificate nor address.
        host.properties.clone_from(&self.properties);
        host.now = self.now;
        host.cluster = Some(target.cluster.clone());
        host.route.clone_from(&target.route);
        let (decision, _) = graylane_serve::run(&self.outbound, &(), &mut host);
        *headers = host.into_lines();
        decision.filter(|decision| !decision.exempt).map(|decision| Outcome::of(&self.outbound, &decision))
    }

    /// Is a service not visible to this pod's namespace?
    #[must_use]
    pub fn hides(&self, service: &Service) -> bool {
        self.namespace.as_ref().is_some_and(|own| !service.is_visible_to(own))
    }

    /// A request to this pod: checked and remembered. Says why, if it is turned away.
    pub fn receive(&mut self, headers: &mut Headers) -> Option<Rejection> {
        as_envoy(headers, self.place);
        let plan = self.inbound.as_ref()?;
        let mut host = InMemory::new(&mut self.pod, std::mem::take(headers));
        graylane_serve::run(plan, &(), &mut host);
        let reply = host.reply;
        *headers = host.into_lines();
        reply
    }
}

fn plan(mesh: &Mesh, role: Role, node: &Node) -> Result<Plan> {
    let config = match &node.namespace {
        Some(namespace) => lower::config_in(mesh, role, namespace),
        None => lower::config(mesh, role),
    };
    compiled(&config, node)
}

fn compiled(config: &Config, node: &Node) -> Result<Plan> {
    match Plan::compile(config, node) {
        Ok(plan) => Ok(plan),
        Err(mistakes) => {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            bail!(
                "the filter would refuse the configuration of its role {}: {}",
                config.role.name(),
                mistakes.join("; ")
            )
        }
    }
}

/// What Envoy adds before any filter sees a request.
fn as_envoy(headers: &mut Headers, place: usize) {
    add_missing(headers, ":path", b"/");
    add_missing(headers, "x-request-id", format!("00000000-0000-4000-8000-{place:012}").as_bytes());
}

fn add_missing(headers: &mut Headers, name: &str, value: &[u8]) {
    if !headers.iter().any(|(is, _)| is == name) {
        headers.push((name.to_owned(), value.to_vec()));
    }
}
