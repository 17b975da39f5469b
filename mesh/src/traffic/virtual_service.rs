//! A VirtualService, or what istiod makes one of.

use super::names::full_host;
use super::request::MESH;
use super::rule::{At, Rule};

/// The kind of most of them.
pub const VIRTUAL_SERVICE: &str = "VirtualService";

/// A VirtualService, with what it delegates in place.
#[derive(Clone, Debug)]
pub struct VirtualService {
    /// Its place in what was given.
    pub resource: usize,
    /// Its kind: an HTTPRoute is read as what istiod makes of it.
    pub kind: &'static str,
    /// `namespace/name`.
    pub title: String,
    /// Its namespace.
    pub namespace: String,
    /// Its hosts, as written.
    pub hosts: Vec<String>,
    /// Its gateways, as `namespace/name`, or [`MESH`].
    pub gateways: Vec<String>,
    /// Its HTTP rules.
    pub rules: Vec<Rule>,
    /// Rules that delegate to what is not there, or contradict it.
    pub lost: Vec<(At, String)>,
}

impl VirtualService {
    /// One of its hosts, as it is called at a place.
    #[must_use]
    pub fn host_at(&self, place: &str, host: &str) -> String {
        if place == MESH { full_host(host, &self.namespace) } else { host.to_ascii_lowercase() }
    }
}
