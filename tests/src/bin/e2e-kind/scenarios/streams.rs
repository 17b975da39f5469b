//! Calls that stay open while something changes: which changes cut them.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use graylane_tests::host::module_path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::upgrade::{has_module, push};
use crate::ask::HOST;
use crate::bank::Bank;

/// How long a call stays open: longer than Envoy drains connections, which is 45 s.
const SECONDS: u64 = 60;
const LIMIT: Duration = Duration::from_secs(SECONDS + 30);

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
    for change in changes {
        let events = open(bank, "/events", "").await?;
        let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let socket = open(bank, "/socket", upgrade).await?;
        make(bank, change).await?;
        let (events, socket) = (events.await??, socket.await??);
        let word = |whole| if whole { "stays" } else { "is cut" };
        println!("   {change:?}: server-sent events: {}; WebSocket: {}", word(events), word(socket));
        let cuts_none = matches!(change, Change::Weights | Change::Configuration | Change::Image);
        ensure!(!cuts_none || (events && socket), "{change:?} cuts a call that is open");
    }
    Ok(())
}

async fn make(bank: &Bank<'_>, change: Change) -> Result<()> {
    let plugins = ["--only", "WasmPlugin"];
    match change {
        Change::Weights => bank.run(&bank.changed("weights: {canary: 25}", "weights: {canary: 60}")?).await,
        Change::Configuration => bank.run(&bank.changed("gray-v1: {}", "gray-v1: {}\n  gray-v2: {}")?).await,
        Change::Image => {
            // The same module with a section that is ignored.
            let mut module = std::fs::read(module_path())?;
            module.extend([&[0, 9, 8], "graylane".as_bytes()].concat());
            let image = push(bank, "streams", &module).await?;
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
