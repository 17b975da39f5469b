//! The filter as an image that Istio pulls.
//!
//! One layer, a gzipped tar with `plugin.wasm` in it, with OCI media types: the shape that every Istio since 1.9 reads
//! (`pkg/wasm/imagefetcher.go`). The same module gives the same bytes, and so the same digest, on every machine.
//!
//! | part | its subject |
//! |-|-|
//! | `module` | the module itself: what it is, and whether Envoy can run it |
//! | `layer` | the tar, byte for byte |
//! | `layout` | an image in a folder (OCI image layout) |
//! | `gateway` | the filter in an image of Istio's proxy |
//! | `native` | the native module as an image of its own |
//! | `registry` | an image in a registry |
//! | `pull` | what a registry answers, read with a bound |
//! | `credentials` | what Docker and Podman know about a registry |

mod credentials;
pub mod gateway;
mod layer;
mod layout;
mod module;
pub mod native;
mod pull;
mod registry;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

pub use layer::unpack;
pub use layout::{read, read_upload, write};
pub use module::{About, inspect};
pub use registry::{Remote, fetch_layer, fetch_manifest, push, resolve};

/// Media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Annotation with the version of the filter's configuration.
pub const CONFIGURATION: &str = "dev.graylane.configuration";
/// Annotation with the version of the sticky algorithm.
pub const ALGORITHM: &str = "dev.graylane.algorithm";

/// `sha256:` and 64 hex digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// A blob as others refer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// What is said about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

/// An image's manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u32,
    /// What it is; absent in some.
    #[serde(default)]
    pub media_type: String,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers.
    pub layers: Vec<Descriptor>,
    /// What is said about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a module is.
///
/// # Errors
/// When Envoy could not run it as graylane.
pub fn check(module: &[u8]) -> Result<About> {
    let about = inspect(module)?;
    match about.problems.first() {
        Some(problem) => bail!("this module cannot be packed: {problem}"),
        None => Ok(about),
    }
}

/// An image, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The manifest's bytes, of which the digest is the image's.
    pub manifest: Vec<u8>,
    /// The configuration's bytes.
    pub config: Vec<u8>,
    /// The layer's bytes.
    pub layer: Vec<u8>,
}

/// What goes to a registry, in this order: nothing is there before what it refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Layers and configurations, with what they are called to people.
    pub blobs: Vec<(String, Vec<u8>)>,
    /// The manifests of an index; none where the tag is one image's.
    pub members: Vec<Vec<u8>>,
    /// Media type of what the tag leads to.
    pub media_type: &'static str,
    /// What the tag leads to, of which the digest is the image's.
    pub top: Vec<u8>,
}

impl From<Image> for Upload {
    fn from(image: Image) -> Self {
        Self {
            blobs: vec![("layer".to_owned(), image.layer), ("configuration".to_owned(), image.config)],
            members: Vec::new(),
            media_type: MANIFEST,
            top: image.manifest,
        }
    }
}

impl Image {
    /// Packs a module.
    ///
    /// # Errors
    /// When it is none that Envoy could run as graylane.
    pub fn pack(module: &[u8]) -> Result<Self> {
        let about = check(module)?;
        let (layer, tar_digest) = layer::pack(module)?;
        let config = serde_json::to_vec(&json!({
            "architecture": "wasm",
            "os": "wasip1",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [tar_digest]},
        }))?;
        let mut annotations = BTreeMap::from([
            ("org.opencontainers.image.title".to_owned(), "graylane".to_owned()),
            (
                "org.opencontainers.image.description".to_owned(),
                "graylane's filter for Envoy (proxy-wasm)".to_owned(),
            ),
            ("org.opencontainers.image.licenses".to_owned(), "Apache-2.0".to_owned()),
        ]);
        if let Some(versions) = &about.versions {
            annotations.insert("org.opencontainers.image.version".to_owned(), versions.version.clone());
            annotations.insert(CONFIGURATION.to_owned(), versions.configuration.to_string());
            annotations.insert(ALGORITHM.to_owned(), versions.algorithm.to_string());
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: Descriptor::of(CONFIG, &config),
            layers: vec![Descriptor::of(LAYER, &layer)],
            annotations,
        };
        Ok(Self { manifest: serde_json::to_vec(&manifest)?, config, layer })
    }

    /// The image's digest.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }
}
