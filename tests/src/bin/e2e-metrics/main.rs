//! `make e2e-metrics`: what Prometheus makes of all this.
//!
//! promtool checks the rules and tries every alert; a real Prometheus scrapes the demo's Envoys and is asked what the
//! traffic was, by the same queries as alerts, dashboards and the report; headless Chromium shows the page. Upstream
//! Envoy has no `istio_requests_total`, so for `telemetry.source: istio` promtool's series stand in.

mod cost;
mod privacy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use graylane::demo::{Cast, Entry, Forward, Journey, Setup, Testbed};
use graylane::document::{
    self,
    model::{DebugHeader, MetricSource},
};
use graylane::mesh::Mesh;
use graylane::queries::{Part, Queries};
use graylane::resources::{Kind, Options, dashboard_queries, resources};
use graylane::{envoy, wasm};
use graylane_decide::config::{Accept, Unknown};
use graylane_tests::browser::Browser;
use graylane_tests::host::native_path;
use graylane_tests::prometheus::{Server, Target};
use serde_json::Value as Json;

const FILE: &str = "examples/observability/graylane.yaml";
/// The service whose sidecars run the native module: what it loses is restored there.
const NATIVE: &str = "ledger";

fn main() -> Result<()> {
    let program = PathBuf::from(std::env::args().nth(1).context("pass the path of graylane")?);
    for (source, recording) in
        [(MetricSource::Istio, false), (MetricSource::Istio, true), (MetricSource::Envoy, false)]
    {
        alerts(source, recording)?;
    }
    tokio::runtime::Runtime::new()?.block_on(traffic(&program))?;
    println!("alerts, numbers, dashboard, report and page are as they should be");
    Ok(())
}

fn mesh(source: MetricSource) -> Result<Mesh> {
    let mut mesh = Mesh::of(&document::open(&[FILE.into()])?.checked()?);
    mesh.document.telemetry.source = source;
    Ok(mesh)
}

/// The rules, as Prometheus reads them from a file.
fn rules(mesh: &Mesh) -> Result<Json> {
    let all = resources(mesh, &Options::default());
    let rule = all.iter().find(|one| one.kind() == Kind::PrometheusRule).context("there are no rules")?;
    Ok(rule.json()["spec"].clone())
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    ensure!(output.status.success(), "{command:?}:\n{text}");
    Ok(text)
}

/// promtool accepts the rules; every alert fires where it should, and does not where it should not.
fn alerts(source: MetricSource, recording: bool) -> Result<()> {
    let name = if source == MetricSource::Istio { "istio" } else { "envoy" };
    let folder = tempfile::tempdir()?;
    let mut mesh = mesh(source)?;
    mesh.document.telemetry.recording = recording;
    let rules = rules(&mesh)?;
    std::fs::write(folder.path().join("rules.yaml"), rules.to_string())?;
    let cases = std::fs::read_to_string(format!("tests/metrics/{name}.yaml"))?;
    std::fs::write(folder.path().join("cases.yaml"), &cases)?;
    let promtool = |args: &[&str]| run(Command::new("promtool").args(args).current_dir(folder.path()));
    promtool(&["check", "rules", "rules.yaml"])?;
    promtool(&["test", "rules", "cases.yaml"])?;
    // None is left out.
    let groups = rules["groups"].as_array().into_iter().flatten();
    let all = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
    let names: BTreeSet<&str> = all.filter_map(|rule| rule["alert"].as_str()).collect();
    let cases: Json = serde_saphyr::from_str(&cases)?;
    let mut tried: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for case in cases["tests"].as_array().into_iter().flatten() {
        let (alert, _) = case["name"].as_str().and_then(|name| name.split_once(": ")).context("no name")?;
        let wanted = case["promql_expr_test"][0]["exp_samples"][0]["value"].as_u64();
        tried.entry(alert).or_default().insert(wanted.context("no value")?);
    }
    for name in &names {
        ensure!(tried.get(name).is_some_and(|tried| tried.len() == 2), "{name} is not tried both ways");
    }
    let recorded = if recording { " from recorded rates" } else { "" };
    println!("{name}: {} alerts fire{recorded} when they should, and only then", names.len());
    Ok(())
}

/// What the ids of users begin with.
const USER: &str = "customer-4d7f";

/// What is sent: how many journeys of each kind.
const GRAY: usize = 20;
const LIVE: usize = 60;
const PLANTED: usize = 15;
const FAILED: usize = 12;

