//! Any lines through the hooks of the native module: they become what the layer below makes of them over a host in memory, and
//! no panic is behind it. The body of the fuzz target `native`, which runs under AddressSanitizer.

use graylane_decide::Plan;
use graylane_decide::names::CLAIMS_STATE;
use graylane_native::abi::Attribute;
use graylane_native::node;
use graylane_serve::in_memory::{InMemory, Lines, Pod};
use serde_json::json;

use crate::fuzz::{headers, plan};
use crate::mock::{self, Plugin, Request};

const CONFIGURATION: &str = r#"{"version": 2, "role": "ROLE", "header": "tenant", "tenants": ["gray-v1", "green"],
    "default": "green", "policy": {"restore": ["baggage"], "carriers": ["ot-baggage", "correlation-context"]},
    "services": [{"name": "api", "host": "api.shop.svc.cluster.local", "port": 8080, "subsets": ["stable", "canary"],
        "baseline": "stable", "pins": [{"tenant": "gray-v1", "subset": "canary"}]}]}"#;
/// A gateway that reads claims, certificates and addresses.
const EDGE: &str = r#"{"version": 2, "role": "gateway", "header": "tenant", "tenants": ["gray-v1", "green"], "default": "green",
    "sticky": {"salt": "shop", "tenants": ["green"], "keys": [{"claim": ["sub", "id"]}, {"cookie": {"name": "unit"}}, {"source": true}]},
    "edge": {"rules": [
        {"tenant": "gray-v1", "when": {"claim": {"path": ["realm", "roles"], "is": {"in": ["tester"]}}}},
        {"tenant": "gray-v1", "when": {"source": ["10.0.0.0/8", "fd00::/8"]}}]}}"#;
const CLUSTER: &str = "outbound|8080||api.shop.svc.cluster.local";

/// The plugins of one thread.
struct Plugins {
    same: Vec<(Plan, Plugin)>,
    edge: Plugin,
}

impl Plugins {
    fn new() -> Self {
        node::is(json!({"id": "sidecar~1~pod.shop~shop.svc", "metadata": {"NAMESPACE": "shop"}}));
        let same = ["inbound", "outbound", "gateway"].map(|role| {
            let text = CONFIGURATION.replace("ROLE", role);
            let plugin = Plugin::load(&format!("{role}/fuzz"), text.as_bytes()).expect("it is not refused");
            (plan(text.as_bytes()), plugin)
        });
        let _is_in_order = plan(EDGE.as_bytes());
        let edge = Plugin::load("gateway/edge", EDGE.as_bytes()).expect("it is not refused");
        Self { same: same.into(), edge }
    }
}

thread_local! {
    static PLUGINS: Plugins = Plugins::new();
}

/// Sends the lines through each. `@claims`, `@source` and `@certificate` say what Envoy knows besides; `+name` is a trailer.
///
/// # Panics
/// When a hook does something else than the layer below, or a panic ends at it.
pub fn native(data: &[u8]) {
    let lines = headers(data);
    PLUGINS.with(|plugins| {
        for (plan, plugin) in &plugins.same {
            same(plan, plugin, &lines);
        }
        anything(&plugins.edge, &lines);
    });
    assert!(mock::log().iter().all(|line| !line.contains("failed")), "a panic");
}

fn bytes(lines: Lines) -> mock::Lines {
    lines.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect()
}

fn same(plan: &Plan, plugin: &Plugin, lines: &Lines) {
    let mut pod = Pod::new(7);
    let mut host = InMemory::new(&mut pod, lines.clone());
    host.cluster = Some(CLUSTER.to_owned());
    graylane_serve::run(plan, &(), &mut host);
    let passed = host.reply.is_none();
    let wanted = bytes(host.into_lines());
    let cluster = Some(CLUSTER.as_bytes().to_vec());
    let mut request = Request { headers: bytes(lines.clone()), cluster, ..Request::default() };
    assert_eq!(plugin.send(&mut request), passed, "{:?}", plan.role);
    assert_eq!(request.headers, wanted, "{:?}", plan.role);
}

fn anything(plugin: &Plugin, lines: &Lines) {
    let mut request = Request { trailers: Some(Vec::new()), ..Request::default() };
    for (name, value) in lines {
        let attribute = match name.as_str() {
            "@claims" => {
                request.state.insert(CLAIMS_STATE.to_owned(), value.clone());
                continue;
            }
            "@source" => Attribute::SourceAddress,
            "@certificate" => Attribute::UriSanPeer,
            _ => {
                let line = (name.trim_start_matches('+').as_bytes().to_vec(), value.clone());
                match &mut request.trailers {
                    Some(trailers) if name.starts_with('+') => trailers.push(line),
                    _ => request.headers.push(line),
                }
                continue;
            }
        };
        request.texts.insert(attribute as u32, value.clone());
    }
    if !plugin.send(&mut request) {
        return;
    }
    // Only the module says which tenant this is.
    let tenants = request.headers.iter().filter(|(name, _)| name == b"tenant");
    let known = tenants.filter(|(_, value)| value == b"gray-v1" || value == b"green").count();
    assert_eq!(
        known,
        request.headers.iter().filter(|(name, _)| name == b"tenant").count(),
        "{:?}",
        request.headers
    );
    let trailers = request.trailers.iter().flatten();
    assert!(trailers.into_iter().all(|(name, _)| name != b"tenant"), "a trailer of ours came in");
}
