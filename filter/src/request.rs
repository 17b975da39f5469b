//! A request comes in: headers are read once, decided about, and changed only where something is to change.

use std::cell::RefCell;

use graylane_decide::decision::{Edit, Edits, Source};
use graylane_decide::memory::{Memory, Recall, Sighting};
use graylane_decide::trace::Ids;
use graylane_decide::{Decision, Plan, Seen, World, closed, names};

use crate::active::Active;
use crate::counters::Counters;
use crate::host;
use crate::pairs::Pairs;
use crate::shared::{self, SharedData};

thread_local! {
    /// One memory for all plugins of this VM; its slots are those of the whole process.
    static MEMORY: RefCell<Option<Memory>> = const { RefCell::new(None) };
}

fn with_memory<T>(use_it: impl FnOnce(&mut Memory) -> T) -> T {
    MEMORY.with_borrow_mut(|memory| use_it(memory.get_or_insert_with(shared::memory)))
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Passed,
    /// It was answered here.
    Answered,
}

/// One request, from its headers to all that follows.
pub fn handle(active: &Active) -> Fate {
    let interest = match active {
        Active::Open => return Fate::Passed,
        Active::Closed(interest) => interest,
        Active::Plan { plan, .. } => &plan.interest,
    };
    let Some(headers) = host::request_headers() else { return Fate::Passed };
    let seen = Seen::walk(interest, Pairs::new(&headers));
    let Active::Plan { plan, counters } = active else {
        apply(interest, &closed(interest, &seen));
        return Fate::Passed;
    };
    match plan.decide(&seen, &mut Envoy) {
        None => Fate::Passed,
        Some(decision) => carry_out(plan, counters, &decision),
    }
}

/// Does what was decided. Only a rejection that the host took ends the request here.
fn carry_out(plan: &Plan, counters: &Counters, decision: &Decision<'_>) -> Fate {
    if let Some(with) = decision.conflict.filter(|_| plan.telemetry.metrics) {
        Counters::count_conflict(plan, with);
    }
    if let Some(rejection) = decision.rejection {
        if plan.telemetry.metrics {
            Counters::count_rejected(plan, rejection);
        }
        let replied = decision.enforce
            && host::reply(rejection.status(), rejection.reason(), rejection.body(), rejection.grpc_status());
        return if replied { Fate::Answered } else { Fate::Passed };
    }
    if decision.enforce {
        apply(&plan.interest, &decision.edits);
        if let Some(cookie) = &decision.cookie {
            host::set_state(names::COOKIE_STATE, cookie);
        }
    }
    if let Some(ids) = &decision.remember {
        remember(plan, decision, ids);
    }
    if plan.telemetry.state {
        host::set_state(names::TENANT_STATE, plan.tenants.name(decision.tenant));
        if let Some(subset) = decision.subset {
            host::set_state(names::SUBSET_STATE, subset);
        }
        if plan.telemetry.source || decision.source != Source::Header {
            host::set_state(names::SOURCE_STATE, decision.source.name());
        }
    }
    if plan.telemetry.metrics {
        counters.count(plan, decision);
    }
    Fate::Passed
}

fn apply(interest: &graylane_decide::headers::Interest, edits: &Edits<'_>) {
    edit(&interest.tenant, &edits.tenant);
    edit(names::SUBSET_HEADER.as_bytes(), &edits.subset);
    edit(b"baggage", &edits.baggage);
    edits.strip.iter().for_each(|name| host::remove_request_header(name));
}

fn edit(name: &[u8], edit: &Edit<impl AsRef<[u8]>>) {
    match edit {
        Edit::Keep => {}
        Edit::Set(value) => host::set_request_header(name, value.as_ref()),
        Edit::Remove => host::remove_request_header(name),
    }
}

fn remember(plan: &Plan, decision: &Decision<'_>, ids: &Ids<'_>) {
    // Without a clock nothing could ever expire.
    let Some(now) = host::now() else { return };
    let sighting = Sighting { tenant: plan.tenants.tag(decision.tenant), unit: decision.unit };
    let remembered = with_memory(|memory| memory.remember(&mut SharedData, ids, sighting, now, plan.life));
    if plan.telemetry.metrics {
        Counters::count_remembered(plan, remembered);
    }
}

/// The surroundings of a request in Envoy.
struct Envoy;

impl World for Envoy {
    fn recall(&mut self, ids: &Ids<'_>) -> Recall {
        let Some(now) = host::now() else { return Recall::Unknown };
        with_memory(|memory| memory.recall(&mut SharedData, ids, now))
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        host::property(b"xds\0cluster_name").filter(|name| !name.is_empty())
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        host::property(b"xds\0route_name")
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        host::property(path)
    }

    fn random(&mut self) -> Option<u64> {
        host::random()
    }

    fn port(&mut self) -> Option<u16> {
        // A number is eight bytes, little-endian.
        let bytes = <[u8; 8]>::try_from(host::property(b"destination\0port")?).ok()?;
        u16::try_from(u64::from_le_bytes(bytes)).ok()
    }
}
