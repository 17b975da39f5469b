//! Services, as filters read them: inside the mesh by the names that callers use, at gateways by Envoy's clusters as well.

use std::collections::BTreeSet;

use graylane_decide::choice::sticky::BUCKETS;
use graylane_decide::config::{End, Pin, Rollout, Route, Service, Weight};

use crate::adopt::weights;
use crate::mesh::{self, Ingress, Mesh};

/// A rollout, as the filter reads it.
#[must_use]
pub fn rollout(rollout: &mesh::Rollout) -> Rollout {
    Rollout { salt: rollout.salt.clone(), tenants: rollout.tenants.clone(), weights: rollout.weights.clone() }
}

/// The services, as the filter reads them.
#[must_use]
pub fn services(mesh: &Mesh) -> Vec<Service> {
    let pins = |route: &mesh::Route| {
        route
            .pins
            .iter()
            .map(|(tenant, subset)| Pin { tenant: tenant.clone(), subset: subset.clone() })
            .collect()
    };
    let named = |service: &mesh::Service, route: &mesh::Route| {
        let route = within(mesh, service, route);
        Some(Route {
            name: route.name.clone()?,
            pins: pins(&route),
            rollout: route.rollout.as_ref().map(rollout),
        })
    };
    mesh.services
        .iter()
        .map(|service| {
            if service.external {
                external(service, service.host.clone(), service.port)
            } else {
                Service {
                    name: service.name.clone(),
                    host: service.host.clone(),
                    hosts: Vec::new(),
                    port: service.port,
                    subsets: service.subsets.keys().cloned().collect(),
                    baseline: service.baseline.clone(),
                    pins: pins(service.rest()),
                    rollout: service.rest().rollout.as_ref().map(rollout),
                    routes: service.all_routes().filter_map(|route| named(service, route)).collect(),
                }
            }
        })
        .collect()
}

/// The services, as a gateway knows them: by Envoy's clusters alone, which name the hosts of versions where these have their own. A
/// sidecar goes by the name that its application calls.
#[must_use]
pub fn at_gateway(mesh: &Mesh) -> Vec<Service> {
    let mut all = services(mesh);
    let known: BTreeSet<&str> = mesh.services.iter().map(|service| service.host.as_str()).collect();
    for (told, service) in all.iter_mut().zip(&mesh.services).filter(|(_, service)| !service.external) {
        let further = service.hosts().into_iter().skip(1).filter(|host| !known.contains(host));
        told.hosts = further.map(ToOwned::to_owned).collect();
    }
    all
}

/// Services whose weights are external, under their public hosts. The owner of the weights may route to services of its own,
/// as Flagger does, and then no cluster's name says which service of the file is meant. A `*` stands for no host that a request
/// could be compared with.
pub(super) fn public(mesh: &Mesh, ingress: &Ingress<'_>) -> impl Iterator<Item = Service> {
    let shown = weights::services(mesh).filter(|(service, _)| service.is_shown_at(ingress));
    shown.flat_map(|(service, _)| {
        let hosts = service.expose.hosts.iter().filter(|host| !host.contains('*'));
        hosts.map(|host| external(service, host.clone(), None))
    })
}

/// A service with external routes, under one of its hosts.
fn external(service: &mesh::Service, host: String, port: Option<u16>) -> Service {
    Service {
        name: service.name.clone(),
        host,
        hosts: Vec::new(),
        port,
        subsets: Vec::new(),
        baseline: String::new(),
        pins: Vec::new(),
        rollout: service.rest().rollout.as_ref().map(rollout),
        routes: Vec::new(),
    }
}

/// A route with a baseline of its own, expressed with the service's: the filter knows one baseline for each service. A tenant
/// that is not placed otherwise is pinned to the route's, which in a rollout fills from the top what the canaries leave.
fn within(mesh: &Mesh, service: &mesh::Service, route: &mesh::Route) -> mesh::Route {
    let mut route = route.clone();
    if route.baseline == service.baseline {
        return route;
    }
    let baseline = std::mem::replace(&mut route.baseline, service.baseline.clone());
    let takes_part =
        |tenant: &String| route.rollout.as_ref().is_some_and(|rollout| rollout.tenants.contains(tenant));
    let others: Vec<String> = mesh.tenants.iter().filter(|tenant| !takes_part(tenant)).cloned().collect();
    for tenant in others {
        route.pins.entry(tenant).or_insert_with(|| baseline.clone());
    }
    if let Some(rollout) = &mut route.rollout {
        let canaries: u16 = rollout.weights.iter().map(|weight| weight.buckets).sum();
        rollout.weights.retain(|weight| weight.subset != service.baseline);
        let buckets = BUCKETS.saturating_sub(canaries);
        rollout.weights.push(Weight { subset: baseline, buckets, from: End::Top });
    }
    route
}
