//! A rollout by Git in a folder of its own: a bare repository, a checkout, and a Prometheus that is content with every canary
//! and says that every pod runs what is pushed.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json as Body, Router};
use graylane::mesh::Mesh;
use graylane::{document, lower};
use serde_json::{Value as Json, json};

pub const FILE: &str = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}}
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout:
      weights: {canary: 1} # ours
      steps: [1, 5, 25, 100]
      hold: 2s
  other:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout: {weights: {canary: 1}}
telemetry: {source: envoy}
";

/// How long a condition may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How many looks it may take until something is so.
const LOOKS: usize = 40;

/// What Prometheus is asked about: the repository, and what makes it say something else.
#[derive(Clone)]
struct Pods {
    bare: PathBuf,
    errors: Arc<Mutex<f64>>,
}

async fn answer(State(pods): State<Pods>, Query(query): Query<BTreeMap<String, String>>) -> Body<Json> {
    let query = query.get("query").map(String::as_str).unwrap_or_default();
    let one = |labels: Json, value: &str| json!({"metric": labels, "value": [1, value]});
    let result = if query.contains("config_revision") {
        let revision = u64::from_str_radix(&revision(&pushed(&pods.bare)), 16).unwrap_or(0).to_string();
        vec![one(json!({"namespace": "shop", "pod": "p", "direction": "outbound"}), &revision)]
    } else if query.contains("by (le)") {
        [("5", "900"), ("10", "995"), ("+Inf", "1000")].map(|(le, n)| one(json!({"le": le}), n)).into()
    } else if query.contains("vector(0)") {
        // Errors are the canary's.
        let errors = if query.contains("canary") { *pods.errors.lock().unwrap() } else { 0.0 };
        vec![one(json!({}), &errors.to_string())]
    } else {
        vec![one(json!({}), "1000")]
    };
    Body(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// The file on the branch of a bare repository.
pub fn pushed(bare: &Path) -> String {
    String::from_utf8(git(bare, &["show", "main:graylane.yaml"]).stdout).unwrap()
}

fn revision(text: &str) -> String {
    let opened = document::load_text("f", text).map(graylane::check::open);
    opened
        .and_then(graylane::check::Opened::checked)
        .map(|file| lower::revision(&Mesh::of(&file)))
        .unwrap_or_default()
}

/// Runs git.
pub fn git(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "commit.gpgsign=false",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "protocol.file.allow=always",
    ]);
    command.args(words).current_dir(folder);
    settings(&mut command, folder);
    command.output().unwrap()
}

/// Settings of a user's own change nothing.
fn settings(command: &mut Command, folder: &Path) {
    command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
    command.env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap());
}

