//! `graylane status` against a Prometheus that knows four pods: what people read, what machines read, exit codes.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json as Body, Router};
use graylane::{document, lower, mesh::Mesh};
use serde_json::{Value as Json, json};

const FILE: &str = "cli/tests/cmd/shop.yaml";
const EXTERNAL: &str = "examples/argo-rollouts/graylane.yaml";

/// A pod and a direction, whether it is the native module, whether it runs the file's revision.
type Plugin = (&'static str, &'static str, bool, bool);

/// In order: a pod of each module, and the gateway.
const FINE: &[Plugin] = &[
    ("api-v1-5d8c", "inbound", true, true),
    ("api-v1-5d8c", "outbound", true, true),
    ("ledger-v1-7b9f", "inbound", false, true),
    ("ledger-v1-7b9f", "outbound", false, true),
];
/// A pod whose series do not name it.
const NAMELESS: &[Plugin] = &[("", "inbound", false, true), ("", "outbound", false, true)];
/// A pod that is half over, and one that is behind.
const HALF: &[Plugin] = &[
    ("api-v1-5d8c", "inbound", false, true),
    ("api-v1-5d8c", "outbound", true, true),
    ("ledger-v1-7b9f", "outbound", true, false),
];

fn labels(pod: &str, direction: &str) -> Json {
    let mut labels = json!({"namespace": "bank", "direction": direction});
    if !pod.is_empty() {
        labels["pod"] = json!(pod);
    }
    labels
}

async fn answer(
    State((plugins, revision)): State<(&'static [Plugin], u64)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Body<Json> {
    let query = &query["query"];
    let result: Vec<Json> =
        if query.starts_with("max by (namespace, pod, direction) (graylane_config_revision") {
            let value = |current: bool| (if current { revision } else { 0xabc }).to_string();
            let series = plugins.iter().map(|(pod, direction, _, current)| {
            json!({"metric": labels(pod, direction), "value": [1, value(*current)]})
        });
            series.collect()
        } else if query.contains(r#"module="native""#) {
            let native = plugins.iter().filter(|(_, _, native, _)| *native);
            let series = native
                .map(|(pod, direction, ..)| json!({"metric": labels(pod, direction), "value": [1, "1"]}));
            series.collect()
        } else if query == r#"group by (node) (pilot_xds_rds_reject{node=~".+[.](shop)"})"# {
            vec![json!({"metric": {"node": "checkout-5d8c.shop"}, "value": [1, "1"]})]
        } else {
            Vec::new()
        };
    Body(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// What it prints, and its exit code. The file's revision is called REVISION.
async fn status(plugins: &'static [Plugin], more: &[&str]) -> (String, Option<i32>) {
    of(FILE, plugins, more).await
}

async fn of(file: &str, plugins: &'static [Plugin], more: &[&str]) -> (String, Option<i32>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mesh = Mesh::of(&document::open(&[root.join(file)]).unwrap().checked().unwrap());
    let revision = lower::revision(&mesh);
    let number = u64::from_str_radix(&revision, 16).unwrap();
    let router = Router::new().route("/api/v1/query", get(answer)).with_state((plugins, number));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    // Without Git: which commit of this checkout brought the revision is nothing that lasts.
    command.env("PATH", "/nowhere");
    command.current_dir(root).args(["status", "-f", file, "--prometheus", &url]).args(more);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    server.abort();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap().replace(&revision, "REVISION"), output.status.code())
}

#[tokio::test]
async fn which_pods_run_which_module() {
    let (text, code) = status(FINE, &[]).await;
    let golden = "\
namespace  pod             plugin    module  runs
bank       api-v1-5d8c     inbound   native  REVISION
bank       api-v1-5d8c     outbound  native  REVISION
bank       ledger-v1-7b9f  inbound   wasm    REVISION
bank       ledger-v1-7b9f  outbound  wasm    REVISION
4 of 4 plugins run revision REVISION, 2 of them as native module
";
    assert_eq!((text.as_str(), code), (golden, Some(0)));
}

#[tokio::test]
async fn a_pod_that_is_half_over_is_a_finding() {
    let (text, code) = status(HALF, &[]).await;
    let golden = "\
namespace  pod             plugin    module  runs
bank       api-v1-5d8c     inbound   wasm    REVISION
bank       api-v1-5d8c     outbound  native  REVISION
bank       ledger-v1-7b9f  outbound  native  000000000abc  another configuration
2 of 3 plugins run revision REVISION, 2 of them as native module
the native module for one direction, the filter for the other: bank/api-v1-5d8c; what comes in there is not restored when it goes out: docs/native.md
";
    assert_eq!((text.as_str(), code), (golden, Some(1)));
}

/// Field report 51: without a label `pod` the series of all pods are one, of which a query shows the largest; a pod that runs
/// something else would be hidden behind it.
#[tokio::test]
async fn series_without_a_pod_are_named() {
    let (text, code) = status(NAMELESS, &[]).await;
    assert_ne!(code, Some(0), "{text}");
    assert!(text.contains("`pod`"), "{text}");
}

#[tokio::test]
async fn machines_get_the_module_too() {
    let (text, code) = status(HALF, &["--output", "json"]).await;
    let json: Json = serde_json::from_str(&text[..=text.rfind('}').unwrap()]).unwrap();
    assert_eq!((&json["current"], &json["other"], code), (&json!(2), &json!(1), Some(1)));
    let plugin = json!({
        "namespace": "bank", "pod": "api-v1-5d8c", "direction": "outbound", "module": "native",
        "revision": "REVISION", "current": true,
    });
    assert_eq!(json["plugins"][1], plugin);
    assert_eq!(json["plugins"][0]["module"], "wasm");
}

/// Without Prometheus: cli/tests/cmd/status.md.
#[tokio::test]
async fn proxies_that_rejected_a_patched_route_are_named() {
    let against = ["--against", "cli/tests/cmd/status/single.yaml"];
    let (text, code) = of(EXTERNAL, FINE, &against).await;
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("4 of 4 plugins run revision REVISION"), "{text}");
    assert!(text.contains("EnvoyFilter shop/shop-point-api makes it invalid"), "{text}");
    assert!(text.contains("rejected routes since istiod started: checkout-5d8c.shop"), "{text}");
    let (text, code) = of(EXTERNAL, FINE, &[&against[..], &["--output", "json"]].concat()).await;
    let (json, _) = text.split_once("\n}\n").unwrap();
    let json: Json = serde_json::from_str(&format!("{json}\n}}")).unwrap();
    assert_eq!(
        (&json["current"], &json["routes"][0]["rejectedBy"][0], code),
        (&json!(4), &json!("checkout-5d8c.shop"), Some(1))
    );
}

#[tokio::test]
async fn routes_that_fit_are_said_to() {
    let against = ["--against", "cli/tests/cmd/status/fits.yaml"];
    let (text, code) = of(EXTERNAL, FINE, &against).await;
    assert!(text.contains("1 EnvoyFilter of external weights: each matches the existing routes"), "{text}");
    assert_eq!(code, Some(0), "{text}");
}
