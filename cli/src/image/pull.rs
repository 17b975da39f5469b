//! What a registry answers, read with a bound (OCI distribution-spec 1.1, "Pulling manifests" and "Pulling blobs"; tokens
//! as in <https://distribution.github.io/distribution/spec/auth/token/>). The library that pushes reads whatever comes.

use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use reqwest::header::{ACCEPT, WWW_AUTHENTICATE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;

use super::digest;
use crate::http::Limits;
use crate::plain;

/// Largest answer of a server of tokens, in bytes.
const TOKEN: u64 = 1 << 20;
/// Largest manifest, in bytes: as much as the specification wants a registry to take.
pub const MANIFEST: u64 = 4 << 20;
/// Largest layer, in bytes, packed. Ours has some hundreds of kilobytes.
pub const LAYER: u64 = 64 << 20;
/// How many redirects are followed: registries keep blobs elsewhere.
const REDIRECTS: usize = 5;

/// Why something cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is answered with this status.
    Status(u16),
    /// The connection is refused, cut or too slow.
    Lost(String),
    /// What comes is not what was asked for.
    Bad(String),
}

impl From<OciDistributionError> for Failure {
    fn from(error: OciDistributionError) -> Self {
        use OciErrorCode as Code;
        match &error {
            OciDistributionError::ServerError { code, .. } => Self::Status(*code),
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => Self::Status(401),
            OciDistributionError::ImageManifestNotFoundError(_) => Self::Status(404),
            OciDistributionError::RequestError(inner) => match inner.status() {
                Some(status) => Self::Status(status.as_u16()),
                None => Self::Lost(chain(&error)),
            },
            OciDistributionError::IoError(_) => Self::Lost(chain(&error)),
            OciDistributionError::RegistryError { envelope, .. } => {
                match envelope.errors.first().map(|error| &error.code) {
                    Some(Code::Denied) => Self::Status(403),
                    Some(Code::Unauthorized) => Self::Status(401),
                    Some(Code::Toomanyrequests) => Self::Status(429),
                    Some(Code::NotFound | Code::NameUnknown | Code::ManifestUnknown | Code::BlobUnknown) => {
                        Self::Status(404)
                    }
                    _ => Self::Bad(chain(&error)),
                }
            }
            _ => Self::Bad(chain(&error)),
        }
    }
}

fn chain(error: &OciDistributionError) -> String {
    let all = anyhow::Chain::new(error).map(ToString::to_string).collect::<Vec<_>>().join(": ");
    plain::line(&all).into_owned()
}

/// A registry as it is asked.
pub struct Pull {
    client: Client,
    scheme: &'static str,
    reference: Reference,
    auth: RegistryAuth,
    limits: Limits,
}

#[derive(Deserialize)]
struct Token {
    #[serde(alias = "access_token")]
    token: String,
}

/// What a registry wants to know before it answers.
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

