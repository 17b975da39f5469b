//! `graylane doctor` of this cluster: what it says of versions, sidecars, gateways and plugins is true.

use anyhow::{Result, ensure};

use crate::bank::Bank;

/// The kinds that its help names.
const KINDS: &str = "ns,pods,crd,gw,vs,dr,telemetry,wasmplugin";

/// What it says of a cluster that is in order; versions are those of the images that were built.
const EXPECTED: [&str; 6] = [
    "ok       istiod        1.31, in istio-system",
    "ok       APIs          ",
    "ok       ingress       istio-system/istio-ingressgateway-",
    "ok       Telemetry     ",
    "ok       routes        ",
    "ok       graylane      3 plugins of version ",
];

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    bank.write(&bank.document)?;
    let there = bank.cluster.kubectl(&["get", KINDS, "-A", "-o", "yaml"]).await?;
    std::fs::write(bank.cluster.folder.path().join("there.yaml"), there)?;
    let mut arguments = vec!["doctor", "-f", "bank.yaml", "--against", "there.yaml"];
    arguments.extend(["--prometheus", &bank.cluster.prometheus, "--window", "2m"]);
    let said = bank.cluster.graylane(&arguments).await?;
    ensure!(said.code == 0, "{}", said.text);
    for expected in EXPECTED {
        ensure!(
            said.text.lines().any(|line| line.starts_with(expected)),
            "no line `{expected}`: {}",
            said.text
        );
    }
    Ok(())
}
