//! Whose request it is, in a sidecar or waypoint: header, then what can be restored, then the policy.

use crate::config::{Missing, Restore, Unknown};
use crate::memory::Recall;
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::request::headers::Seen;
use crate::tenants::{Claim, TenantId};
use crate::why::{Rejection, Source};
use crate::world::World;

/// Whose request it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolved {
    pub tenant: TenantId,
    pub source: Source,
    /// The header does not say so in one line of its own, and must be written.
    pub writes: bool,
    pub rejection: Option<Rejection>,
    /// The header carries something that is to stay, whatever it is.
    pub passed: bool,
}

/// What the header alone says, if it says anything.
pub fn from_header(plan: &Plan, seen: &Seen<'_>) -> Option<Resolved> {
    let default = plan.tenants.default_id();
    let resolved =
        |tenant, source, writes| Resolved { tenant, source, writes, rejection: None, passed: false };
    match plan.tenants.claim(&seen.tenant) {
        Claim::Absent => None,
        Claim::Known(tenant) => Some(resolved(tenant, Source::Header, !seen.tenant.tidy())),
        Claim::Unknown => Some(match plan.policy.unknown {
            Unknown::Default => resolved(default, Source::Default, true),
            Unknown::Pass => Resolved { passed: true, ..resolved(default, Source::Default, false) },
            Unknown::Reject => {
                Resolved { rejection: Some(Rejection::Unknown), ..resolved(default, Source::Default, false) }
            }
        }),
    }
}

/// What a request without a usable header gets: restored, or by the policy. `looks_back`: may the memory and the pod's
/// label be asked? What comes in is told apart by what it carries alone.
pub fn restore<W: World>(plan: &Plan, request: &mut Gathered<'_, W>, looks_back: bool) -> Resolved {
    let restored = plan.policy.restore.iter().find_map(|place| match place {
        Restore::Baggage => request.said().tenant().map(|tenant| (tenant, Source::Baggage)),
        Restore::Memory if looks_back => match request.recall() {
            Recall::Found { tenant, .. } => {
                plan.tenants.tagged(tenant).map(|tenant| (tenant, Source::Memory))
            }
            Recall::Unknown | Recall::Ambiguous => None,
        },
        // Of an id that the memory knows the label says nothing: the worker serves others as well.
        Restore::Workload if looks_back => match plan.worker {
            Some(tenant) if !plan.remembers || request.recall() == Recall::Unknown => {
                Some((tenant, Source::Workload))
            }
            _ => None,
        },
        Restore::Memory | Restore::Workload => None,
    });
    let (tenant, source) = restored.unwrap_or((plan.tenants.default_id(), Source::Default));
    let rejection =
        (restored.is_none() && plan.policy.missing == Missing::Reject).then_some(Rejection::Missing);
    let writes = restored.is_some() || plan.policy.missing != Missing::Pass;
    Resolved { tenant, source, writes, rejection, passed: false }
}
