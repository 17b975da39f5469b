//! A place where requests go through plugins, and what it sees of them.

use anyhow::Result;
use graylane_decide::Role;

use crate::case::Headers;
pub use crate::claims::{Claims, Flaw};

/// A request, as a level is to send it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Through which plugin.
    pub role: Role,
    /// Its headers; pseudo headers among them.
    pub headers: Headers,
    /// The cluster that the route leads to; none: there is no route.
    pub cluster: Option<&'a str>,
    /// The name of that route.
    pub route: Option<&'a str>,
    /// Claims of the caller's token, and what is wrong with it.
    pub token: Option<(&'a Claims, Option<Flaw>)>,
    /// URI SAN of the client's certificate.
    pub certificate: Option<&'a str>,
    /// Its trailers.
    pub trailers: Headers,
    /// What else is known of the caller: properties, as Envoy has them.
    pub properties: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<'a> Request<'a> {
    /// A request that leads to a cluster, and nothing more.
    #[must_use]
    pub fn new(role: Role, headers: Headers, cluster: Option<&'a str>) -> Self {
        Self {
            role,
            headers,
            cluster,
            route: None,
            token: None,
            certificate: None,
            trailers: Headers::new(),
            properties: Vec::new(),
        }
    }
}

impl Request<'_> {
    /// The bytes of its head, with these headers behind its own.
    #[must_use]
    pub fn head(&self, further: &[(String, Vec<u8>)]) -> Vec<u8> {
        let pseudo =
            |name: &str| self.headers.iter().find(|(is, _)| is == name).map(|(_, value)| value.as_slice());
        let (path, authority) = (pseudo(":path").unwrap_or(b"/"), pseudo(":authority").unwrap_or(b"nobody"));
        let mut head = [b"GET ", path, b" HTTP/1.1\r\nhost: ", authority, b"\r\n"].concat();
        for (name, value) in self.headers.iter().filter(|(name, _)| !name.starts_with(':')).chain(further) {
            head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if self.trailers.is_empty() {
            head.extend_from_slice(b"\r\n");
            return head;
        }
        // No body, and trailers behind it (RFC 9112, section 7.1).
        head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n0\r\n");
        for (name, value) in &self.trailers {
            head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// What became of a request, as far as a level can see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Its headers, in order.
    pub headers: Headers,
    /// Names of its trailers, in order.
    pub trailers: Vec<String>,
    /// Status and body of an answer of the filter's own.
    pub reply: Option<(u32, String)>,
    /// Tenant, source and subset; empty for none, and for a request that was left alone.
    pub lane: Option<[String; 3]>,
    /// Service and source of the unit.
    pub counted: Option<[String; 2]>,
    /// Reason and bucket.
    pub why: Option<(String, Option<u16>)>,
    /// The place of the rule that matched.
    pub rule: Option<u16>,
    /// The cookie that was made.
    pub cookie: Option<String>,
    /// The debug header that the caller gets.
    pub debug: Option<String>,
}

/// A place where requests can be sent through the plugins of one suite.
pub trait Level {
    /// Sends a request.
    ///
    /// # Errors
    /// When the level itself breaks: a trap, no answer.
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome>;
}
