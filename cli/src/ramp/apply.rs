//! What a file says, brought into the mesh: resources stage by stage, then waiting until every pod runs them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures_util::future::join_all;
use serde::Serialize;

use super::shell::{Ended, Shell};
use crate::clusters::{InCluster, for_one, said_of};
use crate::lower;
use crate::mesh::Mesh;
use crate::plain;
use crate::prometheus::{Prometheus, Sample};
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
    /// How long the command may take.
    pub limit: Duration,
    /// Told of each line that the command says, and of what becomes of it.
    pub say: Box<dyn Fn(&str)>,
}

/// The largest revision: a number of 48 bits.
const REVISIONS: f64 = (1u64 << 48) as f64;

/// A plugin's module, if it is the native one.
pub const NATIVE: &str = "native";

/// A plugin in a pod, and what it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Which of its plugins.
    pub direction: String,
    /// What it is: `wasm` or `native`.
    pub module: &'static str,
    /// The revision that it runs; none: nothing.
    pub revision: Option<String>,
    /// Is it the file's?
    pub current: bool,
}

/// What every plugin of a mesh runs, as Prometheus knows it.
///
/// # Errors
/// When Prometheus does not say, or cannot tell pods apart.
pub async fn plugins(prometheus: &Prometheus, mesh: &Mesh) -> Result<Vec<Plugin>> {
    let wanted = lower::revision(mesh);
    let samples = prometheus.query(&Queries::of(mesh).revisions()).await?;
    for label in ["pod", "direction"] {
        // Many pods would look like one that is current.
        ensure!(
            samples.iter().all(|sample| !sample.label(label).is_empty()),
            "series of `graylane_config_revision` have no label `{label}`, so pods cannot be told apart: let Prometheus \
             keep it when it scrapes"
        );
    }
    for sample in &samples {
        ensure!(
            (0.0..=REVISIONS).contains(&sample.value) && sample.value.fract() == 0.0,
            "`{}` reports an invalid revision {}",
            plain::line(sample.label("pod")),
            sample.value
        );
    }
    let native = prometheus.query(&Queries::of(mesh).native()).await?;
    let native: BTreeSet<_> = native.iter().map(place).collect();
    let plugin = |sample: &Sample| {
        // A number of 48 bits, so a double holds it exactly.
        let revision =
            Some(sample.value).filter(|value| *value > 0.0).map(|value| format!("{:012x}", value as u64));
        Plugin {
            namespace: sample.label("namespace").to_owned(),
            pod: sample.label("pod").to_owned(),
            direction: sample.label("direction").to_owned(),
            module: if native.contains(&place(sample)) { NATIVE } else { "wasm" },
            current: revision.as_ref() == Some(&wanted),
            revision,
        }
    };
    let mut plugins: Vec<Plugin> = samples.iter().map(plugin).collect();
    plugins.sort_by(|a, b| [&a.namespace, &a.pod, &a.direction].cmp(&[&b.namespace, &b.pod, &b.direction]));
    Ok(plugins)
}

/// Which plugin a series is about.
fn place(sample: &Sample) -> [&str; 3] {
    ["namespace", "pod", "direction"].map(|label| sample.label(label))
}

/// Pods whose plugins are not all of one module: what one of the two remembers the other does not know.
#[must_use]
pub fn half_over(plugins: &[Plugin]) -> Vec<String> {
    let mut modules: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for plugin in plugins {
        modules.entry((&plugin.namespace, &plugin.pod)).or_default().insert(plugin.module);
    }
    let mixed = modules.into_iter().filter(|(_, modules)| modules.len() > 1);
    mixed.map(|((namespace, pod), _)| format!("{}/{}", plain::line(namespace), plain::line(pod))).collect()
}

/// Why not every pod runs what its cluster was given; none: all do.
pub async fn lagging(clusters: &[(InCluster, &Prometheus)]) -> Option<String> {
    for (InCluster { name, mesh }, prometheus) in clusters {
        let why = match plugins(prometheus, mesh).await {
            Err(problem) => format!("unknown which pods run it: {problem:#}"),
            Ok(plugins) if plugins.is_empty() => "no pod reports its configuration".to_owned(),
            Ok(plugins) => {
                let others: Vec<&Plugin> = plugins.iter().filter(|plugin| !plugin.current).collect();
                let Some(other) = others.first() else { continue };
                format!(
                    "{} of {} plugins run another configuration, for example the {} plugin of {}/{}",
                    others.len(),
                    plugins.len(),
                    other.direction,
                    other.namespace,
                    other.pod
                )
            }
        };
        return Some(said_of(name.as_deref(), &why));
    }
    None
}

