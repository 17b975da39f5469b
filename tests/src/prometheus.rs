//! A real Prometheus (Debian's package `prometheus`), for tests that ask it what the mesh has counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use graylane::prometheus::Prometheus;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long it may take until a condition comes true.
const LIMIT: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Something that is scraped, as Envoys are: at `/stats/prometheus`.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// Labels that all its series get, such as `namespace` and `pod`.
    pub labels: BTreeMap<String, String>,
}

/// A running Prometheus that scrapes once a second. Dropping it kills the process; so does the end of this one.
pub struct Server {
    /// Its address.
    pub url: String,
    /// A client of it.
    pub client: Prometheus,
    targets: usize,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Starts one, and waits until it is ready. `rules` is a rule file, evaluated once a second; empty for none.
    ///
    /// # Errors
    /// When there is none on PATH, or it does not start; with the end of its log.
    pub async fn start(targets: &[Target], rules: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("graylane-prometheus-").tempdir()?;
        let file = |name: &str| folder.path().join(name);
        let groups: Vec<_> = targets
            .iter()
            .map(|target| json!({"targets": [target.address.to_string()], "labels": target.labels}))
            .collect();
        // JSON is YAML.
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [file("rules.yaml")],
            "scrape_configs": [{
                "job_name": "envoys", "metrics_path": "/stats/prometheus", "static_configs": groups,
            }],
        });
        std::fs::write(file("prometheus.yaml"), config.to_string())?;
        let rules = if rules.is_empty() { "groups: []\n" } else { rules };
        std::fs::write(file("rules.yaml"), rules)?;
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", file("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", file("data").display()))
            // A free port; which one is said in the log.
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(file("log"))?);
        graylane::envoy::dies_with_us(&mut command);
        let child = command.spawn().context("cannot start prometheus: apt-get install prometheus")?;
        let url = String::new();
        let client = Prometheus::new("http://127.0.0.1")?;
        let mut server = Self { url, client, targets: targets.len(), child, folder };
        server.wait_until_ready().await?;
        Ok(server)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let log = self.log();
            if log.contains("Server is ready to receive web requests") {
                let line = log.lines().find(|line| line.contains(r#"msg="Listening on""#));
                let address = line.and_then(|line| line.rsplit("address=").next()).map(str::trim);
                self.url = format!("http://{}", address.context("it does not say where it listens")?);
                self.client = Prometheus::new(&self.url)?;
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("Prometheus ended with {status}:\n{log}");
            }
            ensure!(Instant::now() < deadline, "Prometheus did not become ready:\n{log}");
            sleep(LOOK).await;
        }
    }

    /// Waits until every target was scraped twice after this call began: what was counted before it is known then,
    /// also what Envoy adds up on its own time (histograms).
    ///
    /// # Errors
    /// When that takes too long, or a target cannot be scraped.
    pub async fn catch_up(&self) -> Result<()> {
        for _ in 0..2 {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
            let fresh = format!("count(up == 1 and timestamp(up) > {now})");
            self.wait_for(&fresh, |value| value == self.targets as f64).await?;
        }
        Ok(())
    }

    /// Waits until a query has a value that fits, and returns it.
    ///
    /// # Errors
    /// When it does not in time; with the last answer.
    pub async fn wait_for(&self, promql: &str, fits: impl Fn(f64) -> bool) -> Result<f64> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let last = self.client.number(promql).await;
            match last {
                Ok(value) if fits(value) => return Ok(value),
                _ if Instant::now() > deadline => bail!("{promql}\nstays at {last:?}"),
                _ => sleep(LOOK).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing in it has to be saved, and a failure here means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