async fn traffic(program: &Path) -> Result<()> {
    let mut mesh = mesh(MetricSource::Envoy)?;
    // Gray users come through the gateway, and strangers are turned away.
    mesh.document.edge.accept = Accept::Always;
    mesh.unknown = Unknown::Reject;
    mesh.document.telemetry.debug_header = DebugHeader::Everybody(true);
    let path = ["api", "ledger", "orders"].map(ToOwned::to_owned);
    let client = graylane::http::direct().timeout(Duration::from_secs(20)).build()?;
    let cast = Cast::of(&mesh, &path, &client);
    let setup = Setup {
        envoy: envoy::locate()?,
        module: wasm::module()?,
        mesh: mesh.clone(),
        entry: path[0].clone(),
        worker_tenant: Some(cast.gray.clone()),
        // Some pods run the native module, and queries need not know.
        native: Some((native_path(), vec![NATIVE.to_owned()])),
        logs: true,
    };
    let testbed = Testbed::start(setup, |_| ()).await?;
    let targets: Vec<Target> = testbed
        .proxies()
        .into_iter()
        .map(|proxy| Target {
            address: proxy.admin,
            labels: [("namespace", proxy.namespace), ("pod", proxy.name)]
                .map(|(key, value)| (key.to_owned(), value))
                .into(),
        })
        .collect();
    let server = Server::start(&targets, &rules(&mesh)?.to_string()).await?;

    // Some of each first: Prometheus takes a counter that it sees for the first time as one that did not grow.
    send(&testbed, &cast, &client, 1).await?;
    server.catch_up().await?;
    let before = counted(&server).await?;
    send(&testbed, &cast, &client, 2).await?;
    server.catch_up().await?;
    let after = counted(&server).await?;
    let grown: Vec<f64> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
    let [gray, live, planted, failed] = [GRAY, LIVE, PLANTED, FAILED].map(|count| (2 * count) as f64);
    // The worker's request that contradicts itself is gray as well, and goes to the first service.
    let contradictory = 2.0;
    let want = [gray + planted + failed + contradictory, live, planted, failed, 2.0, contradictory];
    ensure!(grown == want, "Prometheus says {grown:?}, and {want:?} were sent");
    println!("Prometheus has the very numbers that were sent: {grown:?}");

    let queries = Queries::of(&mesh);
    let api = mesh.service("api").context("no api")?;
    let ratio = server.client.number(&queries.error_ratio(api, Part::All, "1m")).await?;
    let all = gray + live + planted + failed + contradictory;
    ensure!(
        (ratio / (failed / all) - 1.0).abs() < 0.25,
        "a share of errors of {ratio}, {failed} of {all} were sent"
    );
    for part in [Part::All, Part::Subset("canary"), Part::Tenant(&cast.gray)] {
        let latency = server.client.number(&queries.latency_p99(api, part, "1m")).await?;
        ensure!(latency > 0.0 && latency < 10_000.0, "{part:?}: {latency} ms");
    }

    for (panel, query) in dashboard_queries(&mesh, &Options::default()) {
        let query = query.replace("$host", &api.host).replace("$__rate_interval", "1m");
        let samples = server.client.query(&query).await.with_context(|| format!("{panel}: {query}"))?;
        ensure!(!samples.is_empty(), "{panel} shows nothing: {query}");
    }
    println!("every query of the dashboard has data");
    cost::run(program, &server, &mesh).await?;
    status(program, &server.url)?;
    report(program, &server.url)?;
    privacy::run(&testbed, &client, Path::new("target/e2e-metrics/report.html")).await
}

/// Which pods run which module.
fn status(program: &Path, url: &str) -> Result<()> {
    let output = Command::new(program)
        .args(["status", "-f", FILE, "--prometheus", url, "--output", "json"])
        .output()
        .context("cannot start status")?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    let said: Json = serde_json::from_slice(&output.stdout).with_context(|| talk.clone())?;
    let mut modules: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for plugin in said["plugins"].as_array().into_iter().flatten() {
        let (pod, module) = (plugin["pod"].as_str().unwrap_or_default(), plugin["module"].as_str());
        *modules.entry((pod.starts_with(NATIVE), module.context("no module")?)).or_default() += 1;
    }
    let kinds: Vec<_> = modules.keys().copied().collect();
    ensure!(kinds == [(false, "wasm"), (true, "native")], "status says {said}");
    println!("status: {modules:?}");
    Ok(())
}

