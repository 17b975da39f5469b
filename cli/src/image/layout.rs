//! An image in a folder: the OCI image layout (image-spec 1.1, image-layout.md).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::files;

use super::{Descriptor, INDEX, Image, MANIFEST, Manifest, Upload, digest};

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
        "mediaType": INDEX,
        "manifests": [descriptor],
    });
    // The index last: without it the folder is not taken for an image.
    put(&folder.join("oci-layout"), MARK.as_bytes())?;
    put(&folder.join("index.json"), &serde_json::to_vec(&index)?)
}

/// Reads the image of a folder, and checks every digest.
///
/// # Errors
/// When there is none, it is broken, or it is an index of several.
pub fn read(folder: &Path) -> Result<Image> {
    let descriptor = named(folder)?;
    ensure!(
        descriptor.media_type != INDEX,
        "`{}` has an index of images, as `package --native` writes it: only `push --layout` takes one",
        folder.display()
    );
    image(folder, &descriptor)
}

/// Reads what a folder has for a registry: an image, or an index with all of its images.
///
/// # Errors
/// When there is none, or it is broken.
pub fn read_upload(folder: &Path) -> Result<Upload> {
    let descriptor = named(folder)?;
    if descriptor.media_type != INDEX {
        return Ok(image(folder, &descriptor)?.into());
    }
    let top = checked(folder, &descriptor)?;
    let index: Index = serde_json::from_slice(&top).context("invalid index of images")?;
    ensure!(!index.manifests.is_empty(), "the index in `{}` names no image", folder.display());
    let mut upload = Upload { blobs: Vec::new(), members: Vec::new(), media_type: INDEX, top };
    for member in &index.manifests {
        let of = &member.platform.architecture;
        let Image { manifest, config, layer } =
            image(folder, &member.descriptor).with_context(|| format!("the image for {of}"))?;
        upload.blobs.push((format!("layer for {of}"), layer));
        upload.blobs.push((format!("configuration for {of}"), config));
        upload.members.push(manifest);
    }
    Ok(upload)
}

/// An index of images, one for each architecture.
#[derive(Deserialize)]
struct Index {
    manifests: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(flatten)]
    descriptor: Descriptor,
    platform: Platform,
}

#[derive(Deserialize)]
struct Platform {
    architecture: String,
}

/// The one thing that `index.json` names.
fn named(folder: &Path) -> Result<Descriptor> {
    let index: Json =
        serde_json::from_slice(&files::bytes(&folder.join("index.json"))?).context("invalid index.json")?;
    let manifests = index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [descriptor] = manifests else {
        bail!("expected one image in `{}`, got {}", folder.display(), manifests.len())
    };
    serde_json::from_value(descriptor.clone()).context("invalid index.json")
}

/// The blob of a descriptor, which is what that says.
fn checked(folder: &Path, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let hex = descriptor.digest.strip_prefix("sha256:").unwrap_or_default();
    ensure!(
        hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "invalid digest `{}`",
        descriptor.digest
    );
    let bytes = files::bytes(&blob(folder, &descriptor.digest))?;
    ensure!(
        bytes.len() as u64 == descriptor.size,
        "blob {} has {} bytes, and its descriptor says {}",
        descriptor.digest,
        bytes.len(),
        descriptor.size
    );
    ensure!(digest(&bytes) == descriptor.digest, "blob {} does not match its digest", descriptor.digest);
    Ok(bytes)
}

fn image(folder: &Path, descriptor: &Descriptor) -> Result<Image> {
    let manifest = checked(folder, descriptor)?;
    let parsed: Manifest = serde_json::from_slice(&manifest).context("invalid manifest")?;
    let [layer] = &parsed.layers[..] else {
        bail!("the image has {} layers; graylane's has one", parsed.layers.len())
    };
    Ok(Image { config: checked(folder, &parsed.config)?, layer: checked(folder, layer)?, manifest })
}
