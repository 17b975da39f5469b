//! etcd, kube-apiserver and istiod.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, Weak};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::json;
use tempfile::TempDir;

use super::cluster::{Cluster, ROOT};
use super::kube::Kube;
use super::objects::KEPT_LABEL;
use super::process::Process;
use super::proxy::Inner;
use super::tools::Tools;
use super::wait::{Look, until};

/// How long one part may take to come up.
pub(super) const LIMIT: Duration = Duration::from_secs(120);

/// Access logs, in one line that shows what graylane decided; each proxy writes its own (see `Proxy::access_log`).
const ACCESS_LOG: &str = "%START_TIME% %REQ(:AUTHORITY)% route=%ROUTE_NAME% cluster=%UPSTREAM_CLUSTER% \
     status=%RESPONSE_CODE% flags=%RESPONSE_FLAGS% tenant=%FILTER_STATE(wasm.tenant:PLAIN)% \
     subset=%FILTER_STATE(wasm.subset:PLAIN)% source=%FILTER_STATE(wasm.source:PLAIN)% id=%REQ(X-REQUEST-ID)%\n";

/// A running control plane. Dropping it ends its processes.
pub struct ControlPlane {
    /// The Kubernetes API.
    pub kube: Kube,
    /// The programs.
    pub tools: Tools,
    /// Which cluster it is.
    pub cluster: Cluster,
    pub(super) proxies: Mutex<Vec<Weak<Inner>>>,
    pub(super) namespaces: Mutex<Vec<String>>,
    /// What proxies of the last mesh said when they were ended.
    pub(super) last_words: Mutex<String>,
    /// Number of the last push that was waited for.
    pub(super) pushes: tokio::sync::Mutex<u64>,
    pub(super) client: Client,
    addresses: AtomicU16,
    processes: Vec<Process>,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts everything, and waits until it serves.
    ///
    /// # Errors
    /// When something does not come up; with the end of its log.
    pub async fn start(tools: &Tools) -> Result<Self> {
        Self::start_as(tools, Cluster::ONLY).await
    }

    /// As [`Self::start`], as one of several clusters.
    ///
    /// # Errors
    /// When something does not come up; with the end of its log.
    pub async fn start_as(tools: &Tools, cluster: Cluster) -> Result<Self> {
        super::network::require_own_network()?;
        let folder = tempfile::Builder::new().prefix("graylane-istio-").tempdir()?;
        let client = graylane::http::direct().timeout(Duration::from_secs(30)).build()?;
        let kube = Kube::new(
            &cluster.kubernetes().to_string(),
            tools.program("kubectl"),
            folder.path().join("kubeconfig"),
            folder.path().join("kubectl"),
        )?;
        let mut plane = Self {
            kube,
            tools: tools.clone(),
            cluster,
            proxies: Mutex::default(),
            namespaces: Mutex::default(),
            last_words: Mutex::default(),
            pushes: tokio::sync::Mutex::new(0),
            client,
            addresses: AtomicU16::new(cluster.first_pod),
            processes: Vec::new(),
            folder,
        };
        plane.start_kubernetes().await?;
        plane.start_istiod().await?;
        Ok(plane)
    }

    /// Nothing here may listen on all addresses, or on a port that a gateway might: Go does not share its ports.
    async fn start_kubernetes(&mut self) -> Result<()> {
        let files = |name: &str| self.folder.path().join(name);
        let Cluster { host, .. } = self.cluster;
        let (etcd_clients, etcd_peers) = (self.cluster.at(2379), self.cluster.at(2380));
        make_key(&files("service-account.key")).await?;
        std::fs::write(files("tokens.csv"), "secret,admin,admin,system:masters\n")?;
        std::fs::write(files("kubeconfig"), self.cluster.kubeconfig().to_string())?;

        let mut etcd = Command::new(self.tools.program("etcd"));
        // This data need not survive a power cut.
        etcd.args(["--unsafe-no-fsync", "--log-level", "warn", "--data-dir"]).arg(files("etcd"));
        for (option, address) in [
            ("--listen-client-urls", etcd_clients),
            ("--advertise-client-urls", etcd_clients),
            ("--listen-peer-urls", etcd_peers),
            ("--initial-advertise-peer-urls", etcd_peers),
            ("--initial-cluster", etcd_peers),
        ] {
            let name = if option == "--initial-cluster" { "default=" } else { "" };
            etcd.arg(option).arg(format!("{name}http://{address}"));
        }

        let mut api = Command::new(self.tools.program("kube-apiserver"));
        api.arg("--etcd-servers").arg(format!("http://{etcd_clients}"));
        let port = self.cluster.api_server().port().to_string();
        api.args(["--bind-address", &host.to_string(), "--secure-port", &port]);
        // It would look for a default route to find its own address, and there is none.
        api.args(["--advertise-address", "10.0.0.1", "--endpoint-reconciler-type", "none"]);
        api.arg("--cert-dir").arg(files("certificates"));
        for option in ["--service-account-key-file", "--service-account-signing-key-file"] {
            api.arg(option).arg(files("service-account.key"));
        }
        api.args(["--service-account-issuer", "https://kubernetes.default.svc"]);
        api.args(["--service-cluster-ip-range", "10.96.0.0/16"]);
        // There is no controller that would make service accounts, and no rights to limit.
        api.args(["--disable-admission-plugins", "ServiceAccount", "--authorization-mode", "AlwaysAllow"]);
        api.arg("--token-auth-file").arg(files("tokens.csv"));

        let mut proxy = Command::new(self.tools.program("kubectl"));
        proxy.arg("--kubeconfig").arg(files("kubeconfig"));
        let port = self.cluster.kubernetes().port().to_string();
        proxy.args(["proxy", "--address", &host.to_string(), "--port", &port]);
        proxy.args(["--accept-hosts", &format!("^{}$", host.to_string().replace('.', "[.]"))]);

        for (name, command) in [("etcd", etcd), ("kube-apiserver", api), ("kubectl-proxy", proxy)] {
            self.processes.push(Process::start(name, command, self.folder.path())?);
        }
        self.wait_for("the API server is ready", &format!("http://{}/readyz", self.cluster.kubernetes()))
            .await
    }

