//! What a decision may ask of its surroundings.

use crate::ids::Ids;
use crate::memory::{Marks, Recall};

/// The surroundings of one request. Every answer may cost a host call, so a decision asks only where the answer
/// matters, and nothing twice.
pub trait World {
    /// What the memory knows these ids by.
    fn marks(&mut self, ids: &Ids<'_>) -> Marks;

    /// What the memory holds under these ids.
    fn recall(&mut self, marks: &Marks) -> Recall;

    /// The name of the cluster that the route chosen so far leads to; none where there is no route.
    fn cluster_name(&mut self) -> Option<Vec<u8>>;

    /// The name of the route chosen so far.
    fn route_name(&mut self) -> Option<Vec<u8>>;

    /// The port that the request was sent to.
    fn port(&mut self) -> Option<u16>;

    /// A property by its path, whose steps are joined by NUL, in Envoy's wire form; see [`crate::names`].
    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>>;

    /// Random bits; nothing secret is made of them.
    fn random(&mut self) -> Option<u64>;

    /// Milliseconds since 1970; none without a clock. Asked where a request has a token alone.
    fn now(&mut self) -> Option<u64>;
}

/// Surroundings that know nothing: no memory, no route.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl World for Nothing {
    fn marks(&mut self, _: &Ids<'_>) -> Marks {
        Marks::default()
    }

    fn recall(&mut self, _: &Marks) -> Recall {
        Recall::Unknown
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn port(&mut self) -> Option<u16> {
        None
    }

    fn property(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn random(&mut self) -> Option<u64> {
        None
    }

    fn now(&mut self) -> Option<u64> {
        None
    }
}
