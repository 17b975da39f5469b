//! `graylane report --watch`: it asks again and again, goes on while Prometheus does not answer, and ends with Ctrl-C.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::any;
use axum::{Json as Body, Router};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// The second question is not answered.
async fn answer(State(asked): State<Arc<AtomicUsize>>) -> Result<Body<Json>, StatusCode> {
    if asked.fetch_add(1, Ordering::SeqCst) == 1 {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let metric = json!({
        "namespace": "shop", "workload": "api-v1", "direction": "inbound", "tenant": "green", "subset": "stable", "source": "header",
        "service": "",
    });
    let result = json!([{"metric": metric, "value": [now, "12"]}]);
    Ok(Body(json!({"status": "success", "data": {"resultType": "vector", "result": result}})))
}

#[tokio::test]
async fn it_asks_until_it_is_interrupted() {
    let router = Router::new().route("/api/v1/query", any(answer)).with_state(Arc::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut watch = Command::new(env!("CARGO_BIN_EXE_graylane"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args([
            "report",
            "-f",
            "cli/tests/cmd/shop.yaml",
            "--prometheus",
            &url,
            "--watch",
            "1s",
            "--window",
            "1m",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let two = async {
        let mut reports = 0;
        while reports < 2 {
            let line = lines.next_line().await.unwrap().expect("it goes on");
            reports += usize::from(line.starts_with("shop: requests a minute"));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), two).await.expect("a second report");
    let pid = rustix::process::Pid::from_raw(watch.id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), watch.wait_with_output())
        .await
        .expect("it ends")
        .unwrap();
    server.abort();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("503"), "{said}");
    assert_eq!(ended.status.code(), Some(0), "{said}");
}
