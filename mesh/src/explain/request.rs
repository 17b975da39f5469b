//! What is asked: the way through the mesh, the headers of the request, what applications drop on the way.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use graylane_decide::edge::facts::number_text;
use graylane_decide::names::claim_path;
use serde_json::Value as Json;

use crate::document::shape::nearest;
use crate::mesh::{Ingress, Mesh};
use crate::resources::DataPlane;

/// The first stop of a way that comes from outside.
pub const GATEWAY: &str = "gateway";

/// Between that and the name of one of several gateways.
const NAMED: char = ':';

/// The name of the gateway that a stop is, empty where it has none; None: it is a service.
pub(super) fn gateway_of(stop: &str) -> Option<&str> {
    let rest = stop.strip_prefix(GATEWAY)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(NAMED) }
}

/// What a way through a gateway begins with.
#[must_use]
pub fn stop(ingress: &Ingress<'_>) -> String {
    ingress.name.map_or_else(|| GATEWAY.to_owned(), |name| format!("{GATEWAY}{NAMED}{name}"))
}

/// Headers: lower-case names and values, in order.
pub type Headers = Vec<(String, Vec<u8>)>;

/// What an application does not copy from the request it got to the one it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drops {
    /// The tenant header and the baggage; ids of requests and traces go along.
    All,
    /// The tenant header.
    Tenant,
    /// The baggage, and the unit in it.
    Baggage,
    /// Every header, so that nothing is left to restore from.
    Everything,
}

impl Drops {
    const NAMED: [(&'static str, Self); 4] = [
        ("all", Self::All),
        ("tenant", Self::Tenant),
        ("baggage", Self::Baggage),
        ("everything", Self::Everything),
    ];

    /// Forgets what is dropped.
    pub fn forget(self, headers: &mut Headers, tenant: &str) {
        headers.retain(|(name, _)| match self {
            Self::All => name != tenant && name != "baggage",
            Self::Tenant => name != tenant,
            Self::Baggage => name != "baggage",
            Self::Everything => false,
        });
    }
}

/// A request to be explained.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The way: services by their names in the file, `gateway` first for a request from outside; of several gateways
    /// `gateway:NAME`.
    pub path: Vec<String>,
    /// The headers it starts with.
    pub headers: Headers,
    /// Claims of the verified token that it comes with: their values by the names on the way to them.
    pub claims: BTreeMap<Vec<String>, Vec<String>>,
    /// What applications drop, by service.
    pub drops: BTreeMap<String, Drops>,
    /// Which of a service's routes the request is of, by service.
    pub routes: BTreeMap<String, String>,
    /// The worker that makes the first call, and the tenant whose message it consumed.
    pub worker: Option<(String, String)>,
    /// When it comes, in milliseconds since 1970.
    pub now: u64,
    /// Who decides about calls between services: the sidecar of the pod that calls, or a waypoint before the service.
    pub data_plane: DataPlane,
}

/// Reads a header as curl's `-H` does: `name: value`.
///
/// # Errors
/// When it is none.
pub fn header(text: &str) -> Result<(String, Vec<u8>), String> {
    // Names of pseudo headers start with a colon themselves.
    let colon = text.char_indices().skip(1).find(|(_, c)| *c == ':').map(|(at, _)| at);
    let (name, value) = colon.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    let fits = |c: char| c.is_ascii_graphic() && c != ':';
    match value {
        Some(value) if name.trim_start_matches(':').chars().all(fits) => {
            let name = name.to_ascii_lowercase();
            let name = if name == "host" { ":authority".to_owned() } else { name };
            Ok((name, value.trim().as_bytes().to_vec()))
        }
        _ => Err("write `name: value`, as in `tenant: gray-v1`".to_owned()),
    }
}

impl Request {
    /// Reads `--drops SERVICE[=all|tenant|baggage|everything]`.
    ///
    /// # Errors
    /// When it says neither.
    pub fn drop(&mut self, text: &str) -> Result<()> {
        let (service, what) = text.split_once('=').unwrap_or((text, "all"));
        let Some((_, drops)) = Drops::NAMED.iter().find(|(name, _)| *name == what) else {
            let names: Vec<&str> = Drops::NAMED.iter().map(|(name, _)| *name).collect();
            bail!("--drops {text}: unknown `{what}`, expected some of {}", names.join(", "));
        };
        self.drops.insert(service.to_owned(), *drops);
        Ok(())
    }