impl Apply {
    /// Applies the resources of a mesh in the order of safe application, with a wait between the stages. Clusters are applied to side
    /// by side, so that one that does not answer, or has no mesh, keeps no other from taking a canary back.
    ///
    /// # Errors
    /// When a cluster has no mesh, or the command fails there; the others have got everything then.
    pub async fn run(&self, clusters: Vec<(Option<String>, Result<Mesh>)>) -> Result<()> {
        let Some(command) = &self.command else { return Ok(()) };
        let all = clusters.into_iter().map(async |(name, mesh)| {
            let result = match mesh {
                Ok(mesh) => self.run_in(name.as_deref(), &mesh, command).await,
                Err(error) => Err(error),
            };
            Some(said_of(name.as_deref(), &plain::line(&format!("{:#}", result.err()?))))
        });
        let said: Vec<String> = join_all(all).await.into_iter().flatten().collect();
        ensure!(said.is_empty(), "{}", said.join("; "));
        Ok(())
    }

    async fn run_in(&self, name: Option<&str>, mesh: &Mesh, command: &str) -> Result<()> {
        let command = for_one(command, name);
        let label = name.map_or_else(|| "apply".to_owned(), |name| format!("apply in {name}"));
        let all = resources::resources(mesh, &self.options);
        let stages = [Stage::Subsets, Stage::Plugins, Stage::Routes, Stage::Gateway];
        let of = |stage| all.iter().filter(|one| one.stage() == stage).cloned().collect::<Vec<Resource>>();
        let mut stages = stages.into_iter().map(of).filter(|stage| !stage.is_empty()).peekable();
        while let Some(stage) = stages.next() {
            self.pipe(&command, &label, &resources::stream(&stage)).await?;
            if stages.peek().is_some() {
                tokio::time::sleep(self.settle).await;
            }
        }
        Ok(())
    }
}

impl Apply {
    /// Gives YAML to a command of the shell.
    async fn pipe(&self, command: &str, name: &str, yaml: &str) -> Result<()> {
        let shell =
            Shell { command, name, input: yaml, env: &[], folder: None, limit: self.limit, say: &*self.say };
        match shell.run().await?.ended {
            Ended::With(status) => {
                ensure!(status.success(), "`{command}` failed with {status}");
                Ok(())
            }
            Ended::Late => bail!(
                "`{command}` did not end within {} s and was killed: see --apply-timeout",
                self.limit.as_secs()
            ),
            Ended::Signal(signal) => bail!("ended by {signal}, and so is `{command}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    async fn pipe(command: &str, limit: Duration) -> (Result<()>, Vec<String>, Duration) {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let apply = Apply {
            command: None,
            options: Options::default(),
            settle: Duration::ZERO,
            limit,
            say: Box::new(move |line: &str| heard.lock().unwrap().push(line.to_owned())),
        };
        let begin = std::time::Instant::now();
        let result = apply.pipe(command, "apply", &"a: b\n".repeat(100_000)).await;
        let said = said.lock().unwrap().clone();
        (result, said, begin.elapsed())
    }

    #[tokio::test]
    async fn a_command_is_shown_as_it_goes_and_its_exit_code_counts() {
        let long = Duration::from_secs(60);
        let (result, said, _) = pipe("wc -c; printf 'a\\033[2Jb\\n' >&2; exit 3", long).await;
        assert!(result.unwrap_err().to_string().contains("exit status: 3"));
        assert!(said.iter().any(|line| line == "apply: 500000"), "{said:?}");
        assert!(said.iter().any(|line| line == "apply: a\\u{1b}[2Jb"), "{said:?}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_ended_with_its_children() {
        let begin = std::time::Instant::now();
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let command = format!("sleep 600 & echo $! > {}; wait", pid.display());
        let (result, _, took) = pipe(&command, Duration::from_millis(500)).await;
        assert!(result.unwrap_err().to_string().contains("--apply-timeout"));
        assert!(took < Duration::from_secs(20), "{took:?}");
        let pid = std::fs::read_to_string(pid).unwrap();
        // It has got the signal; the kernel takes a moment to end it.
        let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        let gone = || state().is_empty() || state().contains(") Z ");
        while !gone() && begin.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(gone(), "{}", state());
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_does_not_block_the_run() {
        let (result, _, took) = pipe("sleep 600 & cat > /dev/null", Duration::from_secs(60)).await;
        result.unwrap();
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}
