//! An image in a registry (OCI distribution-spec 1.1).

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::{Client, Reference, RegistryOperation};

use super::pull::{self, Failure, Pull};
use super::{INDEX, MANIFEST, Manifest, Upload, credentials, digest};
use crate::args::RegistryTimes;
use crate::http::{Limits, without_password};
use crate::plain;

/// How often something is tried that may work a moment later.
const TRIES: u32 = 4;
/// How long to wait before the second try; it doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// Media types of manifests that others may have pushed.
const ACCEPTED: [&str; 2] = [MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"];

/// A registry, and what is meant in it.
pub struct Remote {
    reference: Reference,
    client: Client,
    pull: Pull,
    limits: Limits,
}

impl Remote {
    /// For a reference; `default_tag` counts where it says neither tag nor digest.
    ///
    /// # Errors
    /// When the reference is invalid, or credentials cannot be read.
    pub fn open(reference: &str, insecure: bool, default_tag: &str, times: RegistryTimes) -> Result<Self> {
        let bare = reference.strip_prefix("oci://").unwrap_or(reference);
        let parsed: Reference = bare.parse().map_err(|error| {
            let said = without_password(reference);
            anyhow!("invalid image reference `{}`: {error}", plain::line(&said))
        })?;
        let says_tag = bare.rsplit('/').next().is_some_and(|last| last.contains(':') || last.contains('@'));
        let parsed = if says_tag {
            parsed
        } else {
            Reference::with_tag(
                parsed.registry().to_owned(),
                parsed.repository().to_owned(),
                default_tag.to_owned(),
            )
        };
        crate::http::use_ring();
        let limits = Limits {
            connect: times.registry_connect_timeout,
            first_byte: times.registry_answer_timeout,
            whole: times.registry_timeout,
            bytes: pull::MANIFEST,
        };
        let client = Client::new(ClientConfig {
            protocol: if insecure { ClientProtocol::Http } else { ClientProtocol::Https },
            use_monolithic_push: true,
            connect_timeout: Some(limits.connect),
            read_timeout: Some(limits.first_byte),
            user_agent: concat!("graylane/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        });
        let auth = credentials::of(parsed.resolve_registry())?;
        let pull = Pull::new(parsed.clone(), insecure, auth, limits)?;
        Ok(Self { reference: parsed, client, pull, limits })
    }

    /// The reference with a digest, as it is to be written into a file.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> String {
        let tag = self.reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        format!("{}/{}{tag}@{digest}", self.reference.registry(), self.reference.repository())
    }
}

/// Tries something again that may work a moment later; says what a person can do if it does not.
async fn again<T>(remote: &Remote, what: &str, act: impl AsyncFn() -> Result<T, Failure>) -> Result<T> {
    let mut attempt = 1;
    loop {
        let limit = remote.limits.whole;
        let ended = tokio::time::timeout(limit, act()).await;
        let ended = ended
            .unwrap_or_else(|_| Err(Failure::Lost(format!("does not answer within {} s", limit.as_secs()))));
        match ended {
            Ok(done) => return Ok(done),
            Err(error) if attempt < TRIES && may_pass(&error) => {
                // Not synchronisation: a registry that is busy wants to be left alone for a moment.
                tokio::time::sleep(PAUSE * 2u32.pow(attempt - 1)).await;
                attempt += 1;
            }
            Err(error) => {
                let tried =
                    if may_pass(&error) { format!(" (tried {attempt} times)") } else { String::new() };
                return Err(anyhow!("{}", explain(remote, &error)))
                    .with_context(|| format!("cannot {what}{tried}"));
            }
        }
    }
}

fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Status(status) => *status == 429 || *status >= 500,
        Failure::Lost(_) => true,
        Failure::Bad(_) => false,
    }
}

fn explain(remote: &Remote, failure: &Failure) -> String {
    let registry = remote.reference.registry();
    match failure {
        Failure::Status(401) => format!(
            "{registry} wants credentials: log in with `docker login {registry}` or `podman login {registry}`"
        ),
        Failure::Status(403) => format!(
            "{registry} does not allow it: the account has no right to {}",
            remote.reference.repository()
        ),
        Failure::Status(404) => format!("{registry} has no {}", remote.reference.whole()),
        Failure::Status(429) => format!("{registry} answers with too many requests (429)"),
        Failure::Status(status) if *status >= 500 => format!("{registry} failed ({status})"),
        Failure::Status(status) => format!("{registry} answers {status}"),
        Failure::Lost(why) | Failure::Bad(why) => format!("{registry}: {why}"),
    }
}

/// Pushes an image, or an index of images: blobs first, what the tag leads to last, so that a tag never leads to half an image.
/// `step` is told of each part that is there. Returns the reference with the digest.
///
/// # Errors
/// When the registry does not take it.
pub async fn push(remote: &Remote, upload: &Upload, mut step: impl FnMut(&str)) -> Result<String> {
    let Remote { reference, client, pull, .. } = remote;
    ensure!(
        reference.digest().is_none(),
        "push to a tag, as in {}/{}:1.0: the push prints the digest",
        reference.registry(),
        reference.repository()
    );
    again(remote, "log in", async || {
        let auth = pull.push_auth().await?;
        Ok(client.auth(reference, &auth, RegistryOperation::Push).await.map(drop)?)
    })
    .await?;
    for (name, bytes) in &upload.blobs {
        push_blob(remote, name, bytes).await?;
        step(name);
    }
    for member in &upload.members {
        let (registry, repository) = (reference.registry().to_owned(), reference.repository().to_owned());
        // In the place of the tag: of a digest oci-client panics where a registry does not say where the manifest is.
        let by_digest = Reference::with_tag(registry, repository, digest(member));
        push_manifest(remote, &by_digest, "manifest", member, MANIFEST).await?;
        step("manifest");
    }
    let name = if upload.media_type == INDEX { "index" } else { "manifest" };
    push_manifest(remote, reference, name, &upload.top, upload.media_type).await?;
    step(name);
    // What a registry says about itself is not believed.
    let (stored, is) = fetch_manifest_bytes(remote, &[&ACCEPTED[..], &[INDEX]].concat()).await?;
    ensure!(stored == upload.top, "{} stored another {name} ({is}) than was pushed", reference.registry());
    Ok(remote.pinned(&is))
}

async fn push_blob(remote: &Remote, name: &str, bytes: &[u8]) -> Result<()> {
    let Remote { reference, client, .. } = remote;
    let digest = digest(bytes);
    again(remote, &format!("push the {name}"), async || {
        if client.blob_exists(reference, &digest).await? {
            return Ok(());
        }
        match client.push_blob(reference, bytes.to_vec(), &digest).await {
            // Some registries take it and do not say where it is, though they have to.
            Err(OciDistributionError::RegistryNoLocationError)
                if client.blob_exists(reference, &digest).await? =>
            {
                Ok(())
            }
            result => Ok(result.map(drop)?),
        }
    })
    .await
}

async fn push_manifest(
    remote: &Remote,
    target: &Reference,
    name: &str,
    bytes: &[u8],
    media_type: &'static str,
) -> Result<()> {
    let media_type = reqwest::header::HeaderValue::from_static(media_type);
    again(remote, &format!("push the {name}"), async || {
        let pushed = remote.client.push_manifest_raw(target, bytes.to_vec(), media_type.clone());
        Ok(pushed.await.map(drop)?)
    })
    .await
}

async fn fetch_manifest_bytes(remote: &Remote, accepted: &[&str]) -> Result<(Vec<u8>, String)> {
    let bytes = again(remote, "fetch the manifest", async || remote.pull.manifest(accepted).await).await?;
    let is = digest(&bytes);
    Ok((bytes, is))
}

/// Fetches the manifest and its digest.
///
/// # Errors
/// When there is none, or it is not an image's.
pub async fn fetch_manifest(remote: &Remote) -> Result<(Manifest, String)> {
    let (bytes, digest) = fetch_manifest_bytes(remote, &ACCEPTED).await?;
    let manifest = serde_json::from_slice(&bytes)
        .context("the manifest is not an image's (an index of several images cannot be used)")?;
    Ok((manifest, digest))
}

/// Fetches the layer with the module, and checks its digest.
///
/// # Errors
/// When it cannot be had.
pub async fn fetch_layer(remote: &Remote, manifest: &Manifest) -> Result<Vec<u8>> {
    let Some(layer) = manifest.layers.last() else { bail!("the image has no layer") };
    again(remote, "fetch the layer", async || remote.pull.blob(&layer.digest, layer.size).await).await
}

/// What a reference leads to now: with its digest, and the version of configuration that its filter speaks.
///
/// # Errors
/// When it leads nowhere, or to something that is not graylane's filter.
pub async fn resolve(remote: &Remote) -> Result<(String, u32)> {
    let (manifest, digest) = fetch_manifest(remote).await?;
    let annotated = manifest.annotations.get(super::CONFIGURATION).and_then(|version| version.parse().ok());
    let version = match annotated {
        Some(version) => version,
        None => {
            let module = super::unpack(&fetch_layer(remote, &manifest).await?)?;
            let versions = super::inspect(&module)?.versions;
            versions.context("this image holds another filter")?.configuration
        }
    };
    Ok((remote.pinned(&digest), version))
}
