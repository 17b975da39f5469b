//! Where requests enter the mesh: nothing that outside callers send is trusted, everything that the mesh needs is written.
//!
//! Tenant and unit never come from carriers, memory or a label, and the memory is neither read nor written.

use super::resolve;
use super::units::{choose, decimal, from_ids};
use crate::carriers::{Member, Write};
use crate::choice::destination::Addressee;
use crate::choice::sticky::Unit;
use crate::config::{Accept, Missing};
use crate::decision::Decision;
use crate::edits::Edits;
use crate::names::{POINT_HEADER, SUBSET_HEADER, TOKEN_PARAMETER};
use crate::plan::Plan;
use crate::request::gathered::Gathered;
use crate::request::query;
use crate::sanitise::Scope;
use crate::tenants::TenantId;
use crate::why::{Source, UnitSource};
use crate::world::World;

/// Decides about a request from outside. `headers`: all of the request's.
#[inline(never)] // Large functions cost V8 the most: decision 15.
pub fn decide<'p, 'h, W: World>(
    plan: &'p Plan,
    request: &mut Gathered<'_, W>,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])> + Clone,
) -> Decision<'p> {
    // A token in the URL is for the gateway alone: no service needs it, and no access log of theirs should have it.
    let path = plan.tokens.as_ref().and_then(|_| query::without(request.seen.path, TOKEN_PARAMETER));
    let token = plan.tokens.as_ref().and_then(|tokens| tokens.read(&plan.tenants, request, path.is_some()));
    let mut decision = tenant(plan, request, token.map(|(tenant, _)| tenant));
    let place = match request.world().cluster_name() {
        Some(name) => plan.destinations.by_cluster(&name),
        // No route yet: there may be one once the tenant is written.
        None => Addressee::Inside,
    };
    if place == Addressee::Outside || decision.rejection.is_some() {
        // A request that is turned away is cleaned as well, for a host that would not answer it here.
        decision.edits = plan.sanitiser.take_off(Scope::Entering, headers.clone());
        return observed(plan, path, decision, headers);
    }
    decision.service = match place {
        Addressee::Listed(destination) => Some(destination),
        // The owner of the weights may route to services of its own: the public host says whose they are.
        _ => plan
            .destinations
            .by_authority(request.seen.authority)
            .filter(|found| found.is_weighed_by_another()),
    };
    if plan.tenants.carries_unit(decision.tenant) {
        match token {
            Some((_, Some(unit))) => (decision.unit, decision.unit_source) = (Some(unit), UnitSource::Token),
            _ => unit(plan, request, &mut decision),
        }
    }
    choose(&mut decision, request);
    decision.debug = plan.debug.first(Some(decision.tenant), request.seen, &mut request.facts).is_some();
    if !plan.enforces() {
        return observed(plan, path, decision, headers);
    }
    let wire = decision.unit.map(Unit::wire);
    let unit = wire.as_ref().map_or(Member::Remove, |unit| Member::Set(unit));
    let found = plan.sanitiser.find(Scope::Entering, headers);
    let write = Write { tenant: Member::Remove, unit };
    plan.sanitiser.clean(Scope::Entering, found, write, &mut decision.edits);
    write_path(path, &mut decision);
    // After removing what an outside caller sent under that name.
    if let Some(point) = decision.point() {
        decision.edits.set(POINT_HEADER.as_bytes(), decimal(point));
    }
    decision
}

/// Where graylane only observes: of all edits those stay that take off what only graylane gives a meaning to, and what
/// the file removes.
fn observed<'p, 'h>(
    plan: &'p Plan,
    path: Option<Vec<u8>>,
    mut decision: Decision<'p>,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
) -> Decision<'p> {
    if plan.enforces() {
        return decision;
    }
    decision.edits = Edits::default();
    let found = plan.sanitiser.find(Scope::Observed, headers);
    decision.edits.remove_if(found.has_subset(), SUBSET_HEADER.as_bytes());
    decision.would_remove =
        plan.sanitiser.clean(Scope::Observed, found, Write::default(), &mut decision.edits);
    write_path(path, &mut decision);
    decision
}

/// Writes the path without the token, where there was one.
fn write_path(path: Option<Vec<u8>>, decision: &mut Decision<'_>) {
    if let Some(path) = path {
        decision.edits.set(b":path".as_slice(), path);
    }
}

/// The unit of a participant: of a sticky key, else of a cookie that is made for the user, else of an id.
fn unit<W: World>(plan: &Plan, request: &mut Gathered<'_, W>, decision: &mut Decision<'_>) {
    let keys = plan.keys.as_ref();
    if let Some((key, unit)) = keys.and_then(|keys| keys.unit(request.seen, &mut request.facts)) {
        (decision.unit, decision.unit_source) = (Some(unit), UnitSource::Key);
        decision.key = Some(key);
    } else if let Some((unit, cookie)) = keys.and_then(|keys| keys.mint(request.world())) {
        (decision.unit, decision.unit_source) = (Some(unit), UnitSource::Mint);
        decision.cookie = Some(cookie);
    } else {
        (decision.unit, decision.unit_source) = from_ids(plan, request);
    }
}

/// Whose request it is: by its token, by the header if all callers may send it, else by the first rule that matches. The gateway
/// writes the tenant header, or takes it off where `policy.missing` is `pass` and nothing says whose request it is.
fn tenant<'p, W: World>(
    plan: &'p Plan,
    request: &mut Gathered<'_, W>,
    token: Option<TenantId>,
) -> Decision<'p> {
    let accepted = match plan.accept {
        Accept::Always if token.is_none() => resolve::from_header(plan, request.seen),
        Accept::Always | Accept::Never => None,
    };
    if let Some(resolved) = accepted {
        let mut decision = Decision::new(resolved.tenant, resolved.source, plan.enforces());
        if resolved.writes {
            decision.edits.set(plan.header(), plan.tenants.name(resolved.tenant).as_bytes());
        }
        decision.rejection = resolved.rejection;
        return decision;
    }
    let named = request.seen.tenant.one().and_then(|name| plan.tenants.find(name));
    let verdict = match token {
        Some(_) => None,
        None => plan.rules.first(named, request.seen, &mut request.facts),
    };
    let (tenant, source) = match (token, verdict) {
        (Some(tenant), _) => (tenant, Source::Token),
        (None, Some(verdict)) => (verdict.tenant, verdict.source),
        (None, None) => (plan.tenants.default_id(), Source::Default),
    };
    let mut decision = Decision::new(tenant, source, plan.enforces());
    decision.rule = verdict.map(|verdict| verdict.rule);
    let (name, seen) = (plan.tenants.name(tenant).as_bytes(), &request.seen.tenant);
    // Where only tenants that were sent are written, the default tenant has no header.
    if source == Source::Default && plan.policy.missing == Missing::Pass {
        decision.edits.remove_if(seen.present(), plan.header());
    } else if !(seen.tidy() && seen.one() == Some(name)) {
        decision.edits.set(plan.header(), name);
    }
    decision
}
