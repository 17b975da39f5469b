//! Requests of this pod, and (waypoint) requests in front of a service: restore the tenant, choose the subset.

use super::leaving;
use super::resolve::{self, Resolved};
use super::units::{choose, from_ids, point};
use crate::carriers::{Member, Write};
use crate::choice::destination::Addressee;
use crate::choice::sticky::Unit;
use crate::config::{Conflict, Role};
use crate::decision::Decision;
use crate::memory::Recall;
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::why::{Rejection, Source, UnitSource};
use crate::world::World;

/// Decides about a request of this pod. `headers`: all of the request's, for one that leaves the mesh.
#[inline(never)] // Large functions cost V8 the most: decision 15.
pub fn decide<'p, 'h, W: World>(
    plan: &'p Plan,
    request: &mut Gathered<'_, W>,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
) -> Decision<'p> {
    let place = place(plan, request);
    if place == Addressee::Outside {
        return leaving::decide(plan, request, headers);
    }
    let (resolved, conflict) = match resolve::from_header(plan, request.seen) {
        Some(resolved) => settle_conflict(plan, request, resolved),
        None => (resolve::restore(plan, request, plan.role == Role::Outbound), None),
    };
    let mut decision = Decision::new(resolved.tenant, resolved.source, plan.enforces());
    decision.conflict = conflict;
    if let Addressee::Listed(destination) = place {
        decision.service = Some(destination);
    }
    if let Some(rejection) = resolved.rejection {
        return decision.rejected(rejection);
    }
    if resolved.writes {
        decision.edits.set(plan.header(), plan.tenants.name(resolved.tenant).as_bytes());
    }
    if plan.tenants.carries_unit(resolved.tenant) {
        (decision.unit, decision.unit_source) = unit(plan, request);
    }
    choose(&mut decision, request);
    point(plan, request, &mut decision);
    carry(plan, request, &resolved, &mut decision);
    decision
}

/// Where a request of this pod goes.
pub fn place<'p, W: World>(plan: &'p Plan, request: &mut Gathered<'_, W>) -> Addressee<'p> {
    if let Some(destination) = plan.destinations.by_authority(request.seen.authority) {
        return Addressee::Listed(destination);
    }
    let by_cluster = |name: Vec<u8>| plan.destinations.by_cluster(&name);
    let place = request.world().cluster_name().map_or(Addressee::Outside, by_cluster);
    // A waypoint stands in front of services of the mesh, so nothing leaves there; under a public name its cluster says
    // which service is meant.
    if place == Addressee::Outside && plan.role == Role::Waypoint { Addressee::Inside } else { place }
}

/// What becomes of a tenant that the header names, and what disagrees with it: the memory, if the policy asks it, or a
/// carrier's tenant, which never wins.
fn settle_conflict<W: World>(
    plan: &Plan,
    request: &mut Gathered<'_, W>,
    resolved: Resolved,
) -> (Resolved, Option<Source>) {
    if resolved.source != Source::Header {
        return (resolved, None);
    }
    let contradicted = request.said().contradicts(resolved.tenant).then_some(Source::Baggage);
    if plan.policy.conflict == Conflict::Header {
        return (resolved, contradicted);
    }
    let remembered = match request.recall() {
        Recall::Found { tenant, .. } => plan.tenants.tagged(tenant),
        Recall::Unknown | Recall::Ambiguous => None,
    };
    let Some(tenant) = remembered.filter(|tenant| *tenant != resolved.tenant) else {
        return (resolved, contradicted);
    };
    let settled = match plan.policy.conflict {
        Conflict::Memory => Resolved { tenant, source: Source::Memory, writes: true, ..resolved },
        Conflict::Header | Conflict::Reject => Resolved { rejection: Some(Rejection::Conflict), ..resolved },
    };
    (settled, Some(Source::Memory))
}

/// The unit of a participant: carriers, memory, sticky key, request id, trace id.
fn unit<W: World>(plan: &Plan, request: &mut Gathered<'_, W>) -> (Option<Unit>, UnitSource) {
    if let Some(unit) = request.said().unit() {
        return (Some(unit), UnitSource::Baggage);
    }
    // A waypoint sees one side of a hop only: it has no memory to look into.
    if plan.role == Role::Outbound
        && let Recall::Found { unit: Some(unit), .. } = request.recall()
    {
        return (Some(unit), UnitSource::Memory);
    }
    match plan.keys.as_ref().and_then(|keys| keys.unit(request.seen, &mut request.facts)) {
        Some((_, unit)) => (Some(unit), UnitSource::Key),
        None => from_ids(plan, request),
    }
}

/// Writes into each carrier: the tenant where it contradicts the header, or to restore one that is not the default; the
/// unit where it is missing.
fn carry<'p, W: World>(
    plan: &'p Plan,
    request: &Gathered<'_, W>,
    resolved: &Resolved,
    decision: &mut Decision<'p>,
) {
    let restored = matches!(resolved.source, Source::Memory | Source::Workload);
    let adds = restored && resolved.tenant != plan.tenants.default_id();
    let name = plan.tenants.name(resolved.tenant).as_bytes();
    let unit_is_news = decision.unit.is_some() && decision.unit_source != UnitSource::Baggage;
    for (carrier, said) in plan.carriers.with(request.said()) {
        let contradicts = said.has_tenant && !resolved.passed && said.tenant.known() != Some(resolved.tenant);
        let lacks_tenant = !said.has_tenant && adds;
        let stale_unit = said.has_unit && decision.unit.is_some() && said.unit != decision.unit;
        if !contradicts && !lacks_tenant && !unit_is_news && !stale_unit {
            continue;
        }
        // A rewritten carrier says both, so that what is right stays.
        let tenant = match resolved.passed {
            true => Member::Keep,
            false if said.has_tenant || adds => Member::Set(name),
            false => Member::Keep,
        };
        let decided = if unit_is_news || said.has_unit { decision.unit } else { None };
        let unit = decided.or(said.unit).map(Unit::wire);
        let unit = unit.as_ref().map_or(Member::Keep, |unit| Member::Set(unit));
        carrier.write(plan.header(), request.seen, Write { tenant, unit }, &mut decision.edits);
    }
}
