//! A rollout at 25 %: user by user what the core says, by the gateway and by a sidecar; without the filter a draw.

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{ControlPlane, Count, Mesh, Pod};

use super::examples::has_filter;
use crate::compare::{Way, place, with_core, with_routes_alone};
use crate::example::{CALLER, Example, INGRESS, INGRESS_PORT};

/// Users; the gateway asks them all.
const USERS: usize = 400;

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("bank")?;
    let mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    let api = place(&example, "api")?;
    let host = api.service.expose.hosts.first().context("api has no public host")?;
    with_core(&example, &mesh, &api, Way::Gateway(&example.doors()[0], host), USERS).await?;
    with_core(&example, &mesh, &api, Way::Caller, USERS / 4).await?;

    let (first, second) = (alice(&mesh, host).await?, alice(&mesh, host).await?);
    ensure!(
        first.len() == 1 && first == second,
        "a user who comes back gets the same: {first:?}, {second:?}"
    );

    // Only the plugins go; the routes stay as the filter needs them.
    plane.delete(&example.render_with_filter(&["--only", "WasmPlugin"]).await?).await?;
    with_routes_alone(&example, &mesh, &api, Way::Caller, USERS / 4).await?;
    let split = mesh.pod(CALLER).call("api:8080").count(USERS).await?;
    let canary = split.get(&example.pod_of(api.service, "canary")?).copied().unwrap_or(0);
    // Five standard deviations on either side of 100.
    ensure!((57..=143).contains(&canary), "a quarter of {USERS} requests: {split:?}");
    let drawn = alice(&mesh, host).await?;
    ensure!(drawn.len() == 2, "and nobody is sticky any more: {drawn:?}");
    Ok(())
}

/// One user's requests, each under an id of its own.
async fn alice(mesh: &Mesh<'_>, host: &str) -> Result<Count> {
    mesh.pod(INGRESS).receive(INGRESS_PORT, host).header("x-user-id", "alice").count(50).await
}
