//! A file for two clusters, each of which is a Prometheus of the test and a context of its `kubectl`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json as Body, Router};
use graylane::mesh::Mesh;
use graylane::{document, lower};
use serde_json::{Value as Json, json};

pub const FILE: &str = "version: 1
mesh:
  name: shop
  namespace: shop
  clusters: {east: , west: {layer: west.yaml}}
tenants: {green: {default: true}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout:
      weights: {canary: 5} # ours
      steps: [5, 25, 100]
      hold: 1s
";

/// Plugins there have another configuration than in the first cluster, and place users alike.
pub const LAYER: &str = "policy: {remember: 60s}\n";

/// `kubectl`, of the cluster that `--context` names.
const KUBECTL: &str = r#"#!/bin/sh
[ "$1" = --context ] || exit 9
cd "$(dirname "$0")/$2" || exit 9
shift 2
if [ -f hangs ]; then exec sleep 600; fi
if [ -f away ]; then echo 'dial tcp 192.0.2.1:6443: i/o timeout' >&2; exit 1; fi
case "$*" in
'get --raw /readyz') echo ok ;;
get\ leases*) cat lease 2>/dev/null || true ;;
get\ *) cat > /dev/null ;;
create\ *) sed 's/"metadata":{/"metadata":{"resourceVersion":"1",/' > lease; cat lease ;;
replace\ *) cat > lease; cat lease ;;
apply\ *)
  if [ -f refuses ]; then echo 'admission webhook denied the request' >&2; exit 1; fi
  cat >> applied ;;
esac"#;

/// What a Prometheus knows.
pub struct There {
    /// The files of its cluster.
    paths: Vec<PathBuf>,
    pub away: AtomicBool,
    /// Requests of each version, and the share of the canary's that fail.
    pub figures: Mutex<(u32, f64)>,
    /// Does it know one bucket more?
    pub finer: AtomicBool,
}

async fn answer(
    State(there): State<Arc<There>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Body<Json>, StatusCode> {
    if there.away.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let query = &query["query"];
    let one = |labels: Json, value: String| json!({"metric": labels, "value": [1, value]});
    let (requests, errors) = *there.figures.lock().unwrap();
    let result = if query.starts_with("max by (namespace, pod, direction) (graylane_config_revision") {
        let file = document::open(&there.paths).unwrap().checked().unwrap();
        let revision = u64::from_str_radix(&lower::revision(&Mesh::of(&file)), 16).unwrap();
        vec![one(json!({"namespace": "shop", "pod": "p", "direction": "outbound"}), revision.to_string())]
    } else if query.contains("by (le)") {
        let finer = there.finer.load(Ordering::SeqCst).then_some("7");
        let bounds = ["5"].into_iter().chain(finer).chain(["10", "+Inf"]);
        bounds.map(|le| one(json!({"le": le}), requests.to_string())).collect()
    } else if query.contains("vector(0)") {
        let errors = if query.contains("\"canary\"") { errors } else { 0.0 };
        vec![one(json!({}), errors.to_string())]
    } else if query.contains("istio_requests_total") {
        vec![one(json!({}), requests.to_string())]
    } else {
        Vec::new()
    };
    Ok(Body(json!({"status": "success", "data": {"resultType": "vector", "result": result}})))
}

pub struct World {
    pub folder: tempfile::TempDir,
    clusters: BTreeMap<&'static str, (Arc<There>, String)>,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("graylane.yaml"), FILE).unwrap();
        std::fs::write(path("west.yaml"), LAYER).unwrap();
        std::fs::write(path("kubectl"), KUBECTL).unwrap();
        std::fs::set_permissions(path("kubectl"), PermissionsExt::from_mode(0o755)).unwrap();
        let mut clusters = BTreeMap::new();
        for (name, paths) in
            [("east", vec![path("graylane.yaml")]), ("west", vec![path("graylane.yaml"), path("west.yaml")])]
        {
            std::fs::create_dir(path(name)).unwrap();
            let there = Arc::new(There {
                paths,
                away: AtomicBool::new(false),
                figures: Mutex::new((600, 0.0)),
                finer: AtomicBool::new(false),
            });
            let router = Router::new().route("/api/v1/query", get(answer)).with_state(Arc::clone(&there));
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let url = format!("{name}=http://{}", listener.local_addr().unwrap());
            tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
            clusters.insert(name, (there, url));
        }
        Self { folder, clusters }
    }

    pub fn there(&self, cluster: &str) -> &There {
        &self.clusters[cluster].0
    }

    pub fn urls(&self) -> Vec<&str> {
        self.clusters.values().flat_map(|(_, url)| ["--prometheus", url]).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is to become of a step, and what is said.
    pub async fn graylane(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command.args(words).arg("-f").arg(self.path("graylane.yaml")).env("PATH", path);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    pub async fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        let run = ["ramp", "run", "api", "--once", "--settle", "0s", "--image", "r.example/x:1", "--no-pin"];
        let apply = ["--apply", "kubectl --context {cluster} apply -f -"];
        let apply = if more.contains(&"--apply") { &[][..] } else { &apply };
        self.graylane(&[&run, apply, &self.urls(), more].concat()).await
    }

    /// Looks until it says something, within a number of looks.
    pub async fn until(&self, text: &str) -> (Option<i32>, String) {
        let mut last = String::new();
        for _ in 0..40 {
            let (code, said) = self.run(&[]).await;
            if said.contains(text) {
                return (code, said);
            }
            last = said;
        }
        panic!("it never says `{text}`, but: {last}");
    }

    pub fn away(&self, cluster: &str, is: bool) {
        self.is("away", cluster, is);
    }

    pub fn is(&self, what: &str, cluster: &str, is: bool) {
        let path = self.path(cluster).join(what);
        if is { std::fs::write(path, "").unwrap() } else { std::fs::remove_file(path).unwrap() }
    }

    /// What was applied to a cluster since it was asked last.
    pub fn applied(&self, cluster: &str) -> String {
        let path = self.path(cluster).join("applied");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text
    }

    pub fn weight(&self) -> String {
        let text = std::fs::read_to_string(self.path("graylane.yaml")).unwrap();
        text.lines().find(|line| line.contains("weights:")).unwrap().trim().to_owned()
    }
}
