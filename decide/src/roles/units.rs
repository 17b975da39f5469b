//! Where a participant's unit comes from, and which subset it leads to.

use crate::choice::sticky::Unit;
use crate::decision::Decision;
use crate::names::{POINT_HEADER, SUBSET_HEADER};
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::why::UnitSource;
use crate::world::World;

/// The unit of a participant who has no key: of the request id, else of the trace id.
pub fn from_ids<W: World>(plan: &Plan, request: &Gathered<'_, W>) -> (Option<Unit>, UnitSource) {
    let Some(keys) = &plan.keys else { return (None, UnitSource::Nowhere) };
    let ids = request.ids();
    match (ids.request(), ids.trace()) {
        (Some(id), _) => (Some(id.with_bytes(|bytes| keys.of_id(bytes))), UnitSource::Request),
        (None, Some(id)) => (Some(keys.of_id(id.hex())), UnitSource::Trace),
        (None, None) => (None, UnitSource::Nowhere),
    }
}

/// Chooses the subset, and says so in the header if the destination has a rollout.
pub fn choose<W: World>(decision: &mut Decision<'_>, request: &mut Gathered<'_, W>) {
    let choice = decision.service.and_then(|destination| {
        let route = if destination.has_routes() { request.world().route_name() } else { None };
        destination.choose(route.as_deref(), decision.tenant, decision.unit)
    });
    if let Some(choice) = choice {
        decision.subset = Some(choice.subset);
        decision.reason = Some(choice.reason);
        decision.bucket = choice.bucket;
    }
    let (name, seen) = (SUBSET_HEADER.as_bytes(), &request.seen.subset);
    match choice.and_then(|choice| choice.header) {
        Some(value) if seen.tidy() && seen.one() == Some(value.as_bytes()) => {}
        Some(value) => decision.edits.set(name, value.as_bytes()),
        None => decision.edits.remove_if(seen.present(), name),
    }
}

/// Tells Envoy the point of the user's unit where another controller sets the weights; one that came along for another
/// destination goes. Inbound, where no decision has one, it was for the caller's Envoy, and the application has no use for it.
pub fn point<W: World>(plan: &Plan, request: &Gathered<'_, W>, decision: &mut Decision<'_>) {
    let Some(asked) = plan.point else { return };
    let seen = request.seen.asked(asked);
    match decision.point() {
        Some(point) => decision.edits.set(POINT_HEADER.as_bytes(), decimal(point)),
        None => decision.edits.remove_if(seen.present(), POINT_HEADER.as_bytes()),
    }
}

/// A number as Envoy reads it, in bytes: nothing on the path of a request formats text.
pub fn decimal(mut number: u64) -> Vec<u8> {
    let mut digits = Vec::with_capacity(20);
    loop {
        digits.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.reverse();
    digits
}
