//! A running proxy, and what its admin interface tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use graylane::envoy::Envoy;
use reqwest::Client;
use serde_json::Value as Json;

use super::process::{self, Process};
use super::wait::{Look, until};

/// How long a proxy may take to get what it is to get.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A running proxy. The process ends when the last of its handles is dropped.
#[derive(Clone)]
pub struct Proxy(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pod: String,
    admin: SocketAddr,
    client: Client,
    running: Running,
}

/// What runs.
pub(super) enum Running {
    /// Envoy itself.
    Envoy(Envoy),
    /// Istio's agent, with Envoy as its child.
    Agent {
        /// The agent.
        process: Process,
        /// Kept, because it deletes the folder when it is dropped.
        _folder: tempfile::TempDir,
    },
}

/// An endpoint of a cluster, as a proxy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: SocketAddr,
    /// Its priority: others get traffic only where all lower numbers are ill.
    pub priority: u64,
    /// Whether it is taken for healthy.
    pub healthy: bool,
}

/// A WebAssembly plugin that a proxy has got.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Name of the discovered resource.
    pub resource: String,
    /// Its root id: `pluginName`.
    pub root_id: String,
    /// File of the module.
    pub file: String,
    /// `pluginConfig`; null if it has none, or none that is JSON.
    pub configuration: Json,
    /// What becomes of requests if it breaks.
    pub failure_policy: String,
}

impl Proxy {
    pub(super) fn new(pod: &str, admin: SocketAddr, client: Client, running: Running) -> Self {
        Self(Arc::new(Inner { pod: pod.to_owned(), admin, client, running }))
    }

    /// The pod that it belongs to.
    #[must_use]
    pub fn pod(&self) -> &str {
        &self.0.pod
    }

