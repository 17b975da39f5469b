//! What is not known holds: a rollout whose step could be taken, and a Prometheus of whose answers one is wrong. Each row of
//! the table in examples/ramp/README.md is one of these cases.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use graylane::mesh::Mesh;
use graylane::{document, lower};
use serde_json::{Value as Json, json};

const FILE: &str = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout:
      weights: {canary: 1}
      steps: [1, 5, 100]
      hold: 1s
      guards: [{name: orders, query: sum(orders), min: 1, max: 9}]
telemetry: {source: envoy}
";

/// What is asked, and what is answered: the body, which a case changes.
type Change = fn(&str, &mut Json);

/// Name, change, and what is said.
const CASES: &[(&str, Change, &str)] = &[
    ("a count of requests that is infinite", |ask, body| if_count(ask, body, "+Inf"), "count of requests"),
    ("a count that is `NaN`", |ask, body| if_count(ask, body, "NaN"), "count of requests"),
    ("a count below 0", |ask, body| if_count(ask, body, "-5"), "count of requests"),
    ("an error ratio that is `NaN`", |ask, body| if_ratio(ask, body, &json!("NaN")), "error ratio"),
    ("an error ratio that is infinite", |ask, body| if_ratio(ask, body, &json!("-Inf")), "error ratio"),
    ("an error ratio below 0 or above 1", |ask, body| if_ratio(ask, body, &json!("1.5")), "error ratio"),
    (
        "no error ratio, though there are requests",
        |ask, body| if_ratio(ask, body, &Json::Null),
        "error ratio",
    ),
    (
        "a histogram of infinite counts",
        |ask, body| histogram(ask, body, &[("5", "+Inf"), ("+Inf", "+Inf")]),
        "histogram of latency",
    ),
    (
        "a histogram without its last bucket",
        |ask, body| histogram(ask, body, &[("5", "900"), ("10", "1000")]),
        "no bucket `+Inf`",
    ),
    ("a histogram of its last bucket alone", |ask, body| histogram(ask, body, &[("+Inf", "1000")]), "alone"),
    (
        "a histogram that falls",
        |ask, body| histogram(ask, body, &[("5", "1000"), ("10", "10"), ("+Inf", "5")]),
        "it falls from 1000",
    ),
    (
        "a histogram of other requests than were counted",
        |ask, body| histogram(ask, body, &[("5", "3"), ("+Inf", "4")]),
        "it has 4 of 1000 requests",
    ),
    ("no histogram", |ask, body| histogram(ask, body, &[]), "no latency histogram"),
    (
        "a partial answer of Thanos, Mimir or Prometheus (`warnings`)",
        |_, body| body["warnings"] = json!(["store eu-1 is away"]),
        "partial: store eu-1 is away",
    ),
    (
        "a partial answer of VictoriaMetrics (`isPartial`)",
        |_, body| body["isPartial"] = json!(true),
        "partial",
    ),
    (
        "an answer of another type",
        |ask, body| {
            if ask == "count" {
                body["data"] = json!({"resultType": "matrix", "result": []});
            }
        },
        "not an instant vector",
    ),
    ("an answer that says `error`", |_, body| body["status"] = json!("error"), "`error`"),
    (
        "several series where one number is asked for",
        |ask, body| {
            if ask == "guard" {
                body["data"]["result"] =
                    json!([series(&json!({"a": "1"}), "5"), series(&json!({"a": "2"}), "5")]);
            }
        },
        "got 2 series",
    ),
    ("a guard of yours without data", |ask, body| guard(ask, body, &Json::Null), "orders: no data"),
    ("a guard of yours that is `NaN`", |ask, body| guard(ask, body, &json!("NaN")), "orders: no value"),
    (
        "a guard of yours that is infinite",
        |ask, body| guard(ask, body, &json!("+Inf")),
        "orders: the number is inf",
    ),
    (
        "an answer from the future",
        |_, body| {
            for one in body["data"]["result"].as_array_mut().into_iter().flatten() {
                one["value"][0] = json!(now() + 3600);
            }
        },
        "clock",
    ),
    ("a server whose clock is another one", |_, body| body["date"] = json!(true), "clock"),
    (
        "an answer that is larger than is read",
        |_, body| body["much"] = json!(" ".repeat(2 << 20)),
        "are read",
    ),
    ("a server that redirects elsewhere", |_, body| body["redirect"] = json!(true), "use that address"),
    ("a server in trouble", |_, body| body["trouble"] = json!(true), "503"),
];

fn series(labels: &Json, value: &str) -> Json {
    json!({"metric": labels, "value": [1, value]})
}

