//! `make e2e-events`: examples/events with a real Kafka broker and real Envoys. A gray request goes through the gateway to
//! api, its message through the gray topic to the gray worker, and that worker's call to ledger's gray subset; of 1,000
//! orders of both tenants in one mix none crosses. Then the same with one topic for all, whose records say tenant and unit in their
//! headers, with retries and dead letters.
//!
//! `e2e-events JARS FOLDER-OF-CLASSES`, in the root of the checkout.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use graylane::demo::{Setup, Testbed, Visit};
use graylane::document;
use graylane::envoy::{Envoy, dies_with_us, locate};
use graylane::mesh::Mesh;
use graylane::report::{self, Decisions, LaneMap};
use graylane::resources::{Kind, Options, overlays, resources};
use graylane::wasm;
use serde_json::Value as Json;
use tempfile::TempDir;

const ORDERS: usize = 1000;
/// Orders in the topic for all.
const SHARED: usize = 200;
const GRAY: &str = "gray-v1";
/// How long everything may take that is waited for.
const LIMIT: Duration = Duration::from_secs(120);

/// A process that ends with this one.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The Java programs: the broker and the applications.
struct Java {
    jars: PathBuf,
    classes: PathBuf,
    folder: TempDir,
    broker: String,
}

impl Java {
    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn command(&self, class: &str) -> Result<Command> {
        let mut command = Command::new("java");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        command
            .args([
                "-Xmx384m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Djdk.httpclient.allowRestrictedHeaders=host",
            ])
            .arg("-cp")
            .arg(format!("{}:{}/*", self.classes.display(), self.jars.display()))
            .arg(class)
            .env("BROKER", &self.broker)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        dies_with_us(&mut command);
        Ok(command)
    }

    /// Runs an application to its end.
    fn run(&self, args: &[String]) -> Result<()> {
        let status = self.command("Events")?.args(args).status().context("cannot start java")?;
        ensure!(status.success(), "{args:?}: {status}");
        Ok(())
    }

    /// A broker in KRaft mode: its own controller, on free ports of loopback.
    fn start_broker(&self) -> Result<Process> {
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        let controller = TcpListener::bind(("127.0.0.1", 0))?;
        let (data, broker, controller) = (self.folder.path().join("data"), &self.broker, port(&controller)?);
        let settings = format!(
            "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://{broker},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://{broker}\ncontroller.listener.names=CONTROLLER\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\nlog.dirs={}\nauto.create.topics.enable=false\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n",
            data.display()
        );
        let file = self.folder.path().join("server.properties");
        std::fs::write(&file, settings)?;
        // Any 16 bytes in base64url.
        let id = "Z3JheWxhbmUtZXZlbnRzMA";
        let mut format = self.command("kafka.tools.StorageTool")?;
        let status = format.args(["format", "--cluster-id", id, "--config"]).arg(&file).status()?;
        ensure!(status.success(), "the broker's storage cannot be formatted: {status}");
        Ok(Process(self.command("kafka.Kafka")?.arg(&file).spawn().context("cannot start the broker")?))
    }
}

fn mesh() -> Result<Mesh> {
    let files = ["examples/events", "tests/events/edge.yaml"].map(PathBuf::from);
    let file = document::open(&files)?.checked().context("examples/events is not in order")?;
    Ok(Mesh::of(&file))
}

/// The topics of tenants, as they are rendered.
fn topics(mesh: &Mesh) -> Result<Vec<String>> {
    let all = resources(mesh, &Options::default());
    let topic = |json: Json| {
        let (name, partitions) = (json["spec"]["topicName"].clone(), json["spec"]["partitions"].clone());
        let name = name.as_str().unwrap_or_default().to_owned();
        partitions.as_u64().map_or(name.clone(), |partitions| format!("{name}={partitions}"))
    };
    let of_kind = all.iter().filter(|resource| resource.kind() == Kind::KafkaTopic);
    of_kind.map(|resource| Ok(topic(resource.json()))).collect()
}

/// The environment of the gray worker, as its overlay says.
fn environment(mesh: &Mesh) -> Result<BTreeMap<String, String>> {
    let files = overlays(mesh);
    let values: Json = serde_saphyr::from_str(&files["workers/invoice-mailer/gray-v1/values.yaml"])?;
    ensure!(values["podLabels"]["graylane.dev/tenant"] == GRAY, "{values}");
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let pairs = values["env"].as_array().into_iter().flatten();
    Ok(pairs.map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect())
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [jars, classes] = &arguments[..] else { bail!("usage: e2e-events JARS CLASSES") };
    let free = TcpListener::bind(("127.0.0.1", 0))?;
    let broker = format!("127.0.0.1:{}", free.local_addr()?.port());
    drop(free);
    let folder = tempfile::Builder::new().prefix("graylane-kafka-").tempdir()?;
    let java = Java { jars: jars.clone(), classes: classes.clone(), folder, broker };
    let result = tokio::runtime::Runtime::new()?.block_on(run(&java));
    result.with_context(|| format!("what Java said:\n{}", java.log_end()))
}