/// So many times everything.
async fn send(testbed: &Testbed, cast: &Cast<'_>, client: &reqwest::Client, times: usize) -> Result<()> {
    let gray = || cast.gray_journey(&testbed.mesh);
    for _ in 0..times {
        for _ in 0..GRAY {
            gray().go(testbed, client).await?;
        }
        for number in 0..LIVE {
            cast.live_journey(&format!("{USER}-{number}")).go(testbed, client).await?;
        }
        for _ in 0..PLANTED {
            // ledger drops the header; its sidecar finds it again.
            let forward = vec![("ledger".to_owned(), Forward::Only("x-request-id"))];
            Journey { forward, ..gray() }.go(testbed, client).await?;
        }
        for _ in 0..FAILED {
            let url = format!("http://{}/?run=failed&path=api&fail=api:canary", testbed.gateway);
            let request = client.get(url).header("host", "bank.example.com");
            let answer = request.header(&testbed.mesh.header, &cast.gray).send().await?;
            ensure!(answer.status() == 500, "wanted a failure, got {}", answer.status());
        }
        let unknown = client.get(format!("http://{}/", testbed.gateway)).header("host", "bank.example.com");
        let answer = unknown.header(&testbed.mesh.header, "stranger").send().await?;
        ensure!(answer.status() == 400, "wanted a rejection, got {}", answer.status());
        let contradictory = Journey {
            entry: Entry::Worker,
            path: vec!["api".to_owned()],
            headers: vec![
                (testbed.mesh.header.clone(), cast.gray.clone()),
                ("baggage".to_owned(), format!("{}={}", testbed.mesh.header, cast.live)),
            ],
            ..gray()
        };
        contradictory.go(testbed, client).await?;
    }
    Ok(())
}

/// What the counters have now.
async fn counted(server: &Server) -> Result<Vec<f64>> {
    let mut values = Vec::new();
    for query in [
        r#"sum(graylane_requests_total{direction!="inbound",service="api",tenant="gray-v1"})"#,
        r#"sum(graylane_requests_total{direction="gateway",tenant="green"})"#,
        r#"sum(graylane_requests_total{direction="outbound",service="orders",source="memory"})"#,
        r#"sum(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"outbound.*api.*",envoy_response_code_class="5"})"#,
        r#"sum(graylane_rejected_total{reason="unknown"})"#,
        r#"sum(graylane_conflicts_total{source="baggage"})"#,
    ] {
        values.push(server.client.number(query).await.with_context(|| query.to_owned())?);
    }
    Ok(values)
}

/// The program itself, as people run it: the planted service is named, and the page can be looked at.
fn report(program: &Path, url: &str) -> Result<()> {
    let folder = PathBuf::from("target/e2e-metrics");
    std::fs::create_dir_all(&folder)?;
    let page = folder.join("report.html");
    let mut command = Command::new(program);
    command
        .args(["report", "-f", FILE, "--prometheus", url, "--window", "2m", "--output", "json", "--html"])
        .arg(&page);
    let output = command.output()?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.code() == Some(1), "a lane breaks, and report says {}: {talk}", output.status);
    let map: Json = serde_json::from_slice(&output.stdout)?;
    let first = &map["breaks"][0];
    ensure!(
        map["breaks"].as_array().is_some_and(|all| all.len() == 1)
            && first["at"] == "ledger"
            && first["to"] == "orders",
        "wanted ledger and nobody else: {}",
        map["breaks"]
    );
    let says = first["says"].as_str().unwrap_or_default();
    ensure!(says.contains("carry no tenant") && says.contains("restored from the request id"), "{says}");
    println!("report: {says}");
    look(&page, &folder)
}

/// A browser shows it: all there, light and dark, and on a phone nothing is cut off.
fn look(page: &Path, folder: &Path) -> Result<()> {
    let url = format!("file://{}", page.canonicalize()?.display());
    let mut browser = Browser::start()?;
    for (name, size, dark) in [("desktop", (1280, 1100), false), ("phone", (500, 1800), true)] {
        browser.window(size, dark)?;
        browser.open(&url, "document.readyState === 'complete'")?;
        let screenshot = folder.join(format!("{name}.png"));
        browser.screenshot(&screenshot, None)?;
        ensure!(
            std::fs::metadata(&screenshot)?.len() > 20_000,
            "{} is as good as empty",
            screenshot.display()
        );
        let measured =
            "[innerWidth, document.documentElement.scrollWidth, document.querySelectorAll('.node').length]";
        let numbers: [u32; 3] = serde_json::from_value(browser.evaluate(measured)?)?;
        let [inner, scroll, nodes] = numbers;
        ensure!(scroll <= inner, "{name}: the page is {scroll} wide, the window {inner}");
        ensure!(nodes == 5, "{name}: {nodes} boxes are drawn");
        println!("{name}: {} ({inner} wide)", screenshot.display());
    }
    let (problems, _) = browser.seen();
    ensure!(problems.is_empty(), "{problems:?}");
    Ok(())
}
