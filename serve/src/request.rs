//! A request comes in: headers are read once, decided about, and changed only where something is to change.

use graylane_decide::edits::{Change, Edits};
use graylane_decide::ids::Ids;
use graylane_decide::memory::{Marks, Recall, Sighting};
use graylane_decide::why::Source;
use graylane_decide::{Decision, Plan, Role, Scope, World, names};

use crate::active::Active;
use crate::host::{Count, Headers as _, Host};

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Passed,
    /// It was answered here.
    Answered,
}

/// One request, from its headers to all that follows.
pub fn handle<H: Host>(active: &Active<H::Counters>, host: &mut H) -> Fate {
    match active {
        Active::Open => Fate::Passed,
        Active::Closed(sanitiser) => {
            let Some(headers) = host.headers() else { return Fate::Passed };
            let edits = sanitiser.take_off(Scope::Entering, headers.pairs());
            drop(headers);
            apply(host, &edits);
            Fate::Passed
        }
        Active::Plan { plan, counters } => run(plan, counters, host).1,
    }
}

/// One request by a plan: the decision, which outlives the headers that it was made of, and what became of the request.
pub fn run<'p, H: Host>(
    plan: &'p Plan,
    counters: &H::Counters,
    host: &mut H,
) -> (Option<Decision<'p>>, Fate) {
    if plan.is_inert() {
        return (None, Fate::Passed);
    }
    let Some(headers) = host.headers() else { return (None, Fate::Passed) };
    let decision = plan.decide(headers.pairs(), &mut Surroundings(host));
    drop(headers);
    let fate = decision.as_ref().map_or(Fate::Passed, |decision| carry_out(plan, counters, host, decision));
    (decision, fate)
}

/// Does what was decided. Only a rejection that the proxy took ends the request here.
#[inline(never)] // Large functions cost V8 the most: decision 15.
fn carry_out<H: Host>(plan: &Plan, counters: &H::Counters, host: &mut H, decision: &Decision<'_>) -> Fate {
    if decision.exempt {
        apply(host, &decision.edits);
        return Fate::Passed;
    }
    let count = |host: &mut H, count: Count<'_>| {
        if plan.telemetry.metrics {
            host.count(plan, counters, count);
        }
    };
    if let Some(with) = decision.conflict {
        count(host, Count::Conflict(with));
    }
    if let Some(rejection) = decision.rejection {
        count(host, Count::Rejected(rejection));
        if decision.enforce && host.reply(rejection) {
            return Fate::Answered;
        }
        apply(host, &decision.edits);
        return Fate::Passed;
    }
    apply(host, &decision.edits);
    if decision.enforce
        && let Some(cookie) = &decision.cookie
    {
        host.set_state(names::COOKIE_STATE, cookie);
    }
    if decision.debug {
        debug(plan, host, decision);
    }
    if let Some(marks) = &decision.remember {
        remember(plan, counters, host, decision, marks);
    }
    if plan.telemetry.state {
        tell(plan, host, decision);
    }
    if decision.would_remove {
        count(host, Count::WouldRemove);
    }
    count(host, Count::Request(decision));
    Fate::Passed
}

fn apply(host: &mut impl Host, edits: &Edits<'_>) {
    for edit in edits.iter() {
        match &edit.change {
            Change::Set(value) => host.set_header(&edit.name, value),
            Change::Remove => host.remove_header(&edit.name),
        }
    }
}

#[inline(never)] // Large functions cost V8 the most: decision 15.
fn remember<H: Host>(
    plan: &Plan,
    counters: &H::Counters,
    host: &mut H,
    decision: &Decision<'_>,
    marks: &Marks,
) {
    // Without a clock nothing could ever expire.
    let Some(now) = host.now() else { return };
    let sighting = Sighting { tenant: plan.tenants.tag(decision.tenant), unit: decision.unit };
    let remembered =
        host.with_memory(|memory, store| memory.remember(store, marks, sighting, now, plan.life));
    if plan.telemetry.metrics {
        if remembered.evicted > 0 {
            host.count(plan, counters, Count::Evicted(remembered.evicted));
        }
        if remembered.lost > 0 {
            host.count(plan, counters, Count::Lost(remembered.lost));
        }
    }
}

/// Filter state, for metrics, traces and access logs of others.
#[inline(never)] // Large functions cost V8 the most: decision 15.
fn tell(plan: &Plan, host: &mut impl Host, decision: &Decision<'_>) {
    host.set_state(names::TENANT_STATE, plan.tenants.name(decision.tenant));
    if let Some(subset) = decision.subset {
        host.set_state(names::SUBSET_STATE, subset);
    }
    if plan.telemetry.source || decision.source != Source::Header {
        host.set_state(names::SOURCE_STATE, decision.source.name());
    }
}

/// The value of the debug header, as filter state that the route puts into the response.
fn debug(plan: &Plan, host: &mut impl Host, decision: &Decision<'_>) {
    let (tenant, subset) = (plan.tenants.name(decision.tenant), decision.subset.unwrap_or("-"));
    let value = ["tenant=", tenant, ",subset=", subset, ",source=", decision.source.name()].concat();
    host.set_state(names::DEBUG_STATE, &value);
}

/// The trailers of a request: at a gateway those of ours are removed, elsewhere they are not read.
pub fn trailers<H: Host>(active: &Active<H::Counters>, host: &mut H) {
    let (sanitiser, scope) = match active {
        Active::Plan { plan, .. } if plan.role == Role::Gateway => {
            (&plan.sanitiser, if plan.enforces() { Scope::Entering } else { Scope::Observed })
        }
        Active::Closed(sanitiser) => (sanitiser, Scope::Entering),
        Active::Plan { .. } | Active::Open => return,
    };
    let Some(trailers) = host.trailers() else { return };
    let edits = sanitiser.trailers(scope, trailers.pairs());
    drop(trailers);
    edits.iter().for_each(|edit| host.remove_trailer(&edit.name));
}

/// The surroundings of a request, as its host has them.
struct Surroundings<'h, H>(&'h mut H);

impl<H: Host> World for Surroundings<'_, H> {
    fn marks(&mut self, ids: &Ids<'_>) -> Marks {
        self.0.with_memory(|memory, _| memory.marks(ids))
    }

    fn recall(&mut self, marks: &Marks) -> Recall {
        let Some(now) = self.0.now() else { return Recall::Unknown };
        self.0.with_memory(|memory, store| memory.recall(store, marks, now))
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        self.0.cluster_name()
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        self.0.route_name()
    }

    fn port(&mut self) -> Option<u16> {
        self.0.port()
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.0.property(path)
    }

    fn random(&mut self) -> Option<u64> {
        self.0.random()
    }

    fn now(&mut self) -> Option<u64> {
        self.0.now()
    }
}