async fn run(java: &Java) -> Result<()> {
    let begin = Instant::now();
    let mesh = mesh()?;
    let _broker = java.start_broker()?;
    let setup = Setup {
        envoy: locate()?,
        module: wasm::module()?,
        mesh: mesh.clone(),
        entry: "api".to_owned(),
        worker_tenant: Some(GRAY.to_owned()),
        native: None,
        logs: false,
    };
    let testbed = Testbed::start(setup, |_| {}).await?;
    let (green_envoy, green_sidecar) = testbed.another_worker("invoice-mailer", None).await?;
    java.run(&[vec!["topics".to_owned(), "orders".to_owned()], topics(&mesh)?].concat())?;

    let ledger = &testbed.authorities["ledger"];
    let work = |sidecar: String, environment: &BTreeMap<String, String>| -> Result<Process> {
        let mut command = java.command("Events")?;
        let args = ["work".to_owned(), sidecar, ledger.clone()];
        Ok(Process(command.args(args).envs(environment).spawn()?))
    };
    let green = [("TOPIC_ORDERS", "orders"), ("CONSUMER_GROUP", "invoice-mailer")];
    let green = green.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let _workers =
        [work(testbed.worker.to_string(), &environment(&mesh)?)?, work(green_sidecar.to_string(), &green)?];

    let client = graylane::http::direct().build()?;
    order(java, &testbed, &client, &environment(&mesh)?["TOPIC_ORDERS"]).await?;
    let (gray, green) = invoices(&testbed).await?;

    // A gray worker may call green on purpose: its header wins over its label.
    let url = format!("http://{}/?path=ledger&run=on-purpose", testbed.worker);
    let request = client.get(url).header("host", ledger).header("tenant", "green");
    request.send().await?.error_for_status()?;
    let visits = testbed.journal.read("on-purpose").visits;
    ensure!(visits.first().is_some_and(|visit| visit.subset == "stable"), "{visits:?}");
    lane_map(&mesh, &client, &testbed, &green_envoy).await?;
    shared(java, &testbed, &green_sidecar.to_string()).await?;
    println!(
        "{ORDERS} orders through {} Envoys and a broker: {gray} gray, {green} green, 0 crossed; {SHARED} in one topic, 0 crossed; in {:.0} s",
        testbed.envoys().count() + 1,
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// A fixed mix, neither one after the other nor in halves.
fn is_gray(id: usize) -> bool {
    id.wrapping_mul(2_654_435_761) >> 4 & 1 == 0
}

/// The tenant and the subset that a service has to see for this order.
fn wanted(id: usize) -> (&'static str, &'static str) {
    if is_gray(id) { (GRAY, "canary") } else { ("green", "stable") }
}

/// The tenant and the subset that a service saw.
fn seen(visit: &Visit) -> (&str, &str) {
    (visit.headers.get("tenant").map_or("", String::as_str), &visit.subset)
}

/// Sends all orders through the gateway; a producer writes a message for each, into the topic of its tenant.
async fn order(java: &Java, testbed: &Testbed, client: &reqwest::Client, gray_topic: &str) -> Result<()> {
    let mut command = java.command("Events")?;
    command.arg("produce").env("TOPICS_ORDERS", format!("{GRAY}={gray_topic}")).stdin(Stdio::piped());
    let mut producer = Process(command.spawn()?);
    let mut lines = producer.0.stdin.take().context("the producer has no stdin")?;
    for id in 0..ORDERS {
        let url = format!("http://{}/?path=api&run=order-{id}", testbed.gateway);
        let mut request = client.get(url).header("host", "bank.example.com");
        if is_gray(id) {
            request = request.header("tenant", GRAY);
        }
        request.send().await?.error_for_status()?;
        let visits = testbed.journal.read(&format!("order-{id}")).visits;
        let visit = visits.first().context("api saw nothing")?;
        let (seen, wanted) = (seen(visit), wanted(id));
        ensure!(seen == wanted, "order {id}: api saw {seen:?}, not {wanted:?}");
        writeln!(lines, "{} {id}", seen.0)?;
    }
    drop(lines);
    ensure!(producer.0.wait()?.success(), "the producer failed");
    Ok(())
}

/// Waits until a worker has called `ledger` about an order.
async fn visits(testbed: &Testbed, run: &str, deadline: Instant) -> Result<Vec<Visit>> {
    loop {
        let visits = testbed.journal.read(run).visits;
        if !visits.is_empty() {
            return Ok(visits);
        }
        ensure!(Instant::now() < deadline, "{run}: no worker called ledger about it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One topic for all: what a record's headers say holds for the call, after a retry as well, and dead letters still say it.
async fn shared(java: &Java, testbed: &Testbed, sidecar: &str) -> Result<()> {
    let topics = ["topics", "shared", "shared.retry", "shared.dead"].map(ToOwned::to_owned);
    java.run(&topics)?;
    let baggage = |id: usize| format!("graylane-unit={id:016x}");
    let mut producer = Process(java.command("Events")?.arg("produce-shared").stdin(Stdio::piped()).spawn()?);
    let mut lines = producer.0.stdin.take().context("the producer has no stdin")?;
    for id in 0..SHARED {
        writeln!(lines, "{} {} {id}", wanted(id).0, baggage(id))?;
    }
    drop(lines);
    ensure!(producer.0.wait()?.success(), "the producer failed");
    let ledger = &testbed.authorities["ledger"];
    let _worker = Process(java.command("Events")?.args(["work-shared", sidecar, ledger]).spawn()?);
    let deadline = Instant::now() + LIMIT;
    let (dead, alive): (Vec<usize>, Vec<usize>) = (0..SHARED).partition(|id| id % 20 == 0);
    for id in alive {
        for visit in visits(testbed, &format!("shared-{id}"), deadline).await? {
            let (seen, wanted) = (seen(&visit), wanted(id));
            ensure!(seen == wanted, "shared order {id} crossed: ledger saw {seen:?}, not {wanted:?}");
            let said = visit.headers.get("baggage").map_or("", String::as_str);
            ensure!(said.contains(&baggage(id)), "shared order {id}: ledger got the baggage `{said}`");
        }
    }
    let output =
        java.command("Events")?.args(["dead", &dead.len().to_string()]).stdout(Stdio::piped()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let mut said: Vec<&str> = text.lines().collect();
    let mut letters: Vec<String> =
        dead.iter().map(|id| format!("{id} {} {}", wanted(*id).0, baggage(*id))).collect();
    said.sort_unstable();
    letters.sort_unstable();
    ensure!(said == letters, "dead letters lost what they said: {said:?}, not {letters:?}");
    Ok(())
}

/// Waits until a worker has called `ledger` about every order: how many are gray and green.
async fn invoices(testbed: &Testbed) -> Result<(usize, usize)> {
    let deadline = Instant::now() + LIMIT;
    let (mut gray, mut green) = (0, 0);
    for id in 0..ORDERS {
        let visits = visits(testbed, &format!("invoice-{id}"), deadline).await?;
        let wanted = wanted(id);
        for visit in &visits {
            let seen = seen(visit);
            ensure!(seen == wanted, "order {id} crossed: ledger saw {seen:?}, not {wanted:?}");
        }
        *(if is_gray(id) { &mut gray } else { &mut green }) += 1;
    }
    ensure!(gray > 300 && green > 300, "no mix: {gray} gray, {green} green");
    Ok((gray, green))
}

/// What `graylane report` draws of all this: topics that lead to the worker, and its calls, which nothing was lost on.
async fn lane_map(mesh: &Mesh, client: &reqwest::Client, testbed: &Testbed, green: &Envoy) -> Result<()> {
    let mut proxies: Vec<(String, String, SocketAddr)> =
        testbed.proxies().into_iter().map(|proxy| (proxy.namespace, proxy.name, proxy.admin)).collect();
    for (_, name, _) in proxies.iter_mut().filter(|(_, name, _)| name == "worker") {
        *name = format!("invoice-mailer-{GRAY}");
    }
    proxies.push((mesh.document.mesh.namespace.clone(), "invoice-mailer".to_owned(), green.admin));
    let mut decisions = Decisions::new();
    for (namespace, name, admin) in &proxies {
        let url = format!("http://{admin}/stats/prometheus?filter=graylane_requests_total");
        let stats = client.get(url).send().await?.error_for_status()?.text().await?;
        decisions.extend(report::of_envoy(namespace, name, &stats));
    }
    let map = LaneMap::of(mesh, &decisions, 1.0);
    let text = report::text(&map);
    for line in ["topic orders\n", "gray-v1: orders.gray-v1\n", "green: payments\n", "No lane breaks.\n"] {
        ensure!(text.contains(line), "the report does not say {line:?}:\n{text}");
    }
    let from_label =
        |call: &&report::Call| call.from == "invoice-mailer" && call.to == "ledger" && call.tenant == GRAY;
    let calls = map.calls.iter().find(from_label).and_then(|call| call.sources.get("workload"));
    ensure!(calls.is_some_and(|calls| *calls > 300.0), "{text}");
    Ok(())
}
