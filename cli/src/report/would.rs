//! What pods that observe would change if they enforced: who would newly reach which version.

use std::collections::BTreeMap;

use graylane_decide::Role;
use graylane_decide::metrics::{NONE, OTHER};
use graylane_decide::why::Source;

use super::map::{LaneMap, Would, node_of};
use super::read::Decisions;
use crate::mesh::Mesh;

/// Who, whom, which version, whose, and where the tenant comes from.
type Key = (String, String, Option<String>, String, String);

/// All of them: those that newly reach a version first, the most first.
pub fn find(map: &LaneMap, mesh: &Mesh, decisions: &Decisions) -> Vec<Would> {
    let mut all: BTreeMap<Key, f64> = BTreeMap::new();
    for (decision, count) in decisions {
        let from = node_of(mesh, &decision.namespace, &decision.workload);
        let given: &[Source] = match Role::named(decision.direction.as_bytes()) {
            Some(Role::Outbound) => &[Source::Memory, Source::Baggage, Source::Workload],
            Some(Role::Gateway) => &[Source::Rule, Source::Claim],
            _ => continue,
        };
        if decision.tenant == mesh.default
            || decision.service == OTHER
            || !given.iter().any(|source| source.name() == decision.source)
            || !map.observing.contains(&from)
        {
            continue;
        }
        let subset = (decision.subset != NONE).then(|| decision.subset.clone());
        let key = (from, decision.service.clone(), subset, decision.tenant.clone(), decision.source.clone());
        *all.entry(key).or_default() += count / map.minutes;
    }
    let would = |((from, to, subset, tenant, source), per_minute): (Key, f64)| {
        let baseline = mesh.service(&to).map(|service| service.baseline.as_str());
        let newly = subset.is_some() && subset.as_deref() != baseline;
        Would { from, to, subset, tenant, source, per_minute, newly }
    };
    let mut all: Vec<Would> = all.into_iter().map(would).collect();
    all.sort_by(|a, b| b.newly.cmp(&a.newly).then(b.per_minute.total_cmp(&a.per_minute)));
    all
}
