//! One proxy on the way: its plans, its memory, and what they make of a request.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use graylane_decide::decision::{Decision, Edit, Edits, Reason, Rejection, Source, UnitSource};
use graylane_decide::memory::{IF_ABSENT, Memory, Recall, Saved, Sighting, Store};
use graylane_decide::sticky::Unit;
use graylane_decide::trace::Ids;
use graylane_decide::{Plan, Role, Seen, World, names, plan::Node};

use super::request::Headers;
use crate::lower;
use crate::mesh::Mesh;
use crate::workers::Worker;

/// Properties by their paths, in Envoy's wire form.
pub type Properties = BTreeMap<Vec<u8>, Vec<u8>>;

/// Time stands still: a request is through before anything is forgotten.
const NOW: u64 = 0;

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
            bucket: decision.bucket,
            subset: decision.subset.map(ToOwned::to_owned),
            reason: decision.reason,
            rule: decision.rule,
            rejection: decision.rejection.filter(|_| decision.enforce),
        }
    }
}

/// A gateway, or the sidecar of a pod.
pub struct Proxy {
    inbound: Option<Plan>,
    outbound: Plan,
    memory: Memory,
    slots: Slots,
    /// Properties of the request, at the gateway.
    properties: Properties,
    /// Its place on the way: each proxy makes ids of its own, the same ones in every run.
    place: usize,
}

impl Proxy {
    /// The ingress gateway.
    pub fn gateway(mesh: &Mesh, properties: Properties) -> Result<Self> {
        let plan = plan(mesh, Role::Gateway, &Node::default())?;
        Ok(Self { properties, ..Self::new(None, plan, 0) })
    }

    /// The sidecar of a pod in a namespace; none: the mesh's.
    pub fn sidecar(mesh: &Mesh, namespace: Option<&str>, place: usize) -> Result<Self> {
        let namespace = namespace.unwrap_or(&mesh.document.mesh.namespace);
        Self::at(mesh, &Node { namespace: Some(namespace.to_owned()), ..Node::default() }, place)
    }

    /// The sidecar of a worker's pod, labelled as a tenant's where that has a deployment of its own.
    pub fn worker(mesh: &Mesh, worker: &Worker, tenant: Option<&str>) -> Result<Self> {
        let labels = tenant.map(|tenant| (names::TENANT_LABEL.to_owned(), tenant.to_owned()));
        let namespace = Some(worker.namespace.clone());
        Self::at(mesh, &Node { namespace, labels: labels.into_iter().collect(), ..Node::default() }, 0)
    }

    fn at(mesh: &Mesh, node: &Node, place: usize) -> Result<Self> {
        Ok(Self::new(Some(plan(mesh, Role::Inbound, node)?), plan(mesh, Role::Outbound, node)?, place))
    }

    fn new(inbound: Option<Plan>, outbound: Plan, place: usize) -> Self {
        let (memory, slots) = (Memory::new(0), Slots::default());
        Self { inbound, outbound, memory, slots, properties: Properties::new(), place }
    }

    /// A request of this pod, or through this gateway. None: the filter leaves it alone.
    pub fn send(&mut self, target: &Target, headers: &mut Headers) -> Option<Outcome> {
        let outside = self.outbound.role == Role::Gateway;
        if outside {
            // A gateway replaces the ids of strangers (Envoy's use_remote_address).
            headers.retain(|(name, _)| name != "x-request-id");
            let public = target.public.as_ref().unwrap_or(&target.authority);
            add_missing(headers, ":authority", public.as_bytes());
        } else {
            headers.retain(|(name, _)| name != ":authority");
            add_missing(headers, ":authority", target.authority.as_bytes());
        }
        as_envoy(headers, self.place);
        let before = headers.clone();
        let seen = Seen::walk(&self.outbound.interest, pairs(&before));
        let mut world = Surroundings {
            memory: &self.memory,
            slots: &mut self.slots,
            target,
            properties: &self.properties,
        };
        let decision = self.outbound.decide(&seen, &mut world)?;
        if decision.enforce {
            apply(headers, &self.outbound, &decision.edits);
        }
        Some(Outcome::of(&self.outbound, &decision))
    }

    /// A request to this pod: checked and remembered. Says why, if it is turned away.
    pub fn receive(&mut self, headers: &mut Headers) -> Option<Rejection> {
        as_envoy(headers, self.place);
        let plan = self.inbound.as_ref()?;
        let before = headers.clone();
        let seen = Seen::walk(&plan.interest, pairs(&before));
        let decision = plan.decide(&seen, &mut graylane_decide::world::Nothing)?;
        if decision.enforce {
            apply(headers, plan, &decision.edits);
        }
        if let Some(ids) = &decision.remember {
            let sighting = Sighting { tenant: plan.tenants.tag(decision.tenant), unit: decision.unit };
            self.memory.remember(&mut self.slots, ids, sighting, NOW, plan.life);
        }
        decision.rejection.filter(|_| decision.enforce)
    }
}

fn plan(mesh: &Mesh, role: Role, node: &Node) -> Result<Plan> {
    match Plan::compile(&lower::config(mesh, role), node) {
        Ok(plan) => Ok(plan),
        Err(mistakes) => {
            let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            bail!(
                "the filter would refuse the configuration of its role {}: {}",
                role.name(),
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

fn pairs(headers: &Headers) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()))
}

fn apply(headers: &mut Headers, plan: &Plan, edits: &Edits<'_>) {
    edit(headers, &String::from_utf8_lossy(plan.header()), &edits.tenant);
    edit(headers, names::SUBSET_HEADER, &edits.subset);
    edit(headers, "baggage", &edits.baggage);
    headers.retain(|(name, _)| !edits.strip.contains(&name.as_bytes()));
}

fn edit(headers: &mut Headers, name: &str, edit: &Edit<impl AsRef<[u8]>>) {
    if !matches!(edit, Edit::Keep) {
        headers.retain(|(is, _)| is != name);
    }
    if let Edit::Set(value) = edit {
        headers.push((name.to_owned(), value.as_ref().to_vec()));
    }
}

struct Surroundings<'a> {
    memory: &'a Memory,
    slots: &'a mut Slots,
    target: &'a Target,
    properties: &'a Properties,
}

impl World for Surroundings<'_> {
    fn recall(&mut self, ids: &Ids<'_>) -> Recall {
        self.memory.recall(self.slots, ids, NOW)
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        Some(self.target.cluster.clone().into_bytes())
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        self.target.route.clone().map(String::into_bytes)
    }

    fn port(&mut self) -> Option<u16> {
        None
    }

    /// A request that is written down has a token at most, neither certificate nor address.
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.properties.get(path).cloned()
    }

    fn random(&mut self) -> Option<u64> {
        None
    }
}

#[derive(Default)]
struct Slots(BTreeMap<u32, (Vec<u8>, u32)>);

impl Store for Slots {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.0.get(&slot).cloned()
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Saved {
        let is = self.0.get(&slot).map_or(IF_ABSENT, |(_, cas)| *cas);
        if is != cas {
            return Saved::Changed;
        }
        self.0.insert(slot, (value.to_vec(), is.wrapping_add(2)));
        Saved::Yes
    }
}
