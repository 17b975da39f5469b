//! One Envoy process.

use std::net::SocketAddr;
#[cfg(target_os = "linux")]
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long an Envoy may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Modules say which revision they run.
const LOGGERS: &str = "wasm:info,dynamic_modules:info";

/// How an Envoy is started.
#[derive(Clone, Copy, Debug)]
pub struct Options<'e> {
    /// Number of worker threads.
    pub concurrency: u32,
    /// Variables of its environment, beside those of this process.
    pub environment: &'e [(String, String)],
}

/// A running Envoy. Dropping it kills the process; so does the end of this one, however it ends.
pub struct Envoy {
    /// Address of its admin interface.
    pub admin: SocketAddr,
    name: String,
    child: Child,
    folder: TempDir,
    client: reqwest::Client,
}

/// Lets a process that is started end with this one, however this one ends. Only Linux can do that; elsewhere dropping
/// [`Envoy`] has to do.
#[cfg(target_os = "linux")]
pub fn dies_with_us(command: &mut Command) {
    // SAFETY: prctl is async-signal-safe and touches nothing of this process.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            Ok(())
        });
    }
}

/// Lets a process that is started end with this one, where the system can do that.
#[cfg(not(target_os = "linux"))]
pub fn dies_with_us(_command: &mut Command) {}

impl Envoy {
    /// Starts an Envoy with a bootstrap (JSON), and waits until it serves. The bootstrap's admin port is to be 0.
    ///
    /// # Errors
    /// When it does not start, or not in time; with the end of its log.
    pub async fn start(binary: &Path, name: &str, bootstrap: &Json, options: Options<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("graylane-envoy-").tempdir()?;
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("bootstrap.json"), serde_json::to_vec(bootstrap)?)?;
        let mut command = Command::new(binary);
        command
            .arg("--config-path")
            .arg(file("bootstrap.json"))
            .arg("--admin-address-path")
            .arg(file("admin"))
            .arg("--log-path")
            .arg(file("log"))
            .args(["--disable-hot-restart", "--log-level", "warning", "--component-log-level", LOGGERS])
            .args(["--file-flush-interval-msec", "20"])
            .args(["--drain-strategy", "immediate", "--drain-time-s", "1"])
            .args(["--concurrency", &options.concurrency.to_string()])
            // As in a pod of Istio's.
            .env("POD_NAME", name)
            .envs(options.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(file("stderr"))?);
        dies_with_us(&mut command);
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let client = crate::http::direct().timeout(Duration::from_secs(30)).build()?;
        let mut envoy =
            Self { admin: ([127, 0, 0, 1], 0).into(), name: name.to_owned(), child, folder, client };
        envoy.wait_until_ready().await?;
        Ok(envoy)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("Envoy `{}` ended with {status}:\n{}", self.name, self.log_end());
            }
            let address = std::fs::read_to_string(self.folder.path().join("admin")).unwrap_or_default();
            if let Ok(address) = address.trim().parse() {
                self.admin = address;
                if self.get("/ready").await.is_ok() {
                    return Ok(());
                }
            }
            if Instant::now() > deadline {
                bail!("Envoy `{}` did not become ready:\n{}", self.name, self.log_end());
            }
            sleep(LOOK).await;
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the admin interface.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub async fn get(&self, path: &str) -> Result<String> {
        let answer =
            self.client.get(format!("http://{}{path}", self.admin)).send().await?.error_for_status()?;
        Ok(answer.text().await?)
    }

    /// The address that a listener of this name got.
    ///
    /// # Errors
    /// When there is none.
    pub async fn listener(&self, name: &str) -> Result<SocketAddr> {
        let listeners: Json = serde_json::from_str(&self.get("/listeners?format=json").await?)?;
        let statuses = listeners["listener_statuses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = statuses.iter().find(|status| status["name"] == name);
        let address = found.map(|status| &status["local_address"]["socket_address"]);
        let address = address.with_context(|| format!("Envoy `{}` has no listener `{name}`", self.name))?;
        let (host, port) = (address["address"].as_str().unwrap_or_default(), &address["port_value"]);
        format!("{host}:{port}").parse().with_context(|| format!("invalid address `{host}:{port}`"))
    }

    /// Everything that it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits for a condition.
    ///
    /// # Errors
    /// When it does not come true in time, or cannot be looked at.
    pub async fn wait_until(&self, what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !condition().await? {
            if Instant::now() > deadline {
                bail!("Envoy `{}` timed out before {what}:\n{}", self.name, self.log_end());
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until its log has so many lines with this text.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_for_log(&self, text: &str, times: usize) -> Result<()> {
        let has = async || Ok(self.log().lines().filter(|line| line.contains(text)).count() >= times);
        self.wait_until(&format!("it logs `{text}` {times} times"), has).await
    }

    fn log_end(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let all = format!("{}{}", read("stderr"), read("log"));
        let lines: Vec<&str> = all.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// The folder of its files; gone with it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // Nothing in it has to be saved, and a failure here means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
