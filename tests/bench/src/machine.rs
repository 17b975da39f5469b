//! What the operating system says: cores, CPU time of a thread, memory of a process.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// How long after its last answer a worker has gone to sleep.
const SETTLED: Duration = Duration::from_micros(150);

/// One core for Envoy, another for who loads it.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// Envoy's.
    pub envoy: usize,
    /// The client's.
    pub client: usize,
}

impl Cores {
    /// The first and the last that this process may use.
    ///
    /// # Errors
    /// When there is one only: client and Envoy would take turns.
    pub fn find() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        ensure!(cores.len() > 1, "two cores are needed: one for Envoy, one for the client");
        Ok(Self { envoy: cores[0], client: cores[cores.len() - 1] })
    }
}

/// Pins this thread, and whatever it starts from now on, to one core.
///
/// # Errors
/// When the system refuses.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("cannot pin to core {core}"))
}

/// The first worker thread of an Envoy.
#[derive(Clone, Debug)]
pub struct Worker {
    schedstat: PathBuf,
}

impl Worker {
    /// Of a process.
    ///
    /// # Errors
    /// When it has none.
    pub fn of(pid: u32) -> Result<Self> {
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "wrk:worker_0") {
                return Ok(Self { schedstat: task.join("schedstat") });
            }
        }
        anyhow::bail!("process {pid} has no thread `wrk:worker_0`")
    }

    /// CPU time so far, in nanoseconds. Asked a little after the last answer: the kernel books the time of a thread when it
    /// stops or at a tick, so a thread that is about to sleep has not been paid for yet.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn cpu(&self) -> Result<u64> {
        let begin = Instant::now();
        while begin.elapsed() < SETTLED {
            std::hint::spin_loop();
        }
        self.field(0)
    }

    /// How long it waited for its core so far, in nanoseconds.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn waited(&self) -> Result<u64> {
        self.field(1)
    }

    /// `/proc/<pid>/task/<tid>/schedstat`: time on a core, time waiting for one, and how often
    /// (Documentation/scheduler/sched-stats.rst of Linux).
    fn field(&self, number: usize) -> Result<u64> {
        let text = fs::read_to_string(&self.schedstat)?;
        text.split_whitespace().nth(number).and_then(|field| field.parse().ok()).context("no schedstat")
    }
}

/// Resident memory of a process, in MiB.
///
/// # Errors
/// When the system does not say.
pub fn rss(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

fn first_line(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// The machine and the versions, as rows of a table.
pub fn describe(envoy: &std::path::Path, module: usize) -> Vec<(&'static str, String)> {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown", |(_, model)| model.trim());
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let version = first_line(Command::new(envoy).arg("--version"));
    // `…/envoy  version: <commit>/<version>/Clean/RELEASE/BoringSSL`
    let version = version.split('/').rev().nth(3).unwrap_or(&version).to_owned();
    vec![
        ("machine", format!("{model}, {cores} cores")),
        ("system", first_line(Command::new("uname").arg("-sr"))),
        ("Envoy", format!("{version}, V8, one worker on a core of its own; the client on another")),
        ("Rust", first_line(Command::new("rustc").arg("--version"))),
        ("module", format!("{module} bytes")),
        ("load before the run", load.split(' ').take(3).collect::<Vec<_>>().join(" ")),
    ]
}