    /// Reads `--claim NAME=VALUE`, or a JSON object of claims: `{"kubernetes.io": {"namespace": "shop"}}`. In the first
    /// form dots lead into a claim; in the second a name can have dots, and a value be a number, a boolean or a list.
    ///
    /// # Errors
    /// When it is neither.
    pub fn claim(&mut self, text: &str) -> Result<()> {
        if text.trim_start().starts_with('{') {
            let claims: serde_json::Map<String, Json> = serde_json::from_str(text)
                .map_err(|error| anyhow::anyhow!("--claim {text}: invalid JSON object: {error}"))?;
            return self.json_claims(text, &[], &claims);
        }
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            bail!(
                "--claim {text}: write a name and a value, as in `role=employee`, or a JSON object, as in \
                 `{{\"kubernetes.io\": {{\"namespace\": \"shop\"}}}}`"
            );
        };
        let path: Vec<String> = name.split('.').map(ToOwned::to_owned).collect();
        if path.len() > 1 {
            // A claim may have a dot in its own name, as those that are URLs.
            self.claims.entry(vec![name.to_owned()]).or_default().push(value.to_owned());
        }
        self.claims.entry(path).or_default().push(value.to_owned());
        Ok(())
    }

    fn json_claims(
        &mut self,
        text: &str,
        path: &[String],
        claims: &serde_json::Map<String, Json>,
    ) -> Result<()> {
        for (name, value) in claims {
            let path = [path, std::slice::from_ref(name)].concat();
            let values = match value {
                Json::Object(inner) => {
                    self.json_claims(text, &path, inner)?;
                    continue;
                }
                Json::Array(list) => list.iter().map(claim_text).collect(),
                value => claim_text(value).map(|value| vec![value]),
            };
            let Some(values) = values else {
                bail!("--claim {text}: `{name}` is null or a list of lists, which no rule can match");
            };
            self.claims.entry(path).or_default().extend(values);
        }
        Ok(())
    }

    /// The claims as Envoy hands them over: the property's path, and text as it is or a list. The token is one of the
    /// issuer that the gateway names, unless it says another.
    pub(super) fn properties(&self, ingress: &Ingress<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let issuer = ingress.jwt.map(|jwt| (vec!["iss".to_owned()], vec![jwt.issuer.clone()]));
        let mut claims: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
        if !self.claims.is_empty() {
            claims.extend(issuer);
        }
        claims.extend(self.claims.clone());
        claims.iter().map(|(path, values)| (claim_path(path), wire(values))).collect()
    }

    /// Reads `--route SERVICE=ROUTE`.
    ///
    /// # Errors
    /// When it does not say both.
    pub fn route(&mut self, text: &str) -> Result<()> {
        let Some((service, route)) = text.split_once('=') else {
            bail!("--route {text}: write a service and one of its routes, as in `orders=checkout`");
        };
        self.routes.insert(service.to_owned(), route.to_owned());
        Ok(())
    }

    /// Does it come from outside?
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        self.path.first().is_some_and(|first| gateway_of(first).is_some())
    }

    /// The gateway through which it comes, if it comes from outside.
    ///
    /// # Errors
    /// When the file has no such gateway, or several, and none is named.
    pub fn ingress<'m>(&self, mesh: &'m Mesh) -> Result<Option<Ingress<'m>>> {
        let Some(named) = self.path.first().and_then(|first| gateway_of(first)) else { return Ok(None) };
        let named = (!named.is_empty()).then_some(named);
        mesh.ingress(named)
            .map(Some)
            .map_err(|error| anyhow::anyhow!("--path: {error}, as in `{GATEWAY}:NAME`"))
    }

    /// Is everything that it names in the file? Says through which gateway it comes, and which services it passes.
    pub(super) fn check<'m>(&self, mesh: &'m Mesh) -> Result<(Option<Ingress<'m>>, &[String])> {
        let ingress = self.ingress(mesh)?;
        let services = &self.path[usize::from(ingress.is_some())..];
        ensure!(
            ingress.is_none() || self.worker.is_none(),
            "--path: a worker's call does not enter through the gateway: leave `{GATEWAY}` out"
        );
        ensure!(
            !services.is_empty(),
            "--path: missing service: write the services in order, as in `gateway,api,orders`"
        );
        for (index, name) in services.iter().enumerate() {
            let is_host = name.contains('.') && index + 1 == services.len();
            ensure!(mesh.service(name).is_some() || is_host, "--path: {}", unknown(mesh, name));
            ensure!(
                mesh.service(name).is_some() || self.data_plane == DataPlane::Sidecar,
                "--path: `{name}` has no waypoint, so nothing decides about calls to it: leave it out"
            );
        }
        for name in self.drops.keys() {
            ensure!(services.contains(name), "--drops: the request does not pass `{name}`");
        }
        for (name, route) in &self.routes {
            ensure!(services.contains(name), "--route: the request does not pass `{name}`");
            let routes: Vec<&str> = mesh
                .service(name)
                .into_iter()
                .flat_map(|service| &service.routes)
                .filter_map(|known| known.name.as_deref())
                .collect();
            ensure!(
                routes.contains(&route.as_str()),
                "--route: `{name}` has no route `{route}`{}",
                if routes.is_empty() { String::new() } else { format!("; it has {}", routes.join(", ")) }
            );
        }
        Ok((ingress, services))
    }
}

/// A claim in text, as the filter sees it: numbers and booleans are what JSON writes.
fn claim_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Number(number) => {
            let float = number.as_f64()?;
            Some(number_text(float).unwrap_or_else(|| number.to_string()))
        }
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// One value as it is, several as the ABI's pairs with nothing as their second half (see `graylane_decide::edge`).
fn wire(values: &[String]) -> Vec<u8> {
    let [_, _, ..] = values else { return values.concat().into_bytes() };
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = size(values.len()).to_vec();
    for value in values {
        bytes.extend(size(value.len()));
        bytes.extend(size(0));
    }
    for value in values {
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend([0, 0]);
    }
    bytes
}

/// The message for a name that is not a service of the file.
#[must_use]
pub fn unknown(mesh: &Mesh, name: &str) -> String {
    let names: Vec<&str> = mesh.services.iter().map(|service| &*service.name).collect();
    let instead = match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", names.join(", ")),
    };
    format!("unknown service `{name}`: {instead}")
}
