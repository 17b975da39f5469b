//! The Istio resources of a file.

use graylane_mesh::istio::{FORMATTED_TAGS_SINCE, MINORS};
use graylane_mesh::resources::{self, DataPlane, Extension, Kind, Options};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::file::File;

/// Options of `graylane render` that need no registry and no other file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RenderOptions {
    image: Option<String>,
    wasm_url: Option<String>,
    gateway_url: Option<String>,
    extension: Api,
    istio: Option<String>,
    istio_revision: Option<String>,
    data_plane: Plane,
    dashboards: Option<bool>,
    without_filter: bool,
    only: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Api {
    #[default]
    WasmPlugin,
    TrafficExtension,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Plane {
    #[default]
    Sidecar,
    Ambient,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rendered {
    kind: &'static str,
    namespace: String,
    name: String,
    path: String,
    yaml: String,
}

impl RenderOptions {
    fn options(self) -> Result<Options, Failure> {
        let (istio, extension) = (self.minor()?, self.extension());
        resources::check_extension(extension, istio)?;
        let url = match (self.image, self.wasm_url) {
            (Some(_), Some(_)) => return Err(Failure::of("expected `image` or `wasmUrl`, got both")),
            (Some(image), None) if !image.contains("@sha256:") => {
                return Err(Failure::of(format!(
                    "image: `{image}` has no digest, and no registry is asked for it here: write `…@sha256:…`, as `graylane push` \
                     prints it, or the whole URL as `wasmUrl`"
                )));
            }
            (Some(image), None) => Some(format!("oci://{}", image.strip_prefix("oci://").unwrap_or(&image))),
            (None, url) => url,
        };
        let only = self.only.map(|names| names.iter().map(|name| Kind::named(name)).collect());
        Ok(Options {
            extension,
            data_plane: match self.data_plane {
                Plane::Sidecar => DataPlane::Sidecar,
                Plane::Ambient => DataPlane::Ambient,
            },
            url,
            gateway_url: self.gateway_url,
            istio_revision: self.istio_revision,
            without_filter: self.without_filter,
            header_tags: istio < FORMATTED_TAGS_SINCE,
            dashboards: self.dashboards,
            only: only.transpose()?,
            ..Options::default()
        })
    }

    fn extension(&self) -> Extension {
        match self.extension {
            Api::WasmPlugin => Extension::WasmPlugin,
            Api::TrafficExtension => Extension::TrafficExtension,
        }
    }

    /// The minor version of Istio 1.
    fn minor(&self) -> Result<u32, Failure> {
        let Some(version) = &self.istio else { return Ok(*MINORS.end()) };
        let minor = version.strip_prefix("1.").and_then(|minor| minor.split('.').next()?.parse().ok());
        minor.filter(|minor| MINORS.contains(minor)).ok_or_else(|| {
            let (first, last) = (MINORS.start(), MINORS.end());
            Failure::of(format!("istio: expected a version from 1.{first} to 1.{last}, got `{version}`"))
        })
    }
}

impl File {
    /// The resources, in the order in which they are safely applied.
    ///
    /// # Errors
    /// When they cannot be rendered so.
    pub fn render(&self, options: RenderOptions) -> Result<Vec<Rendered>, Failure> {
        let options = options.options()?;
        resources::check_data_plane(&self.mesh, &options)?;
        if !options.without_filter {
            resources::check_unseen(&self.mesh)?;
        }
        let all = resources::resources(&self.mesh, &options);
        let row = |resource: &resources::Resource| Rendered {
            kind: resource.kind().name(),
            namespace: resource.metadata.namespace.clone(),
            name: resource.metadata.name.clone(),
            path: resources::file_name(resource),
            yaml: resource.yaml(),
        };
        Ok(all.iter().map(row).collect())
    }
}
