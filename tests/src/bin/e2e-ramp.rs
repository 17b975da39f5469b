//! `make e2e-ramp`: `graylane ramp run` against a real Prometheus that scrapes real Envoys, with a canary that is healthy,
//! one that fails, one that fails past its point of no return, one that is slow, and one that gets no requests.
//!
//! The mesh is the demo's. What `--apply` is given lands in a folder; the mesh takes up the file whenever something does,
//! as istiod would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use graylane::demo::{Setup, Testbed};
use graylane::document;
use graylane::mesh::Mesh;
use graylane::{envoy, lower, wasm};
use graylane_tests::prometheus::{Server, Target};
use serde_json::Value as Json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const FILE: &str = "version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge:
  gateway: {selector: {istio: ingressgateway}, name: istio-ingress/public}
  accept: always
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    expose: {hosts: [shop.example.com]}
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    pins: {gray-v1: canary}
    rollout:
      weights: {canary: 0} # of the test
      steps: [25, 50, 100]
      # Always open: what is asked for the time is this Prometheus.
      windows: [{days: [mon, tue, wed, thu, fri, sat, sun], from: '00:00', to: '24:00', zone: Europe/Berlin}]
      gate: gray-v1
telemetry: {source: envoy}
# What is slow here is told to be; a busy machine is not to be taken for it.
alerts: {latencyP99: {canaryOverBaseline: 2, min: 150}}
";
/// How long one rollout may take.
const LIMIT: Duration = Duration::from_secs(100);
/// Requests under way at once.
const AT_ONCE: usize = 4;

/// What clients ask for: a health of the canary, and whether there is any traffic worth the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    Healthy,
    /// Each twentieth request of the canary fails.
    Failing,
    /// The same, and its first weight is the point of no return.
    Beyond,
    Slow,
    /// A request now and then.
    Quiet,
}

impl Weather {
    fn fails(self) -> bool {
        matches!(self, Self::Failing | Self::Beyond)
    }
}

/// Clients that ask until they are dropped.
struct Clients {
    tasks: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Clients {
    fn start(gateway: std::net::SocketAddr, weather: Weather) -> Self {
        let (count, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let client = reqwest::Client::builder().no_proxy().build().unwrap_or_default();
        let tasks = (0..AT_ONCE).map(|_| {
            let (count, stop, client) = (Arc::clone(&count), Arc::clone(&stop), client.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let number = count.fetch_add(1, Ordering::Relaxed);
                    let mut query = vec![("run", "ramp")];
                    match weather {
                        weather if weather.fails() && number % 20 == 0 => query.push(("fail", "api:canary")),
                        Weather::Slow => query.push(("slow", "api:canary")),
                        _ => {}
                    }
                    let mut request = client.get(format!("http://{gateway}/")).query(&query);
                    request = request.header("host", "shop.example.com");
                    request = if number % 5 == 0 && !weather.fails() {
                        request.header("tenant", "gray-v1")
                    } else {
                        request.header("x-user-id", format!("user-{}", number * 7 % 1009))
                    };
                    // An answer that does not come is the canary's business, not the client's.
                    let _ = request.send().await;
                    let pause = if weather == Weather::Quiet { 2000 } else { 8 };
                    sleep(Duration::from_millis(pause)).await;
                }
            })
        });
        Self { tasks: tasks.collect(), stop }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A rollout under way; ends with this.
struct Rollout<'a> {
    testbed: &'a mut Testbed,
    process: Child,
    applied: usize,
    folder: &'a Path,
    command: Command,
}

impl Drop for Rollout<'_> {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The file: the gate is left out where live users are to meet what is wrong.
fn file(weather: Weather) -> String {
    match weather {
        Weather::Failing => FILE.replace("      gate: gray-v1\n", ""),
        Weather::Beyond => FILE.replace("gate: gray-v1", "noReturn: 25"),
        _ => FILE.to_owned(),
    }
}

fn records(folder: &Path) -> Vec<Json> {
    let log = std::fs::read_to_string(folder.join("graylane-ramp-api.jsonl")).unwrap_or_default();
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn mesh(file: &Path) -> Result<Mesh> {
    Ok(Mesh::of(&document::open(&[file.to_path_buf()])?.checked()?))
}

/// Lets the mesh run a file. Envoy does nothing about a configuration that it has already.
async fn take_up(testbed: &mut Testbed, file: &Path) -> Result<()> {
    let mesh = mesh(file)?;
    if lower::revision(&mesh) == lower::revision(&testbed.mesh) { Ok(()) } else { testbed.change(mesh).await }
}

fn applied(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.join("applied")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        files.map(|entry| entry.path()).filter(|path| path.extension().is_some()).collect();
    files.sort();
    files
}

impl Rollout<'_> {
    fn begin<'a>(
        testbed: &'a mut Testbed,
        program: &Path,
        prometheus: &str,
        folder: &'a Path,
        weather: Weather,
    ) -> Result<Rollout<'a>> {
        std::fs::create_dir_all(folder.join("applied"))?;
        std::fs::write(folder.join("graylane.yaml"), file(weather))?;
        let mut command = Command::new(program);
        command
            .args(["ramp", "run", "api", "--prometheus", prometheus])
            .args(["--apply", "cat > applied/$$ && mv applied/$$ applied/$(date +%s%N).yaml"])
            .args(["--hold", "6s", "--interval", "1s", "--settle", "0s", "--min-requests", "100"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("said"))?);
        envoy::dies_with_us(&mut command);
        let process = command.spawn().context("cannot start graylane")?;
        Ok(Rollout { testbed, process, applied: 0, folder, command })
    }

    /// Lets the mesh take up what was applied, until something is true of the log, or the rollout ends; its exit code.
    async fn until(&mut self, done: impl Fn(&[Json]) -> bool) -> Result<Option<i32>> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let now = applied(self.folder).len();
            if now > self.applied {
                self.applied = now;
                take_up(self.testbed, &self.folder.join("graylane.yaml")).await?;
            }
            if let Some(status) = self.process.try_wait()? {
                return Ok(status.code());
            }
            let records = records(self.folder);
            if done(&records) {
                return Ok(None);
            }
            let said = || std::fs::read_to_string(self.folder.join("said")).unwrap_or_default();
            ensure!(
                Instant::now() < deadline,
                "the rollout gets stuck: {}\n{}",
                said(),
                records.last().unwrap_or(&Json::Null)
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills it and starts it again.
    fn start_again(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.process = self.command.spawn()?;
        Ok(())
    }
}

