//! Preconditions of rendering.

use anyhow::{Result, bail};

use super::{DataPlane, Options};
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
/// When a waypoint's would have no service to stand before.
pub fn check_data_plane(mesh: &Mesh, options: &Options) -> Result<()> {
    if options.data_plane == DataPlane::Ambient && mesh.services.is_empty() {
        bail!(
            "--data-plane ambient: the plugin of a waypoint names the services that it stands before, and the file has none: list them \
             under `services`, each with `routing: external`"
        );
    }
    Ok(())
}
