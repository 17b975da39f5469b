//! The routes of a service: what a VirtualService says, and what the demo's Envoys do.
//!
//! They are right without the filter: tenants go by header, weights split (though not sticky). The filter only adds a
//! header that the first rules look at.

use graylane_decide::names::SUBSET_HEADER;

use crate::mesh::{Mesh, Service};

/// One rule; the first that matches counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name: Envoy's route name.
    pub name: String,
    /// A header and its exact value; none matches everything.
    pub header: Option<(String, String)>,
    /// Subsets and their weights, which need not add up to anything; one subset has weight 1.
    pub subsets: Vec<(String, u32)>,
    /// A request header that goes on the way.
    pub remove: Option<&'static str>,
}

/// The rules of a service, in order: the filter's choice, pins, tenants outside the rollout, the weighted rest.
#[must_use]
pub fn rules(mesh: &Mesh, service: &Service) -> Vec<Rule> {
    let mut rules = Vec::new();
    if service.rollout.is_some() {
        rules.extend(service.subsets.keys().map(|subset| Rule {
            name: format!("subset-{subset}"),
            header: Some((SUBSET_HEADER.to_owned(), format!("{}/{subset}", service.host))),
            subsets: vec![(subset.clone(), 1)],
            remove: Some(SUBSET_HEADER),
        }));
    }
    let by_tenant = |prefix: &str, tenant: &str, subset: &str| Rule {
        name: format!("{prefix}-{tenant}"),
        header: Some((mesh.header.clone(), tenant.to_owned())),
        subsets: vec![(subset.to_owned(), 1)],
        remove: None,
    };
    rules.extend(service.pins.iter().map(|(tenant, subset)| by_tenant("pin", tenant, subset)));
    let Some(rollout) = &service.rollout else {
        rules.push(Rule {
            name: "baseline".to_owned(),
            header: None,
            subsets: vec![(service.baseline.clone(), 1)],
            remove: None,
        });
        return rules;
    };
    let others = mesh
        .tenants
        .iter()
        .filter(|tenant| !service.pins.contains_key(*tenant) && !rollout.tenants.contains(tenant));
    rules.extend(others.map(|tenant| by_tenant("baseline", tenant, &service.baseline)));
    let canaries: u32 = rollout.weights.iter().map(|weight| u32::from(weight.buckets)).sum();
    let shares = rollout.weights.iter().map(|weight| (weight.subset.clone(), u32::from(weight.buckets)));
    let rest =
        (service.baseline.clone(), u32::from(graylane_decide::sticky::BUCKETS).saturating_sub(canaries));
    rules.push(Rule {
        name: "rollout".to_owned(),
        header: None,
        subsets: shares.chain([rest]).filter(|(_, weight)| *weight > 0).collect(),
        remove: None,
    });
    rules
}
