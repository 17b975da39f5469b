//! The words of a decision: where a tenant and a unit came from, why a request goes where it goes, why it is turned away.

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
    /// A lane token, which a service of the mesh made.
    Token,
    /// A rule of the edge.
    Rule,
    /// A rule of the edge on a verified claim.
    Claim,
    /// Nowhere: it is the default.
    Default,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Header,
        Self::Baggage,
        Self::Memory,
        Self::Workload,
        Self::Token,
        Self::Rule,
        Self::Claim,
        Self::Default,
    ];

    /// The source of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Was the tenant lost on the way, and found again?
    #[must_use]
    pub fn is_restored(self) -> bool {
        matches!(self, Self::Baggage | Self::Memory | Self::Workload)
    }

    /// Its name: metric tag, filter state, output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Baggage => "baggage",
            Self::Memory => "memory",
            Self::Workload => "workload",
            Self::Token => "token",
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
    /// A lane token.
    Token,
    /// A sticky key.
    Key,
    /// A cookie that was made for an anonymous user: sticky if they keep it.
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
            Self::Token => "token",
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
