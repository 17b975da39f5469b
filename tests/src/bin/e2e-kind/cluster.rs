//! The cluster that `tests/kind/cluster with` made, by the programs that people have.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use graylane_tests::istio::{Look, until};
use reqwest::Client;
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Where it is.
pub struct Cluster {
    /// Its ingress gateway.
    pub gateway: String,
    /// Its Prometheus.
    pub prometheus: String,
    /// Its registry, from here.
    pub registry: String,
    /// For what a scenario writes.
    pub folder: tempfile::TempDir,
    /// Requests to it: connections are kept, as clients do.
    pub client: Client,
    /// The image of Istio's proxy.
    pub proxy: String,
    graylane: PathBuf,
    state: PathBuf,
    script: PathBuf,
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output, then standard error.
    pub text: String,
}

impl Cluster {
    /// By the variables that `tests/kind/cluster` sets.
    pub fn find() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var(name).with_context(|| format!("${name} is not set: use `make e2e-kind`"))
        };
        Ok(Self {
            gateway: variable("GRAYLANE_CLUSTER_GATEWAY")?,
            prometheus: variable("GRAYLANE_CLUSTER_PROMETHEUS")?,
            registry: variable("GRAYLANE_CLUSTER_REGISTRY")?,
            folder: tempfile::Builder::new().prefix("graylane-e2e-kind-").tempdir()?,
            client: graylane::http::direct().timeout(Duration::from_secs(15)).build()?,
            proxy: variable("GRAYLANE_CLUSTER_PROXY")?,
            script: variable("GRAYLANE_CLUSTER")?.into(),
            graylane: variable("GRAYLANE")?.into(),
            state: variable("GRAYLANE_CLUSTER_STATE")?.into(),
        })
    }

    /// What the set-up noted: `filter-image`, `app-image`.
    pub fn noted(&self, name: &str) -> Result<String> {
        let path = self.state.join(name);
        Ok(std::fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().to_owned())
    }

    /// A file that the set-up left.
    pub fn state(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// Runs `kubectl`; its output.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, "").await
    }

    /// The same, with this input.
    pub async fn kubectl_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let said = run(Command::new("kubectl").args(arguments), input).await?;
        if said.code != 0 {
            bail!("kubectl {}: {}", arguments.join(" "), said.text);
        }
        Ok(said.text)
    }

    /// Objects as JSON: `pods -n bank -l app=api`.
    pub async fn get(&self, what: &str) -> Result<Vec<Json>> {
        let arguments: Vec<&str> = ["get"].into_iter().chain(what.split(' ')).chain(["-o", "json"]).collect();
        let found: Json = serde_json::from_str(&self.kubectl(&arguments).await?)?;
        Ok(found["items"].as_array().cloned().unwrap_or_else(|| vec![found]))
    }

    /// Applies what is rendered.
    pub async fn apply(&self, objects: &str) -> Result<()> {
        self.kubectl_with(&["apply", "-f", "-"], objects).await.map(drop)
    }

    /// Deletes what is rendered; nothing there is fine.
    pub async fn delete(&self, objects: &str) -> Result<()> {
        self.kubectl_with(&["delete", "--ignore-not-found", "-f", "-"], objects).await.map(drop)
    }

    /// Waits until deployments of a namespace are as they are to be.
    pub async fn rolled_out(&self, namespace: &str) -> Result<()> {
        for deployment in self.kubectl(&["-n", namespace, "get", "deployments", "-o", "name"]).await?.lines()
        {
            self.kubectl(&["-n", namespace, "rollout", "status", deployment, "--timeout=180s"]).await?;
        }
        Ok(())
    }

    /// The same, and until none of the pods of before is left.
    pub async fn replaced(&self, namespace: &str) -> Result<()> {
        self.rolled_out(namespace).await?;
        until("the pods of before are gone", LIMIT, async || {
            let pods = self.get(&format!("pods -n {namespace}")).await?;
            let going = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_string()).count();
            Ok(Look::whether(going == 0, || format!("{going} are still there")))
        })
        .await
    }

    /// What a proxy answers on its admin port.
    pub async fn admin(&self, namespace: &str, pod: &str, path: &str) -> Result<String> {
        let agent = ["pilot-agent", "request", "GET", path];
        self.kubectl(&[&["-n", namespace, "exec", pod, "-c", "istio-proxy", "--"][..], &agent].concat()).await
    }

    /// Runs the program, with this input; what it said, however it ended.
    pub async fn graylane(&self, arguments: &[&str]) -> Result<Said> {
        run(Command::new(&self.graylane).args(arguments).current_dir(self.folder.path()), "").await
    }

    /// Builds an image of a folder in [`Cluster::folder`], for the cluster's pods.
    pub async fn image(&self, name: &str, folder: &str) -> Result<()> {
        let said =
            run(Command::new(&self.script).args(["image", name]).arg(self.folder.path().join(folder)), "")
                .await?;
        ensure!(said.code == 0, "image {name}: {}", said.text);
        Ok(())
    }

    /// Runs `istioctl`.
    pub async fn istioctl(&self, arguments: &[&str], input: &str) -> Result<()> {
        let said = run(Command::new("istioctl").args(arguments), input).await?;
        ensure!(said.code == 0, "istioctl {}: {}", arguments.join(" "), said.text);
        Ok(())
    }

    /// For a failure: pods, and the ends of logs.
    pub async fn last_words(&self) -> String {
        let mut words = self.kubectl(&["get", "pods", "-A"]).await.unwrap_or_default();
        for what in ["deployment/istio-ingressgateway", "deployment/istiod"] {
            let log =
                self.kubectl(&["-n", "istio-system", "logs", what, "--tail=300"]).await.unwrap_or_default();
            // What went well says nothing.
            let told = log.lines().filter(|line| !line.contains(" 200 - ") && !line.contains("\tinfo\t"));
            let told: Vec<&str> = told.collect();
            words += &format!("== {what}\n{}\n", told[told.len().saturating_sub(8)..].join("\n"));
        }
        words
    }
}

async fn run(command: &mut Command, input: &str) -> Result<Said> {
    let what = format!("{:?}", command.as_std());
    let mut child = command
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {what}"))?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    let run = async {
        // If it ends before it has read everything, its own words say why.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await
    };
    let output = timeout(LIMIT, run).await.with_context(|| format!("{what} hangs"))??;
    let code = output.status.code().unwrap_or(-1);
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if code != 0 {
        text += &String::from_utf8_lossy(&output.stderr);
    }
    Ok(Said { code, text })
}