    /// Asks the admin interface.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        let address = format!("http://{}{path}", self.0.admin);
        let answer = self.0.client.get(address).send().await.with_context(|| self.gone(path))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{}: {path} answers {status}: {text}", self.gone(path));
        }
        Ok(text)
    }

    fn gone(&self, path: &str) -> String {
        format!("{}'s Envoy, {path}:\n{}", self.pod(), self.log_end())
    }

    /// As [`Self::get`], of an answer in JSON.
    ///
    /// # Errors
    /// When it does not answer so.
    pub async fn get_json(&self, path: &str) -> Result<Json> {
        Ok(serde_json::from_str(&self.get(path).await?)?)
    }

    /// Counters and gauges whose names match a regular expression.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn stats(&self, expression: &str) -> Result<BTreeMap<String, u64>> {
        let path = format!("/stats?filter={}", encode(expression));
        let stat = |line: &str| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(self.get(&path).await?.lines().filter_map(stat).collect())
    }

    /// Metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn metrics(&self) -> Result<String> {
        self.get("/stats/prometheus").await
    }

    /// How many answers of istiod it has refused.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn rejections(&self) -> Result<u64> {
        Ok(self.stats(r"(update_rejected|config_fail)$").await?.values().sum())
    }

    /// The endpoints of a cluster, such as `outbound|8080|v2|api.shop.svc.cluster.local`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn endpoints(&self, cluster: &str) -> Result<Vec<Endpoint>> {
        let clusters = self.get_json("/clusters?format=json").await?;
        let cluster = items(&clusters["cluster_statuses"]).iter().find(|is| is["name"] == cluster);
        let hosts = cluster.map(|cluster| items(&cluster["host_statuses"])).unwrap_or_default();
        hosts.iter().map(endpoint).collect()
    }

    /// The addresses that it listens on, by the name of the listener.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>> {
        let listeners = self.get_json("/listeners?format=json").await?;
        let listener = |listener: &Json| {
            let name = listener["name"].as_str().context("a name")?.to_owned();
            Ok((name, socket_address(&listener["local_address"])?))
        };
        items(&listeners["listener_statuses"]).iter().map(listener).collect()
    }

    /// The plugins that it runs with: what came by discovery, and was accepted.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn plugins(&self) -> Result<Vec<Plugin>> {
        let dump = match self.get_json("/config_dump?resource=ecds_filters").await {
            // As long as it has no configuration of any.
            Err(error) if format!("{error}").contains("not found in config dump") => return Ok(Vec::new()),
            dump => dump?,
        };
        Ok(items(&dump["configs"]).iter().filter_map(plugin).collect())
    }

    /// Waits until it runs exactly one plugin with this root id whose configuration has this revision.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_for_plugin(&self, root_id: &str, revision: &str) -> Result<Plugin> {
        let what = format!("{} has revision {revision} of plugin {root_id}", self.pod());
        let found = until(&what, LIMIT, async || {
            let plugins = self.plugins().await?;
            let of_id: Vec<&Plugin> = plugins.iter().filter(|plugin| plugin.root_id == root_id).collect();
            let found = match of_id[..] {
                [plugin] if plugin.configuration["revision"] == revision => Some(plugin),
                _ => None,
            };
            Ok(Look::at(found.cloned(), || format!("there is {plugins:?}\n{}", self.log_end())))
        });
        let found = found.await?;
        self.settle().await?;
        Ok(found)
    }

    /// Waits until what was received is in effect: no listener, cluster or filter still warms up, and no listener that
    /// was replaced still serves its old connections, as those between two proxies are.
    ///
    /// # Errors
    /// When they do in the end.
    pub async fn settle(&self) -> Result<()> {
        const UNSETTLED: &str = r"^(listener_manager\.total_(listeners_warming|listeners_draining|filter_chains_draining)|cluster_manager\.warming_clusters)$";
        until(&format!("{}'s Envoy has settled", self.pod()), LIMIT, async || {
            let mut stats = self.stats(UNSETTLED).await?;
            stats.retain(|_, count| *count > 0);
            Ok(Look::whether(stats.is_empty(), || format!("{stats:?}\n{}", self.log_end())))
        })
        .await
    }

    /// Everything that it logged; an agent's log and its Envoy's are one.
    #[must_use]
    pub fn log(&self) -> String {
        match &self.0.running {
            Running::Envoy(envoy) => envoy.log(),
            Running::Agent { process: agent, .. } => agent.log(),
        }
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        process::end(&self.log())
    }

    /// The lines of its access log.
    #[must_use]
    pub fn access_log(&self) -> Vec<String> {
        let text = match &self.0.running {
            Running::Envoy(envoy) => {
                // Headers are in it, whatever bytes they have.
                let log = std::fs::read(envoy.folder().join("stderr")).unwrap_or_default();
                String::from_utf8_lossy(&log).into_owned()
            }
            Running::Agent { process: agent, .. } => agent.log(),
        };
        text.lines().filter(|line| line.contains(" route=")).map(str::to_owned).collect()
    }

    /// The memory that it has in use, in MB; an agent's without its Envoy's.
    #[must_use]
    pub fn memory(&self) -> u64 {
        match &self.0.running {
            Running::Envoy(envoy) => process::memory(envoy.pid()),
            Running::Agent { process: agent, .. } => agent.memory(),
        }
    }
}

fn items(list: &Json) -> &[Json] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn socket_address(address: &Json) -> Result<SocketAddr> {
    let address = &address["socket_address"];
    let text = format!("{}:{}", address["address"].as_str().unwrap_or_default(), address["port_value"]);
    text.parse().with_context(|| format!("invalid address `{text}`"))
}

fn endpoint(host: &Json) -> Result<Endpoint> {
    let health = host["health_status"].as_object();
    // Envoy names what is wrong with a host, and says nothing else but its state in discovery.
    let ill = |(name, value): (&String, &Json)| match name.as_str() {
        "eds_health_status" => value != "HEALTHY",
        _ => value == true,
    };
    Ok(Endpoint {
        address: socket_address(&host["address"])?,
        priority: host["priority"].as_u64().unwrap_or(0),
        healthy: !health.is_some_and(|health| health.iter().any(ill)),
    })
}

fn plugin(dump: &Json) -> Option<Plugin> {
    let filter = &dump["ecds_filter"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let config = &filter["typed_config"]["config"];
    config.is_object().then(|| Plugin {
        resource: text(&filter["name"]),
        root_id: text(&config["root_id"]),
        file: text(&config["vm_config"]["code"]["local"]["filename"]),
        configuration: serde_json::from_str(&text(&config["configuration"]["value"])).unwrap_or_default(),
        failure_policy: text(&config["failure_policy"]),
    })
}

/// Encodes a regular expression for a query.
fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}
