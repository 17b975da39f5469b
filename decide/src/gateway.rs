//! Where the outside comes in: nothing that a stranger sends is believed, everything that the mesh needs is written.
//!
//! Tenant and unit never come from baggage, memory or a label, and the memory is neither read nor written.

use crate::baggage::{self, Write};
use crate::config::Accept;
use crate::decision::{Decision, Edit, Edits, Source, UnitSource};
use crate::destination::Place;
use crate::edge::facts::Facts;
use crate::headers::{Interest, Seen};
use crate::outbound::{choose, from_ids, rewrite_baggage};
use crate::plan::Plan;
use crate::resolve;
use crate::sticky::Unit;
use crate::world::World;

/// Decides about a request from outside.
pub fn decide<'a, W: World>(plan: &'a Plan, seen: &Seen<'a>, world: &mut W) -> Decision<'a> {
    let mut facts = Facts::new(&plan.properties, world);
    let mut decision = tenant(plan, seen, &mut facts);
    decision.edits.strip.clone_from(&seen.forged);
    let place = match facts.world.cluster_name() {
        Some(name) => plan.destinations.by_cluster(&name),
        // No route yet: there may be one once the tenant is written.
        None => Place::Inside,
    };
    let lines = baggage::strip(&seen.baggage, plan.header());
    if place == Place::Outside {
        decision.edits = closed(&plan.interest, seen);
        return decision;
    }
    if decision.rejection.is_some() {
        return decision;
    }
    if let Place::Listed(destination) = place {
        decision.service = Some(destination);
    }
    if plan.tenants.carries_unit(decision.tenant) {
        unit(plan, seen, &mut facts, &mut decision);
    }
    choose(&mut decision, seen, facts.world);
    let unit = decision.unit.map(Unit::wire);
    if lines.is_some() || unit.is_some() {
        let write = Write { tenant: None, unit: unit.as_ref().map(<[u8; 16]>::as_slice) };
        decision.edits.baggage =
            rewrite_baggage(plan.header(), &lines.unwrap_or_else(|| seen.baggage.all()), write);
    }
    decision
}

/// What a gateway does that knows no tenant, and with a request that leaves the mesh: everything of ours goes.
pub fn closed<'a>(interest: &Interest, seen: &Seen<'a>) -> Edits<'a> {
    let lines = baggage::strip(&seen.baggage, &interest.tenant);
    Edits {
        tenant: Edit::remove_if(seen.tenant.present()),
        subset: Edit::remove_if(seen.subset.present()),
        baggage: lines
            .map_or(Edit::Keep, |lines| rewrite_baggage(&interest.tenant, &lines, Write::default())),
        strip: seen.forged.clone(),
    }
}

/// The unit of a participant: of a sticky key, else of a cookie that is made for him, else of an id.
fn unit<W: World>(plan: &Plan, seen: &Seen<'_>, facts: &mut Facts<'_, W>, decision: &mut Decision<'_>) {
    let keys = plan.keys.as_ref();
    if let Some(unit) = keys.and_then(|keys| keys.unit(seen, facts)) {
        (decision.unit, decision.unit_source) = (Some(unit), UnitSource::Key);
    } else if let Some((unit, cookie)) = keys.and_then(|keys| keys.mint(facts.world)) {
        (decision.unit, decision.unit_source) = (Some(unit), UnitSource::Mint);
        decision.cookie = Some(cookie);
    } else {
        (decision.unit, decision.unit_source) = from_ids(plan, seen);
    }
}

/// Whose request it is: by the header where anybody may send it, else by the first rule that matches. The gateway
/// always writes the tenant header.
fn tenant<'a, W: World>(plan: &'a Plan, seen: &Seen<'a>, facts: &mut Facts<'_, W>) -> Decision<'a> {
    let accepted = match plan.accept {
        Accept::Always => resolve::from_header(plan, seen),
        Accept::Never => None,
    };
    let default = plan.tenants.default_id();
    let Some(resolved) = accepted else {
        let verdict = plan.rules.first(&plan.tenants, seen, facts);
        let (tenant, source) =
            verdict.map_or((default, Source::Default), |verdict| (verdict.tenant, verdict.source));
        let name = plan.tenants.name(tenant);
        let mut decision = Decision::new(tenant, source, plan.enforces());
        decision.rule = verdict.map(|verdict| verdict.rule);
        if !(seen.tenant.tidy() && seen.tenant.one() == Some(name.as_bytes())) {
            decision.edits.tenant = Edit::Set(name);
        }
        return decision;
    };
    let mut decision = Decision::new(resolved.tenant, resolved.source, plan.enforces());
    decision.edits.tenant = resolved.header;
    decision.rejection = resolved.rejection;
    decision
}
