//! A batch that calls for many users in one run, in real Envoy: with the Lua filter that `sticky: none` renders, each of its calls is
//! of a user of its own, there and at the next pod, though all have one trace id and one request id. Controls show what
//! happens without it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use graylane::envoy::{Envoy, Options, config, locate};
use graylane::mesh::Mesh;
use graylane::resources::alone_filter;
use graylane_decide::Role;
use graylane_tests::echo;
use graylane_tests::host::module_path;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: none
sticky: {keys: [{header: x-user-id}]}
services:
  api: {port: 8080, subsets: {stable: {version: v1}, canary: {version: v2}}, baseline: stable, rollout: {weights: {canary: 50}}}
workers: {night: {kind: CronJob, sticky: none}}
";
const CALLS: usize = 60;
const TRACE: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const RUN: &str = "f5a1e0c3-0d5b-4a1e-9c56-0f3f7a6f2a11";
const API: &str = "outbound|8080||api.shop.svc.cluster.local";

fn listener(name: &str, role: Role, before: &[Json]) -> Json {
    let loaded = graylane::document::load_text("batch.yaml", FILE).unwrap();
    let mesh = Mesh::of(&graylane::check::open(loaded).checked().unwrap());
    let plan = serde_json::to_string(&graylane::lower::config_in(&mesh, role, "shop")).unwrap();
    let wasm = config::wasm_filter(name, role.name(), &module_path(), &plan, "FAIL_CLOSED");
    let filters: Vec<Json> =
        before.iter().cloned().chain([json!({"name": name, "typed_config": wasm})]).collect();
    let (cluster, direction) =
        if role == Role::Inbound { ("inbound|8080||", "INBOUND") } else { (API, "OUTBOUND") };
    let manager = json!({
        "preserve_external_request_id": true,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": cluster}},
        ]}]},
    });
    config::listener(name, 0, direction, &filters, &manager)
}

/// What the next one gets of a request.
#[derive(Debug)]
struct Got {
    unit: Option<String>,
    subset: Option<String>,
    id: String,
}

fn send(address: SocketAddr, headers: &str) -> Got {
    let head = format!("GET / HTTP/1.1\r\nhost: api:8080\r\n{headers}\r\n");
    let answer = echo::send(address, head.as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
    let headers = echo::headers(&answer.body).unwrap();
    let value = |name: &str| {
        let of_name = headers.iter().filter(|(is, _)| is == name);
        let all: Vec<String> =
            of_name.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
        (!all.is_empty()).then(|| all.join(","))
    };
    let baggage = value("baggage").unwrap_or_default();
    let units: Vec<&str> =
        baggage.split(',').filter_map(|member| member.trim().strip_prefix("graylane-unit=")).collect();
    assert!(units.len() <= 1, "{baggage}");
    let unit = units.first().map(|unit| (*unit).to_owned());
    Got { unit, subset: value("x-graylane-subset"), id: value("x-request-id").unwrap() }
}

fn units(calls: &[Got]) -> BTreeSet<&str> {
    calls.iter().filter_map(|call| call.unit.as_deref()).collect()
}

#[test]
fn each_call_of_a_batch_is_of_a_user_of_its_own() {
    let runtime = Runtime::new().unwrap();
    let upstream = echo::serve().unwrap();
    let clusters = [API, "inbound|8080||"].map(|name| config::cluster(name, &[upstream]));
    let start = |name: &str, listeners: &[Json], concurrency| {
        let node = config::node("sidecar", name, "shop", &json!({}));
        let bootstrap = config::bootstrap(&node, listeners, &clusters);
        runtime
            .block_on(Envoy::start(
                &locate().unwrap(),
                name,
                &bootstrap,
                Options { concurrency, environment: &[] },
            ))
            .unwrap()
    };
    let address = |envoy: &Envoy, name: &str| runtime.block_on(envoy.listener(name)).unwrap();
    let own = [listener("with", Role::Outbound, &[alone_filter()]), listener("without", Role::Outbound, &[])];
    let batch = start("batch", &own, 2);
    let api = start("api", &[listener("in", Role::Inbound, &[]), listener("out", Role::Outbound, &[])], 1);
    let (with, without) = (address(&batch, "with"), address(&batch, "without"));
    let (inbound, outbound) = (address(&api, "in"), address(&api, "out"));

    let run = format!("{TRACE}x-request-id: {RUN}\r\nbaggage: a=1\r\n");
    let one: Vec<Got> = (0..CALLS).map(|_| send(without, &run)).collect();
    assert_eq!(units(&one).len(), 1, "without it, the id of the run is one user: {one:?}");
    let fresh: Vec<Got> = (0..CALLS).map(|_| send(without, TRACE)).collect();
    assert_eq!(units(&fresh).len(), CALLS, "a trace id is no user where Envoy gives each call a request id");

    let many: Vec<Got> = (0..CALLS).map(|_| send(with, &run)).collect();
    assert_eq!(units(&many).len(), CALLS, "{many:?}");
    let subsets: BTreeSet<_> = many.iter().map(|call| call.subset.as_deref()).collect();
    assert_eq!(subsets.len(), 2, "a half each: {subsets:?}");
    let ids: BTreeSet<&str> = many.iter().map(|call| call.id.as_str()).collect();
    assert_eq!(ids.len(), CALLS);
    assert!(ids.iter().all(|id| id.len() == RUN.len() && id.starts_with(&RUN[..24])), "{ids:?}");
    for (sent, kept) in [("run-17", "run-17-"), (&RUN[..35], &RUN[..35])] {
        let id = send(with, &format!("x-request-id: {sent}\r\n")).id;
        assert!(id.starts_with(kept) && id.len() > sent.len(), "{id}");
    }
    let said = send(with, "baggage: a=1, Graylane-Unit = 788b5cc1f707e995\r\nx-request-id: r\r\n");
    assert_eq!(
        (said.unit, said.id.as_str()),
        (None, "r"),
        "what the application says itself stays as it wrote it"
    );

    // The next pod, whose application forwards the ids alone.
    let mut behind = Vec::new();
    for call in &many {
        let unit = call.unit.as_deref().unwrap();
        send(inbound, &format!("{TRACE}x-request-id: {}\r\nbaggage: graylane-unit={unit}\r\n", call.id));
        let then = send(outbound, &format!("{TRACE}x-request-id: {}\r\n", call.id));
        assert_eq!((then.unit.as_deref(), &then.subset), (Some(unit), &call.subset));
        behind.push(then);
    }
    assert_eq!(units(&behind).len(), CALLS);
    let later = send(outbound, TRACE);
    assert!(
        !units(&many).contains(later.unit.as_deref().unwrap()),
        "the trace alone restores nobody: {later:?}"
    );
}
