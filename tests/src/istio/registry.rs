//! An image registry.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::timeout;

use super::process::Process;
use super::tools::Tools;
use super::wait::{Look, until};

const ADDRESS: &str = "127.0.0.1:5000";
/// The same; it takes the address of localhost.
const PORT: &str = "5000";
const LIMIT: Duration = Duration::from_secs(30);

/// A running registry. Dropping it ends it, and what was in it is gone.
pub struct Registry {
    process: Process,
    tools: Tools,
    folder: tempfile::TempDir,
}

impl Registry {
    /// Starts it, empty.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(tools: &Tools) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("graylane-registry-").tempdir()?;
        let mut command = Command::new(tools.program("registry"));
        command.args(["--port", PORT]);
        let mut process = Process::start("registry", command, folder.path())?;
        let client = graylane::http::direct().timeout(LIMIT).build()?;
        until("the registry is up", LIMIT, async || {
            process.ensure_alive()?;
            Ok(match client.get(format!("http://{ADDRESS}/v2/")).send().await {
                Ok(answer) => Look::whether(answer.status().is_success(), || answer.status().to_string()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        })
        .await?;
        Ok(Self { process, tools: tools.clone(), folder })
    }

    /// Fetches an image by its tag and by its digest, as Istio's own package does that its agent has, and compares what
    /// it finds with the module: `tests/go/istio/fetch_test.go`.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub async fn fetch_as_istio_does(&self, tag: &str, pinned: &str, module: &Path) -> Result<()> {
        let mut command = tokio::process::Command::new(self.tools.program("fetch.test"));
        command.arg("-test.v").current_dir(self.folder.path()).kill_on_drop(true);
        command.env("GRAYLANE_MODULE", module).env("GRAYLANE_IMAGES", format!("{tag} {pinned}"));
        let output = timeout(LIMIT, command.output()).await??;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "Istio cannot fetch {tag}: {}", String::from_utf8_lossy(&said));
        Ok(())
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> &'static str {
        ADDRESS
    }

    /// Everything that it logged: each request.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
