//! An image in a folder: the OCI image layout (image-spec 1.1, image-layout.md).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};

use crate::files;

use super::{Descriptor, Image, MANIFEST, Manifest, digest};

const MARK: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

fn blob(folder: &Path, digest: &str) -> std::path::PathBuf {
    folder.join("blobs").join(digest.replace(':', "/"))
}

/// Writes an image. What else lies in the folder stays.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(image: &Image, folder: &Path, tag: &str) -> Result<()> {
    let descriptor = Descriptor::of(MANIFEST, &image.manifest);
    put(folder, &[&image.config, &image.layer, &image.manifest], descriptor, tag)
}

/// Writes blobs, and under a tag the one that refers to the others.
pub(super) fn put(folder: &Path, all: &[&[u8]], mut descriptor: Descriptor, tag: &str) -> Result<()> {
    descriptor.annotations =
        BTreeMap::from([("org.opencontainers.image.ref.name".to_owned(), tag.to_owned())]);
    let put = |path: &Path, bytes: &[u8]| {
        std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
    };
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).with_context(|| format!("cannot make folder `{}`", blobs.display()))?;
    for bytes in all {
        put(&blob(folder, &digest(bytes)), bytes)?;
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor],
    });
    // The index last: without it nobody takes the folder for an image.
    put(&folder.join("oci-layout"), MARK.as_bytes())?;
    put(&folder.join("index.json"), &serde_json::to_vec(&index)?)
}

/// Reads the image of a folder, and checks every digest.
///
/// # Errors
/// When there is none, or it is broken.
pub fn read(folder: &Path) -> Result<Image> {
    let get = |path: &Path| files::bytes(path);
    let index: Json =
        serde_json::from_slice(&get(&folder.join("index.json"))?).context("invalid index.json")?;
    let manifests = index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(manifests.len() == 1, "`{}` has {} images; one is wanted", folder.display(), manifests.len());
    let checked = |descriptor: &Descriptor| {
        let hex = descriptor.digest.strip_prefix("sha256:").unwrap_or_default();
        ensure!(
            hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "invalid digest `{}`",
            descriptor.digest
        );
        let bytes = get(&blob(folder, &descriptor.digest))?;
        ensure!(
            bytes.len() as u64 == descriptor.size,
            "blob {} has {} bytes, and its descriptor says {}",
            descriptor.digest,
            bytes.len(),
            descriptor.size
        );
        ensure!(digest(&bytes) == descriptor.digest, "blob {} is not what its name says", descriptor.digest);
        Ok(bytes)
    };
    let descriptor: Descriptor =
        serde_json::from_value(manifests[0].clone()).context("invalid index.json")?;
    let manifest = checked(&descriptor)?;
    let parsed: Manifest = serde_json::from_slice(&manifest).context("the manifest is none")?;
    let [layer] = &parsed.layers[..] else {
        anyhow::bail!("the image has {} layers; graylane's has one", parsed.layers.len())
    };
    Ok(Image { config: checked(&parsed.config)?, layer: checked(layer)?, manifest })
}
