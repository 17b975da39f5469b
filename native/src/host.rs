//! A request in Envoy: what [`graylane_serve`] works with.

use graylane_decide::memory::Memory;
use graylane_decide::why::Rejection;
use graylane_decide::{Plan, names};
use graylane_serve::{Count, Fate, Headers as _, Host};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::abi::{Attribute, Lines, Map, Stream};
use crate::claims;
use crate::counters::Counters;
use crate::table::{self, Table};

/// What a plugin runs with.
pub type Active = graylane_serve::Active<Counters>;

/// One request, from its headers to all that follows.
pub fn headers(active: &Active, stream: Stream<'_>) -> Fate {
    graylane_serve::handle(active, &mut Envoy::new(stream))
}

/// A request's trailers.
pub fn trailers(active: &Active, stream: Stream<'_>) {
    graylane_serve::trailers(active, &mut Envoy::new(stream));
}

/// A request.
struct Envoy<'s> {
    stream: Stream<'s>,
    /// Did its headers change, so that its route has to be chosen again?
    changed: bool,
    /// What its token says, once that was asked for.
    payload: Option<Value>,
}

impl<'s> Envoy<'s> {
    fn new(stream: Stream<'s>) -> Self {
        Self { stream, changed: false, payload: None }
    }

    fn claim<'p>(&mut self, steps: impl Iterator<Item = &'p [u8]>) -> Option<Vec<u8>> {
        let stream = self.stream;
        let payload = self.payload.get_or_insert_with(|| {
            let json = stream.state(names::CLAIMS_STATE);
            json.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
        });
        claims::find(payload, steps)
    }

    fn is_grpc(&self) -> bool {
        let Some(headers) = self.stream.lines(Map::RequestHeaders) else { return false };
        headers.pairs().any(|(name, value)| {
            // `Common::hasGrpcContentType` in envoy/source/common/grpc/common.cc: with nothing, `+` or `;` behind it.
            name == b"content-type"
                && value
                    .strip_prefix(b"application/grpc")
                    .is_some_and(|rest| rest.first().is_none_or(|next| matches!(next, b'+' | b';')))
        })
    }
}

/// Envoy keeps the route that it chose before our edits; this has it choose again. In `drop`, so that not even a panic skips it.
impl Drop for Envoy<'_> {
    fn drop(&mut self) {
        if self.changed {
            self.stream.reroute();
        }
    }
}

/// The key under which others read filter state of ours: the same as of the filter in WebAssembly.
fn state_key(name: &'static str) -> Option<&'static str> {
    Some(match name {
        names::TENANT_STATE => "wasm.tenant",
        names::SUBSET_STATE => "wasm.subset",
        names::SOURCE_STATE => "wasm.source",
        names::COOKIE_STATE => "wasm.cookie",
        names::DEBUG_STATE => "wasm.debug",
        _ => return None,
    })
}

impl<'s> Host for Envoy<'s> {
    type Headers = Lines<'s>;
    type Store = Table;
    type Counters = Counters;

    fn headers(&mut self) -> Option<Lines<'s>> {
        self.stream.lines(Map::RequestHeaders)
    }

    fn trailers(&mut self) -> Option<Lines<'s>> {
        self.stream.lines(Map::RequestTrailers)
    }

    fn set_header(&mut self, name: &[u8], value: &[u8]) {
        self.changed = true;
        self.stream.set(Map::RequestHeaders, name, value);
    }

    fn remove_header(&mut self, name: &[u8]) {
        self.changed = true;
        self.stream.remove(Map::RequestHeaders, name);
    }

    fn remove_trailer(&mut self, name: &[u8]) {
        self.stream.remove(Map::RequestTrailers, name);
    }

    fn reply(&mut self, rejection: Rejection) -> bool {
        if self.is_grpc() {
            // Envoy's own reply would carry a status of its own choice.
            let status = rejection.grpc_status().to_string();
            self.stream.reply_headers([
                (":status", "200"),
                ("content-type", "application/grpc"),
                ("grpc-status", &status),
                ("grpc-message", rejection.body()),
            ]);
        } else {
            self.stream.reply(rejection.status(), rejection.body(), rejection.reason());
        }
        true
    }

    fn set_state(&mut self, name: &'static str, value: &str) {
        if let Some(key) = state_key(name) {
            self.stream.set_state(key, value);
        }
    }

    fn count(&mut self, plan: &Plan, counters: &Counters, count: Count<'_>) {
        counters.count(plan, count);
    }

    fn now(&mut self) -> Option<u64> {
        u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    }

    fn with_memory<T>(&mut self, use_it: impl FnOnce(&mut Memory, &mut Table) -> T) -> T {
        table::with_memory(use_it)
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        match path {
            names::SOURCE_ADDRESS => self.stream.text(Attribute::SourceAddress),
            _ if path == names::CERTIFICATE[0] => self.stream.text(Attribute::UriSanPeer),
            _ if path == names::CERTIFICATE[1] => self.stream.text(Attribute::DnsSanPeer),
            _ => claims::path(path).and_then(|steps| self.claim(steps)),
        }
    }

    fn random(&mut self) -> Option<u64> {
        Some(table::random())
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        self.stream.cluster_name().filter(|name| !name.is_empty())
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        self.stream.text(Attribute::RouteName)
    }

    fn port(&mut self) -> Option<u16> {
        self.stream.number(Attribute::DestinationPort).and_then(|port| u16::try_from(port).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_state_has_the_same_keys_as_that_of_the_filter_in_webassembly() {
        let decided = [names::TENANT_STATE, names::SUBSET_STATE, names::SOURCE_STATE];
        for name in decided.into_iter().chain([names::COOKIE_STATE, names::DEBUG_STATE]) {
            assert_eq!(state_key(name), Some(names::filter_state(name).as_str()));
        }
        assert_eq!(state_key("other"), None);
    }
}
