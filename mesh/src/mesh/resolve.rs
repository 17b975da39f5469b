//! A service with every default filled in.

use std::collections::BTreeSet;

use graylane_decide::config::Weight;

use super::hosts::completed;
use super::{
    Outside, Rollout, Route, Service, Version, baseline, full_host, gateways, ingresses, is_external,
    namespace,
};
use crate::document::model::{self, Document};

pub(super) fn resolve(document: &Document, default: &str, name: &str, service: &model::Service) -> Service {
    let mesh = &document.mesh;
    let host = full_host(mesh, name, service);
    let rollout = |rollout: &model::Rollout| {
        let tenants = rollout.tenants.clone().unwrap_or_else(|| vec![default.to_owned()]);
        Rollout {
            weights: weights(rollout),
            tenants: tenants.into_iter().collect::<BTreeSet<_>>().into_iter().collect(),
            salt: rollout.salt.clone().unwrap_or_else(|| host.clone()),
            per_cluster: rollout.per_cluster,
        }
    };
    let rest = Route {
        name: None,
        matches: Vec::new(),
        http: service.http.clone(),
        pins: service.pins.clone(),
        rollout: service.rollout.as_ref().map(rollout),
        baseline: baseline(service).unwrap_or_default().to_owned(),
    };
    let under_rest = |name: String, route: &model::Route| {
        let inherited = (!route.stands_alone()).then_some(&rest);
        Route {
            name: Some(name),
            matches: route.matches.clone(),
            http: inherited
                .map(|rest| rest.http.clone())
                .into_iter()
                .flatten()
                .chain(route.http.clone())
                .collect(),
            pins: route.pins.clone().or(inherited.map(|rest| rest.pins.clone())).unwrap_or_default(),
            rollout: route.rollout.as_ref().map(rollout).or_else(|| inherited?.rollout.clone()),
            baseline: route.baseline.clone().unwrap_or_else(|| rest.baseline.clone()),
        }
    };
    let own = |(index, route): (usize, &model::Route)| under_rest(route_name(index, route), route);
    let routes: Vec<Route> = service.routes.iter().enumerate().map(own).collect();
    let expose = service.expose.clone().unwrap_or_default();
    let or =
        |own: &Vec<String>, others: &[String]| if own.is_empty() { others.to_vec() } else { own.clone() };
    let all: Vec<String> = gateways(document).filter_map(|(_, gateway)| gateway.name.clone()).collect();
    let shown = or(&resources(document, &expose.gateways), &all);
    let outside = |(index, outside): (usize, &model::Outside)| Outside {
        route: under_rest(outside_name(index, outside), &outside.as_route()),
        order: outside.order,
        hosts: or(&outside.hosts, &expose.hosts),
        gateways: or(&resources(document, &outside.gateways), &shown),
    };
    let version = |(subset, version): (&String, &model::Version)| {
        let version = Version {
            host: version.host.as_deref().map(|host| completed(mesh, host, service)),
            is_rendered: false,
            port: version.port,
            headers: version.headers.clone(),
            traffic_policy: version.traffic_policy.clone(),
        };
        (subset.clone(), version)
    };
    let outside: Vec<Outside> = expose.routes.iter().enumerate().map(outside).collect();
    let external = is_external(mesh, service);
    let mut resolved = Service {
        name: name.to_owned(),
        namespace: namespace(mesh, service).to_owned(),
        port: service.port,
        shown_at: shown_at(document, &expose),
        expose: model::Expose { gateways: shown, ..expose },
        versions: service.versions.iter().map(version).collect(),
        outside,
        external,
        kubernetes: service.kubernetes.clone(),
        by_services: mesh.routes == model::RouteForm::GatewayApi && !external,
        visible_to: service.visible_to.clone().map(|mut namespaces| {
            namespaces.insert(namespace(mesh, service).to_owned());
            namespaces
        }),
        subsets: service.subsets.clone(),
        baseline: baseline(service).unwrap_or_default().to_owned(),
        routes: routes.into_iter().chain([rest]).collect(),
        traffic_policy: service.traffic_policy.clone(),
        falls_back: service.fallback.is_some(),
        names: service.names.clone(),
        host,
    };
    let made: Vec<(String, String)> = resolved
        .subsets
        .keys()
        .filter_map(|subset| Some((subset.clone(), resolved.service_of(subset)?)))
        .collect();
    for (subset, host) in made {
        let version = resolved.versions.entry(subset).or_default();
        version.is_rendered = version.host.is_none();
        version.host.get_or_insert(host);
    }
    resolved
}

/// Gateway resources, as `namespace/name`, of which some are named by what they are called in `edge.gateways`.
fn resources(document: &Document, written: &[String]) -> Vec<String> {
    let resource = |name: &String| {
        let own = ingresses(document).into_iter().find(|ingress| ingress.name == Some(name));
        own.map_or_else(|| Some(name.clone()), |ingress| ingress.gateway?.name.clone())
    };
    written.iter().filter_map(resource).collect()
}

/// The names of those of `edge.gateways` that expose a service; none: all. A Gateway resource that the file does not name may be
/// served by any of them.
fn shown_at(document: &Document, expose: &model::Expose) -> Option<BTreeSet<String>> {
    let ingresses = ingresses(document);
    let of = |written: &String| {
        let is_own = |resource: &String| resource == written;
        let own = ingresses.iter().find(|one| {
            one.name == Some(written) || one.gateway.and_then(|one| one.name.as_ref()).is_some_and(is_own)
        });
        own?.name.map(ToOwned::to_owned)
    };
    let inner = expose.routes.iter().flat_map(|route| &route.gateways);
    let written: Vec<&String> = expose.gateways.iter().chain(inner).collect();
    let has_default = expose.gateways.is_empty()
        && (expose.routes.is_empty() || expose.routes.iter().any(|route| route.gateways.is_empty()));
    if has_default { None } else { written.into_iter().map(of).collect() }
}

/// A route's name, given or counted.
#[must_use]
pub fn route_name(index: usize, route: &model::Route) -> String {
    route.name.clone().unwrap_or_else(|| format!("route-{}", index + 1))
}

/// The name of a route of the outside, given or counted.
#[must_use]
pub fn outside_name(index: usize, outside: &model::Outside) -> String {
    outside.name.clone().unwrap_or_else(|| format!("outside-{}", index + 1))
}

fn weights(rollout: &model::Rollout) -> Vec<Weight> {
    let weight = |(subset, share): (&String, &model::Share)| Weight {
        subset: subset.clone(),
        buckets: share.buckets().unwrap_or(0),
        from: share.from(),
    };
    rollout.weights.iter().map(weight).collect()
}
