//! The ids under which requests of one causal chain can be recognised: request id, trace ids in each notation, and
//! headers that a user names.

mod kinds;
pub mod request_id;
pub mod trace;

use crate::few::Few;

pub use kinds::Kinds;
pub use request_id::RequestId;
pub use trace::TraceId;

/// Longest value that is an id, in bytes. Longer values are not ids.
pub const MAX_VALUE: usize = 256;

/// Most ids that a configuration may name.
pub const MAX_KINDS: usize = 16;

/// One id of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id<'a> {
    /// Of `x-request-id`.
    Request(RequestId<'a>),
    /// A trace id, whatever its notation.
    Trace(TraceId),
    /// Something without a number in it: hashed whole, and under a seed of its kind.
    Whole {
        /// Which header it is.
        kind: &'a [u8],
        /// What it says.
        value: &'a [u8],
    },
}

/// The ids of one request, in the order in which they are looked up. A header that came with several different values
/// gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids<'a>(Few<Id<'a>, 3>);

impl<'a> Ids<'a> {
    /// Adds one, unless it is the trace that another notation named already.
    fn add(&mut self, id: Id<'a>) {
        let is_known = |trace: &TraceId| self.traces().any(|known| known.low() == trace.low());
        if !matches!(&id, Id::Trace(trace) if is_known(trace)) {
            self.0.push(id);
        }
    }

    fn traces(&self) -> impl Iterator<Item = TraceId> + '_ {
        self.0.iter().filter_map(|id| match id {
            Id::Trace(trace) => Some(trace),
            Id::Request(_) | Id::Whole { .. } => None,
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Id<'a>> + '_ {
        self.0.iter()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The request id.
    #[must_use]
    pub fn request(&self) -> Option<RequestId<'a>> {
        self.0.iter().find_map(|id| match id {
            Id::Request(id) => Some(id),
            Id::Trace(_) | Id::Whole { .. } => None,
        })
    }

    /// The first trace id.
    #[must_use]
    pub fn trace(&self) -> Option<TraceId> {
        self.traces().next()
    }
}

impl<'a> FromIterator<Id<'a>> for Ids<'a> {
    fn from_iter<I: IntoIterator<Item = Id<'a>>>(list: I) -> Self {
        let mut ids = Self::default();
        list.into_iter().for_each(|id| ids.add(id));
        ids
    }
}
