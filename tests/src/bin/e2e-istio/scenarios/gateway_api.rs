//! From VirtualServices to routes of the Gateway API in a running mesh, under load; then one step of a rollout there.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use graylane_tests::istio::{ControlPlane, Pod};
use tokio::time::sleep;

use super::examples::has_filter;
use crate::compare::{Way, ensure_who, place, with_core};
use crate::example::{CALLER, Example, Form};

/// Users of each tenant.
const USERS: usize = 40;
/// Between two requests of the load.
const PACE: Duration = Duration::from_millis(5);

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let before = Example::load("bank")?;
    let after = Example::load_as("bank", Form::GatewayApi)?;
    // Its pods, and a Service for each subset with endpoints, which are not in anybody's way.
    let mesh = after.create(plane, Pod::sidecar(CALLER)).await?;
    plane.apply(&before.render_with_filter(&[]).await?).await?;
    mesh.proxy(CALLER).wait_for_plugin("outbound", &graylane::lower::revision(&before.meaning)).await?;
    with_core(&before, &mesh, &place(&before, "api")?, Way::Caller, USERS).await?;

    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let load = async {
        while !stop.load(Ordering::Relaxed) {
            for (tenant, who) in [("gray-v1", "api-v2"), ("green", "api-v1")] {
                let call = mesh.pod(CALLER).call("api:8080").header("tenant", tenant);
                // A user of the baseline at 25 %.
                let answer = call.header("x-user-id", "user-0").header("x-request-id", FIRST).send().await?;
                ensure_who(&answer, who, "while the routes change their form")?;
                sent.fetch_add(1, Ordering::Relaxed);
            }
            sleep(PACE).await;
        }
        anyhow::Ok(())
    };
    let change = async {
        plane.apply(&after.render_with_filter(&[]).await?).await?;
        plane.delete(&before.render(&["--only", "VirtualService"]).await?).await?;
        stop.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    tokio::try_join!(load, change)?;
    ensure!(sent.load(Ordering::Relaxed) > 50, "{sent:?} requests are no load");
    has_filter(&after, &mesh).await?;
    let doors = after.doors();
    for service in ["api", "orders"] {
        with_core(&after, &mesh, &place(&after, service)?, Way::Caller, USERS).await?;
    }
    with_core(&after, &mesh, &place(&after, "api")?, Way::Gateway(&doors[0], "bank.example.com"), USERS)
        .await?;

    // One step of a rollout: the core says who moves, and nobody else does.
    let next = after.edited(|document| {
        for service in ["api", "orders"] {
            document["services"][service]["rollout"]["weights"]["canary"] = 50.into();
        }
    })?;
    plane.apply(&next.render_with_filter(&[]).await?).await?;
    has_filter(&next, &mesh).await?;
    let doors = next.doors();
    with_core(&next, &mesh, &place(&next, "api")?, Way::Caller, USERS).await?;
    with_core(&next, &mesh, &place(&next, "api")?, Way::Gateway(&doors[0], "bank.example.com"), USERS)
        .await?;
    Ok(())
}

/// The request id of the first user.
const FIRST: &str = "00000000-1111-4111-8111-000000000000";
