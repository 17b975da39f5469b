//! `host`: the host that was asked for, lower case, without port and final dot.

use crate::edge::text::{Test, Text};
use crate::request::authority;
use crate::request::headers::Seen;

/// Compiled.
#[derive(Clone, Debug)]
pub struct Host(Text);

impl Host {
    pub fn new(test: &Test) -> Option<Self> {
        Text::new(test, true).map(Self)
    }

    pub fn holds(&self, seen: &Seen<'_>) -> bool {
        let (host, _port) = authority::split(seen.authority);
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.0.fits(&host.to_ascii_lowercase())
    }
}