    async fn start_istiod(&mut self) -> Result<()> {
        self.kube.apply(&self.cluster.root_namespace()).await?;
        self.kept(ROOT);
        let crds = std::fs::read_to_string(self.tools.crds())?;
        self.kube.kubectl(&["apply", "--server-side", "--filename", "-"], &crds).await?;
        let folder = self.tools.gateway_api()?.display().to_string();
        self.kube.kubectl(&["apply", "--server-side", "--filename", &folder], "").await?;
        self.kube.kubectl(&["wait", "--for=condition=Established", "--all", "crd"], "").await?;
        self.set_mesh_config(&json!({})).await?;
        self.kube.apply(&self.cluster.mtls()).await?;

        let mut istiod = Command::new(self.tools.program("istiod"));
        istiod.arg("discovery").arg("--kubeconfig").arg(self.folder.path().join("kubeconfig"));
        let at = |address: std::net::SocketAddr| address.to_string();
        istiod.args(["--domain", "cluster.local", "--grpcAddr", &at(self.cluster.discovery())]);
        istiod.args([
            "--httpAddr",
            &at(self.cluster.istiod()),
            "--monitoringAddr",
            &at(self.cluster.at(15014)),
        ]);
        istiod.args(["--httpsAddr=", "--secureGRPCAddr=", "--ctrlz_address", &self.cluster.host.to_string()]);
        istiod.envs([
            ("POD_NAMESPACE", ROOT),
            ("POD_NAME", "istiod"),
            ("CLUSTER_ID", self.cluster.id),
            // Plaintext, no certificate authority, no webhooks: all clients here are ours.
            ("PILOT_CERT_PROVIDER", "none"),
            ("ENABLE_CA_SERVER", "false"),
            ("XDS_AUTH", "false"),
            ("ENABLE_DEBUG_ENDPOINT_AUTH", "false"),
            ("VALIDATION_WEBHOOK_CONFIG_NAME", ""),
            ("INJECTION_WEBHOOK_CONFIG_NAME", ""),
            // Filters that only Istio's own build of Envoy has.
            ("PILOT_ENABLE_ALPN_FILTER", "false"),
            ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
            // Tests change one thing after another.
            ("PILOT_DEBOUNCE_AFTER", "50ms"),
        ]);
        self.processes.push(Process::start("istiod", istiod, self.folder.path())?);
        self.wait_for("istiod is ready", &format!("http://{}/ready", self.cluster.istiod())).await
    }

    /// Sets the mesh configuration: what every run has, and these fields.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn set_mesh_config(&self, fields: &serde_json::Value) -> Result<()> {
        let mut mesh = json!({
            "enableAutoMtls": self.cluster.has_network,
            "accessLogFile": "/dev/stderr",
            "accessLogFormat": ACCESS_LOG,
            "defaultConfig": {"discoveryAddress": self.cluster.discovery().to_string()},
        });
        if let (Some(mesh), Some(fields)) = (mesh.as_object_mut(), fields.as_object()) {
            mesh.extend(fields.clone());
        }
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": ROOT, "labels": {KEPT_LABEL: "true"}},
            "data": {"mesh": mesh.to_string()},
        });
        self.kube.apply(&map).await.map(drop)
    }

    async fn wait_for(&mut self, what: &str, address: &str) -> Result<()> {
        let (processes, client) = (&mut self.processes, &self.client);
        let up = until(what, LIMIT, async || {
            processes.iter_mut().try_for_each(Process::ensure_alive)?;
            Ok(match client.get(address).send().await {
                Ok(answer) => Look::whether(answer.status().is_success(), || answer.status().to_string()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        });
        let up = up.await;
        up.with_context(|| self.log_ends())
    }

    /// One of istiod's debug pages, such as `/debug/configz`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn debug(&self, path: &str) -> Result<String> {
        let answer = self.client.get(format!("http://{}{path}", self.cluster.istiod())).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "istiod answers {status} to {path}: {text}");
        Ok(text)
    }

    /// The number of a pod's address. None is used twice, so that no request reaches a pod of the example before.
    pub(super) fn next_address(&self) -> Result<u16> {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        number.checked_add(1).map(|_| number).context("all addresses of pods are used")
    }

    /// The ends of all logs, for the one who has to find out what went wrong.
    #[must_use]
    pub fn log_ends(&self) -> String {
        let end = |process: &Process| format!("--- {}\n{}\n", process.name(), process.log_end());
        self.processes.iter().map(end).collect()
    }

    /// The ends of the logs of the last mesh's proxies.
    #[must_use]
    pub fn last_words(&self) -> String {
        self.last_words.lock().map(|words| words.clone()).unwrap_or_default()
    }

    /// Its processes and their memory in MB.
    #[must_use]
    pub fn memory(&self) -> Vec<(String, u64)> {
        self.processes.iter().map(|process| (process.name().to_owned(), process.memory())).collect()
    }

    /// The folder of its files; gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// A key for the tokens of service accounts, which are not used here; the API server insists.
async fn make_key(path: &Path) -> Result<()> {
    let mut command = tokio::process::Command::new("openssl");
    command.args(["genpkey", "-algorithm", "RSA", "-out"]);
    let output = command.arg(path).output().await.context("there is no openssl")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
