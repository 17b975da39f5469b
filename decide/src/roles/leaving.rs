//! A request that leaves the mesh: it gets neither tenant, unit nor subset, whatever carried them.

use super::resolve::from_header;
use crate::decision::Decision;
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::sanitise::Scope;
use crate::why::Source;
use crate::world::World;

/// Decides about a request that leaves. `headers`: all of the request's.
#[inline(never)] // Large functions cost V8 the most: decision 15.
pub fn decide<'p, 'h, W: World>(
    plan: &'p Plan,
    request: &Gathered<'_, W>,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
) -> Decision<'p> {
    let (tenant, source) = match from_header(plan, request.seen) {
        Some(resolved) => (resolved.tenant, resolved.source),
        None => match request.said().tenant() {
            Some(tenant) => (tenant, Source::Baggage),
            None => (plan.tenants.default_id(), Source::Default),
        },
    };
    let mut decision = Decision::new(tenant, source, plan.enforces());
    decision.edits = plan.sanitiser.take_off(Scope::Leaving, headers);
    decision
}
