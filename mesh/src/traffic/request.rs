//! One request.

use std::collections::BTreeMap;
use std::fmt;

/// Istio's name for all sidecars.
pub const MESH: &str = "mesh";

/// A request, and where it is seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// A gateway, as `namespace/name`, or [`MESH`].
    pub place: String,
    /// The host that is called, in full.
    pub host: String,
    /// The path, without query.
    pub path: String,
    /// The method.
    pub method: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Headers, by lower-case name; a JWT's claims by the name that Istio gives them.
    pub headers: BTreeMap<String, String>,
    /// Query parameters.
    pub query: BTreeMap<String, String>,
    /// The port that it was sent to.
    pub port: u16,
    /// Labels of the pod that calls.
    pub labels: BTreeMap<String, String>,
    /// The namespace that calls.
    pub namespace: String,
}

impl Request {
    /// A plain one.
    #[must_use]
    pub fn new(place: &str, host: &str) -> Self {
        Self {
            place: place.to_owned(),
            host: host.to_owned(),
            path: "/".to_owned(),
            method: "GET".to_owned(),
            scheme: "http".to_owned(),
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            port: 80,
            labels: BTreeMap::new(),
            namespace: "default".to_owned(),
        }
    }

    /// A header by its lower-case name, HTTP/2's own among them.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        match name {
            ":authority" => Some(&self.host),
            ":method" => Some(&self.method),
            ":path" => Some(&self.path),
            ":scheme" => Some(&self.scheme),
            _ => self.headers.get(name).map(String::as_str),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.host, self.path)?;
        for (index, (key, value)) in self.query.iter().enumerate() {
            write!(f, "{}{key}={value}", if index == 0 { '?' } else { '&' })?;
        }
        for (name, value) in &self.headers {
            match name.strip_prefix("@request.auth.claims") {
                Some(claim) => {
                    let claim = claim.trim_start_matches('.').trim_matches(['[', ']']);
                    write!(f, ", a token with the claim {claim}: {value}")?;
                }
                None => write!(f, ", `{name}: {value}`")?,
            }
        }
        if self.port != 80 {
            write!(f, ", port {}", self.port)?;
        }
        for (name, value) in &self.labels {
            write!(f, ", from a pod with {name}={value}")?;
        }
        if self.namespace != "default" {
            write!(f, ", from namespace {}", self.namespace)?;
        }
        if self.place != MESH {
            write!(f, ", at gateway {}", self.place)?;
        }
        Ok(())
    }
}
