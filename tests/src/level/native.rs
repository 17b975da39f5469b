//! Natively: `decide` as a library.

use std::collections::BTreeMap;

use anyhow::Result;
use graylane_decide::decision::{Edit, Edits};
use graylane_decide::memory::{IF_ABSENT, Memory, Recall, Saved, Sighting, Store};
use graylane_decide::trace::Ids;
use graylane_decide::{Plan, Role, Seen, World, closed, config, headers::Interest, names};

use super::{Level, Outcome, Request};
use crate::case::{Headers, Suite};

const NOW: u64 = 1_700_000_000_000;
/// Random bits that repeat.
const RANDOM: u64 = 0x5d5c_5f5e_5958_5b5a;

#[derive(Default)]
struct Slots(BTreeMap<u32, (Vec<u8>, u32)>);

impl Store for Slots {
    fn load(&mut self, slot: u32) -> Option<(Vec<u8>, u32)> {
        self.0.get(&slot).cloned()
    }

    fn save(&mut self, slot: u32, value: &[u8], cas: u32) -> Saved {
        let is = self.0.get(&slot).map_or(IF_ABSENT, |(_, cas)| *cas);
        if is != cas {
            return Saved::Changed;
        }
        self.0.insert(slot, (value.to_vec(), is.wrapping_add(2)));
        Saved::Yes
    }
}

/// Plans of one suite, and the memory of its pod.
pub struct Native {
    plans: BTreeMap<&'static str, Option<Plan>>,
    memory: Memory,
    slots: Slots,
    header: String,
}

impl Native {
    /// For a suite.
    ///
    /// # Errors
    /// When its document is not in order.
    pub fn new(suite: &Suite) -> Result<Self> {
        let node = graylane_decide::plan::Node {
            namespace: suite.node.namespace.clone(),
            labels: suite.node.labels.clone(),
            is_router: suite.node.router,
        };
        let mut plans = BTreeMap::new();
        for role in Role::ALL {
            let json = suite.configuration(role)?;
            let named = suite.root_id.as_deref().map_or(Some(role), |id| Role::named(id.as_bytes()));
            let plan = config::parse(json.as_bytes())
                .ok()
                .filter(|config| named.is_none_or(|named| named == config.role))
                .and_then(|config| Plan::compile(&config, &node).ok());
            plans.insert(role.name(), plan);
        }
        let header = suite.node.environment.get(names::HEADER_ENV).cloned();
        let header = header.unwrap_or_else(|| names::DEFAULT_HEADER.to_owned());
        Ok(Self { plans, memory: Memory::new(7), slots: Slots::default(), header })
    }

    /// Forgets what came in.
    pub fn forget(&mut self) {
        (self.memory, self.slots) = (Memory::new(7), Slots::default());
    }
}

struct Surroundings<'a> {
    memory: &'a Memory,
    slots: &'a mut Slots,
    request: &'a Request<'a>,
}

impl World for Surroundings<'_> {
    fn recall(&mut self, ids: &Ids<'_>) -> Recall {
        self.memory.recall(self.slots, ids, NOW)
    }

    fn cluster_name(&mut self) -> Option<Vec<u8>> {
        self.request.cluster.map(|name| name.as_bytes().to_vec())
    }

    fn route_name(&mut self) -> Option<Vec<u8>> {
        self.request.route.map(|name| name.as_bytes().to_vec())
    }

    fn port(&mut self) -> Option<u16> {
        None
    }

    fn property(&mut self, path: &[u8]) -> Option<Vec<u8>> {
        self.request.properties.iter().find(|(is, _)| is == path).map(|(_, value)| value.clone())
    }

    fn random(&mut self) -> Option<u64> {
        Some(RANDOM)
    }
}

fn apply(headers: &mut Headers, interest: &Interest, edits: &Edits<'_>) {
    let tenant = String::from_utf8_lossy(&interest.tenant).into_owned();
    edit(headers, &tenant, &edits.tenant);
    edit(headers, names::SUBSET_HEADER, &edits.subset);
    edit(headers, "baggage", &edits.baggage);
    for name in &edits.strip {
        headers.retain(|(is, _)| is.as_bytes() != *name);
    }
}

fn edit(headers: &mut Headers, name: &str, edit: &Edit<impl AsRef<[u8]>>) {
    if !matches!(edit, Edit::Keep) {
        headers.retain(|(is, _)| is != name);
    }
    if let Edit::Set(value) = edit {
        headers.push((name.to_owned(), value.as_ref().to_vec()));
    }
}

impl Level for Native {
    fn send(&mut self, request: &Request<'_>) -> Result<Outcome> {
        let lower: Headers =
            request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        let pairs = || lower.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let mut outcome = Outcome { headers: lower.clone(), ..Outcome::default() };
        let Some(plan) = &self.plans[request.role.name()] else {
            if request.role == Role::Gateway {
                let interest = Interest::new(&self.header, true);
                let edits = closed(&interest, &Seen::walk(&interest, pairs()));
                apply(&mut outcome.headers, &interest, &edits);
            }
            return Ok(outcome);
        };
        let seen = Seen::walk(&plan.interest, pairs());
        let mut world = Surroundings { memory: &self.memory, slots: &mut self.slots, request };
        let Some(decision) = plan.decide(&seen, &mut world) else { return Ok(outcome) };
        if let Some(rejection) = decision.rejection.filter(|_| decision.enforce) {
            outcome.reply = Some((rejection.status(), rejection.body().to_owned()));
            return Ok(outcome);
        }
        if decision.enforce {
            apply(&mut outcome.headers, &plan.interest, &decision.edits);
        }
        if let Some(ids) = &decision.remember {
            let sighting = Sighting { tenant: plan.tenants.tag(decision.tenant), unit: decision.unit };
            self.memory.remember(&mut self.slots, ids, sighting, NOW, plan.life);
        }
        if decision.rejection.is_none() {
            let text = |text: &str| text.to_owned();
            outcome.lane = Some([
                text(plan.tenants.name(decision.tenant)),
                text(decision.source.name()),
                text(decision.subset.unwrap_or_default()),
            ]);
            outcome.counted = Some([
                text(decision.service.map_or("other", |service| &service.name)),
                text(decision.unit_source.name()),
            ]);
            let reason = decision.reason.map(graylane_decide::decision::Reason::name).unwrap_or_default();
            outcome.why = Some((text(reason), decision.bucket));
            outcome.rule = decision.rule;
            outcome.cookie = decision.cookie.clone().filter(|_| decision.enforce);
        }
        Ok(outcome)
    }
}