fn vector(body: &mut Json, result: Json) {
    body["data"]["result"] = result;
}

fn if_count(ask: &str, body: &mut Json, value: &str) {
    if ask == "count" {
        vector(body, json!([series(&json!({}), value)]));
    }
}

fn if_ratio(ask: &str, body: &mut Json, value: &Json) {
    if ask == "ratio" {
        vector(body, value.as_str().map_or(json!([]), |value| json!([series(&json!({}), value)])));
    }
}

fn guard(ask: &str, body: &mut Json, value: &Json) {
    if ask == "guard" {
        vector(body, value.as_str().map_or(json!([]), |value| json!([series(&json!({}), value)])));
    }
}

fn histogram(ask: &str, body: &mut Json, buckets: &[(&str, &str)]) {
    if ask == "latency" {
        let all: Vec<Json> = buckets.iter().map(|(le, value)| series(&json!({"le": le}), value)).collect();
        vector(body, json!(all));
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// What the server does to its answers.
type Fault = Arc<Mutex<Option<Change>>>;

async fn answer(State(fault): State<Fault>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let query = &query["query"];
    let (ask, result) = if query.contains("by (le)") {
        let all = [("5", "900"), ("10", "995"), ("+Inf", "1000")];
        ("latency", all.map(|(le, value)| series(&json!({"le": le}), value)).to_vec())
    } else if query.contains("vector(0)") {
        ("ratio", vec![series(&json!({}), "0")])
    } else if query.contains("orders") {
        ("guard", vec![series(&json!({}), "5")])
    } else {
        ("count", vec![series(&json!({}), "1000")])
    };
    let mut body = json!({"status": "success", "data": {"resultType": "vector", "result": result}});
    if let Some(change) = *fault.lock().unwrap() {
        change(ask, &mut body);
    }
    let text = body.to_string();
    if !body["redirect"].is_null() {
        return (StatusCode::FOUND, [(header::LOCATION, "http://me:secret@elsewhere/")]).into_response();
    }
    if !body["trouble"].is_null() {
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    if !body["date"].is_null() {
        return ([(header::DATE, "Thu, 01 Jan 1970 00:00:00 GMT")], text).into_response();
    }
    text.into_response()
}

async fn server(fault: Fault) -> String {
    let router = Router::new().route("/api/v1/query", get(answer)).with_state(fault);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// A rollout whose step began so many seconds ago.
fn rollout(folder: &Path, ago: i64) {
    std::fs::write(folder.join("graylane.yaml"), FILE).unwrap();
    let mesh = Mesh::of(&graylane::check::open(document::load_text("f", FILE).unwrap()).checked().unwrap());
    let at = now().checked_add_signed(-ago).unwrap();
    let records = ["applied", "step"].map(|event| {
        let revision = lower::revision(&mesh);
        json!({"time": "x", "at": at, "service": "api", "canary": "canary", "weight": 1.0, "event": event, "revision": revision})
            .to_string()
    });
    std::fs::write(folder.join("graylane-ramp-api.jsonl"), records.join("\n") + "\n").unwrap();
}

async fn run(folder: &Path, url: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    command.args(["ramp", "run", "api", "--once", "--settle", "0s", "--prometheus-max-answer", "1"]);
    command.args(["--prometheus", url]).current_dir(folder);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn what_is_not_known_holds() {
    let fault = Fault::default();
    let url = server(Arc::clone(&fault)).await;
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/ramp/README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let weight = || std::fs::read_to_string(folder.path().join("graylane.yaml")).unwrap();
    rollout(folder.path(), 60);
    let output = run(folder.path(), &url).await;
    assert!(weight().contains("{canary: 5}"), "what is known advances: {}", said(&output));
    assert_eq!(output.status.code(), Some(0));
    for (name, change, want) in CASES {
        assert!(page.contains(&format!("\n| {name} | ")), "the page does not say: {name}");
        *fault.lock().unwrap() = Some(*change);
        rollout(folder.path(), 60);
        let output = run(folder.path(), &url).await;
        assert_eq!((output.status.code(), weight().as_str()), (Some(3), FILE), "{name}: {}", said(&output));
        assert!(
            said(&output).contains(want) && !said(&output).contains("secret"),
            "{name}: {}",
            said(&output)
        );
    }
    *fault.lock().unwrap() = None;
    rollout(folder.path(), -3600);
    let output = run(folder.path(), &url).await;
    assert_eq!((output.status.code(), weight().as_str()), (Some(3), FILE), "{}", said(&output));
    assert!(said(&output).contains("clocks differ"), "{}", said(&output));
}
