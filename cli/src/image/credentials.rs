//! What Docker and Podman know about a registry.

use std::env::var_os;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _};
use std::path::PathBuf;

use anyhow::{Result, bail};
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use oci_client::secrets::RegistryAuth;

/// Docker Hub is known to Docker under an old name.
const DOCKER_HUB: &str = "index.docker.io";
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// Largest file that is read, in bytes.
const LARGEST: u64 = 4 << 20;
/// What a credential helper says that works but knows nothing (`errCredentialsNotFound` of docker-credential-helpers).
const UNKNOWN_TO_HELPER: &str = "credentials not found";

/// Credentials for a registry: Docker's configuration and helpers, else Podman's, else none.
///
/// # Errors
/// When there are some, but they cannot be read.
pub fn of(registry: &str) -> Result<RegistryAuth> {
    let key = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
    for path in files() {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => bail!("cannot read `{}`: {error}", path.display()),
        };
        match get_credential_from_reader(BufReader::new(file.take(LARGEST)), key) {
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                return Ok(RegistryAuth::Basic(user, password));
            }
            Ok(DockerCredential::IdentityToken(_)) => bail!(
                "the credentials for {registry} in `{}` are an identity token, which is not supported: log in with a user and a token as password",
                path.display()
            ),
            Err(CredentialRetrievalError::NoCredentialConfigured) => {}
            Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
                if stdout.contains(UNKNOWN_TO_HELPER) || stderr.contains(UNKNOWN_TO_HELPER) => {}
            Err(error) => bail!("the credentials for {registry} in `{}`: {error}", path.display()),
        }
    }
    Ok(RegistryAuth::Anonymous)
}

/// Where `docker login` and `podman login` write to (docker-login(1), containers-auth.json(5)).
fn files() -> Vec<PathBuf> {
    let at = |variable: &str, below: &str| var_os(variable).map(|base| PathBuf::from(base).join(below));
    let docker = at("DOCKER_CONFIG", "config.json").or_else(|| at("HOME", ".docker/config.json"));
    let podman = match var_os("REGISTRY_AUTH_FILE") {
        Some(file) => vec![Some(file.into())],
        None => vec![
            at("XDG_RUNTIME_DIR", "containers/auth.json"),
            at("XDG_CONFIG_HOME", "containers/auth.json")
                .or_else(|| at("HOME", ".config/containers/auth.json")),
        ],
    };
    docker.into_iter().chain(podman.into_iter().flatten()).collect()
}
