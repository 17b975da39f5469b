//! A process of the control plane.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// How many lines of a log are shown.
const SHOWN: usize = 25;

/// A running program, whose output goes to a file. Dropping it kills the process, by its own id; so does the end of the
/// thread that started it, and so the end of this process, however it ends: start it from a thread that lasts.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; its log is `<name>.log` in this folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // SAFETY: prctl is async-signal-safe and touches nothing of this process.
        unsafe {
            command.pre_exec(|| {
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
                Ok(())
            });
        }
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Fails if it has ended, with the end of its log.
    ///
    /// # Errors
    /// Then.
    pub fn ensure_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status}:\n{}", self.name, self.log_end()),
            None => Ok(()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map_or(String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        end(&self.log())
    }

    /// The memory that it has in use, in MB.
    #[must_use]
    pub fn memory(&self) -> u64 {
        memory(self.pid())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing in it has to be saved, and a failure here means that it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The last lines of a log, without what Envoy has to say about every route that Istio sends.
#[must_use]
pub fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("Deprecated field:")).collect();
    lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
}

/// The resident memory of a process, in MB; 0 if it is gone.
#[must_use]
pub fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1000
}
