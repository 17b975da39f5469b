//! The Kubernetes API: `kubectl` for what people would apply, plain REST for what this harness plays.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// How long one command or request may take.
const LIMIT: Duration = Duration::from_secs(60);
/// In whose name fields are owned.
const MANAGER: &str = "graylane-tests";

/// A way to the API server.
#[derive(Clone)]
pub struct Kube {
    /// `kubectl proxy`, which takes care of TLS and the token.
    base: String,
    client: Client,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kube {
    /// A way through a `kubectl proxy` at this address.
    ///
    /// # Errors
    /// When there can be no client.
    pub fn new(proxy: &str, kubectl: PathBuf, kubeconfig: PathBuf, cache: PathBuf) -> Result<Self> {
        let client = graylane::http::direct().timeout(LIMIT).build()?;
        Ok(Self { base: format!("http://{proxy}"), client, kubectl, kubeconfig, cache })
    }

    /// Runs `kubectl` with these arguments and this input; its output.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.command(&self.kubectl);
        command.arg("--cache-dir").arg(&self.cache).args(arguments);
        self.run(command, input).await
    }

    /// Runs `istioctl` with these arguments; its output.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn istioctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(&self.kubectl.with_file_name("istioctl"));
        command.args(arguments);
        self.run(command, "").await
    }

    async fn run(&self, mut command: Command, input: &str) -> Result<String> {
        let said = format!("{:?}", command.as_std());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {said}"))?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let run = async {
            // If it ends before it has read everything, its own words say why.
            let _ = stdin.write_all(input.as_bytes()).await;
            drop(stdin);
            child.wait_with_output().await
        };
        let output = timeout(LIMIT, run).await.with_context(|| format!("{said} hangs"))??;
        if !output.status.success() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
            bail!("{said}: {}\n{}", text(&output.stderr), text(&output.stdout));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A command line for this API server, killed when it is dropped.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).kill_on_drop(true);
        command
    }

    /// Creates an object, or makes it what is said here: a server-side apply.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn apply(&self, object: &Json) -> Result<Json> {
        let path = path_of(object)?;
        let query = format!("{path}?fieldManager={MANAGER}&force=true");
        self.send(Method::PATCH, &query, "application/apply-patch+yaml", Some(object)).await
    }

    /// Changes the status of an object, as its controller would.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn set_status(&self, object: &Json, status: &Json) -> Result<Json> {
        let path = format!("{}/status", path_of(object)?);
        let patch = serde_json::json!({"status": status});
        self.send(Method::PATCH, &path, "application/merge-patch+json", Some(&patch)).await
    }

    /// What is at a path.
    ///
    /// # Errors
    /// When there is nothing.
    pub async fn get(&self, path: &str) -> Result<Json> {
        self.send(Method::GET, path, "application/json", None).await
    }

    /// Deletes an object, or everything of a kind, at once. Nothing there is fine.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let options = serde_json::json!({"gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        self.send(Method::DELETE, path, "application/json", Some(&options)).await?;
        Ok(())
    }

    /// Deletes an object that was applied.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn delete_object(&self, object: &Json) -> Result<()> {
        self.delete(&path_of(object)?).await
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Option<&Json>) -> Result<Json> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", kind).body(serde_json::to_vec(body)?);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        if method == Method::DELETE && status == StatusCode::NOT_FOUND {
            return Ok(Json::Null);
        }
        ensure!(status.is_success(), "{method} {path}: {status}: {}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).with_context(|| format!("{method} {path} answers no JSON"))
    }
}

/// Where the objects of a kind are: what this harness makes itself, and no more.
fn plural(kind: &str) -> Result<&'static str> {
    Ok(match kind {
        "Namespace" => "namespaces",
        "Pod" => "pods",
        "Service" => "services",
        "ConfigMap" => "configmaps",
        "Secret" => "secrets",
        "EndpointSlice" => "endpointslices",
        "Sidecar" => "sidecars",
        "EnvoyFilter" => "envoyfilters",
        "PeerAuthentication" => "peerauthentications",
        _ => bail!("`{kind}` is not a kind that the harness makes"),
    })
}

/// The folder of the API where a version's kinds are.
#[must_use]
pub fn folder(api_version: &str, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    match namespace {
        Some(namespace) => format!("/{root}/{api_version}/namespaces/{namespace}"),
        None => format!("/{root}/{api_version}"),
    }
}

fn path_of(object: &Json) -> Result<String> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let api_version = text(&object["apiVersion"]).context("an object without apiVersion")?;
    let kind = text(&object["kind"]).context("an object without kind")?;
    let name = text(&object["metadata"]["name"]).context("an object without name")?;
    let namespace = text(&object["metadata"]["namespace"]);
    Ok(format!("{}/{}/{name}", folder(&api_version, namespace.as_deref()), plural(&kind)?))
}
