//! Trace ids of strangers at a gateway, in real Envoy with tracing on and off: the next hop never sees them where the file
//! says `edge.traceContext: restart`, and a control without our mutation does.

use std::net::SocketAddr;

use graylane::envoy::{Envoy, Options, config, locate};
use graylane::mesh::Mesh;
use graylane::resources::trace_mutation;
use graylane_tests::echo;
use graylane_tests::host::module_path;
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

const STRANGERS: &str = "0af7651916cd43dd8448eb211c80319c";

const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge: {gateway: {selector: {istio: ingressgateway}}}
services: {web: {port: 8080, subsets: {stable: {version: v1}}}}
";

/// The tracers that Istio configures, by what they propagate; none: tracing is off.
fn tracer(name: &str) -> Option<Json> {
    let zipkin = json!({
        "name": "envoy.tracers.zipkin",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
            "collector_cluster": "collector",
            "collector_endpoint": "/api/v2/spans",
            "collector_endpoint_version": "HTTP_JSON",
        },
    });
    let opentelemetry = json!({
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "grpc_service": {"envoy_grpc": {"cluster_name": "collector"}, "timeout": "1s"},
            "service_name": "gateway",
        },
    });
    match name {
        "zipkin" => Some(zipkin),
        "opentelemetry" => Some(opentelemetry),
        _ => None,
    }
}

fn mesh() -> Mesh {
    let loaded = graylane::document::load_text("trace.yaml", FILE).unwrap();
    Mesh::of(&graylane::check::open(loaded).checked().unwrap())
}

fn listener(name: &str, provider: Option<Json>, mutation: Option<Json>) -> Json {
    let gateway = graylane::lower::config(&mesh(), graylane_decide::Role::Gateway);
    let gateway = serde_json::to_string(&gateway).unwrap();
    let wasm = config::wasm_filter(name, "gateway", &module_path(), &gateway, "FAIL_CLOSED");
    let filter = json!({"name": name, "typed_config": wasm});
    let mut manager = json!({
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "outbound|8080||web.shop.svc.cluster.local"}},
        ]}]},
    });
    if let Some(provider) = provider {
        manager["tracing"] = json!({"random_sampling": {"value": 100}, "provider": provider});
    }
    if let Some(mutation) = mutation {
        manager["early_header_mutation_extensions"] = json!([mutation]);
    }
    config::listener(name, 0, "OUTBOUND", &[filter], &manager)
}

/// The trace ids that the next hop sees.
fn seen(address: SocketAddr, headers: &str) -> Vec<String> {
    let head = format!("GET / HTTP/1.1\r\nhost: www.example.com\r\n{headers}\r\n");
    let answer = echo::send(address, head.as_bytes()).unwrap();
    assert_eq!(answer.status, 200);
    let headers = echo::headers(&answer.body).unwrap();
    let traces = ["traceparent", "b3", "x-b3-traceid", "x-datadog-trace-id", "sw8", "tracestate"];
    let traces = headers.into_iter().filter(|(name, _)| traces.contains(&&**name));
    traces.map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(&value))).collect()
}

#[test]
fn callers_outside_cannot_join_a_trace_of_the_mesh() {
    let runtime = Runtime::new().unwrap();
    let upstream = echo::serve().unwrap();
    let clusters = ["outbound|8080||web.shop.svc.cluster.local", "collector"]
        .map(|name| config::cluster(name, &[upstream]));
    let mut listeners = Vec::new();
    for tracing in ["off", "zipkin", "opentelemetry"] {
        listeners.push(listener(
            &format!("restart-{tracing}"),
            tracer(tracing),
            Some(trace_mutation(&mesh())),
        ));
        listeners.push(listener(&format!("control-{tracing}"), tracer(tracing), None));
    }
    let node = config::node("router", "gateway", "istio-system", &json!({"istio": "ingressgateway"}));
    let bootstrap = config::bootstrap(&node, &listeners, &clusters);
    let binary = locate().unwrap();
    let envoy = runtime
        .block_on(Envoy::start(&binary, "traces", &bootstrap, Options { concurrency: 1, environment: &[] }))
        .unwrap();
    let strangers = [
        format!("traceparent: 00-{STRANGERS}-b7ad6b7169203331-01\r\ntracestate: a=1\r\n"),
        format!("b3: {STRANGERS}-b7ad6b7169203331-1\r\n"),
        format!("x-b3-traceid: {STRANGERS}\r\nx-b3-spanid: b7ad6b7169203331\r\nx-b3-sampled: 1\r\n"),
        format!("x-datadog-trace-id: {}\r\n", u64::from_str_radix(&STRANGERS[16..], 16).unwrap()),
    ];
    let decimal = u64::from_str_radix(&STRANGERS[16..], 16).unwrap().to_string();
    let is_strangers =
        |ids: &[String]| ids.iter().any(|id| id.contains(&STRANGERS[16..]) || id.contains(&decimal));
    for tracing in ["off", "zipkin", "opentelemetry"] {
        let [restart, control] = ["restart", "control"]
            .map(|kind| runtime.block_on(envoy.listener(&format!("{kind}-{tracing}"))).unwrap());
        let mut went_on = 0;
        for headers in &strangers {
            let ids = seen(restart, headers);
            assert!(!is_strangers(&ids), "tracing {tracing}: {headers} became {ids:?}");
            assert_eq!(ids.is_empty(), tracing == "off", "tracing {tracing}: {ids:?}");
            went_on += usize::from(is_strangers(&seen(control, headers)));
        }
        // Without the mutation a tracer goes on with what it reads, and all else passes.
        assert!(went_on >= 3, "tracing {tracing}: the control shows {went_on} of 4");
    }
}
