//! Requests of this pod, and (waypoint) requests in front of a service: restore the tenant, choose the subset.

use crate::baggage::{self, Ours, Write};
use crate::config::{Conflict, Role};
use crate::decision::{Decision, Edit, Rejection, Source, UnitSource};
use crate::destination::Place;
use crate::edge::facts::Facts;
use crate::headers::Seen;
use crate::memory::Recall;
use crate::plan::Plan;
use crate::resolve::{self, Recollection, Resolved};
use crate::sticky::Unit;
use crate::tenants::TenantId;
use crate::trace::Ids;
use crate::world::World;

/// Decides about a request of this pod.
pub fn decide<'a, W: World>(plan: &'a Plan, seen: &Seen<'a>, world: &mut W) -> Decision<'a> {
    let ours = baggage::read(&seen.baggage, plan.header());
    let place = place(plan, seen, world);
    if place == Place::Outside {
        return leaving(plan, seen, &ours);
    }
    let mut memory = Recollection::new(world);
    let said = resolve::member(&plan.tenants, &ours.tenant);
    let (resolved, conflict) = match resolve::from_header(plan, seen) {
        Some(resolved) => settle_conflict(plan, seen, said, resolved, &mut memory),
        None => (resolve::restore(plan, seen, &ours, &mut memory), None),
    };
    let mut decision = Decision::new(resolved.tenant, resolved.source, plan.enforces());
    decision.conflict = conflict;
    if let Place::Listed(destination) = place {
        decision.service = Some(destination);
    }
    if let Some(rejection) = resolved.rejection {
        return decision.rejected(rejection);
    }
    decision.edits.tenant = resolved.header.clone();
    if plan.tenants.carries_unit(resolved.tenant) {
        (decision.unit, decision.unit_source) = unit(plan, seen, &ours, &mut memory);
    }
    choose(&mut decision, seen, world);
    decision.edits.baggage = carry(plan, seen, &ours, said, &resolved, &decision);
    decision
}

fn place<'a, W: World>(plan: &'a Plan, seen: &Seen<'_>, world: &mut W) -> Place<'a> {
    if let Some(destination) = plan.destinations.by_authority(seen.authority) {
        return Place::Listed(destination);
    }
    if plan.role == Role::Waypoint {
        // A waypoint stands in front of services of the mesh, so nothing leaves here.
        return Place::Inside;
    }
    match world.cluster_name() {
        Some(name) => plan.destinations.by_cluster(&name),
        None => Place::Outside,
    }
}

/// A request that leaves the mesh: it gets neither tenant, unit nor subset.
fn leaving<'a>(plan: &'a Plan, seen: &Seen<'a>, ours: &Ours<'_>) -> Decision<'a> {
    let (tenant, source) = match resolve::from_header(plan, seen) {
        Some(resolved) => (resolved.tenant, resolved.source),
        None => match resolve::member(&plan.tenants, &ours.tenant) {
            Some(tenant) => (tenant, Source::Baggage),
            None => (plan.tenants.default_id(), Source::Default),
        },
    };
    let mut decision = Decision::new(tenant, source, plan.enforces());
    decision.edits.tenant = Edit::remove_if(seen.tenant.present());
    decision.edits.subset = Edit::remove_if(seen.subset.present());
    if ours.tenant.present() || ours.unit.present() {
        decision.edits.baggage = rewrite_baggage(plan.header(), &seen.baggage.all(), Write::default());
    }
    decision
}

/// What becomes of a tenant that the header names, and what disagrees with it: the memory, if the policy asks it, or the
/// baggage's tenant, which never wins.
fn settle_conflict<'a, W: World>(
    plan: &'a Plan,
    seen: &Seen<'_>,
    said: Option<TenantId>,
    resolved: Resolved<'a>,
    memory: &mut Recollection<'_, W>,
) -> (Resolved<'a>, Option<Source>) {
    if resolved.source != Source::Header {
        return (resolved, None);
    }
    let contradicted = said.is_some_and(|said| said != resolved.tenant).then_some(Source::Baggage);
    if plan.policy.conflict == Conflict::Header {
        return (resolved, contradicted);
    }
    let remembered = match memory.get(seen) {
        Recall::Found { tenant, .. } => plan.tenants.tagged(tenant),
        Recall::Unknown | Recall::Ambiguous => None,
    };
    let Some(tenant) = remembered.filter(|tenant| *tenant != resolved.tenant) else {
        return (resolved, contradicted);
    };
    let settled = match plan.policy.conflict {
        Conflict::Memory => Resolved {
            tenant,
            source: Source::Memory,
            header: Edit::Set(plan.tenants.name(tenant)),
            ..resolved
        },
        _ => Resolved { rejection: Some(Rejection::Conflict), ..resolved },
    };
    (settled, Some(Source::Memory))
}

