//! What `tests/kind/run.sh` does in a kind cluster, as far as it goes without one: its objects are good, and its requests
//! are answered as its table says.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use graylane_tests::istio::{ControlPlane, Pod};

use super::examples::has_filter;
use crate::example::{CALLER, Example, INGRESS, INGRESS_PORT};

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kind");
    let example = Example::load("bank")?;
    let mesh = example.create(plane, Pod::sidecar(CALLER)).await?;
    let apps = std::fs::read_to_string(folder.join("apps.yaml"))?;
    plane.kube.kubectl(&["apply", "--dry-run=server", "--filename", "-"], &apps).await?;
    plane.apply(&example.render_with_filter(&[]).await?).await?;
    has_filter(&example, &mesh).await?;
    let requests = std::fs::read_to_string(folder.join("requests.tsv"))?;
    for line in requests.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().with_context(|| format!("`{line}` lacks a field"));
        let (tenant, user, want) = (field()?, field()?, field()?);
        let call = mesh.pod(INGRESS).receive(INGRESS_PORT, "bank.example.com").header("x-user-id", user);
        let call = if tenant == "-" { call } else { call.header("tenant", tenant) };
        let answer = call.send().await?;
        ensure!(answer.who().starts_with(want), "`{line}`: {answer:?}");
    }
    Ok(())
}
