//! The lane map: services and workloads, and the calls between them.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::config::Mode;
use graylane_decide::metrics::OTHER;
use serde::Serialize;

use super::number;
use super::read::Decisions;
use super::unsticky::Unsticky;
use crate::mesh::{Mesh, Service};
use crate::workers::{subscribed, topic_of};

/// Who went where. All numbers are requests a minute.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LaneMap {
    /// The mesh.
    pub mesh: String,
    /// The minutes that were looked at.
    pub minutes: f64,
    /// The tenants, the default one first.
    pub tenants: Vec<String>,
    /// Services, and workloads of no service, from where requests come in to where they end.
    pub nodes: Vec<Node>,
    /// Calls between them.
    pub calls: Vec<Call>,
    /// Topics on the way to workers.
    #[serde(rename = "hops")]
    pub deliveries: Vec<Delivery>,
    /// Where a lane breaks.
    pub breaks: Vec<Break>,
    /// Who calls a service with a rollout without its users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsticky: Vec<Unsticky>,
    /// What pods that observe would change if they enforced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would: Vec<Would>,
    /// Nodes whose pods observe, as the file says; a pod's label may say otherwise.
    #[serde(skip)]
    pub observing: BTreeSet<String>,
}

/// A service with all its workloads, a workload of none, or a topic.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// How many calls away from where requests come in.
    pub depth: usize,
    /// What comes in.
    pub inbound: Vec<Flow>,
    /// What goes out.
    pub outbound: Vec<Flow>,
}

/// Requests of one tenant to, or calls from, one subset.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// What the pod is; outbound: where the call goes.
    pub subset: String,
    /// Whose.
    pub tenant: String,
    /// Where the tenant came from.
    pub source: String,
    /// How many.
    pub per_minute: f64,
}

/// Calls of one tenant from one node to another.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Who calls.
    pub from: String,
    /// Whom.
    pub to: String,
    /// Whose calls they are.
    pub tenant: String,
    /// Where requests come in from outside: there is no application that could lose a header.
    pub enters: bool,
    /// How many.
    pub per_minute: f64,
    /// By the source of their tenant.
    pub sources: BTreeMap<String, f64>,
}

/// Messages of one tenant on their way to a worker. They do not pass through Envoy, so the file says where they go, and
/// how many there are is not known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    /// The topic's node.
    pub from: String,
    /// The worker.
    pub to: String,
    /// Whose messages.
    pub tenant: String,
    /// What the tenant's own topic is called.
    pub topic: String,
}

/// A place where a tenant gets lost on the way, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Break {
    /// The workload or service that loses it.
    pub at: String,
    /// Whom it calls then, if it calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Do requests stay in their lane nevertheless?
    pub restored: bool,
    /// How many a minute.
    pub per_minute: f64,
    /// All of it in words.
    pub says: String,
}

/// Requests that would carry a tenant which they lost, or which a rule of the edge gives them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Would {
    /// Who sends them.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The version that they would reach; none where the routes are not graylane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Whose they are.
    pub tenant: String,
    /// Where the tenant comes from.
    pub source: String,
    /// How many a minute.
    pub per_minute: f64,
    /// Is that another version than requests without a tenant reach?
    pub newly: bool,
}

impl Would {
    /// In words, without who and whom.
    #[must_use]
    pub fn says(&self) -> String {
        let Self { tenant, source, .. } = self;
        let count = number(self.per_minute);
        let s = if count == "1" { "" } else { "s" };
        let many = format!("{count} {tenant} request{s} a minute (from {source})");
        match (&self.subset, self.newly) {
            (Some(subset), true) => format!("{many} newly reach {subset}"),
            (Some(subset), false) => format!("{many} get the header and still reach {subset}"),
            (None, _) => format!("{many} get the header; your routes say where they go"),
        }
    }
}

impl Call {
    /// Calls that came without their header, and got it back.
    #[must_use]
    pub fn restored(&self) -> f64 {
        if self.enters {
            return 0.0;
        }
        ["memory", "baggage"].into_iter().filter_map(|source| self.sources.get(source)).sum()
    }
}

impl LaneMap {
    /// Of decisions taken within so many minutes, without the places where a lane breaks.
    pub(super) fn without_breaks(mesh: &Mesh, decisions: &Decisions, minutes: f64) -> Self {
        let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
        let mut calls: BTreeMap<(String, String, String), Call> = BTreeMap::new();
        let mut observing = BTreeSet::new();
        for (decision, count) in decisions {
            let per_minute = count / minutes;
            let name = node_of(mesh, &decision.namespace, &decision.workload);
            let mode = match decision.direction.as_str() {
                "gateway" => mesh.gateway_mode(&decision.namespace),
                _ => mesh.pod_mode(&decision.namespace, mesh.service(&name).map(Service::short_host)).0,
            };
            if mode == Mode::Observe && decision.direction != "inbound" {
                observing.insert(name.clone());
            }
            let flow = Flow {
                subset: decision.subset.clone(),
                tenant: decision.tenant.clone(),
                source: decision.source.clone(),
                per_minute,
            };
            let node = nodes.entry(name.clone()).or_default();
            if decision.direction == "inbound" {
                add(&mut node.inbound, flow);
                continue;
            }
            if decision.direction == "waypoint" {
                // It stands before the service, and does not know who calls.
                add(&mut nodes.entry(decision.service.clone()).or_default().inbound, flow);
                continue;
            }
            add(&mut node.outbound, flow);
            let to = if decision.service == OTHER { "elsewhere" } else { &decision.service };
            nodes.entry(to.to_owned()).or_default();
            let key = (name.clone(), to.to_owned(), decision.tenant.clone());
            let call = calls.entry(key).or_insert_with(|| Call {
                from: name,
                to: to.to_owned(),
                tenant: decision.tenant.clone(),
                enters: decision.direction == "gateway",
                ..Call::default()
            });
            call.per_minute += per_minute;
            *call.sources.entry(decision.source.clone()).or_default() += per_minute;
        }
        let others = mesh.tenants.iter().filter(|tenant| **tenant != mesh.default);
        let deliveries = deliveries(mesh, &nodes);
        for delivery in &deliveries {
            nodes.entry(delivery.from.clone()).or_default();
        }
        let calls: Vec<Call> = calls.into_values().collect();
        Self {
            mesh: mesh.document.mesh.name.clone(),
            minutes,
            tenants: [&mesh.default].into_iter().chain(others).cloned().collect(),
            nodes: placed(nodes, &calls, &deliveries),
            calls,
            deliveries,
            breaks: Vec::new(),
            unsticky: Vec::new(),
            would: Vec::new(),
            observing,
        }
    }