/// The steps that a log tells of.
fn steps(records: &[Json]) -> Vec<String> {
    let named = records.iter().filter(|record| record["event"] != "look");
    named
        .map(|record| format!("{} {}", record["event"].as_str().unwrap_or_default(), record["weight"]))
        .collect()
}

fn guards(records: &[Json], verdict: &str) -> Vec<String> {
    let looks = records.iter().filter(|record| record["verdict"] == verdict);
    let found = looks.flat_map(|look| look["guards"].as_array().cloned().unwrap_or_default());
    found
        .filter(|found| found["verdict"] == verdict)
        .map(|found| found["guard"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn all(program: &Path, folder: &Path) -> Result<()> {
    let file = folder.join("graylane.yaml");
    std::fs::write(&file, FILE)?;
    let setup = Setup {
        envoy: envoy::locate()?,
        module: wasm::module()?,
        mesh: mesh(&file)?,
        entry: "api".to_owned(),
        worker_tenant: Some("gray-v1".to_owned()),
        native: None,
        logs: false,
    };
    let mut testbed = Testbed::start(setup, |_| ()).await?;
    let targets = testbed.envoys().enumerate().map(|(number, envoy)| Target {
        address: envoy.admin,
        labels: BTreeMap::from([
            ("namespace".to_owned(), "shop".to_owned()),
            ("pod".to_owned(), format!("pod-{number}")),
        ]),
    });
    let server = Server::start(&targets.collect::<Vec<_>>(), "").await?;
    for weather in [Weather::Healthy, Weather::Failing, Weather::Beyond, Weather::Slow, Weather::Quiet] {
        let begin = Instant::now();
        let folder = folder.join(format!("{weather:?}"));
        std::fs::create_dir_all(&folder)?;
        let clients = Clients::start(testbed.gateway, weather);
        let mut rollout = Rollout::begin(&mut testbed, program, &server.url, &folder, weather)?;
        let story = match weather {
            Weather::Healthy => healthy(&mut rollout).await,
            Weather::Failing => aborted(&mut rollout, weather, "errors").await,
            Weather::Beyond => beyond(&mut rollout).await,
            Weather::Slow => aborted(&mut rollout, weather, "latency").await,
            Weather::Quiet => held(&mut rollout).await,
        };
        let said = std::fs::read_to_string(folder.join("said")).unwrap_or_default();
        let story = story.with_context(|| format!("{weather:?}:\n{said}"))?;
        drop(rollout);
        drop(clients);
        println!("{weather:?}: {story}, {:.0} s", begin.elapsed().as_secs_f64());
        take_up(&mut testbed, &file).await?;
    }
    Ok(())
}

/// Promoted, step by step, though it is killed on the way.
async fn healthy(rollout: &mut Rollout<'_>) -> Result<String> {
    let step = |weight: f64| {
        move |records: &[Json]| {
            records.iter().any(|record| record["event"] == "step" && record["weight"] == weight)
        }
    };
    ensure!(rollout.until(step(25.0)).await?.is_none(), "it ends before its first step");
    rollout.start_again()?;
    let code = rollout.until(|_| false).await?;
    ensure!(code == Some(0), "it ends with {code:?}");
    let file = std::fs::read_to_string(rollout.folder.join("graylane.yaml"))?;
    let want = FILE.replace("baseline: stable", "baseline: canary").replace("{canary: 0}", "{stable: 0}");
    ensure!(file == want, "the file is\n{file}");
    let steps = steps(&records(rollout.folder));
    let want = [
        "applied 0.0",
        "step 0.0",
        "advance 25.0",
        "applied 25.0",
        "step 25.0",
        "advance 50.0",
        "applied 50.0",
        "step 50.0",
        "advance 100.0",
        "applied 100.0",
        "step 100.0",
        "promote 100.0",
        "promoted 100.0",
    ];
    ensure!(steps == want, "the steps are {steps:?}");
    let text = applied(rollout.folder)
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect::<String>();
    ensure!(
        text.contains("kind: VirtualService") && text.contains("weight: 50"),
        "what was applied is\n{text}"
    );
    Ok("promoted".to_owned())
}

/// Aborted by this guard, and no user is on the canary any more.
async fn aborted(rollout: &mut Rollout<'_>, weather: Weather, guard: &str) -> Result<String> {
    let code = rollout.until(|_| false).await?;
    let records = records(rollout.folder);
    ensure!(code == Some(1), "it ends with {code:?}: {:?}", steps(&records));
    ensure!(guards(&records, "abort").iter().any(|name| name == guard), "it is not `{guard}` that aborts");
    let steps = steps(&records);
    let at =
        if weather == Weather::Failing { ["step 25.0", "abort 25.0"] } else { ["step 0.0", "abort 0.0"] };
    ensure!(at.iter().all(|step| steps.iter().any(|is| is == step)), "the steps are {steps:?}");
    let text = std::fs::read_to_string(rollout.folder.join("graylane.yaml"))?;
    ensure!(text == file(weather), "the file is\n{text}");
    Ok(format!(
        "aborted for its {guard}{}",
        if weather == Weather::Failing { "" } else { ", before a live user was moved" }
    ))
}

/// Worse, and past its point of no return: nothing is moved.
async fn beyond(rollout: &mut Rollout<'_>) -> Result<String> {
    let code = rollout.until(|_| false).await?;
    let records = records(rollout.folder);
    let steps = steps(&records);
    ensure!(code == Some(3), "it ends with {code:?}: {steps:?}");
    ensure!(steps.last().is_some_and(|last| last == "held 25.0"), "the steps are {steps:?}");
    let text = std::fs::read_to_string(rollout.folder.join("graylane.yaml"))?;
    ensure!(text == file(Weather::Beyond).replace("{canary: 0}", "{canary: 25}"), "the file is\n{text}");
    Ok("held past its point of no return".to_owned())
}

/// Held: nothing is decided on so few requests.
async fn held(rollout: &mut Rollout<'_>) -> Result<String> {
    let looks = |records: &[Json]| records.iter().filter(|record| record["event"] == "look").count() >= 12;
    let code = rollout.until(looks).await?;
    ensure!(code.is_none(), "it ends with {code:?}");
    let records = records(rollout.folder);
    let verdicts =
        records.iter().filter(|record| record["event"] == "look").all(|look| look["verdict"] == "hold");
    ensure!(verdicts && steps(&records) == ["applied 0.0", "step 0.0"], "{:?}", steps(&records));
    ensure!(
        std::fs::read_to_string(rollout.folder.join("graylane.yaml"))? == FILE,
        "the file is not what it was"
    );
    Ok("held".to_owned())
}

fn main() -> Result<()> {
    let Some(program) = std::env::args().nth(1) else { bail!("usage: e2e-ramp GRAYLANE") };
    let folder = std::env::temp_dir().join(format!("graylane-e2e-ramp-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let program = std::fs::canonicalize(program)?;
    let result = tokio::runtime::Runtime::new()?.block_on(all(&program, &folder));
    std::fs::remove_dir_all(&folder)?;
    result
}
