//! One file for two clusters: `ramp run` and `status` look at both, and hold where one does not answer. Each cluster is a
//! Prometheus of the test and a context of its `kubectl`.

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

const FILE: &str = "version: 1
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
const LAYER: &str = "policy: {remember: 60s}\n";

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
struct There {
    /// The files of its cluster.
    paths: Vec<PathBuf>,
    away: AtomicBool,
    /// Requests of each version, and the share of the canary's that fail.
    figures: Mutex<(u32, f64)>,
    /// Does it know one bucket more?
    finer: AtomicBool,
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

struct World {
    folder: tempfile::TempDir,
    clusters: BTreeMap<&'static str, (Arc<There>, String)>,
}

impl World {
    async fn new() -> Self {
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

    fn there(&self, cluster: &str) -> &There {
        &self.clusters[cluster].0
    }

    fn urls(&self) -> Vec<&str> {
        self.clusters.values().flat_map(|(_, url)| ["--prometheus", url]).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What is to become of a step, and what is said.
    async fn graylane(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command.args(words).arg("-f").arg(self.path("graylane.yaml")).env("PATH", path);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    async fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        let run = ["ramp", "run", "api", "--once", "--settle", "0s", "--image", "r.example/x:1", "--no-pin"];
        let apply = ["--apply", "kubectl --context {cluster} apply -f -"];
        let apply = if more.contains(&"--apply") { &[][..] } else { &apply };
        self.graylane(&[&run, apply, &self.urls(), more].concat()).await
    }

    /// Looks until it says something, within a number of looks.
    async fn until(&self, text: &str) -> (Option<i32>, String) {
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

    fn away(&self, cluster: &str, is: bool) {
        self.is("away", cluster, is);
    }

    fn is(&self, what: &str, cluster: &str, is: bool) {
        let path = self.path(cluster).join(what);
        if is { std::fs::write(path, "").unwrap() } else { std::fs::remove_file(path).unwrap() }
    }

    /// What was applied to a cluster since it was asked last.
    fn applied(&self, cluster: &str) -> String {
        let path = self.path(cluster).join("applied");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text
    }

    fn weight(&self) -> String {
        let text = std::fs::read_to_string(self.path("graylane.yaml")).unwrap();
        text.lines().find(|line| line.contains("weights:")).unwrap().trim().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_taken_in_every_cluster_or_in_none() {
    let world = World::new().await;
    world.until("on to 25 %").await;
    let (east, west) = (world.applied("east"), world.applied("west"));
    assert!(east.contains("kind: VirtualService") && west.contains("kind: VirtualService"), "{east}{west}");
    assert!(!east.contains("seconds: 60") && west.contains("seconds: 60"), "each has its own layer");
    // The Lease is in the first one, for all.
    assert!(world.path("east/lease").exists() && !world.path("west/lease").exists());

    world.away("west", true);
    let (code, said) = world.until("the cluster does not answer").await;
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("in `west`: the cluster does not answer (`kubectl --context west get --raw /readyz`)"),
        "{said}"
    );
    assert!(said.contains("i/o timeout") && world.applied("east").is_empty(), "{said}");
    world.away("west", false);
    world.until("on to 100 %").await;
    let (east, west) = (world.applied("east"), world.applied("west"));
    assert!([&east, &west].iter().all(|all| all.contains("buckets: 10000")), "{east}{west}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_cluster_does_not_say_holds() {
    let world = World::new().await;
    world.there("west").away.store(true, Ordering::SeqCst);
    let (code, said) = world.until("unknown which pods run it").await;
    assert!(
        code == Some(3) && said.contains("in `west`: unknown which pods run it: Prometheus at"),
        "{said}"
    );
    world.there("west").away.store(false, Ordering::SeqCst);
    world.until("on to 25 %").await;

    world.there("west").finer.store(true, Ordering::SeqCst);
    let (code, said) = world.until("different buckets").await;
    assert!(code == Some(3) && said.contains("histograms of the clusters have different buckets"), "{said}");
    world.there("west").finer.store(false, Ordering::SeqCst);
    // Too few in each of them, and enough together.
    for cluster in ["east", "west"] {
        *world.there(cluster).figures.lock().unwrap() = (60, 0.0);
    }
    world.until("on to 100 %").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worse_canary_is_taken_back_wherever_a_cluster_answers() {
    let world = World::new().await;
    world.until("every pod runs 5 %").await;
    let _ = (world.applied("east"), world.applied("west"));
    // Bad in one of them only.
    *world.there("west").figures.lock().unwrap() = (600, 0.5);
    world.away("west", true);
    world.until("in `west`").await;
    for _ in 0..3 {
        world.run(&[]).await;
    }
    assert_eq!(world.weight(), "weights: {canary: 0} # ours");
    let (code, said) = world.until("not yet in every cluster").await;
    assert!(code == Some(3) && said.contains("in `west`") && !said.contains("in `east`"), "{said}");
    assert!(world.applied("east").contains("kind: VirtualService") && world.applied("west").is_empty());
    world.away("west", false);
    let (code, _) = world.until("is aborted").await;
    assert!(code == Some(1) && world.applied("west").contains("kind: VirtualService"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_one_cluster_keeps_no_other_from_taking_a_canary_back() {
    let world = World::new().await;
    world.until("every pod runs 5 %").await;
    *world.there("west").figures.lock().unwrap() = (600, 0.5);
    let _ = (world.applied("east"), world.applied("west"));
    // It answers, and refuses what it is given.
    world.is("refuses", "west", true);
    let (code, said) = world.until("not yet in every cluster").await;
    assert!(
        code == Some(3) && said.contains("in `west`: `kubectl --context west apply -f -` failed"),
        "{said}"
    );
    assert!(world.applied("east").contains("kind: VirtualService"));
    std::fs::write(world.path("west.yaml"), "policy: [\n").unwrap();
    let (code, said) = world.until("not yet in every cluster").await;
    assert!(code == Some(3) && said.contains("west.yaml:1:9: invalid YAML"), "{said}");
    assert!(world.applied("east").contains("kind: VirtualService") && world.applied("west").is_empty());
    std::fs::write(world.path("west.yaml"), LAYER).unwrap();
    world.is("refuses", "west", false);
    let (code, _) = world.until("is aborted").await;
    assert!(code == Some(1) && world.applied("west").contains("kind: VirtualService"));
}

/// Of a cluster whose API server does not answer, nothing is asked once the canary is to be taken back.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_hangs_delays_no_abort() {
    let world = World::new().await;
    world.until("every pod runs 5 %").await;
    *world.there("west").figures.lock().unwrap() = (600, 0.5);
    let _ = (world.applied("east"), world.applied("west"));
    world.is("hangs", "west", true);
    let begin = std::time::Instant::now();
    let (_, said) = world.run(&["--apply-timeout", "1s", "--lease", "12s"]).await;
    assert!(begin.elapsed() < std::time::Duration::from_secs(30), "{:?}: {said}", begin.elapsed());
    assert!(said.contains("not yet in every cluster") && said.contains("in `west`"), "{said}");
    assert!(world.applied("east").contains("kind: VirtualService"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_layer_says_counts_as_well() {
    let world = World::new().await;
    for (layer, why) in [
        (
            "services: {api: {rollout: {perCluster: true, weights: {canary: 1}}}}\n",
            "`api` has `perCluster: true`",
        ),
        (
            "services: {api: {rollout: {weights: {canary: 5}}}}\n",
            "west.yaml:1:28: the layer has `rollout.weights` of `api`",
        ),
        ("mesh: {clusters: {north: }}\n", "a layer cannot change which clusters there are"),
        ("policy: [\n", "west.yaml:"),
    ] {
        std::fs::write(world.path("west.yaml"), layer).unwrap();
        let (code, said) = world.run(&[]).await;
        assert!(code == Some(2) && said.contains(why), "{why}: {said}");
    }
    std::fs::remove_file(world.path("west.yaml")).unwrap();
    let (code, said) = world.run(&[]).await;
    assert!(code == Some(2) && said.contains("cannot read"), "{said}");
    // Another layer for all would be one of every cluster.
    std::fs::write(world.path("west.yaml"), LAYER).unwrap();
    let west = world.path("west.yaml").display().to_string();
    let (code, said) = world.graylane(&["check", "-f", &west]).await;
    assert_eq!(code, Some(1), "{said}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
    command.arg("check").arg("-f").arg(world.path("graylane.yaml")).arg("-f").arg(&west);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("is among the files of all clusters"), "{said}");
    assert!(world.applied("east").is_empty() && world.applied("west").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_reaches_one_cluster_is_refused() {
    let world = World::new().await;
    for (more, why) in [
        (
            &["--apply", "kubectl apply -f -"][..],
            "--apply has no `{cluster}`, so it reaches one of the clusters east, west",
        ),
        (&["--kubectl", "kubectl --context east"], "--kubectl has no `{cluster}`"),
        (
            &["--apply", "KUBECONFIG=x kubectl --context {cluster} apply -f -"],
            "--apply is no plain kubectl command",
        ),
        (&["--prometheus", "http://127.0.0.1:1"], "of which cluster is `http://127.0.0.1:1`?"),
    ] {
        let (code, said) = world.run(more).await;
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
    let file = FILE.replace("steps:", "perCluster: true\n      steps:");
    std::fs::write(world.path("graylane.yaml"), file).unwrap();
    let (code, said) = world.run(&[]).await;
    assert!(code == Some(2) && said.contains("`api` has `perCluster: true`"), "{said}");
    let alone = FILE.replace("clusters: {east: , west: {layer: west.yaml}}", "clusters: {}");
    std::fs::write(world.path("graylane.yaml"), alone).unwrap();
    let apply = ["--apply", "kubectl --context {cluster} apply -f -", "--prometheus", "http://127.0.0.1:1"];
    let (code, said) = world.graylane(&[&["ramp", "run", "api", "--once"][..], &apply].concat()).await;
    assert!(code == Some(2) && said.contains("the file names no clusters"), "{said}");
    // Without it, clusters that differ are an error for whoever needs them.
    std::fs::write(world.path("graylane.yaml"), FILE).unwrap();
    std::fs::write(world.path("west.yaml"), "services: {api: {rollout: {weights: {canary: 1}}}}\n").unwrap();
    let (code, said) = world.run(&[]).await;
    assert!(
        code == Some(2) && said.contains("5 % on `canary` in `east`, and 1 % on `canary` in `west`"),
        "{said}"
    );
    assert!(world.applied("east").is_empty() && world.applied("west").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_each_cluster() {
    let world = World::new().await;
    let words = [&["status"], &world.urls()[..]].concat();
    let (code, said) = world.graylane(&words).await;
    assert_eq!(code, Some(0), "{said}");
    for line in [
        "cluster east",
        "cluster west",
        "in `east`: 1 of 1 plugins run revision",
        "in `west`: 1 of 1 plugins run revision",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    world.there("west").away.store(true, Ordering::SeqCst);
    let (code, said) = world.graylane(&words).await;
    assert!(code == Some(1) && said.contains("in `west`: unknown what pods run: Prometheus at"), "{said}");
    assert!(said.contains("in `east`: 1 of 1 plugins run revision"), "{said}");
    let (_, said) = world.graylane(&[&words[..], &["--output", "json"]].concat()).await;
    let json: Json = serde_json::Deserializer::from_str(&said).into_iter().next().unwrap().unwrap();
    assert_eq!(json["clusters"]["east"]["current"], 1);
    assert!(json["clusters"]["west"]["error"].as_str().unwrap().contains("Prometheus at"), "{json}");
}

/// The clone of a run by Git has the rollout's files alone, and the layers that they name.
#[tokio::test(flavor = "multi_thread")]
async fn by_git_each_cluster_has_its_layer_and_its_tool() {
    let world = World::new().await;
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]);
        let output = command.args(words).current_dir(world.folder.path()).output().unwrap();
        assert!(output.status.success(), "git {words:?}: {output:?}");
    };
    let bare = tempfile::tempdir().unwrap();
    git(&["init", "-q", "--bare", &bare.path().display().to_string()]);
    git(&["init", "-q"]);
    git(&["remote", "add", "origin", &bare.path().display().to_string()]);
    git(&["add", "graylane.yaml", "west.yaml"]);
    git(&["commit", "-q", "-m", "all"]);
    git(&["push", "-q", "origin", "main"]);
    let tool = ["--synced-by", "flux:flux-system/shop", "--kubectl", "kubectl --context {cluster}"];
    let words = [&["ramp", "run", "api", "--once", "--git"], &world.urls()[..], &tool].concat();
    let mut said = String::new();
    for _ in 0..20 {
        said = world.graylane(&words).await.1;
        if said.contains("Flux has not synced") {
            break;
        }
    }
    // Its pods run it: the revision with the layer. Its Flux knows nothing.
    assert!(said.contains("in `east`: Flux has not synced"), "{said}");
    let one = [&["ramp", "run", "api", "--once", "--git"], &world.urls()[..], &tool[..2]].concat();
    let (code, said) = world.graylane(&one).await;
    assert!(code == Some(2) && said.contains("--synced-by or --kubectl has no `{cluster}`"), "{said}");
}
