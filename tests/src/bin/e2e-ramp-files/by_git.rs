//! The bank's rollout by Git, from nobody to promoted: a bare repository, a sync that brings what is pushed into the cluster, a
//! window that is closed, an approval, a hook, and runners that are killed with their disks, each on another machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane_tests::random::Random;
use serde_json::json;
use tokio::task::JoinHandle;

use super::rollout::Rollout;
use super::{another_day, said, until};

const BANK: &str = include_str!("../../../../examples/bank-rollout/graylane.yaml");
const WINDOW: &str = "{days: [mon, tue, wed, thu], from: \"09:00\", to: \"16:00\", zone: Europe/Berlin}";
const OPEN: &str = "{days: [mon, tue, wed, thu, fri, sat, sun], from: \"00:00\", to: \"24:00\", zone: UTC}";
/// Runners that are killed at most.
const KILLS: usize = 60;

fn git(folder: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "user.name=Grace",
        "-c",
        "user.email=grace@bank.example",
        "-c",
        "commit.gpgsign=false",
    ]);
    let output = command.args(["-c", "init.defaultBranch=main"]).args(words).current_dir(folder).output()?;
    ensure!(output.status.success(), "git {words:?}: {}", said(&output));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// A repository, a cluster, and what brings the one into the other.
struct Bank<'a> {
    program: &'a Path,
    cluster: &'a Rollout<'a>,
    folder: tempfile::TempDir,
    sync: JoinHandle<()>,
}

impl Drop for Bank<'_> {
    fn drop(&mut self) {
        self.sync.abort();
    }
}

/// A process that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Brings what is pushed into the cluster, a moment later, and reports it as Flux does.
async fn synced(bare: PathBuf, file: PathBuf, report: PathBuf) {
    let mut last = String::new();
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let Ok(head) = git(&bare, &["rev-parse", "main"]) else { continue };
        let Ok(text) = git(&bare, &["show", "main:graylane.yaml"]) else { continue };
        if head == last {
            continue;
        }
        let conditions = json!([{"type": "Ready", "status": "True", "message": "applied"}]);
        let status =
            json!({"status": {"lastAppliedRevision": format!("main@sha1:{head}"), "conditions": conditions}});
        let new = report.with_extension("new");
        let done = std::fs::write(&file, text + "\n").and_then(|()| std::fs::write(&new, status.to_string()));
        if done.and_then(|()| std::fs::rename(&new, &report)).is_ok() {
            last = head;
        }
    }
}