/// As [`git`], of what has to work; what it prints.
pub fn must(folder: &Path, words: &[&str]) -> String {
    let output = git(folder, words);
    assert!(output.status.success(), "git {words:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// What a program says, with its exit code.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("exit {:?}: {}{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A rollout in a folder of its own.
pub struct Rollout {
    pub folder: tempfile::TempDir,
    pub url: String,
    pub service: String,
    errors: Arc<Mutex<f64>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Rollout {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Rollout {
    pub async fn new() -> Self {
        Self::of("api").await
    }

    /// Of a service with this name.
    pub async fn of(service: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("bare")).unwrap();
        must(&root.join("bare"), &["init", "--quiet", "--bare"]);
        must(root, &["clone", "--quiet", "bare", "work"]);
        let work = root.join("work");
        must(&work, &["config", "user.name", "Ada"]);
        must(&work, &["config", "user.email", "ada@example.com"]);
        let host = if service == "api" { "" } else { "    host: api\n" };
        let text = FILE.replace("\n  api:\n", &format!("\n  {service}:\n{host}"));
        std::fs::write(work.join("graylane.yaml"), text).unwrap();
        must(&work, &["checkout", "--quiet", "-B", "main"]);
        must(&work, &["add", "graylane.yaml"]);
        must(&work, &["commit", "--quiet", "--message", "Begin"]);
        must(&work, &["push", "--quiet", "origin", "main"]);
        let errors = Arc::new(Mutex::new(0.0));
        let pods = Pods { bare: root.join("bare"), errors: Arc::clone(&errors) };
        let router = Router::new().route("/api/v1/query", get(answer)).with_state(pods);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // It ends with the rollout.
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        Self { folder, url, service: service.to_owned(), errors, server }
    }

    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("bare")
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The canary fails so often.
    pub fn fails(&self, ratio: f64) {
        *self.errors.lock().unwrap() = ratio;
    }

    /// `graylane`, in the checkout.
    pub fn graylane(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_graylane"));
        command.args(words).current_dir(self.work());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        settings(&mut command, self.folder.path());
        // What a run leaves that is killed goes with the test.
        command.env("TMPDIR", self.folder.path());
        command
    }

    /// A run.
    pub fn run(&self, words: &[&str]) -> Command {
        let mut command = self.graylane(&["ramp", "run", &self.service, "--git", "--prometheus", &self.url]);
        command
            .args(["--interval", "100ms", "--settle", "0s", "--image", "r.example/x:1", "--no-pin"])
            .args(words);
        command
    }

    /// One look, and what it says.
    pub async fn once(&self, words: &[&str]) -> (Option<i32>, String) {
        let mut command = self.run(&[&["--once"], words].concat());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), said(&output))
    }

    /// Looks again and again until this is said; with the exit code then.
    pub async fn told(&self, words: &[&str], wanted: &str) -> (Option<i32>, String) {
        let mut all = String::new();
        for _ in 0..LOOKS {
            let (code, said) = self.once(words).await;
            if said.contains(wanted) {
                return (code, said);
            }
            all += &said;
        }
        panic!("never said: {wanted}\n{all}");
    }

    /// Looks until the weight is this.
    pub async fn reaches(&self, weight: &str) {
        let mut all = String::new();
        for _ in 0..LOOKS {
            if self.weight() == weight {
                return;
            }
            all += &self.once(&[]).await.1;
        }
        panic!("never {weight}:\n{all}");
    }

    /// The weight on the branch, as written.
    pub fn weight(&self) -> String {
        let text = pushed(&self.bare());
        let line = text.lines().find(|line| line.contains("# ours")).unwrap_or_default();
        line.split(['{', '}']).nth(1).unwrap_or_default().to_owned()
    }

    /// A person edits the file, and pushes.
    pub fn person(&self, from: &str, to: &str) {
        let work = self.folder.path().join("person");
        if !work.exists() {
            must(self.folder.path(), &["clone", "--quiet", "bare", "person"]);
            must(&work, &["config", "user.name", "Grace"]);
            must(&work, &["config", "user.email", "grace@example.com"]);
        }
        must(&work, &["pull", "--quiet", "--rebase"]);
        let path = work.join("graylane.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        must(&work, &["commit", "--quiet", "--all", "--message", &format!("{from} to {to}")]);
        must(&work, &["push", "--quiet", "origin", "main"]);
    }

    /// A program at the bare repository that is asked about each push.
    pub fn pre_receive(&self, script: &str) {
        hook(&self.bare().join("hooks/pre-receive"), script);
    }

    /// The log in the remote.
    pub fn log(&self) -> Vec<Json> {
        self.log_of("main/graylane.yaml/api")
    }

    /// The log of another rollout.
    pub fn log_of(&self, key: &str) -> Vec<Json> {
        let text = git(&self.bare(), &["show", &format!("refs/graylane/log/{key}:ramp.jsonl")]).stdout;
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn events(&self) -> Vec<String> {
        let all = self.log();
        let named = all.iter().filter(|record| record["event"] != "look");
        named.map(|record| format!("{} {}", record["event"].as_str().unwrap(), record["weight"])).collect()
    }
}

/// Writes a hook.
pub fn hook(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits for something.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LIMIT, "{what}: not within {} s", LIMIT.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A process that ends with this.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The page says so, too.
pub fn row(name: &str) {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/gitops.md")).unwrap();
    assert!(page.contains(&format!("\n| {name} | ")), "docs/gitops.md does not say: {name}");
}

/// Does something in another clone, the first time that a hook runs: between the fetch and the push of a run.
pub fn in_between(rollout: &Rollout, script: &str) {
    let other = rollout.folder.path().join("between");
    must(rollout.folder.path(), &["clone", "--quiet", "bare", "between"]);
    for (key, value) in [("user.name", "Grace"), ("user.email", "grace@example.com")] {
        must(&other, &["config", key, value]);
    }
    let path = rollout.work().join(".git/hooks/pre-push");
    hook(
        &path,
        &format!(
            "mkdir {0}/done 2>/dev/null || exit 0\nunset $(git rev-parse --local-env-vars)\ncd {0} && git pull -q && {script}",
            other.display()
        ),
    );
}
