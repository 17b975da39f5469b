//! The files of `render --for envoy` as Envoys watch them: wired as docs/envoy.md says, with the filter in WebAssembly and with
//! the native module. A change of the file takes effect without a restart, and no request fails meanwhile.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use graylane::envoy::{Envoy, Options as EnvoyOptions, config, locate};
use graylane::mesh::Mesh;
use graylane::resources::write_marked;
use graylane_decide::names::DEBUG_HEADER;
use graylane_mesh::envoy::{Code, Options, files};
use graylane_tests::echo;
use graylane_tests::host::{module_path, native_path};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

const FILE: &str = "
version: 1
mesh: {name: shop, namespace: shop}
tenants: {green: {default: true}, gray-v1: {}}
edge:
  gateway: {selector: {istio: ingress}, name: shop/public}
  accept: never
  rules: [{tenant: gray-v1, header: {name: x-employee, exact: '1'}, trusted: true}]
sticky: {keys: [{header: x-user-id}]}
services:
  api:
    port: 8080
    expose: {hosts: [shop.example.com]}
    subsets: {stable: {version: v1}, canary: {version: v2}}
    baseline: stable
    pins: {gray-v1: canary}
    rollout: {weights: {canary: WEIGHT}, salt: release-42}
telemetry: {debugHeader: true}
";
const STABLE: &str = "outbound|8080|stable|api.shop.svc.cluster.local";
const CANARY: &str = "outbound|8080|canary|api.shop.svc.cluster.local";
/// The cluster of the pod's own application.
const APPLICATION: &str = "application";

fn render(weight: &str, code: &Code, folder: &Path) -> Result<()> {
    let loaded = graylane::document::load_text("graylane.yaml", &FILE.replace("WEIGHT", weight)).unwrap();
    let mesh = Mesh::of(&graylane::check::open(loaded).checked().context("the file has errors")?);
    let options = Options { code: code.clone(), other_hosts: None };
    let files = files(&mesh, &options, &folder.display().to_string())
        .map_err(|lacking| anyhow::anyhow!("{lacking:?}"))?;
    write_marked(&files, folder)?;
    Ok(())
}

fn read(folder: &Path, name: &str) -> Result<Json> {
    Ok(serde_saphyr::from_str(&std::fs::read_to_string(folder.join(name))?)?)
}

/// An Envoy that takes from the folder what docs/envoy.md says it should.
async fn start(folder: &Path) -> Result<Envoy> {
    let listener = |name: &str, direction: &str| -> Result<Json> {
        let mut manager = read(folder, &format!("connection-managers/{name}.yaml"))?;
        if name == "inbound" {
            let route = json!({"match": {"prefix": "/"}, "route": {"cluster": APPLICATION}});
            manager["route_config"] =
                json!({"virtual_hosts": [{"name": "inbound", "domains": ["*"], "routes": [route]}]});
        }
        Ok(config::listener(name, 0, direction, &[], &manager))
    };
    let listeners = [
        listener("gateway", "OUTBOUND")?,
        listener("outbound", "OUTBOUND")?,
        listener("inbound", "INBOUND")?,
    ];
    let names = read(folder, "clusters.yaml")?;
    let names: BTreeSet<&str> =
        names["clusters"].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    ensure!(names == BTreeSet::from([STABLE, CANARY]), "clusters.yaml has {names:?}");
    let pod = |name: &str| -> Result<Json> {
        let title = name.to_owned();
        let answer = move |head: &[u8]| format!("{title}\n{}", String::from_utf8_lossy(head)).into_bytes();
        Ok(config::cluster(name, &[echo::serve_with(answer)?]))
    };
    let clusters = names.into_iter().chain([APPLICATION]).map(pod).collect::<Result<Vec<_>>>()?;
    let node = config::node("sidecar", "api", "shop", &json!({"app": "api", "version": "v2"}));
    let mut bootstrap = config::bootstrap(&node, &listeners, &clusters);
    if let (Some(all), Some(ours)) = (bootstrap.as_object_mut(), read(folder, "bootstrap.yaml")?.as_object())
    {
        all.extend(ours.clone());
    }
    Envoy::start(&locate()?, "watched", &bootstrap, EnvoyOptions { concurrency: 1, environment: &[] }).await
}

/// Who answers, what it was sent, and what the debug header says.
fn ask(address: SocketAddr, headers: &str) -> Result<(String, String, String)> {
    let head = format!("GET / HTTP/1.1\r\nhost: shop.example.com\r\n{headers}\r\n");
    let answer = echo::send(address, head.as_bytes())?;
    let body = String::from_utf8(answer.body.clone())?;
    ensure!(answer.status == 200, "{headers:?}: {} {body}", answer.status);
    let (who, sent) = body.split_once('\n').context("an empty answer")?;
    Ok((who.to_owned(), sent.to_owned(), answer.header(DEBUG_HEADER).unwrap_or_default()))
}

async fn tried(code: &Code) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    render("0", code, folder)?;
    let envoy = start(folder).await?;
    let gateway = envoy.listener("gateway").await?;

    // The edge: a stranger's header counts for nothing, an employee is placed.
    let (who, sent, _) =
        ask(gateway, "tenant: gray-v1\r\nx-graylane-subset: api.shop.svc.cluster.local/canary\r\n")?;
    ensure!(
        who == STABLE && sent.contains("tenant: green") && !sent.contains("gray-v1"),
        "forged: {who} {sent}"
    );
    let (who, sent, debug) = ask(gateway, "x-employee: 1\r\n")?;
    ensure!(who == CANARY && sent.contains("tenant: gray-v1"), "an employee: {who} {sent}");
    ensure!(debug.contains("tenant=gray-v1"), "{debug}");

    // Paths are normalised before anything reads them, as Istio's gateways do.
    let answer = echo::send(gateway, b"GET /a/../b HTTP/1.1\r\nhost: shop.example.com\r\n\r\n")?;
    ensure!(String::from_utf8_lossy(&answer.body).contains("GET /b HTTP/1.1"), "the path is not normalised");

    // What comes into a pod is remembered, and a call that lost its tenant gets it again.
    ask(
        envoy.listener("inbound").await?,
        "tenant: gray-v1\r\nx-request-id: 5d6f2a0e-1111-4222-8333-123456789abc\r\n",
    )?;
    let lost = "x-request-id: 5d6f2a0e-1111-4222-8333-123456789abc\r\n";
    let head = format!("GET / HTTP/1.1\r\nhost: api:8080\r\n{lost}\r\n");
    let answer = echo::send(envoy.listener("outbound").await?, head.as_bytes())?;
    ensure!(
        answer.body.starts_with(CANARY.as_bytes()),
        "restored: {}",
        String::from_utf8_lossy(&answer.body)
    );

    // A change of the weight, while users ask: nobody fails, and in the end everybody is where the file says.
    render("100", code, folder)?;
    envoy
        .wait_until("all users are on the canary", async || {
            let mut all = true;
            for user in 0..20 {
                let (who, ..) = ask(gateway, &format!("x-user-id: user-{user}\r\n"))?;
                all &= who == CANARY;
            }
            Ok(all)
        })
        .await
}

#[test]
fn a_change_takes_effect_without_a_restart_in_webassembly() {
    let code = Code::Wasm(module_path().display().to_string());
    Runtime::new().unwrap().block_on(tried(&code)).unwrap();
}

#[test]
fn a_change_takes_effect_without_a_restart_natively() {
    let code = Code::Native(native_path().display().to_string());
    Runtime::new().unwrap().block_on(tried(&code)).unwrap();
}