    /// Is a node a topic?
    #[must_use]
    pub fn is_topic(&self, name: &str) -> bool {
        self.deliveries.iter().any(|delivery| delivery.from == name)
    }

    /// A node by its name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }
}

fn add(flows: &mut Vec<Flow>, flow: Flow) {
    let same =
        |is: &&mut Flow| (&is.subset, &is.tenant, &is.source) == (&flow.subset, &flow.tenant, &flow.source);
    match flows.iter_mut().find(same) {
        Some(is) => is.per_minute += flow.per_minute,
        None => flows.push(flow),
    }
}

/// What leads to the workers that were seen: each topic for the default tenant and those with a deployment of their own.
fn deliveries(mesh: &Mesh, seen: &BTreeMap<String, Node>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for worker in &mesh.workers {
        let node = node_of(mesh, &worker.namespace, &worker.deployment);
        if !seen.contains_key(&node) {
            continue;
        }
        for topic in &worker.topics {
            let delivery = |tenant: &String, called: String| Delivery {
                from: format!("topic {}", topic.name),
                to: node.clone(),
                tenant: tenant.clone(),
                topic: called,
            };
            deliveries.push(delivery(&mesh.default, topic.name.clone()));
            let kafka = &mesh.document.kafka;
            let subscribed = subscribed(&mesh.document, &worker.name, &topic.name);
            let tenants = worker.tenants.iter().chain(subscribed);
            deliveries.extend(tenants.map(|tenant| delivery(tenant, topic_of(kafka, &topic.name, tenant))));
        }
    }
    // As calls are, so that a tenant's lines stay on one side.
    deliveries.sort_by(|a, b| (&a.from, &a.to, &a.tenant).cmp(&(&b.from, &b.to, &b.tenant)));
    deliveries
}

/// The service or worker that a workload belongs to, by its name: `orders` and `orders-v2` are of `orders`, unless there
/// is a service `orders-v2`. Any other workload stands for itself.
pub(super) fn node_of(mesh: &Mesh, namespace: &str, workload: &str) -> String {
    let belongs =
        |name: &str| workload.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    // What is outside the cluster has no workloads here.
    let domain = &mesh.document.mesh.cluster_domain;
    let own = mesh
        .services
        .iter()
        .filter(|service| service.namespace == namespace && service.host.ends_with(domain.as_str()));
    let services = own
        .flat_map(|service| [(service.name.as_str(), &service.name), (service.short_host(), &service.name)]);
    let workers = mesh.workers.iter().filter(|worker| worker.namespace == namespace);
    // The last of equals wins: a worker that is a service too is called as one.
    workers
        .map(|worker| (worker.deployment.as_str(), &worker.name))
        .chain(services)
        .filter(|(name, _)| belongs(name))
        .max_by_key(|(name, _)| name.len())
        .map_or_else(|| workload.to_owned(), |(_, owner)| owner.clone())
}

/// Each node as deep as the longest way to it, ways in circles cut; in order of depth and name.
fn placed(nodes: BTreeMap<String, Node>, calls: &[Call], deliveries: &[Delivery]) -> Vec<Node> {
    let calls = calls.iter().map(|call| (call.from.as_str(), call.to.as_str()));
    let deliveries = deliveries.iter().map(|delivery| (delivery.from.as_str(), delivery.to.as_str()));
    let edges: BTreeSet<(&str, &str)> = calls.chain(deliveries).filter(|(a, b)| a != b).collect();
    let mut depth: BTreeMap<&str, usize> = nodes.keys().map(|name| (name.as_str(), 0)).collect();
    // A way without a circle passes every node once at most.
    for _ in 1..nodes.len() {
        for (from, to) in &edges {
            let next = depth[from] + 1;
            if next > depth[to] && next < nodes.len() {
                depth.insert(to, next);
            }
        }
    }
    // Circles push depths up to the end; what is left empty by that is closed.
    let used: BTreeSet<usize> = depth.values().copied().collect();
    let level: BTreeMap<usize, usize> =
        used.into_iter().enumerate().map(|(level, deep)| (deep, level)).collect();
    let level_of: BTreeMap<String, usize> =
        depth.into_iter().map(|(name, deep)| (name.to_owned(), level[&deep])).collect();
    let mut placed: Vec<Node> = nodes
        .into_iter()
        .map(|(name, node)| Node { depth: level_of.get(&name).copied().unwrap_or(0), name, ..node })
        .collect();
    placed.sort_by(|a, b| (a.depth, &a.name).cmp(&(b.depth, &b.name)));
    placed
}