impl<'a> Bank<'a> {
    fn new(program: &'a Path, cluster: &'a Rollout<'a>, text: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (bare, work) = (folder.path().join("bare"), folder.path().join("person"));
        std::fs::create_dir_all(&bare)?;
        git(&bare, &["init", "--quiet", "--bare"])?;
        git(folder.path(), &["clone", "--quiet", "bare", "person"])?;
        std::fs::write(work.join("graylane.yaml"), text)?;
        git(&work, &["checkout", "--quiet", "-B", "main"])?;
        git(&work, &["add", "."])?;
        git(&work, &["commit", "--quiet", "--message", "Version 2 of the payments"])?;
        git(&work, &["push", "--quiet", "origin", "main"])?;
        let kubectl = folder.path().join("kubectl");
        std::fs::write(&kubectl, "#!/bin/sh\ncat \"$(dirname \"$0\")/report\"\n")?;
        std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755))?;
        let sync = tokio::spawn(synced(bare, cluster.file(), folder.path().join("report")));
        Ok(Self { program, cluster, folder, sync })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ramp(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        // Without a checkout: each is another machine.
        command.arg("ramp").args(words).args([
            "payments",
            "--git",
            "--branch",
            "main",
            "-f",
            "graylane.yaml",
        ]);
        command.arg("--remote").arg(self.path("bare")).current_dir(self.folder.path());
        // What a run leaves that is killed goes with the test.
        command.env("TMPDIR", self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn run(&self) -> Result<Running> {
        let mut command = self.ramp(&["run"]);
        command.args(["--prometheus", &self.cluster.url, "--interval", "100ms", "--lease", "1s"]);
        command.args(["--ticket", "CHG-1042", "--synced-by", "flux:flux-system/bank"]);
        command.arg("--kubectl").arg(self.path("kubectl"));
        let out = std::fs::OpenOptions::new().create(true).append(true).open(self.path("said"))?;
        Ok(Running(command.stderr(out).spawn()?))
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.path("said")).unwrap_or_default()
    }

    async fn approve(&self, words: &[&str]) -> Result<Output> {
        let mut command = self.ramp(&["approve"]);
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(tokio::task::spawn_blocking(move || command.output()).await??)
    }

    fn subjects(&self) -> Result<Vec<String>> {
        let all = git(&self.path("bare"), &["log", "--reverse", "--format=%s", "main"])?;
        Ok(all.lines().map(ToOwned::to_owned).collect())
    }

    /// Kills runners, one after the other, until something is true; how many.
    async fn killed(
        &self,
        what: &str,
        random: &mut Random,
        done: impl Fn(&Self) -> Result<bool>,
    ) -> Result<usize> {
        for kills in 0..KILLS {
            let mut process = self.run()?;
            let end = tokio::time::Instant::now() + Duration::from_millis(500 + random.below(3500));
            while tokio::time::Instant::now() < end && process.0.try_wait()?.is_none() {
                if done(self)? {
                    return Ok(kills);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        anyhow::bail!("{what}: not within {KILLS} runners:\n{}", self.said())
    }
}

/// From nobody to promoted.
pub async fn promoted(program: &Path, random: &mut Random) -> Result<String> {
    let closed = format!("{{days: [{}], from: \"00:00\", to: \"00:01\", zone: UTC}}", another_day()?);
    let text = BANK.replace(WINDOW, &closed).replace("hold: 30m", "hold: 1s");
    let text = text.replace("sh expanded.sh", "echo expanded >> hooks");
    ensure!(
        text.contains(&closed) && text.contains("hold: 1s") && text.contains(">> hooks"),
        "the example is another one"
    );
    let cluster = Rollout::with(program, &text).await?;
    let bank = Bank::new(program, &cluster, &text)?;
    let mut process = bank.run()?;
    until("it waits for a window", || {
        Ok(bank.said().contains("graylane ramp approve payments --git --by NAME --outside-window"))
    })
    .await?;
    ensure!(
        bank.subjects()?.len() == 1 && !bank.path("hooks").exists(),
        "it does not wait: {:?}",
        bank.subjects()?
    );
    let output = bank.approve(&["--by", "eve@bank.example", "--outside-window"]).await?;
    ensure!(output.status.code() == Some(1), "{}", said(&output));
    let output = bank.approve(&["--by", "ada@bank.example", "--outside-window"]).await?;
    ensure!(output.status.success(), "{}", said(&output));
    until("the first step", || Ok(bank.subjects()?.iter().any(|line| line == "payments: v2 0 % → 1 %")))
        .await?;
    ensure!(process.0.try_wait()?.is_none(), "it has ended: {}", bank.said());
    drop(process);
    // A person opens the window, by a commit, too.
    let work = bank.path("person");
    git(&work, &["pull", "--quiet", "--rebase", "origin", "main"])?;
    let now = std::fs::read_to_string(work.join("graylane.yaml"))?;
    std::fs::write(work.join("graylane.yaml"), now.replace(&closed, OPEN))?;
    git(&work, &["commit", "--quiet", "--all", "--message", "Open the window"])?;
    git(&work, &["push", "--quiet", "origin", "main"])?;
    let paused = |bank: &Bank<'_>| Ok(bank.said().contains("25 % waits for an approval"));
    let mut kills = bank.killed("the pause", random, paused).await?;
    let output = bank.approve(&["--by", "ben@bank.example", "--ticket", "CHG-1043"]).await?;
    ensure!(output.status.success(), "{}", said(&output));
    let is_baseline =
        |bank: &Bank<'_>| Ok(bank.subjects()?.iter().any(|line| line == "payments: v2 is the baseline"));
    kills += bank.killed("the promotion", random, is_baseline).await?;
    let mut process = bank.run()?;
    let mut status = None;
    until("it ends", || {
        status = process.0.try_wait()?;
        Ok(status.is_some())
    })
    .await?;
    ensure!(status.and_then(|status| status.code()) == Some(0), "it ends with {status:?}: {}", bank.said());
    let subjects = bank.subjects()?;
    let want = [
        "Version 2 of the payments",
        "payments: ada@bank.example allows 1 % of v2 outside of every window",
        "payments: v2 0 % → 1 %",
        "Open the window",
        "payments: v2 1 % → 5 %",
        "payments: ben@bank.example allows 25 % of v2",
        "payments: v2 5 % → 25 %",
        "payments: v2 25 % → 100 %",
        "payments: v2 is the baseline",
    ];
    ensure!(subjects == want, "each step is there once: {subjects:#?}");
    let hooks = std::fs::read_to_string(bank.path("hooks")).context("the hook did not run")?;
    ensure!(hooks.lines().count() == 1, "the hook ran {} times", hooks.lines().count());
    until("the cluster has it", || Ok(cluster.text()?.contains("baseline: v2"))).await?;
    Ok(format!(
        "the bank's rollout by Git, promoted through a window, an approval, a hook and {kills} runners killed"
    ))
}
