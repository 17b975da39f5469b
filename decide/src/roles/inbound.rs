//! Requests to this pod: check the tenant, and remember what the way out could not know otherwise.

use super::resolve;
use super::units::point;
use crate::decision::Decision;
use crate::names::SUBSET_HEADER;
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::world::World;

/// Decides about a request to this pod. It never computes a unit, and never looks into the memory.
#[inline(never)] // Large functions cost V8 the most: decision 15.
pub fn decide<'p, W: World>(plan: &'p Plan, request: &mut Gathered<'_, W>) -> Decision<'p> {
    let resolved =
        resolve::from_header(plan, request.seen).unwrap_or_else(|| resolve::restore(plan, request, false));
    let mut decision = Decision::new(resolved.tenant, resolved.source, plan.enforces());
    decision.subset = plan.subset.as_deref();
    if let Some(rejection) = resolved.rejection {
        return decision.rejected(rejection);
    }
    if resolved.writes {
        decision.edits.set(plan.header(), plan.tenants.name(resolved.tenant).as_bytes());
    }
    decision.edits.remove_if(request.seen.subset.present(), SUBSET_HEADER.as_bytes());
    point(plan, request, &mut decision);
    if plan.tenants.carries_unit(resolved.tenant) {
        // Most requests say whose they are, and need nothing of the carriers.
        decision.unit = request.said().unit();
    }
    let is_news = plan.remembers && (resolved.tenant != plan.tenants.default_id() || plan.worker.is_some());
    if is_news || decision.unit.is_some() {
        decision.remember = request.marks(false);
    } else if plan.remembers && plan.ids.has_named() {
        // An id that many requests share restores nothing only if all of them are known.
        decision.remember = request.marks(true);
    }
    decision
}
