//! What pods that observe would change if they enforced: who would newly reach which version.

use std::collections::BTreeMap;

use graylane_decide::metrics::{NONE, OTHER};
use serde::Serialize;

use super::map::{LaneMap, node_of};
use super::number;
use super::read::Decisions;
use crate::mesh::Mesh;

/// Requests that would carry a tenant which they lost, or which a rule of the edge gives them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Would {
    /// Who sends them.
    pub from: String,
    /// To whom.
    pub to: String,
    /// The version that they would reach; none where the routes are not graylane's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset: Option<String>,
    /// Whose they are.
    pub tenant: String,
    /// Where the tenant comes from.
    pub source: String,
    /// How many a minute.
    pub per_minute: f64,
    /// Is that another version than requests without a tenant reach?
    pub newly: bool,
}

impl Would {
    /// In words, without who and whom.
    #[must_use]
    pub fn says(&self) -> String {
        let Self { tenant, source, .. } = self;
        let count = number(self.per_minute);
        let s = if count == "1" { "" } else { "s" };
        let many = format!("{count} {tenant} request{s} a minute (from {source})");
        match (&self.subset, self.newly) {
            (Some(subset), true) => format!("{many} newly reach {subset}"),
            (Some(subset), false) => format!("{many} get the header and still reach {subset}"),
            (None, _) => format!("{many} get the header; your routes say where they go"),
        }
    }
}

/// Who, whom, which version, whose, and where the tenant comes from.
type Key = (String, String, Option<String>, String, String);

/// All of them: those that newly reach a version first, the most first.
pub fn find(map: &LaneMap, mesh: &Mesh, decisions: &Decisions) -> Vec<Would> {
    let mut all: BTreeMap<Key, f64> = BTreeMap::new();
    for (decision, count) in decisions {
        let from = node_of(mesh, &decision.namespace, &decision.workload);
        let given: &[&str] = match decision.direction.as_str() {
            "outbound" => &["memory", "baggage", "workload"],
            "gateway" => &["rule", "claim"],
            _ => continue,
        };
        if decision.tenant == mesh.default
            || decision.service == OTHER
            || !given.contains(&decision.source.as_str())
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
