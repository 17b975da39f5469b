//! A tenant that takes no part in a rollout gets the baseline, with the filter and without it.

use anyhow::{Result, ensure};
use graylane_tests::istio::{ControlPlane, Mesh, Pod};

use super::examples::has_filter;
use crate::compare::place;
use crate::example::{CALLER, Example};

const TIMES: usize = 100;

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let example = Example::load("shop")?;
    let mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    let search = place(&example, "search")?;
    let baseline = example.pod_of(search.service, &search.service.baseline)?;
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    outside(&mesh, &baseline).await?;
    plane.delete(&example.render_with_filter(&["--only", "WasmPlugin"]).await?).await?;
    outside(&mesh, &baseline).await?;
    plane.apply(&example.render(&["--without-filter"]).await?).await?;
    outside(&mesh, &baseline).await
}

async fn outside(mesh: &Mesh<'_>, baseline: &str) -> Result<()> {
    let count = mesh.pod(CALLER).call("search:8080").header("tenant", "partner-acme").count(TIMES).await?;
    ensure!(count == [(baseline.to_owned(), TIMES)].into(), "{count:?}");
    Ok(())
}
