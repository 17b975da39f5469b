//! What was decided about one request: plain data, to be applied by the filter, printed by `explain`, compared by
//! tests. Nothing of it borrows the request, so that it outlives the headers that it was made of.

use crate::choice::destination::Destination;
use crate::choice::sticky::Unit;
use crate::edits::Edits;
use crate::memory::Marks;
use crate::tenants::TenantId;
use crate::why::{Reason, Rejection, Source, UnitSource};

/// What was decided about one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'p> {
    /// The request is turned away.
    pub rejection: Option<Rejection>,
    /// Whether to reject and to set cookies, or (mode observe) only to count. Edits must always be carried out: where
    /// nothing should change, there are none.
    pub enforce: bool,
    /// Whose request it is.
    pub tenant: TenantId,
    /// Where that came from.
    pub source: Source,
    /// What named another tenant than the header did: the memory or the baggage. The memory counts only where the
    /// policy looks it up.
    pub conflict: Option<Source>,
    /// The rule of the edge that gave it, or let the header count: its place among the rules.
    pub rule: Option<u16>,
    /// The destination, if the file lists it.
    pub service: Option<&'p Destination>,
    /// Where it goes; inbound: what this pod is. None where there is no choice, or the route's weights draw.
    pub subset: Option<&'p str>,
    /// Why it goes there.
    pub reason: Option<Reason>,
    /// The user's sticky value, if one was asked for.
    pub unit: Option<Unit>,
    /// Where that came from.
    pub unit_source: UnitSource,
    /// At a gateway: the sticky key that it is of, by its place among those of the configuration.
    pub key: Option<usize>,
    /// A cookie for the response, the whole value of `Set-Cookie`, where one was made.
    pub cookie: Option<String>,
    /// The caller gets the debug header.
    pub debug: bool,
    /// The bucket of the unit in the destination's rollout, if that decided.
    pub bucket: Option<u16>,
    /// What changes in its headers.
    pub edits: Edits<'p>,
    /// What to remember it under.
    pub remember: Option<Marks>,
    /// A gateway that only observes: a tenant or unit of the caller's stays that enforcing would take off.
    pub would_remove: bool,
    /// Of a request that is exempt from deciding, but leaves the mesh: only its edits are carried out.
    pub exempt: bool,
}

impl<'p> Decision<'p> {
    /// For this tenant, and nothing else yet.
    pub(crate) fn new(tenant: TenantId, source: Source, enforce: bool) -> Self {
        Self {
            rejection: None,
            enforce,
            tenant,
            source,
            conflict: None,
            rule: None,
            service: None,
            subset: None,
            reason: None,
            unit: None,
            unit_source: UnitSource::Unneeded,
            key: None,
            cookie: None,
            debug: false,
            bucket: None,
            edits: Edits::default(),
            remember: None,
            would_remove: false,
            exempt: false,
        }
    }

    pub(crate) fn rejected(mut self, rejection: Rejection) -> Self {
        self.rejection = Some(rejection);
        self
    }

    /// The point of the user's unit, where the destination's weights are external and the user takes part.
    #[must_use]
    pub fn point(&self) -> Option<u64> {
        self.service?.point(self.tenant, self.unit)
    }

    /// The place of the subset among those of the service.
    #[must_use]
    pub fn subset_index(&self) -> Option<usize> {
        self.service?.subset_index(self.subset?)
    }
}
