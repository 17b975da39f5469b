//! Metrics: each name is defined once in a VM, when it is first needed, so that series which never occur cost no
//! memory in Envoy.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use graylane_decide::metrics::{self, Series};
use graylane_decide::{Decision, Plan, Role};
use graylane_serve::{Count, Mixer};

use crate::host::{self, Metric};

thread_local! {
    /// Ids by name, sorted: `define_metric` takes a new id at every call, so a new configuration looks here first.
    static DEFINED: RefCell<Vec<(String, u32)>> = const { RefCell::new(Vec::new()) };
}

#[inline(never)] // Large functions cost V8 the most: decision 15.
fn define(kind: Metric, name: String) -> Option<u32> {
    DEFINED.with_borrow_mut(|defined| match defined.binary_search_by(|(known, _)| known.cmp(&name)) {
        Ok(place) => defined.get(place).map(|(_, id)| *id),
        Err(place) => {
            let id = host::define_metric(kind, &name)?;
            defined.insert(place, (name, id));
            Some(id)
        }
    })
}

/// Sets the gauges that tell what a plugin runs with.
pub fn show_configuration(role: Role, valid: bool, revision: u64) {
    for (metric, value) in [(metrics::CONFIG_VALID, u64::from(valid)), (metrics::CONFIG_REVISION, revision)] {
        if let Some(id) = define(Metric::Gauge, metrics::of_role(role, metric)) {
            host::record_metric(id, value);
        }
    }
}

/// The counters of one plan.
#[derive(Default)]
pub struct Counters {
    requests: RefCell<HashMap<Series, u32, BuildHasherDefault<Mixer>>>,
}

impl Counters {
    /// Counts.
    pub fn count(&self, plan: &Plan, count: Count<'_>) {
        let add = |name: String, by: u32| {
            if let Some(id) = define(Metric::Counter, name) {
                host::increment_metric(id, by);
            }
        };
        match count {
            Count::Request(decision) => self.request(plan, decision),
            Count::Rejected(rejection) => add(metrics::rejected(plan.role, rejection), 1),
            Count::Conflict(with) => add(metrics::conflicts(plan.role, with), 1),
            Count::WouldRemove => add(metrics::of_role(plan.role, metrics::WOULD_REMOVE), 1),
            Count::Evicted(by) => add(metrics::of_role(plan.role, metrics::EVICTED), by),
            Count::Lost(by) => add(metrics::of_role(plan.role, metrics::LOST), by),
        }
    }

    /// The everyday path: no name is made, the series' number is known.
    fn request(&self, plan: &Plan, decision: &Decision<'_>) {
        let series = Series::of(decision);
        let known = self.requests.borrow().get(&series).copied();
        let id = known.or_else(|| {
            let id = define(Metric::Counter, metrics::requests(plan, decision))?;
            self.requests.borrow_mut().insert(series, id);
            Some(id)
        });
        if let Some(id) = id {
            host::increment_metric(id, 1);
        }
    }
}
