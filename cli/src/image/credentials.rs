//! What Docker and Podman know about a registry.

use anyhow::{Result, bail};
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

/// Docker Hub is known to Docker under an old name.
const DOCKER_HUB: &str = "index.docker.io";
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Credentials for a registry: Docker's configuration (`$DOCKER_CONFIG`) and helpers, else Podman's.
///
/// # Errors
/// When there are some, but they cannot be read.
pub fn of(registry: &str) -> Result<RegistryAuth> {
    let key = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
    let places = [docker_credential::get_credential(key), docker_credential::get_podman_credential(key)];
    for place in places {
        match place {
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                return Ok(RegistryAuth::Basic(user, password));
            }
            Ok(DockerCredential::IdentityToken(_)) => {
                bail!(
                    "the credentials for {registry} are an identity token, which is not supported: log in with a user and a token as password"
                )
            }
            Err(
                CredentialRetrievalError::ConfigNotFound | CredentialRetrievalError::NoCredentialConfigured,
            ) => {}
            Err(error) => bail!("the credentials for {registry} cannot be read: {error}"),
        }
    }
    Ok(RegistryAuth::Anonymous)
}
