//! Whose request it is, in a sidecar or waypoint: header, then what can be restored, then the policy.

use crate::baggage::{self, Ours};
use crate::config::{Missing, Restore, Unknown};
use crate::decision::{Edit, Rejection, Source};
use crate::headers::{Field, Seen};
use crate::memory::Recall;
use crate::plan::Plan;
use crate::tenants::{Claim, TenantId, Tenants};
use crate::trace::Ids;
use crate::world::World;

/// Whose request it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved<'a> {
    pub tenant: TenantId,
    pub source: Source,
    pub header: Edit<&'a str>,
    pub rejection: Option<Rejection>,
    /// The header carries something that is to stay, whatever it is.
    pub passed: bool,
}

/// The memory, asked once at most.
pub struct Recollection<'w, W> {
    world: &'w mut W,
    recall: Option<Recall>,
}

impl<'w, W: World> Recollection<'w, W> {
    pub fn new(world: &'w mut W) -> Self {
        Self { world, recall: None }
    }

    /// The surroundings that it asks.
    pub fn world(&mut self) -> &mut W {
        self.world
    }

    pub fn get(&mut self, seen: &Seen<'_>) -> Recall {
        if let Some(recall) = self.recall {
            return recall;
        }
        let ids = Ids::of(seen);
        let recall = if ids.is_empty() { Recall::Unknown } else { self.world.recall(&ids) };
        self.recall = Some(recall);
        recall
    }
}

/// What a baggage member says; its value may be percent-encoded.
pub fn member(tenants: &Tenants, field: &Field<'_>) -> Option<TenantId> {
    baggage::decode(field.one()?, &mut [0; baggage::MAX_VALUE]).and_then(|name| tenants.find(name))
}

/// What the header alone says, if it says anything.
pub fn from_header<'a>(plan: &'a Plan, seen: &Seen<'_>) -> Option<Resolved<'a>> {
    let default = plan.tenants.default_id();
    let resolved =
        |tenant, source, header| Resolved { tenant, source, header, rejection: None, passed: false };
    match plan.tenants.claim(&seen.tenant) {
        Claim::Absent => None,
        Claim::Known(tenant) => {
            let name = plan.tenants.name(tenant);
            let edit = if seen.tenant.tidy() { Edit::Keep } else { Edit::Set(name) };
            Some(resolved(tenant, Source::Header, edit))
        }
        Claim::Unknown => Some(match plan.policy.unknown {
            Unknown::Default => resolved(default, Source::Default, Edit::Set(plan.tenants.name(default))),
            Unknown::Pass => Resolved { passed: true, ..resolved(default, Source::Default, Edit::Keep) },
            Unknown::Reject => Resolved {
                rejection: Some(Rejection::Unknown),
                ..resolved(default, Source::Default, Edit::Keep)
            },
        }),
    }
}

/// What a request without a usable header gets: restored, or by the policy.
pub fn restore<'a, W: World>(
    plan: &'a Plan,
    seen: &Seen<'_>,
    ours: &Ours<'_>,
    memory: &mut Recollection<'_, W>,
) -> Resolved<'a> {
    let restored = plan.policy.restore.iter().find_map(|place| match place {
        Restore::Baggage => member(&plan.tenants, &ours.tenant).map(|tenant| (tenant, Source::Baggage)),
        Restore::Memory => match memory.get(seen) {
            Recall::Found { tenant, .. } => {
                plan.tenants.tagged(tenant).map(|tenant| (tenant, Source::Memory))
            }
            Recall::Unknown | Recall::Ambiguous => None,
        },
        // Of an id that the memory knows the label says nothing: the worker serves others as well.
        Restore::Workload => plan
            .worker
            .filter(|_| !plan.remembers || memory.get(seen) == Recall::Unknown)
            .map(|tenant| (tenant, Source::Workload)),
    });
    let (tenant, source) = restored.unwrap_or((plan.tenants.default_id(), Source::Default));
    let rejection =
        (restored.is_none() && plan.policy.missing == Missing::Reject).then_some(Rejection::Missing);
    Resolved { tenant, source, header: Edit::Set(plan.tenants.name(tenant)), rejection, passed: false }
}