impl Pull {
    /// For a reference.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(
        reference: Reference,
        insecure: bool,
        auth: RegistryAuth,
        limits: Limits,
    ) -> reqwest::Result<Self> {
        let client = limits
            .client(Client::builder())
            .read_timeout(limits.first_byte)
            .redirect(Policy::limited(REDIRECTS))
            // A redirect from https to http would show what is secret.
            .https_only(!insecure)
            .user_agent(concat!("graylane/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, scheme: if insecure { "http" } else { "https" }, reference, auth, limits })
    }

    /// The manifest's bytes; of the digest that was asked for, if one was.
    pub async fn manifest(&self, accepted: &[&str]) -> Result<Vec<u8>, Failure> {
        let what = self.reference.digest().or_else(|| self.reference.tag()).unwrap_or("latest");
        let response = self.get(&format!("manifests/{what}"), Some(&accepted.join(", "))).await?;
        let said = response.headers().get("docker-content-digest");
        let said = said.and_then(|digest| digest.to_str().ok()).map(ToOwned::to_owned);
        let bytes = self.body(response, MANIFEST).await?;
        let is = digest(&bytes);
        let wanted = self.reference.digest().into_iter().chain(said.as_deref());
        for wanted in wanted.filter(|wanted| wanted.starts_with("sha256:")) {
            if wanted != is {
                return Err(not_what_it_says(wanted, &is));
            }
        }
        Ok(bytes)
    }

    /// A blob of this digest and size.
    pub async fn blob(&self, wanted: &str, size: u64) -> Result<Vec<u8>, Failure> {
        if size > LAYER {
            let most = LAYER >> 20;
            return Err(Failure::Bad(format!("the layer has {size} bytes, and at most {most} MiB are read")));
        }
        let response = self.get(&format!("blobs/{wanted}"), None).await?;
        let bytes = self.body(response, size).await?;
        if bytes.len() as u64 != size {
            let is = bytes.len();
            return Err(Failure::Bad(format!("expected {size} bytes, as its descriptor says, got {is}")));
        }
        let is = digest(&bytes);
        if is == wanted { Ok(bytes) } else { Err(not_what_it_says(wanted, &is)) }
    }

    async fn body(&self, response: Response, most: u64) -> Result<Vec<u8>, Failure> {
        let limits = Limits { bytes: most, ..self.limits };
        limits
            .body(response)
            .await
            .map_err(|why| if why.starts_with("answers") { Failure::Bad(why) } else { Failure::Lost(why) })
    }

    async fn get(&self, path: &str, accept: Option<&str>) -> Result<Response, Failure> {
        let (registry, repository) = (self.reference.resolve_registry(), self.reference.repository());
        let url = format!("{}://{registry}/v2/{repository}/{path}", self.scheme);
        let request = || {
            let request = self.client.get(&url);
            match accept {
                Some(accept) => request.header(ACCEPT, accept),
                None => request,
            }
        };
        let first = self.send(request()).await?;
        let response = match first.status() {
            StatusCode::UNAUTHORIZED => match (challenge(&first), &self.auth) {
                (Some(Challenge::Basic), RegistryAuth::Basic(user, password)) => {
                    self.send(request().basic_auth(user, Some(password))).await?
                }
                (Some(Challenge::Bearer { realm, service }), _) => {
                    let token = self.token(&realm, service.as_deref(), RegistryOperation::Pull).await?;
                    self.send(request().bearer_auth(token)).await?
                }
                _ => first,
            },
            _ => first,
        };
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(Failure::Status(status.as_u16())),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        self.limits.send(request).await.map_err(Failure::Lost)
    }

    /// What a push is to prove itself with, where the registry wants a token.
    pub async fn push_auth(&self) -> Result<RegistryAuth, Failure> {
        let url = format!("{}://{}/v2/", self.scheme, self.reference.resolve_registry());
        let response = self.send(self.client.get(url)).await?;
        Ok(match challenge(&response) {
            Some(Challenge::Bearer { realm, service }) => {
                RegistryAuth::Bearer(self.token(&realm, service.as_deref(), RegistryOperation::Push).await?)
            }
            _ => self.auth.clone(),
        })
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        operation: RegistryOperation,
    ) -> Result<String, Failure> {
        let rights = if matches!(operation, RegistryOperation::Push) { "pull,push" } else { "pull" };
        let scope = format!("repository:{}:{rights}", self.reference.repository());
        let mut request = self.client.get(realm).query(&[("scope", &*scope)]);
        if let Some(service) = service {
            request = request.query(&[("service", service)]);
        }
        if let RegistryAuth::Basic(user, password) = &self.auth {
            request = request.basic_auth(user, Some(password));
        }
        let response = self.send(request).await?;
        match response.status() {
            status if status.is_success() => {}
            status if status.is_server_error() => return Err(Failure::Status(status.as_u16())),
            _ => return Err(Failure::Status(401)),
        }
        let bytes = self.body(response, TOKEN).await?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|_| Failure::Bad("the token server's answer has no token".to_owned()))?;
        Ok(token.token)
    }
}

fn not_what_it_says(wanted: &str, is: &str) -> Failure {
    Failure::Bad(format!("expected content with the digest {}, got {is}", plain::line(wanted)))
}

/// The challenge of an answer (RFC 7235): a scheme, and parameters with or without quotes.
fn challenge(response: &Response) -> Option<Challenge> {
    let all = response.headers().get_all(WWW_AUTHENTICATE);
    all.iter().filter_map(|header| header.to_str().ok()).find_map(parse)
}

fn parse(header: &str) -> Option<Challenge> {
    let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    let value = |name: &str| {
        let mut rest = parameters;
        while let Some((key, after)) = rest.split_once('=') {
            let key = key.trim().trim_start_matches(',').trim();
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').unwrap_or((after, "")),
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(value.trim().to_owned());
            }
            rest = next;
        }
        None
    };
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| Some(Challenge::Bearer { realm: value("realm")?, service: value("service") }))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |header: &str| match parse(header) {
            Some(Challenge::Bearer { realm, service }) => (realm, service.unwrap_or_default()),
            _ => panic!("{header}"),
        };
        let want = ("https://auth.example/token".to_owned(), "registry.example".to_owned());
        assert_eq!(bearer(r#"Bearer realm="https://auth.example/token",service="registry.example""#), want);
        assert_eq!(
            bearer(r#"bearer scope="a,b=c", service=registry.example , realm="https://auth.example/token""#),
            want
        );
        assert!(matches!(parse(r#"Basic realm="x""#), Some(Challenge::Basic)));
        assert!(parse("Bearer service=x").is_none() && parse("Negotiate").is_none() && parse("").is_none());
        assert!(parse("Bearer realm=\"unclosed").is_none());
    }
}
