//! Calls that stay open while something changes: which changes cut them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use graylane_tests::istio::{Look, until};
use http::Request;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::upgrade::{has_module, push_same};
use crate::ask::HOST;
use crate::bank::Bank;

/// How long a call stays open: longer than Envoy drains connections, which is 45 s.
const SECONDS: u64 = 60;
const LIMIT: Duration = Duration::from_secs(SECONDS + 30);

/// The host of gRPC calls, which reach the same pods by a port that speaks HTTP/2.
const GRPC_HOST: &str = "grpc.example.com";
const PORT: &str = r#"{"spec":{"ports":[{"name":"grpc","port":8081,"targetPort":9081}]}}"#;
const WITHOUT_PORT: &str =
    r#"[{"op":"replace","path":"/spec/ports","value":[{"name":"http","port":8080,"targetPort":9080}]}]"#;
const GRPC: &str = r#"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: grpc, namespace: bank}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [grpc.example.com]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: grpc, namespace: bank}
spec:
  hosts: [grpc.example.com]
  gateways: [grpc]
  http:
    - route: [{destination: {host: api.bank.svc.cluster.local, subset: stable, port: {number: 8081}}}]
"#;

/// What changes while calls are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Weights,
    Configuration,
    Image,
    PluginRemoved,
    PluginAdded,
}

/// Runs it, and prints the table.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let changes =
        [Change::Weights, Change::Configuration, Change::Image, Change::PluginRemoved, Change::PluginAdded];
    bank.cluster.kubectl(&["-n", "bank", "patch", "service", "api", "-p", PORT]).await?;
    bank.cluster.apply(GRPC).await?;
    ready(bank).await?;
    for change in changes {
        let grpc = open_grpc(bank).await?;
        let events = open(bank, "/events", "").await?;
        let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let socket = open(bank, "/socket", upgrade).await?;
        make(bank, change).await?;
        let (events, socket, grpc) = (events.await??, socket.await??, grpc.await??);
        let word = |whole| if whole { "stays" } else { "is cut" };
        println!(
            "   {change:?}: server-sent events: {}; WebSocket: {}; gRPC: {}",
            word(events),
            word(socket),
            word(grpc)
        );
        let cuts_none = matches!(change, Change::Weights | Change::Configuration | Change::Image);
        ensure!(!cuts_none || (events && socket && grpc), "{change:?} cuts a call that is open");
    }
    bank.cluster.delete(GRPC).await?;
    bank.cluster
        .kubectl(&["-n", "bank", "patch", "service", "api", "--type=json", "-p", WITHOUT_PORT])
        .await?;
    Ok(())
}

/// Waits until the sidecars know the port: what changes their listeners cuts the connections that they had.
async fn ready(bank: &Bank<'_>) -> Result<()> {
    for deployment in ["deployment/api-v1", "deployment/api-v2"] {
        until("the sidecars know the port for gRPC", LIMIT, async || {
            let listeners =
                bank.cluster.admin("bank", deployment, "config_dump?resource=dynamic_listeners").await?;
            Ok(Look::whether(listeners.contains("inbound|9081||"), || deployment.to_owned()))
        })
        .await?;
    }
    Ok(())
}

async fn make(bank: &Bank<'_>, change: Change) -> Result<()> {
    let plugins = ["--only", "WasmPlugin"];
    match change {
        Change::Weights => bank.run(&bank.changed("weights: {canary: 25}", "weights: {canary: 60}")?).await,
        Change::Configuration => bank.run(&bank.changed("gray-v1: {}", "gray-v1: {}\n  gray-v2: {}")?).await,
        Change::Image => {
            let image = push_same(bank, "streams").await?;
            bank.cluster.apply(&bank.render(&bank.document, &image, &[]).await?).await?;
            has_module(bank, &image).await
        }
        Change::PluginRemoved => {
            bank.cluster.delete(&bank.render(&bank.document, &bank.image, &plugins).await?).await
        }
        Change::PluginAdded => bank.run(&bank.document).await,
    }
}

/// Opens a call, and returns when it has begun; whether it comes to its end is told later.
async fn open(bank: &Bank<'_>, path: &str, headers: &str) -> Result<JoinHandle<Result<bool>>> {
    let address = bank.cluster.gateway.strip_prefix("http://").context("the gateway has no address")?;
    let mut stream = TcpStream::connect(address).await?;
    let head =
        format!("GET {path}?seconds={SECONDS} HTTP/1.1\r\nhost: {HOST}\r\nx-user-id: alice\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut got = vec![0; 4096];
    let size = timeout(LIMIT, stream.read(&mut got)).await??;
    let begun = String::from_utf8_lossy(&got[..size]).into_owned();
    if !begun.starts_with("HTTP/1.1 200") && !begun.starts_with("HTTP/1.1 101") {
        bail!("{path} does not open: {begun}");
    }
    Ok(tokio::spawn(async move {
        let mut all = begun.into_bytes();
        loop {
            // An error is an end, too: it was cut.
            let size = timeout(LIMIT, stream.read(&mut got)).await?.unwrap_or(0);
            all.extend_from_slice(&got[..size]);
            let whole = all.windows(4).any(|word| word == b"last");
            if size == 0 || whole {
                return Ok(whole);
            }
        }
    }))
}

/// The same by gRPC, over HTTP/2.
async fn open_grpc(bank: &Bank<'_>) -> Result<JoinHandle<Result<bool>>> {
    let address = bank.cluster.gateway.strip_prefix("http://").context("the gateway has no address")?;
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(address).await?).await?;
    tokio::spawn(connection);
    let mut body = until("the gateway routes gRPC", LIMIT, async || {
        let request = Request::post(format!("http://{GRPC_HOST}/graylane.Stream/Open?seconds={SECONDS}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-user-id", "alice")
            .body(())?;
        client = client.clone().ready().await?;
        let answer = client.send_request(request, true)?.0.await?;
        // A proxy that knows no way says 200, and the rest by gRPC's own status.
        let is_open = answer.status().is_success() && !answer.headers().contains_key("grpc-status");
        let said = format!("{:?}", answer.headers());
        Ok(Look::at(is_open.then_some(answer), || said))
    })
    .await?
    .into_body();
    body.data().await.context("the stream has no message")??;
    Ok(tokio::spawn(async move {
        // As long as there is a client, the connection stays.
        let (_client, mut whole) = (client, false);
        while let Some(Ok(bytes)) = timeout(LIMIT, body.data()).await? {
            whole |= bytes.windows(4).any(|word| word == b"last");
            body.flow_control().release_capacity(bytes.len())?;
        }
        Ok(whole)
    }))
}
