//! What a sidecar does with a request that is not as it should be, and what tenant and unit travel by.

use serde::Serialize;
use serde_json::Value;

use super::id::Id;
use crate::read::{Read, Reader, fields, words};

/// What a sidecar does.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// No tenant, after everything in `restore` was tried.
    pub missing: Missing,
    /// A tenant that is not declared, or several different ones.
    pub unknown: Unknown,
    /// The header says one tenant, the memory another.
    pub conflict: Conflict,
    /// What a lost tenant is restored from, in this order.
    pub restore: Vec<Restore>,
    /// What carries tenant and unit besides the tenant header and W3C Baggage, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carriers: Vec<Carrier>,
    /// The ids by which requests of one causal chain are recognised, in this order.
    #[serde(skip_serializing_if = "is_default")]
    pub ids: Vec<Id>,
}

fn is_default(ids: &[Id]) -> bool {
    *ids == Id::default_list()
}

impl Policy {
    /// Does it say anything that filters before version 2 of the document do not know?
    #[must_use]
    pub fn needs_version_2(&self) -> bool {
        !self.carriers.is_empty() || !is_default(&self.ids) || self.missing == Missing::Pass
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            missing: Missing::default(),
            unknown: Unknown::default(),
            conflict: Conflict::default(),
            restore: vec![Restore::Baggage, Restore::Memory, Restore::Workload],
            carriers: Vec::new(),
            ids: Id::default_list(),
        }
    }
}

/// For a request without a tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Missing {
    /// It gets the default tenant.
    #[default]
    Default,
    /// It is treated as the default tenant's, and nothing is written.
    Pass,
    /// 400.
    Reject,
}

/// For a request with an unknown tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Unknown {
    /// It is overwritten with the default tenant.
    #[default]
    Default,
    /// The header stays, the request is treated as the default tenant's.
    Pass,
    /// 400.
    Reject,
}

/// For a request whose header and memory disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Conflict {
    /// The header counts; nothing is looked up.
    #[default]
    Header,
    /// The memory counts.
    Memory,
    /// 403.
    Reject,
}

/// A place that a tenant can be restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "document",
    derive(schemars::JsonSchema, serde::Deserialize),
    serde(rename_all = "lowercase")
)]
pub enum Restore {
    /// The baggage member of the header's name, and the further carriers.
    Baggage,
    /// What came in under the same request id or trace id.
    Memory,
    /// The label of the pod, where the memory does not know the id.
    Workload,
}

/// Something besides the tenant header and W3C Baggage that carries tenant and unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "document", derive(schemars::JsonSchema, serde::Deserialize))]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// OpenTracing's baggage: a header `ot-baggage-<key>` for each member.
    OtBaggage,
    /// Jaeger's baggage: a header `uberctx-<key>` for each member.
    Uberctx,
    /// `correlation-context`, the name of W3C Baggage before it was standardised.
    CorrelationContext,
    /// SkyWalking's `sw8-correlation`.
    Sw8Correlation,
    /// A header that holds the tenant; the unit is in the header of that name with `-graylane-unit` behind it.
    Header(String),
}

impl Carrier {
    /// Those that have a word of their own. Whatever can be named stands here, and so a gateway takes it off whether it is
    /// named or not.
    pub const KNOWN: &'static [Self; 4] =
        &[Self::OtBaggage, Self::Uberctx, Self::CorrelationContext, Self::Sw8Correlation];

    /// Its word; none of a header.
    #[must_use]
    pub fn word(&self) -> Option<&'static str> {
        Some(match self {
            Self::OtBaggage => "ot-baggage",
            Self::Uberctx => "uberctx",
            Self::CorrelationContext => "correlation-context",
            Self::Sw8Correlation => "sw8-correlation",
            Self::Header(_) => return None,
        })
    }
}

words!(Missing { Default: "default", Pass: "pass", Reject: "reject" });
words!(Unknown { Default: "default", Pass: "pass", Reject: "reject" });
words!(Conflict { Header: "header", Memory: "memory", Reject: "reject" });
words!(Restore { Baggage: "baggage", Memory: "memory", Workload: "workload" });

fields!(Policy {
    missing: "missing" = Missing::default,
    unknown: "unknown" = Unknown::default,
    conflict: "conflict" = Conflict::default,
    restore: "restore" = || Policy::default().restore,
    carriers: "carriers" = Vec::new,
    ids: "ids" = Id::default_list,
});

impl Read for Carrier {
    fn read(value: &Value, reader: &mut Reader) -> Option<Self> {
        if value.is_object() {
            reader.refuse_others(value, &["header"])?;
            return reader.field(value, "header", None).map(Self::Header);
        }
        let place =
            reader.word(value, &Self::KNOWN.each_ref().map(|carrier| carrier.word().unwrap_or_default()))?;
        Self::KNOWN.get(place).cloned()
    }
}
