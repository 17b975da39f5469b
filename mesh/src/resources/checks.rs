//! Preconditions of rendering.

use anyhow::{Result, bail, ensure};

use super::{DataPlane, Extension, Options};
use crate::adopt::weights;
use crate::istio::TRAFFIC_EXTENSION_SINCE;
use crate::lower;
use crate::mesh::Mesh;

/// Does the filter read what a mesh needs?
///
/// # Errors
/// When it is known that it does not.
pub fn check_filter(mesh: &Mesh, options: &Options) -> Result<()> {
    let needs = lower::version(mesh);
    if let Some(reads) = options.reads.filter(|reads| *reads < needs) {
        bail!(
            "this filter reads version {reads} of its configuration, and this file needs version {needs} (`policy.carriers`, `policy.ids`, \
             `policy.missing: pass`, modes of pods, or external routes): push this program's filter"
        );
    }
    Ok(())
}

/// Can plugins be placed?
///
/// # Errors
/// When a waypoint's would have no service to stand before, or the file says of a worker what needs its sidecar.
pub fn check_data_plane(mesh: &Mesh, options: &Options) -> Result<()> {
    if options.data_plane == DataPlane::Ambient && mesh.services.is_empty() {
        bail!(
            "--data-plane ambient: the plugin of a waypoint names the services that it stands before, and the file has none: list them \
             under `services`, each with `routing: external`"
        );
    }
    if let (DataPlane::Ambient, Some(worker)) =
        (options.data_plane, mesh.workers.iter().find(|worker| worker.alone))
    {
        bail!(
            "--data-plane ambient: `sticky: none` of worker `{}` needs a sidecar in its pods: write the unit of each call's user in the \
             application, and `sticky: application` here",
            worker.name
        );
    }
    Ok(())
}

/// Can weights of others be patched without a look at their routes?
///
/// # Errors
/// When the file does not name the rule that has them.
pub fn check_unseen(mesh: &Mesh) -> Result<()> {
    let unseen: Vec<&str> = weights::services(mesh)
        .filter(|(_, route)| route.is_none())
        .map(|(service, _)| service.name.as_str())
        .collect();
    ensure!(
        unseen.is_empty(),
        "{}: `weights: external` without `route` patches every rule of the host, and Envoy rejects a route table in which one of them has a \
         single destination: pass existing routes, `kubectl get vs,dr -A -o yaml | graylane render --against -`, or name the rule, as in \
         `rollout: {{weights: external, route: primary}}`",
        unseen.join(", ")
    );
    Ok(())
}

/// Has this minor version of Istio 1 the API?
///
/// # Errors
/// When it came later.
pub fn check_extension(extension: Extension, istio: u32) -> Result<()> {
    ensure!(
        extension == Extension::WasmPlugin || istio >= TRAFFIC_EXTENSION_SINCE,
        "TrafficExtension came with Istio 1.{TRAFFIC_EXTENSION_SINCE}, and --istio says 1.{istio}: write `--extension wasm-plugin`"
    );
    Ok(())
}
