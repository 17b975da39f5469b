//! What a proxy has to offer.

use graylane_decide::memory::{Memory, Store};
use graylane_decide::why::{Rejection, Source};
use graylane_decide::{Decision, Plan};

/// Headers of a request, borrowed from the proxy until the first edit.
pub trait Headers {
    /// Names in lower case, and values, line by line.
    fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone;
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub enum Count<'d> {
    /// A request that was decided.
    Request(&'d Decision<'d>),
    /// A request that was turned away, or would have been.
    Rejected(Rejection),
    /// A request whose header and this named different tenants.
    Conflict(Source),
    /// A request that kept what enforcing would have taken off.
    WouldRemove,
    /// Live entries of the memory that had to make room.
    Evicted(u32),
    /// Ids that could not be remembered.
    Lost(u32),
}

/// A proxy with one request in it. Nothing here fails: what a proxy refuses is none, or does not happen.
pub trait Host {
    /// The request's headers.
    type Headers: Headers;
    /// Where the memory's slots are.
    type Store: Store;
    /// What a plan's counters are.
    type Counters;

    /// The request's headers; none where they cannot be had. Dropped before the first edit.
    fn headers(&mut self) -> Option<Self::Headers>;
    /// The request's trailers.
    fn trailers(&mut self) -> Option<Self::Headers>;
    /// Replaces all lines of a header by one.
    fn set_header(&mut self, name: &[u8], value: &[u8]);
    /// Removes all lines of a header.
    fn remove_header(&mut self, name: &[u8]);
    /// Removes all lines of a trailer.
    fn remove_trailer(&mut self, name: &[u8]);
    /// Answers the request here; false if the proxy would not.
    fn reply(&mut self, rejection: Rejection) -> bool;
    /// Writes filter state of the stream.
    fn set_state(&mut self, name: &'static str, value: &str);
    /// Adds to a counter.
    fn count(&mut self, plan: &Plan, counters: &Self::Counters, count: Count<'_>);
    /// Milliseconds since 1970; none without a clock.
    fn now(&mut self) -> Option<u64>;
    /// The memory, and where its slots are.
    fn with_memory<T>(&mut self, use_it: impl FnOnce(&mut Memory, &mut Self::Store) -> T) -> T;
    /// A property by its path, whose steps are joined by NUL, in Envoy's wire form.
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>>;
    /// Random bits; not for keys of cryptography.
    fn random(&mut self) -> Option<u64>;

    /// The name of the cluster that the route leads to.
    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        self.property(b"xds\0cluster_name").filter(|name| !name.is_empty())
    }

    /// The name of the route.
    fn route_name(&mut self) -> Option<Vec<u8>> {
        self.property(b"xds\0route_name")
    }

    /// The port that the request was sent to.
    fn port(&mut self) -> Option<u16> {
        // A number is eight bytes, little-endian.
        let bytes = <[u8; 8]>::try_from(self.property(b"destination\0port")?).ok()?;
        u16::try_from(u64::from_le_bytes(bytes)).ok()
    }
}
