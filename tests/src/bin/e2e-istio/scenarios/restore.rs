//! Where an application loses the header, the filter restores it; where the filter is not, Istio still routes by it.

use anyhow::{Result, ensure};
use graylane_tests::istio::{Answer, ControlPlane, Mesh, Pod};

use super::examples::has_filter;
use crate::compare::ensure_who;
use crate::example::{CALLER, CALLER_HOST, CALLER_PORT, Example};

/// Chains of calls that are tried; inbound and outbound meet on different workers in some of them.
const TIMES: usize = 20;

/// With this kind of plugin.
pub async fn run(plane: &ControlPlane, extension: &str) -> Result<()> {
    let example = Example::load("bank")?;
    let mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    plane.apply(&example.render(&[]).await?).await?;
    let lost = lost_header(&mesh, 0).await?;
    ensure!(lost.seen("tenant").is_none(), "without the filter a lost header stays lost: {lost:?}");

    plane.apply(&example.render_with_filter(&["--extension", extension]).await?).await?;
    has_filter(&example, &mesh).await?;
    restored(&mesh).await?;

    let kinds = ["--extension", extension, "--only", "WasmPlugin,TrafficExtension"];
    plane.delete(&example.render_with_filter(&kinds).await?).await?;
    ensure!(mesh.proxy(CALLER).plugins().await?.is_empty());
    let kept = mesh.pod(CALLER).call("api:8080").header("tenant", "gray-v1").send().await?;
    ensure_who(&kept, "api-v2", "a header that is not lost still counts")
}

/// Every chain of calls arrives in its lane, and is counted as restored from memory.
pub async fn restored(mesh: &Mesh<'_>) -> Result<()> {
    for number in 0..TIMES {
        let restored = lost_header(mesh, number).await?;
        ensure_who(&restored, "api-v2", "the lost header is restored")?;
        ensure!(restored.seen("tenant") == Some("gray-v1"), "{restored:?}");
    }
    let counted = mesh.proxy(CALLER).stats("graylane_requests_total").await?;
    let from_memory = counted.iter().filter(|(name, _)| name.contains("memory"));
    let from_memory: u64 = from_memory.map(|(_, count)| count).sum();
    ensure!(from_memory == TIMES as u64, "{counted:?}");
    Ok(())
}

/// A gray request comes to the caller, whose application calls api, and takes nothing along but the request id.
async fn lost_header(mesh: &Mesh<'_>, number: usize) -> Result<Answer> {
    let id = format!("b7a9f8c0-1b1e-4d3c-9f7b-{number:012x}");
    let request = mesh.pod(CALLER).receive(CALLER_PORT, CALLER_HOST).then("api:8080", &["x-request-id"]);
    request.header("tenant", "gray-v1").header("x-request-id", &id).send().await
}
