//! Natively: the decision and the layer that carries it out, over a host in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use graylane_decide::why::Reason;
use graylane_decide::{Plan, Role};
use graylane_serve::in_memory::{InMemory, Lines, Pod};
use graylane_serve::{Active, LastGood, Level as Line, Setup};

use crate::case::{Node, Suite};
use crate::level::{Level, Outcome, Request};

const NOW: u64 = 1_700_000_000_000;
/// Random bits that repeat.
const RANDOM: u64 = 0x5d5c_5f5e_5958_5b5a;

/// Plugins of one suite, and the memory of its pod.
pub struct Native {
    plugins: BTreeMap<&'static str, Arc<Active<()>>>,
    pod: Pod,
}

/// A proxy that loads a plugin, as a suite describes it.
struct Proxy<'a> {
    node: &'a Node,
    root_id: &'a str,
}

impl Setup for Proxy<'_> {
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        let path = String::from_utf8_lossy(path).replace('\0', "/");
        let kind = if self.node.router { "router" } else { "sidecar" };
        let namespace = self.node.namespace.as_deref();
        let value = match path.as_str() {
            "plugin_root_id" => self.root_id.to_owned(),
            "xds/node/metadata/NAMESPACE" => namespace?.to_owned(),
            "xds/node/id" => match namespace {
                Some(namespace) => format!("{kind}~127.0.0.1~pod.{namespace}~{namespace}.svc"),
                None => kind.to_owned(),
            },
            path => self.node.labels.get(path.strip_prefix("xds/node/metadata/LABELS/")?)?.clone(),
        };
        Some(value.into_bytes())
    }

    fn environment(&mut self, name: &str) -> Option<String> {
        self.node.environment.get(name).cloned()
    }

    fn log(&mut self, _: Line, _: &str) {}

    fn show_configuration(&mut self, _: Role, _: bool, _: u64) {}
}

impl Native {
    /// For a suite.
    ///
    /// # Errors
    /// When its document is not in order.
    pub fn new(suite: &Suite) -> Result<Self> {
        let mut plugins = BTreeMap::new();
        for role in Role::ALL {
            let root_id = suite.root_id(role);
            let configuration = suite.configuration(role)?;
            let mut proxy = Proxy { node: &suite.node, root_id };
            plugins.insert(role.name(), LastGood::new().load(configuration.as_bytes(), &mut proxy));
        }
        Ok(Self { plugins, pod: Pod::new(7) })
    }

    /// Forgets what came in.
    pub fn forget(&mut self) {
        self.pod = Pod::new(7);
    }
}

impl Level for Native {
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome> {
        let lower = |lines: &Lines| -> Lines {
            lines.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
        };
        let active = Arc::clone(&self.plugins[request.role.name()]);
        let mut host = InMemory::new(&mut self.pod, lower(&request.headers));
        host.now = NOW;
        host.random = Some(RANDOM);
        host.cluster = request.cluster.map(ToOwned::to_owned);
        host.route = request.route.map(ToOwned::to_owned);
        host.properties = request.properties.iter().cloned().collect();
        host.trailers = lower(&request.trailers);
        graylane_serve::trailers(&active, &mut host);
        let trailers = host.trailers.iter().map(|(name, _)| name.clone()).collect();
        let Active::Plan { plan, .. } = &*active else {
            graylane_serve::handle(&active, &mut host);
            return Ok(Outcome { headers: host.into_lines(), trailers, ..Outcome::default() });
        };
        let (decision, _) = graylane_serve::run(plan, &(), &mut host);
        let reply = host.reply.map(|rejection| (rejection.status(), rejection.body().to_owned()));
        let cookie = host.state.get("cookie").cloned();
        let debug = host.state.get("debug").cloned();
        let counted = host.counted.requests;
        let outcome =
            Outcome { headers: host.into_lines(), trailers, reply, cookie, debug, ..Outcome::default() };
        Ok(match decision {
            Some(decision) if counted > 0 => decided(plan, &decision, outcome),
            _ => outcome,
        })
    }
}

/// What a decision that was counted says.
fn decided(plan: &Plan, decision: &graylane_decide::Decision<'_>, outcome: Outcome) -> Outcome {
    let text = |text: &str| text.to_owned();
    Outcome {
        lane: Some([
            text(plan.tenants.name(decision.tenant)),
            text(decision.source.name()),
            text(decision.subset.unwrap_or_default()),
        ]),
        counted: Some([
            text(decision.service.map_or("other", |service| &service.name)),
            text(decision.unit_source.name()),
        ]),
        why: Some((text(decision.reason.map(Reason::name).unwrap_or_default()), decision.bucket)),
        rule: decision.rule,
        ..outcome
    }
}
