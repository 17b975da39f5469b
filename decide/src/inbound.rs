//! Requests to this pod: check the tenant, and remember what the way out could not know otherwise.

use std::cell::LazyCell;

use crate::baggage;
use crate::decision::{Decision, Edit};
use crate::headers::Seen;
use crate::plan::Plan;
use crate::resolve::{self, Recollection};
use crate::sticky::Unit;
use crate::trace::Ids;
use crate::world::Nothing;

/// Decides about a request to this pod. It never computes a unit, and never reads the memory.
pub fn decide<'a>(plan: &'a Plan, seen: &Seen<'a>) -> Decision<'a> {
    // Most requests say whose they are, and need no unit here.
    let ours = LazyCell::new(|| baggage::read(&seen.baggage, plan.header()));
    let resolved = resolve::from_header(plan, seen)
        .unwrap_or_else(|| resolve::restore(plan, seen, &ours, &mut Recollection::new(&mut Nothing)));
    let mut decision = Decision::new(resolved.tenant, resolved.source, plan.enforces());
    decision.subset = plan.subset.as_deref();
    if let Some(rejection) = resolved.rejection {
        return decision.rejected(rejection);
    }
    decision.edits.tenant = resolved.header;
    decision.edits.subset = Edit::remove_if(seen.subset.present());
    if plan.tenants.carries_unit(resolved.tenant) {
        decision.unit = ours.unit.one().and_then(Unit::parse);
    }
    let tenant_is_news =
        plan.remembers && (resolved.tenant != plan.tenants.default_id() || plan.worker.is_some());
    if tenant_is_news || decision.unit.is_some() {
        decision.remember = Some(Ids::of(seen)).filter(|ids| !ids.is_empty());
    }
    decision
}
