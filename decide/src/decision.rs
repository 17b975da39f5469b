//! What was decided about one request: plain data, to be applied by the filter, printed by `explain`, compared by
//! tests.

use crate::destination::Destination;
use crate::sticky::Unit;
use crate::tenants::TenantId;
use crate::trace::Ids;

/// What is to happen to one header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It is as it should be.
    #[default]
    Keep,
    /// All its lines are replaced by this one.
    Set(T),
    /// All its lines go.
    Remove,
}

impl<T> Edit<T> {
    /// Removal of what is there, if it is.
    pub(crate) fn remove_if(present: bool) -> Self {
        if present { Self::Remove } else { Self::Keep }
    }
}

/// Where a request's tenant came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The tenant header.
    Header,
    /// The baggage member.
    Baggage,
    /// What came in under the same request id or trace id.
    Memory,
    /// The label of the pod.
    Workload,
    /// A rule of the edge.
    Rule,
    /// A rule of the edge on a verified claim.
    Claim,
    /// Nowhere: it is the default.
    Default,
}

impl Source {
    /// Its name: metric tag, filter state, output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Baggage => "baggage",
            Self::Memory => "memory",
            Self::Workload => "workload",
            Self::Rule => "rule",
            Self::Claim => "claim",
            Self::Default => "default",
        }
    }
}

/// Why a request goes to its subset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The tenant is pinned to it.
    Pin,
    /// The unit's bucket lies in its share.
    Rollout,
    /// Everybody not otherwise placed gets it.
    Baseline,
}

impl Reason {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Rollout => "rollout",
            Self::Baseline => "baseline",
        }
    }
}

/// Where a request's unit came from; says how much of the traffic is sticky, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitSource {
    /// The tenant takes part in no rollout: no unit was asked for.
    #[default]
    Unneeded,
    /// The baggage member.
    Baggage,
    /// What came in under the same request id or trace id.
    Memory,
    /// A sticky key.
    Key,
    /// A cookie that was made for a stranger: sticky if he keeps it.
    Mint,
    /// Made of the request id: sticky for one causal chain only.
    Request,
    /// Made of the trace id: sticky for one causal chain only.
    Trace,
    /// There is no id at all: the route's weights draw.
    Nowhere,
}

impl UnitSource {
    /// Its name: metric tag, output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unneeded => "none",
            Self::Baggage => "baggage",
            Self::Memory => "memory",
            Self::Key => "key",
            Self::Mint => "mint",
            Self::Request => "request",
            Self::Trace => "trace",
            Self::Nowhere => "drawn",
        }
    }
}

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rejection {
    /// `policy.missing: reject`.
    Missing,
    /// `policy.unknown: reject`.
    Unknown,
    /// `policy.conflict: reject`.
    Conflict,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Missing, Self::Unknown, Self::Conflict];

    /// Its name: metric tag.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Conflict => "conflict",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u32 {
        match self {
            Self::Missing | Self::Unknown => 400,
            Self::Conflict => 403,
        }
    }

    /// The gRPC status that a gRPC caller gets instead: `INVALID_ARGUMENT` or `PERMISSION_DENIED`.
    #[must_use]
    pub fn grpc_status(self) -> u32 {
        match self {
            Self::Missing | Self::Unknown => 3,
            Self::Conflict => 7,
        }
    }

    /// The body, JSON; says nothing of what the request carried.
    #[must_use]
    pub fn body(self) -> &'static str {
        match self {
            Self::Missing => r#"{"error":"tenant_missing","message":"this request names no tenant"}"#,
            Self::Unknown => {
                r#"{"error":"tenant_unknown","message":"this request names a tenant that does not exist"}"#
            }
            Self::Conflict => {
                r#"{"error":"tenant_conflict","message":"this request names another tenant than the one it follows from"}"#
            }
        }
    }
}

/// What was decided about one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'a> {
    /// The request is turned away.
    pub rejection: Option<Rejection>,
    /// Whether edits and a rejection are to be carried out, or (mode observe) only counted.
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
    pub service: Option<&'a Destination>,
    /// Where it goes; inbound: what this pod is. None where there is no choice, or the route's weights draw.
    pub subset: Option<&'a str>,
    /// Why it goes there.
    pub reason: Option<Reason>,
    /// The user's sticky value, if one was asked for.
    pub unit: Option<Unit>,
    /// Where that came from.
    pub unit_source: UnitSource,
    /// A cookie for the response, the whole value of `Set-Cookie`, where one was made.
    pub cookie: Option<String>,
    /// The bucket of the unit in the destination's rollout, if that decided.
    pub bucket: Option<u16>,
    /// What changes in its headers.
    pub edits: Edits<'a>,
    /// The ids to remember it under.
    pub remember: Option<Ids<'a>>,
}

/// What changes in a request's headers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits<'a> {
    /// The tenant header.
    pub tenant: Edit<&'a str>,
    /// [`crate::names::SUBSET_HEADER`].
    pub subset: Edit<&'a str>,
    /// `baggage`.
    pub baggage: Edit<Vec<u8>>,
    /// Further headers that go.
    pub strip: Vec<&'a [u8]>,
}

impl<'a> Decision<'a> {
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
            cookie: None,
            bucket: None,
            edits: Edits::default(),
            remember: None,
        }
    }

    pub(crate) fn rejected(mut self, rejection: Rejection) -> Self {
        self.rejection = Some(rejection);
        self
    }

    /// The place of the subset among those of the service.
    #[must_use]
    pub fn subset_index(&self) -> Option<usize> {
        self.service?.subset_index(self.subset?)
    }
}
