//! A rollout in a folder of its own, and a Prometheus that is content with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json as Body, Router};
use graylane::lower;
use graylane::{document, mesh::Mesh};
use serde_json::{Value as Json, json};

/// Its file.
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
      weights: {canary: 0} # ours
      steps: [1, 5, 25, 50, 100]
      hold: 1s
  other:
    port: 8080
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    rollout: {weights: {canary: 1}}
telemetry: {source: envoy}
";

/// A Prometheus that is content with every canary, unless there is a file `bad` beside its file, and says that every pod runs
/// what the file says.
async fn answer(State(file): State<PathBuf>, Query(query): Query<BTreeMap<String, String>>) -> Body<Json> {
    let query = query.get("query").map(String::as_str).unwrap_or_default();
    let one = |labels: Json, value: &str| json!({"metric": labels, "value": [1, value]});
    let result = if query.contains("config_revision") {
        let opened = document::open(std::slice::from_ref(&file)).and_then(check);
        let revision = opened.map(|mesh| lower::revision(&mesh)).unwrap_or_default();
        let revision = u64::from_str_radix(&revision, 16).unwrap_or(0).to_string();
        vec![one(json!({"namespace": "shop", "pod": "p", "direction": "outbound"}), &revision)]
    } else if query.contains("by (le)") {
        [("5", "900"), ("10", "995"), ("+Inf", "1000")].map(|(le, n)| one(json!({"le": le}), n)).into()
    } else if query == "vector(time())" {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        vec![one(json!({}), &now.as_secs().to_string())]
    } else if query.contains("vector(0)") {
        let is_bad = query.contains("canary") && file.with_file_name("bad").exists();
        vec![one(json!({}), if is_bad { "0.5" } else { "0" })]
    } else {
        vec![one(json!({}), "1000")]
    };
    Body(json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

fn check(opened: graylane::check::Opened) -> Result<Mesh> {
    Ok(Mesh::of(&opened.checked()?))
}

/// A rollout in a folder of its own.
pub struct Rollout<'a> {
    program: &'a Path,
    /// Where it is.
    pub folder: tempfile::TempDir,
    /// Of its Prometheus.
    pub url: String,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Rollout<'_> {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl<'a> Rollout<'a> {
    pub async fn new(program: &'a Path) -> Result<Self> {
        Self::with(program, FILE).await
    }

    /// With another file.
    pub async fn with(program: &'a Path, text: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("graylane.yaml");
        std::fs::write(&file, text)?;
        let router = Router::new().route("/api/v1/query", get(answer)).with_state(file);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        // It ends with the rollout.
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        Ok(Self { program, folder, url, server })
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("graylane.yaml")
    }

    /// Saves the file in one step, as editors do: a run that reads half a file ends with 2.
    pub fn save(&self, text: &str) -> Result<()> {
        let new = self.folder.path().join(".saved");
        std::fs::write(&new, text)?;
        Ok(std::fs::rename(new, self.file())?)
    }

    pub fn text(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.file())?)
    }

    pub fn ramp(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.arg("ramp").args(arguments).arg("-f").arg(self.file());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, more: &[&str]) -> Command {
        let mut command = self.ramp(&["run", "api", "--interval", "50ms", "--settle", "0s"]);
        command.args(["--prometheus", &self.url]).args(more).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Where it stands: its place among the steps; 6 is promoted. Anything else is a broken file.
    pub fn place(&self) -> Result<usize> {
        let text = self.text()?;
        let promoted = FILE
            .replacen("baseline: stable", "baseline: canary", 1)
            .replace("{canary: 0} # ours", "{stable: 0} # ours");
        let steps = ["0", "1", "5", "25", "50", "100"];
        let all = steps.map(|step| FILE.replace("{canary: 0} # ours", &format!("{{canary: {step}}} # ours")));
        let place = all.iter().chain([&promoted]).position(|whole| *whole == text);
        place.with_context(|| format!("the file is\n{text}"))
    }

    /// The log, of which only the last line may be half a line.
    pub fn log(&self) -> Result<Vec<Json>> {
        let text =
            std::fs::read_to_string(self.folder.path().join("graylane-ramp-api.jsonl")).unwrap_or_default();
        let mut records = Vec::new();
        for line in text.lines() {
            match serde_json::from_str::<Json>(line) {
                Ok(record) => records.push(record),
                // Cut off by a kill; what follows begins on a line of its own.
                Err(_) => ensure!(line.is_empty() || line.starts_with('{'), "the log has `{line}`"),
            }
        }
        Ok(records)
    }

    /// Nothing lies about that a folder read, kustomize or git would pick up.
    pub fn tidy(&self) -> Result<()> {
        for entry in std::fs::read_dir(self.folder.path())? {
            let name = entry?.file_name();
            let known =
                ["graylane.yaml", "graylane-ramp-api.jsonl", "graylane-ramp-other.jsonl", ".graylane"];
            ensure!(known.iter().any(|known| name == *known), "{} lies about", name.display());
        }
        let ignored = std::fs::read_to_string(self.folder.path().join(".graylane/.gitignore"));
        ensure!(
            ignored.is_err() || ignored.is_ok_and(|text| text.is_empty() || text == "*\n"),
            "git sees it"
        );
        Ok(())
    }
}
