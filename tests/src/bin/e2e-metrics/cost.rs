//! `render --cost` against what Prometheus stores: the pairs of tenant and subset are those that real Envoys decided, put
//! into series as Istio's proxies have them, since upstream Envoy has no `istio_requests_total`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use graylane::mesh::Mesh;
use graylane_tests::echo;
use graylane_tests::prometheus::{Server, Target};
use serde_json::Value as Json;

use crate::FILE;

/// Bounds of Envoy's histograms.
const BOUNDS: usize = 20;

/// Who called what, and as whom: a pod of a namespace, a host, a tenant, a subset.
type Call = (String, String, String, String, String);

/// Runs it: `envoys` scraped the demo's Envoys.
pub async fn run(program: &Path, envoys: &Server, mesh: &Mesh) -> Result<()> {
    let calls = calls(envoys, mesh).await?;
    let series = series(&calls);
    let pods: BTreeSet<(&str, &str)> = calls.iter().map(|call| (&*call.0, &*call.1)).collect();
    let mut targets = Vec::new();
    for (namespace, pod) in pods {
        let mine: String = series
            .iter()
            .filter(|(call, _)| (&*call.0, &*call.1) == (namespace, pod))
            .map(|(_, lines)| lines.as_str())
            .collect();
        let address = echo::serve_with(move |_| mine.clone().into_bytes())?;
        let labels = [("namespace", namespace), ("pod", pod)];
        let labels: BTreeMap<String, String> =
            labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        targets.push(Target { address, labels });
    }
    let server = Server::start(&targets, "").await?;
    server.catch_up().await?;

    let stored = server.client.number("count({__name__=~\"istio_.+\"})").await? as u64;
    let split: BTreeSet<_> = calls.iter().map(|call| (&call.0, &call.1, &call.2)).collect();
    let each = 1 + BOUNDS + 2;
    ensure!(
        stored == (calls.len() * each) as u64,
        "{stored} series are stored, not {} × {each}",
        calls.len()
    );

    let said = cost(program, &server.url)?;
    let of = |key: &str| said["total"][key].as_u64().context("no number");
    let (without, with) = (of("without")?, of("with")?);
    ensure!(
        without == (split.len() * each) as u64,
        "without tags: {said}, and there are {} × {each}",
        split.len()
    );
    ensure!(with >= stored, "at most {with} series, and {stored} are stored");
    // The worker is of one tenant, and the API's baseline pod has no gray users: three pairs never occur.
    ensure!(with - stored == 3 * each as u64, "at most {with} series, and {stored} are stored: {calls:?}");
    println!("series of Istio's metrics: {without} without tags, {stored} stored with them, at most {with}");

    let own = envoys.client.number("count(graylane_requests_total)").await? as u64;
    let says = cost(program, &envoys.url)?;
    ensure!(says["total"]["with"] == own, "the filter's own: {says}, and {own} are stored");
    println!("series of the filter's own counter: {own}");
    Ok(())
}

/// What the outbound sides and the gateway decided.
async fn calls(envoys: &Server, mesh: &Mesh) -> Result<BTreeSet<Call>> {
    let query = r#"group by (namespace, pod, service, tenant, subset) (graylane_requests_total{direction!="inbound"})"#;
    let mut calls = BTreeSet::new();
    for sample in envoys.client.query(query).await? {
        let label = |name: &str| sample.label(name).to_owned();
        let service =
            mesh.service(sample.label("service")).context("a service that the file does not have")?;
        calls.insert((
            label("namespace"),
            label("pod"),
            service.host.clone(),
            label("tenant"),
            label("subset"),
        ));
    }
    Ok(calls)
}

/// As Istio's proxies would have them on the callers' side.
fn series(calls: &BTreeSet<Call>) -> Vec<(Call, String)> {
    let lines = |call: &Call| {
        let (_, _, host, tenant, subset) = call;
        let labels = format!(
            r#"reporter="source",destination_service="{host}",response_code="200",tenant="{tenant}",subset="{subset}""#
        );
        let mut text = format!("istio_requests_total{{{labels}}} 1\n");
        for bound in 0..BOUNDS {
            let le = if bound + 1 == BOUNDS { "+Inf".to_owned() } else { (bound + 1).to_string() };
            text += &format!("istio_request_duration_milliseconds_bucket{{{labels},le=\"{le}\"}} 1\n");
        }
        text + &format!(
            "istio_request_duration_milliseconds_count{{{labels}}} 1\nistio_request_duration_milliseconds_sum{{{labels}}} 1\n"
        )
    };
    calls.iter().map(|call| (call.clone(), lines(call))).collect()
}

fn cost(program: &Path, url: &str) -> Result<Json> {
    let output = Command::new(program)
        .args(["render", "--cost", "-f", FILE, "--prometheus", url, "--output", "json"])
        .output()
        .context("cannot start render")?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).with_context(|| talk)
}
