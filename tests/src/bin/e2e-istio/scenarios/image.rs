//! The filter as an image: pushed by `graylane push`, written into the plugins by `graylane render`, fetched by Istio's
//! agent; and by Istio's own package for it, by tag and by digest.

use anyhow::{Context, Result, ensure};
use graylane_tests::host::module_path;
use graylane_tests::istio::{ControlPlane, Pod, Registry};

use super::restore::restored;
use crate::example::{CALLER, Example, graylane};

/// Runs it.
pub async fn run(plane: &ControlPlane) -> Result<()> {
    let registry = Registry::start(&plane.tools).await?;
    let tag = format!("{}/mesh/graylane:e2e", registry.address());
    let pinned = graylane(&["push", &tag, "--insecure"]).await?;
    let pinned = pinned.trim();
    let (_, digest) = pinned.split_once("@sha256:").with_context(|| format!("no digest in `{pinned}`"))?;
    registry.fetch_as_istio_does(&tag, pinned, &module_path()).await?;

    let example = Example::load("bank")?;
    let mesh = example.create(plane, Pod::agent(CALLER)).await?;
    let rendered = example.render(&["--image", &tag, "--insecure"]).await?;
    ensure!(rendered.contains(&format!("@sha256:{digest}")), "the tag became a digest: {rendered}");
    // The gateway here has no agent, which alone can fetch images: its plugin stays out.
    let rendered: Vec<&str> =
        rendered.split("---\n").filter(|one| !one.contains("pluginName: gateway")).collect();
    plane.apply(&rendered.join("---\n")).await?;
    for role in ["inbound", "outbound"] {
        let plugin =
            mesh.proxy(CALLER).wait_for_plugin(role, &graylane::lower::revision(&example.meaning)).await?;
        ensure!(plugin.file.contains(digest), "the module is named by the image's digest: {plugin:?}");
    }
    restored(&mesh).await
}
