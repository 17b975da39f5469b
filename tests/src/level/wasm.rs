//! The built module in the small host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use graylane_decide::Role;

use super::{Level, Outcome, Request};
use crate::case::Suite;
use crate::host::{Plugin, Shared, Vm};

/// Two workers of one process, each with the plugins of a suite: a request that comes in is seen by one, a request
/// that goes out by the other.
pub struct Wasm {
    workers: [Vm; 2],
    plugins: BTreeMap<&'static str, [Plugin; 2]>,
}

impl Wasm {
    /// For a suite.
    ///
    /// # Errors
    /// When the module traps, or its document is not in order.
    pub fn new(suite: &Suite) -> Result<Self> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut workers = [Vm::start(&shared)?, Vm::start(&shared)?];
        let mut plugins = BTreeMap::new();
        for vm in &mut workers {
            describe(vm, suite);
        }
        for role in Role::ALL {
            let configuration = suite.configuration(role)?;
            let root_id = suite.root_id(role);
            let mut load = |worker: usize| workers[worker].load(root_id, configuration.as_bytes());
            plugins.insert(role.name(), [load(0)?, load(1)?]);
        }
        Ok(Self { workers, plugins })
    }
}

fn describe(vm: &mut Vm, suite: &Suite) {
    let node = &suite.node;
    let kind = if node.router { "router" } else { "sidecar" };
    let state = vm.state();
    state.environment = node.environment.clone().into_iter().collect();
    match &node.namespace {
        Some(namespace) => {
            state.set_property("xds.node.metadata.NAMESPACE", namespace.as_bytes());
            state.set_property(
                "xds.node.id",
                format!("{kind}~127.0.0.1~pod.{namespace}~{namespace}.svc").as_bytes(),
            );
        }
        None => state.set_property("xds.node.id", kind.as_bytes()),
    }
    for (label, value) in &node.labels {
        state.set_property(&format!("xds\0node\0metadata\0LABELS\0{label}"), value.as_bytes());
    }
}

impl Level for Wasm {
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome> {
        let worker = usize::from(request.role != Role::Inbound);
        let (vm, plugin) = (&mut self.workers[worker], self.plugins[request.role.name()][worker]);
        let cluster = request.cluster.map(|name| ("xds.cluster_name", name.as_bytes()));
        let route = request.route.map(|name| ("xds.route_name", name.as_bytes()));
        let text = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
        let further: Vec<(String, &[u8])> =
            request.properties.iter().map(|(path, value)| (text(path), value.as_slice())).collect();
        let further = further.iter().map(|(path, value)| (path.as_str(), *value));
        let properties: Vec<(&str, &[u8])> = cluster.into_iter().chain(route).chain(further).collect();
        let before = vm.state().metrics.clone();
        let seen = vm.request(plugin, &request.headers, &properties)?;
        let trailers = match request.trailers.is_empty() {
            true => Vec::new(),
            false => vm.trailers(plugin, &request.trailers)?.headers,
        };
        let counted: Vec<String> = vm
            .state()
            .metrics
            .iter()
            .filter(|(name, value)| {
                name.ends_with("graylane_requests_total") && before.get(*name) != Some(value)
            })
            .map(|(name, _)| name.clone())
            .collect();
        ensure!(counted.len() <= 1, "counted twice: {counted:?}");
        let state =
            |name: &str| seen.state.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let lane = state("tenant")
            .map(|tenant| [tenant, state("source").unwrap_or_default(), state("subset").unwrap_or_default()]);
        if let (Some([tenant, source, subset]), Some(name)) = (&lane, counted.first()) {
            ensure!(
                tag(name, "tenant") == *tenant && tag(name, "source") == *source,
                "counted {name} as {lane:?}"
            );
            ensure!(tag(name, "subset").replace("none", "") == *subset, "counted {name} as {lane:?}");
        }
        ensure!(
            counted.is_empty() == lane.is_none(),
            "decided but not counted, or counted but not decided: {counted:?} {lane:?}"
        );
        let counted = if request.role == Role::Inbound { None } else { counted.first() };
        Ok(Outcome {
            headers: seen.headers,
            reply: seen.reply.map(|reply| (reply.status, reply.body)),
            lane,
            counted: counted.map(|name| [tag(name, "service"), tag(name, "unit")]),
            cookie: state("cookie"),
            debug: state("debug"),
            trailers: trailers.into_iter().map(|(name, _)| name).collect(),
            ..Outcome::default()
        })
    }
}

/// A tag's value in a metric's name.
fn tag(name: &str, tag: &str) -> String {
    let value = name.split(";.;").find_map(|part| part.strip_prefix(tag)?.strip_prefix("=.="));
    value.unwrap_or_default().to_owned()
}
