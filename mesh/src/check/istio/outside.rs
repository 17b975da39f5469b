//! Where a service is exposed outside the mesh.

use std::collections::BTreeSet;

use super::{Checker, http, is_answer, matches};
use crate::check::instead;
use crate::document::model::{Expose, Service};
use crate::mesh;

pub fn check(checker: &mut Checker<'_>, name: &str, service: &Service) {
    let Some(expose) = &service.expose else { return };
    let document = checker.document();
    let path = ["services", name, "expose"];
    let shown = !expose.routes.is_empty() && expose.routes.iter().all(|outside| !outside.hosts.is_empty());
    if expose.hosts.is_empty() && !shown {
        checker
            .error_at_key(&path, "missing hosts")
            .help("write at least one, as in `hosts: [api.example.com]`");
    }
    hosts(checker, &[&path[..], &["hosts"]].concat(), &expose.hosts);
    for (index, prefix) in expose.paths.iter().enumerate() {
        if !prefix.starts_with('/') {
            checker
                .error(
                    &["services", name, "expose", "paths", &index.to_string()],
                    format!("invalid path `{prefix}`"),
                )
                .help("write a prefix, as in `/v1`");
        }
    }
    let named = mesh::gateways(document).any(|(_, gateway)| gateway.name.is_some());
    let all_named = !expose.gateways.is_empty()
        || (shown && expose.routes.iter().all(|outside| !outside.gateways.is_empty()));
    if !named && !all_named {
        checker
            .error_at_key(&path, "exposed, but the file names no Gateway")
            .help("add the Gateway resource, as in `edge: {gateway: {name: istio-ingress/public, selector: {istio: ingressgateway}}}`");
    }
    gateways(checker, &[&path[..], &["gateways"]].concat(), &expose.gateways);
    routes(checker, name, service, expose);
}

/// Public host names; `*` is all of them.
fn hosts(checker: &mut Checker<'_>, path: &[&str], hosts: &[String]) {
    for (index, host) in hosts.iter().enumerate() {
        let bare = host.strip_prefix("*.").unwrap_or(host);
        if crate::dns::is_dns_label(host) {
            checker
                .warning(&[path, &[&index.to_string()]].concat(), format!("`{host}` is a short name"))
                .help("clients outside use full names, as in `api.example.com`; Istio completes a short name with the namespace of the mesh");
            continue;
        }
        if host != "*" && (!crate::dns::is_dns_name(bare) || !bare.contains('.')) {
            checker
                .error(&[path, &[&index.to_string()]].concat(), format!("invalid public host name `{host}`"))
                .help("write a full name, as in `api.example.com`, or `*` for all");
        }
    }
}

/// Gateways by their names in the file, or Gateway resources.
fn gateways(checker: &mut Checker<'_>, path: &[&str], gateways: &[String]) {
    let ingresses = mesh::ingresses(checker.document());
    let names: Vec<&str> = ingresses.iter().filter_map(|ingress| ingress.name).collect();
    for (index, gateway) in gateways.iter().enumerate() {
        let number = index.to_string();
        let path = [path, &[&number]].concat();
        if let Some(own) = ingresses.iter().find(|ingress| ingress.name == Some(gateway)) {
            if own.gateway.is_some_and(|own| own.name.is_none()) {
                checker
                    .error(
                        &path,
                        format!("`edge.gateways.{gateway}` has no `name`: routes cannot be bound to it"),
                    )
                    .help("add the Gateway resource there, as in `name: istio-ingress/public`");
            }
            continue;
        }
        let named = gateway.split_once('/').is_some_and(|(namespace, name)| {
            crate::dns::is_dns_label(namespace) && crate::dns::is_dns_name(name)
        });
        if named {
            continue;
        }
        if names.is_empty() || gateway.contains('/') {
            checker
                .error(&path, format!("invalid Gateway `{gateway}`"))
                .help("write its namespace and name, as in `istio-ingress/public`");
        } else {
            checker
                .error(&path, format!("unknown gateway `{gateway}`"))
                .help(instead(gateway, names.iter().copied()));
        }
    }
}

fn routes(checker: &mut Checker<'_>, name: &str, service: &Service, expose: &Expose) {
    if !expose.routes.is_empty() && !expose.paths.is_empty() {
        checker
            .error_at_key(&["services", name, "expose", "paths"], "`paths` and `routes` cannot be combined")
            .help("write each path as a route, as in `match: [{uri: {prefix: /v1}}]`");
    }
    let inner = service.routes.iter().enumerate().map(|(index, route)| mesh::route_name(index, route));
    let mut names: BTreeSet<String> = inner.collect();
    for (index, outside) in expose.routes.iter().enumerate() {
        let number = index.to_string();
        let path = ["services", name, "expose", "routes", &number];
        let title = mesh::outside_name(index, outside);
        if !graylane_decide::naming::is_name(&title) {
            checker
                .error(&[&path[..], &["name"]].concat(), format!("`{title}` cannot be the name of a route"))
                .help(graylane_decide::naming::NAME_RULE);
        }
        if !names.insert(title.clone()) {
            checker.error(&path, format!("a second route `{title}`")).help("give each a name of its own");
        }
        hosts(checker, &[&path[..], &["hosts"]].concat(), &outside.hosts);
        gateways(checker, &[&path[..], &["gateways"]].concat(), &outside.gateways);
        let route = outside.as_route();
        matches(checker, &path, &route);
        http(checker, &[&path[..], &["http"]].concat(), true);
        if is_answer(&route) && (route.pins.is_some() || route.rollout.is_some()) {
            checker
                .error(
                    &path,
                    "a route that Envoy answers itself (redirect, directResponse) has no subset to choose",
                )
                .help("remove `pins` and `rollout`");
        }
    }
}
