//! Every example, as people use it: its rendered resources are applied to plain Istio, every request goes where the core
//! says, and when the filter is taken away again, tenants still go by header and weights still split.

use anyhow::{Context, Result, ensure};
use graylane::lower;
use graylane_tests::istio::{ControlPlane, Mesh, Pod};

use crate::compare::{Way, places, with_core, with_routes_alone};
use crate::example::{CALLER, Example, Form, OTHER_PORT};

/// Users of each tenant that call each route.
const USERS: usize = 12;

/// Runs one.
pub async fn run(plane: &ControlPlane, name: &str, form: Form) -> Result<()> {
    let example = Example::load_as(name, form)?;
    let mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    let rendered = example.render_with_filter(&[]).await?;
    plane.apply(&rendered).await?;
    has_filter(&example, &mesh).await?;
    let (mut sent, doors) = (0, example.doors());
    for place in places(&example) {
        sent += with_core(&example, &mesh, &place, Way::Caller, USERS).await?;
        for door in &doors {
            for host in &place.service.expose.hosts {
                if place.service.is_shown_at(&door.ingress) {
                    sent += with_core(&example, &mesh, &place, Way::Gateway(door, host), USERS).await?;
                } else {
                    let answer = mesh.pod(&door.pod).receive(door.port, host).send().await?;
                    ensure!(answer.status == 404, "{host} is not exposed at {}: {answer:?}", door.pod);
                }
            }
        }
    }
    for (host, _) in example.hosts().iter().filter(|(_, services)| services.len() > 1) {
        let answer = mesh.pod(CALLER).call(&format!("{host}:{OTHER_PORT}")).send().await?;
        ensure!(answer.status == 200, "a port that the file says nothing about still works: {answer:?}");
    }
    ensure!(sent > 0, "the example has no service that could be called");
    is_accepted(plane, &rendered).await?;
    // What a switch does is the same for every file of a form.
    if form == Form::GatewayApi && name != "bank" {
        return Ok(());
    }
    off_and_on(plane, &example, &mesh).await?;
    without_filter(plane, &example, &mesh).await
}

/// Waits until the caller and the gateways have their plugins.
pub async fn has_filter(example: &Example, mesh: &Mesh<'_>) -> Result<()> {
    let revision = lower::revision(&example.meaning);
    for role in ["inbound", "outbound"] {
        mesh.proxy(CALLER).wait_for_plugin(role, &revision).await?;
    }
    gateways_have_filter(example, mesh, &revision).await
}

async fn gateways_have_filter(example: &Example, mesh: &Mesh<'_>, revision: &str) -> Result<()> {
    for door in example.doors() {
        mesh.proxy(&door.pod).wait_for_plugin("gateway", revision).await?;
    }
    Ok(())
}

/// The kill switch: `off` takes the filter out of sidecars and leaves the gateway's; `render` puts it back.
async fn off_and_on(plane: &ControlPlane, example: &Example, mesh: &Mesh<'_>) -> Result<()> {
    plane.apply(&example.off().await?).await?;
    ensure!(mesh.proxy(CALLER).plugins().await?.is_empty(), "the sidecar has no plugin");
    gateways_have_filter(example, mesh, &lower::revision(&example.meaning)).await?;
    for place in places(example) {
        with_routes_alone(example, mesh, &place, Way::Caller, USERS).await?;
    }
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(example, mesh).await
}

/// Without the filter for good, in the order in which it is taken away: plain routes, then the plugins.
async fn without_filter(plane: &ControlPlane, example: &Example, mesh: &Mesh<'_>) -> Result<()> {
    plane.apply(&example.render(&["--without-filter"]).await?).await?;
    plane.delete(&example.render_with_filter(&["--only", "WasmPlugin"]).await?).await?;
    ensure!(mesh.proxy(CALLER).plugins().await?.is_empty(), "the plugins are gone");
    for place in places(example) {
        with_routes_alone(example, mesh, &place, Way::Caller, USERS).await?;
    }
    Ok(())
}

/// What kubectl and istioctl say about resources that were applied: nothing.
async fn is_accepted(plane: &ControlPlane, rendered: &str) -> Result<()> {
    let rendered = format!("---\n{rendered}");
    plane
        .kube
        .kubectl(&["diff", "--filename", "-"], &rendered)
        .await
        .context("they differ from what was applied")?;
    // The harness' own: there is no sidecar injector here, and an EnvoyFilter tells how far a push has got. Of any EnvoyFilter
    // it says that Envoy may change, which is why `render` writes only one, for traces at the gateway.
    let mut arguments = vec!["analyze", "--all-namespaces"];
    // A Telemetry that names its Gateway is taken for one of the whole namespace.
    for own in
        ["IST0102=Namespace *", "IST0103=Pod *", "IST0133=EnvoyFilter *", "IST0160=Telemetry *-gateway-*"]
    {
        arguments.extend(["--suppress", own]);
    }
    let said = plane.kube.istioctl(&arguments).await?;
    // It is content on stderr; every finding is on stdout.
    ensure!(said.trim().is_empty(), "istioctl analyze: {said}");
    Ok(())
}
