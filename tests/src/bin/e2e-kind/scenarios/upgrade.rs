//! The filter of another release: an old one with today's file, side by side with today's while pods are replaced.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use graylane_tests::host::module_path;
use graylane_tests::istio::{Look, until};

use super::restart::restart;
use crate::bank::Bank;
use crate::load::Load;

const LIMIT: Duration = Duration::from_secs(90);
/// Names the module of the release before, which `tests/kind/old-filter` builds.
const OLD: &str = "GRAYLANE_OLD_FILTER";

/// Runs it.
pub async fn run(bank: &Bank<'_>) -> Result<()> {
    let path = std::env::var(OLD).with_context(|| format!("${OLD} is not set: use `make e2e-kind`"))?;
    let old = std::fs::read(Path::new(&path)).with_context(|| path.clone())?;
    let new = std::fs::read(module_path())?;
    ensure!(old != new, "{path} is today's filter");
    let image = push(bank, "old", &old).await?;
    bank.cluster.apply(&bank.render(&bank.document, &image, &[]).await?).await?;
    has_module(bank, &image).await?;
    bank.runs(&bank.document).await?;

    // Something unknown, as in a file of a later version: the last good plan is kept, and status says so.
    let load = Load::start(bank).await?;
    bank.cluster.apply(&bank.render_unreadable(&bank.document, &image).await?).await?;
    bank.status_says(&bank.document, &["11 plugins cannot read"]).await?;
    load.judge("an old filter, a file of tomorrow", &[&bank.document]).await?;
    bank.cluster.apply(&bank.render(&bank.document, &image, &[]).await?).await?;
    bank.runs(&bank.document).await?;

    // From the old to the new one: pods are replaced one after the other meanwhile.
    let load = Load::start(bank).await?;
    restart(bank, "orders-v2").await?;
    bank.cluster.apply(&bank.render(&bank.document, &bank.image, &[]).await?).await?;
    restart(bank, "").await?;
    has_module(bank, &bank.image).await?;
    load.judge("old filter to new filter", &[&bank.document]).await
}

/// Pushes a module under a tag; its image by digest, as the agents get it.
pub async fn push(bank: &Bank<'_>, tag: &str, module: &[u8]) -> Result<String> {
    std::fs::write(bank.cluster.folder.path().join("module.wasm"), module)?;
    let digest = bank.push(&["--wasm", "module.wasm"], "graylane", tag).await?;
    let (repository, _) = bank.image.split_once('@').context("an image without a digest")?;
    Ok(format!("{repository}@{digest}"))
}

/// Pushes today's module under a tag of at most 126 bytes, with a section of that name, which is ignored: other bytes, so another digest.
pub async fn push_same(bank: &Bank<'_>, tag: &str) -> Result<String> {
    let mut module = std::fs::read(module_path()).context("the filter")?;
    let length = u8::try_from(tag.len())?;
    module.extend([&[0, length + 1, length], tag.as_bytes()].concat());
    push(bank, tag, &module).await
}

/// Waits until every proxy of the bank and the gateway runs the module of an image: the agent's file is called by its
/// digest.
pub async fn has_module(bank: &Bank<'_>, image: &str) -> Result<()> {
    let (_, digest) = image.split_once("@sha256:").context("an image without a digest")?;
    until("every proxy has the module", LIMIT, async || {
        for (namespace, selector) in
            [("bank", "security.istio.io/tlsMode=istio"), ("istio-system", "istio=ingressgateway")]
        {
            for pod in bank.cluster.get(&format!("pods -n {namespace} -l {selector}")).await? {
                let name = pod["metadata"]["name"].as_str().unwrap_or_default();
                let dump = bank.cluster.admin(namespace, name, "config_dump?resource=ecds_filters").await?;
                if !dump.contains(digest) {
                    return Ok(Look::NotYet(format!("{name} has another one")));
                }
            }
        }
        Ok(Look::Yes(()))
    })
    .await
}
