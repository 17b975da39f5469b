//! The routes of a service: the rules of a VirtualService, and what the demo's Envoys do.
//!
//! They are right without the filter: tenants go by header, weights split (though not sticky). The filter only adds a
//! header that the first rules look at.

use std::collections::BTreeMap;

use graylane_decide::names::{SUBSET_HEADER, route_name};

use crate::mesh::{Mesh, Route, Service, or_baseline};

/// One rule; the first that matches counts.
#[derive(Clone, Debug)]
pub struct Rule<'a> {
    /// Envoy's route name: `<service>:<rule>`, or `<service>:<route>:<rule>`. The filter reads the route of it.
    pub name: String,
    /// The requests that it is about.
    pub route: &'a Route,
    /// A header and its exact value; none matches all of them.
    pub header: Option<(String, String)>,
    /// Subsets and their weights, which need not add up to anything; one subset has weight 1.
    pub subsets: Vec<(String, u32)>,
    /// A request header that goes on the way.
    pub remove: Option<&'static str>,
}

/// The rules of a service, in order: for each of its routes, and then for all other requests, pins with fallback, the
/// filter's choice, pins, tenants outside the rollout, the weighted rest.
#[must_use]
pub fn rules<'a>(mesh: &Mesh, service: &'a Service) -> Vec<Rule<'a>> {
    service.routes.iter().flat_map(|route| rules_of(mesh, service, route)).collect()
}

/// The rules of one route.
#[must_use]
pub fn rules_of<'a>(mesh: &Mesh, service: &Service, route: &'a Route) -> Vec<Rule<'a>> {
    let rule = |name: String, header: Option<(&str, String)>, subsets: Vec<(String, u32)>| Rule {
        name: route_name(&service.name, route.name.as_deref(), &name),
        route,
        header: header.map(|(name, value)| (name.to_owned(), value)),
        subsets,
        remove: None,
    };
    if route.answers() {
        return vec![rule("answer".to_owned(), None, Vec::new())];
    }
    let tenant = |tenant: &str| Some((mesh.header.as_str(), tenant.to_owned()));
    let one = |subset: &str| vec![(subset.to_owned(), 1)];
    let drawn = route.rollout.is_some().then_some(&service.subsets);
    let chosen = drawn.into_iter().flat_map(BTreeMap::keys).map(|subset| {
        let value = format!("{}/{subset}", service.host);
        let chosen = rule(format!("subset-{subset}"), Some((SUBSET_HEADER, value)), one(subset));
        Rule { remove: Some(SUBSET_HEADER), ..chosen }
    });
    let (with_fallback, strict): (Vec<_>, Vec<_>) =
        route.pins.iter().partition(|(_, subset)| service.falls_back_from(route, subset));
    // A pin with fallback comes before the filter's choice, which would be the strict subset; rollouts keep that, so
    // that a dead canary is seen as dead.
    let mut rules: Vec<Rule<'_>> = with_fallback
        .into_iter()
        .map(|(name, subset)| {
            let pin = rule(format!("pin-{name}"), tenant(name), one(&or_baseline(subset)));
            Rule { remove: route.rollout.is_some().then_some(SUBSET_HEADER), ..pin }
        })
        .collect();
    rules.extend(chosen);
    rules.extend(
        strict.into_iter().map(|(name, subset)| rule(format!("pin-{name}"), tenant(name), one(subset))),
    );
    let Some(rollout) = &route.rollout else {
        rules.push(rule("baseline".to_owned(), None, one(&route.baseline)));
        return rules;
    };
    let others = mesh
        .tenants
        .iter()
        .filter(|tenant| !route.pins.contains_key(*tenant) && !rollout.tenants.contains(tenant));
    rules.extend(others.map(|name| rule(format!("baseline-{name}"), tenant(name), one(&route.baseline))));
    let canaries: u32 = rollout.weights.iter().map(|weight| u32::from(weight.buckets)).sum();
    let shares = rollout.weights.iter().map(|weight| (weight.subset.clone(), u32::from(weight.buckets)));
    let rest = (
        route.baseline.clone(),
        u32::from(graylane_decide::choice::sticky::BUCKETS).saturating_sub(canaries),
    );
    let subsets = shares.chain([rest]).filter(|(_, weight)| *weight > 0).collect();
    rules.push(rule("rollout".to_owned(), None, subsets));
    rules
}