/// The unit of a participant: baggage, memory, sticky key, request id, trace id.
fn unit<W: World>(
    plan: &Plan,
    seen: &Seen<'_>,
    ours: &Ours<'_>,
    memory: &mut Recollection<'_, W>,
) -> (Option<Unit>, UnitSource) {
    if let Some(unit) = ours.unit.one().and_then(Unit::parse) {
        return (Some(unit), UnitSource::Baggage);
    }
    // A waypoint sees one side of a hop only: it has no memory to look into.
    if plan.role == Role::Outbound
        && let Recall::Found { unit: Some(unit), .. } = memory.get(seen)
    {
        return (Some(unit), UnitSource::Memory);
    }
    let mut facts = Facts::new(&plan.properties, memory.world());
    match plan.keys.as_ref().and_then(|keys| keys.unit(seen, &mut facts)) {
        Some(unit) => (Some(unit), UnitSource::Key),
        None => from_ids(plan, seen),
    }
}

/// The unit of a participant who has no key: of the request id, else of the trace id.
pub fn from_ids(plan: &Plan, seen: &Seen<'_>) -> (Option<Unit>, UnitSource) {
    let Some(keys) = &plan.keys else { return (None, UnitSource::Nowhere) };
    let ids = Ids::of(seen);
    match (ids.request, ids.trace) {
        (Some(id), _) => (Some(keys.of(id.bytes())), UnitSource::Request),
        (None, Some(id)) => (Some(keys.of(id.hex())), UnitSource::Trace),
        (None, None) => (None, UnitSource::Nowhere),
    }
}

/// Chooses the subset, and says so in the header if the destination has a rollout.
pub fn choose<W: World>(decision: &mut Decision<'_>, seen: &Seen<'_>, world: &mut W) {
    let choice = decision.service.and_then(|destination| {
        let route = if destination.has_routes() { world.route_name() } else { None };
        destination.choose(route.as_deref(), decision.tenant, decision.unit)
    });
    if let Some(choice) = choice {
        decision.subset = Some(choice.subset);
        decision.reason = Some(choice.reason);
        decision.bucket = choice.bucket;
    }
    decision.edits.subset = match choice.and_then(|choice| choice.header) {
        Some(value) if seen.subset.tidy() && seen.subset.one() == Some(value.as_bytes()) => Edit::Keep,
        Some(value) => Edit::Set(value),
        None => Edit::remove_if(seen.subset.present()),
    };
}

/// Our baggage members: the tenant's where it contradicts the header, or to restore one that is not the default; the
/// unit's where it is missing.
fn carry(
    plan: &Plan,
    seen: &Seen<'_>,
    ours: &Ours<'_>,
    said: Option<TenantId>,
    resolved: &Resolved<'_>,
    decision: &Decision<'_>,
) -> Edit<Vec<u8>> {
    let present = ours.tenant.present();
    let contradicts = present && !resolved.passed && said != Some(resolved.tenant);
    let restored = matches!(resolved.source, Source::Memory | Source::Workload);
    let adds = !present && restored && resolved.tenant != plan.tenants.default_id();
    let unit = decision.unit.filter(|_| decision.unit_source != UnitSource::Baggage).map(Unit::wire);
    if !contradicts && !adds && unit.is_none() {
        return Edit::Keep;
    }
    // A rewritten header carries both members, so that what is right stays.
    let tenant = match resolved.passed {
        true => ours.tenant.one(),
        false => (present || adds).then(|| plan.tenants.name(resolved.tenant).as_bytes()),
    };
    let unit = unit.as_ref().map(<[u8; 16]>::as_slice).or_else(|| ours.unit.one());
    rewrite_baggage(plan.header(), &seen.baggage.all(), Write { tenant, unit })
}

/// These lines with our members written anew: removed where nothing is left, kept where nothing can be written.
pub fn rewrite_baggage(tenant: &[u8], lines: &[&[u8]], write: Write<'_>) -> Edit<Vec<u8>> {
    match baggage::rewrite(lines, tenant, write) {
        None => Edit::Keep,
        Some(value) if value.is_empty() => Edit::Remove,
        Some(value) => Edit::Set(value),
    }
}
