//! What a file says, brought into the mesh: resources stage by stage, then waiting until every pod runs them.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::lower;
use crate::mesh::Mesh;
use crate::prometheus::{Problem, Prometheus};
use crate::queries::Queries;
use crate::resources::{self, Options, Resource, Stage};

/// How resources are applied.
pub struct Apply {
    /// A command of the shell that takes YAML; none: somebody else applies what is in the file.
    pub command: Option<String>,
    /// How resources are rendered.
    pub options: Options,
    /// How long to wait after a stage before the next.
    pub settle: Duration,
}

/// A plugin in a pod, and what it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Which of its plugins.
    pub direction: String,
    /// The revision that it runs; none: nothing.
    pub revision: Option<String>,
    /// Is it the file's?
    pub current: bool,
}

/// What every plugin of a mesh runs, as Prometheus knows it.
///
/// # Errors
/// When Prometheus does not say.
pub async fn plugins(prometheus: &Prometheus, mesh: &Mesh) -> Result<Vec<Plugin>, Problem> {
    let wanted = lower::revision(mesh);
    let samples = prometheus.query(&Queries::of(mesh).revisions()).await?;
    let plugin = |sample: &crate::prometheus::Sample| {
        // A number of 48 bits, so a double holds it exactly.
        let revision =
            Some(sample.value).filter(|value| *value > 0.0).map(|value| format!("{:012x}", value as u64));
        Plugin {
            namespace: sample.label("namespace").to_owned(),
            pod: sample.label("pod").to_owned(),
            direction: sample.label("direction").to_owned(),
            current: revision.as_ref() == Some(&wanted),
            revision,
        }
    };
    Ok(samples.iter().map(plugin).collect())
}

/// Why not every pod runs this file yet; none: all do.
pub async fn lagging(prometheus: &Prometheus, mesh: &Mesh) -> Option<String> {
    match plugins(prometheus, mesh).await {
        Err(problem) => Some(problem.to_string()),
        Ok(plugins) if plugins.is_empty() => Some("no pod says which configuration it runs".to_owned()),
        Ok(plugins) => {
            let others: Vec<&Plugin> = plugins.iter().filter(|plugin| !plugin.current).collect();
            others.first().map(|other| {
                format!(
                    "{} of {} plugins run another configuration, as the one for {} of {}/{}",
                    others.len(),
                    plugins.len(),
                    other.direction,
                    other.namespace,
                    other.pod
                )
            })
        }
    }
}

impl Apply {
    /// Applies the resources of a mesh in the order of safe application, with a wait between the stages.
    ///
    /// # Errors
    /// When the command fails.
    pub async fn run(&self, mesh: &Mesh) -> Result<()> {
        let Some(command) = &self.command else { return Ok(()) };
        let all = resources::resources(mesh, &self.options);
        let stages = [Stage::Subsets, Stage::Plugins, Stage::Routes, Stage::Gateway];
        let of = |stage| all.iter().filter(|one| one.stage() == stage).cloned().collect::<Vec<Resource>>();
        let mut stages = stages.into_iter().map(of).filter(|stage| !stage.is_empty()).peekable();
        while let Some(stage) = stages.next() {
            pipe(command, &resources::stream(&stage)?)?;
            if stages.peek().is_some() {
                tokio::time::sleep(self.settle).await;
            }
        }
        Ok(())
    }
}

fn pipe(command: &str, yaml: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    // What it says is talk; stdout is for verdicts.
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null());
    crate::envoy::dies_with_us(&mut shell);
    let mut child = shell.spawn().context("cannot start a shell")?;
    if let Some(mut input) = child.stdin.take() {
        // A command that does not read all of it has a reason; its exit code counts.
        let _ = input.write_all(yaml.as_bytes());
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{command}` failed with {status}");
    Ok(())
}
