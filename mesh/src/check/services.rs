//! Services: subsets, pins, rollouts.

use std::collections::BTreeMap;

use graylane_decide::config::End;
use graylane_decide::naming::{NAME_RULE, is_name};

use super::{Checker, instead, listed};
use crate::dns::{is_dns_label, is_dns_name, is_label_key};
use crate::document::model::{Rollout, Route, Service};
use crate::mesh;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    for (name, service) in &document.services {
        names(checker, name, service);
        subsets(checker, name, service);
        choices(checker, &["services", name], service, &service.pins, service.rollout.as_ref(), None);
        for (index, route) in service.routes.iter().enumerate() {
            let index = index.to_string();
            of_route(checker, &["services", name, "routes", &index], service, route);
        }
        for (index, outside) in service.expose.iter().flat_map(|expose| &expose.routes).enumerate() {
            let index = index.to_string();
            of_route(checker, &["services", name, "expose", "routes", &index], service, &outside.as_route());
        }
    }
    same_host(checker);
}

/// Settings of a single route of a service.
fn of_route(checker: &mut Checker<'_>, path: &[&str], service: &Service, route: &Route) {
    let none = BTreeMap::new();
    let inherited = if route.baseline.is_some() { &none } else { &service.pins };
    let pins = route.pins.as_ref().unwrap_or(inherited);
    choices(checker, path, service, pins, route.rollout.as_ref(), route.baseline.as_deref());
    if let Some(baseline) = &route.baseline
        && !service.subsets.contains_key(baseline)
    {
        checker
            .error(&[path, &["baseline"]].concat(), format!("`{}` has no subset `{baseline}`", path[1]))
            .help(instead(baseline, service.subsets.keys().map(String::as_str)));
    }
}

fn names(checker: &mut Checker<'_>, name: &str, service: &Service) {
    if !is_name(name) {
        checker
            .error_at_key(&["services", name], format!("`{name}` cannot be the name of a service"))
            .help(NAME_RULE);
    }
    if let Some(namespace) = &service.namespace {
        checker.check_dns_label("a namespace", namespace, &["services", name, "namespace"]);
    }
    let Some(host) = &service.host else {
        if is_name(name) && !is_dns_label(name) {
            checker
                .error_at_key(
                    &["services", name],
                    format!("`{name}` has no `host`, and its name cannot be used as one"),
                )
                .help("add `host:` with the name of its Kubernetes service");
        }
        return;
    };
    let path = ["services", name, "host"];
    let domain = &checker.document().mesh.cluster_domain;
    let bare = host.strip_suffix('.').unwrap_or(host);
    let labels = bare.split('.').count();
    if !is_dns_name(bare) {
        checker
            .error(&path, format!("invalid host name `{host}`"))
            .help("write the name of its Kubernetes service");
    } else if !host.ends_with('.')
        && !host.ends_with(&format!(".{domain}"))
        && (labels == 2 || host.ends_with(".svc"))
    {
        let mut parts = bare.split('.');
        let (service, namespace) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        checker.error(&path, format!("`{host}` is neither a short nor a full host name")).help(format!(
            "for a service of namespace `{namespace}` write `{service}.{namespace}.svc.{domain}`; for a host outside the \
             cluster end it with a dot: `{bare}.`"
        ));
    }
}

fn subsets(checker: &mut Checker<'_>, name: &str, service: &Service) {
    for (subset, labels) in &service.subsets {
        let path = ["services", name, "subsets", subset];
        checker.check_name("subset", subset, &path);
        let written = checker.project.tree.at(&path).map_or(0, |node| node.entries().len());
        if written == 0 && service.subsets.len() > 1 && !may_be_every_pod(service, subset) {
            let message = format!("subset `{subset}` has no label, so it selects every pod of `{name}`");
            // A pin to every pod makes no sense; a share of the users does.
            let finding = if is_pinned(service, subset) {
                checker.error_at_key(&path, message)
            } else {
                let place = checker.project.key(&path);
                checker.findings.warning(place, message)
            };
            finding.help("write the label of its pods, as in `version: v1`");
        }
        for (key, value) in labels {
            let path = ["services", name, "subsets", subset, key];
            if !is_label_key(key) {
                checker
                    .error_at_key(&path, format!("invalid pod label `{key}`"))
                    .help("write a key as in `version` or `example.com/version`");
            }
            if !value.is_empty() && !is_name(value) {
                checker.error(&path, format!("invalid label value `{value}`")).help(NAME_RULE);
            }
        }
    }
    let equal = service.subsets.iter().collect::<Vec<_>>();
    for (index, (subset, labels)) in equal.iter().enumerate() {
        if let Some((other, _)) =
            equal[..index].iter().find(|(_, others)| others == labels).filter(|(other, _)| {
                // `versions` may distinguish them.
                !labels.is_empty()
                    && [subset, other].iter().all(|name| !service.versions.contains_key(**name))
            })
        {
            let first = checker.project.key(&["services", name, "subsets", other]);
            checker
                .error_at_key(
                    &["services", name, "subsets", subset],
                    format!(
                        "subsets `{other}` and `{subset}` have the same labels, so they select the same pods"
                    ),
                )
                .help("give each the label that tells its pods apart")
                .related(first, "the other one");
        }
    }
    baseline(checker, name, service);
}

/// Is a tenant pinned to a subset anywhere?
fn is_pinned(service: &Service, subset: &str) -> bool {
    let routes = service.routes.iter().filter_map(|route| route.pins.as_ref());
    let outside =
        service.expose.iter().flat_map(|expose| &expose.routes).filter_map(|route| route.pins.as_ref());
    [&service.pins]
        .into_iter()
        .chain(routes)
        .chain(outside)
        .any(|pins| pins.values().any(|name| name == subset))
}

/// A baseline may be all pods, canaries among them, and a version that is a Kubernetes service of its own has its own.
fn may_be_every_pod(service: &Service, subset: &str) -> bool {
    let outside = service.expose.iter().flat_map(|expose| &expose.routes);
    let baselines =
        service.routes.iter().map(|route| &route.baseline).chain(outside.map(|route| &route.baseline));
    baselines.chain([&service.baseline]).any(|baseline| baseline.as_deref() == Some(subset))
        || service.versions.get(subset).is_some_and(|version| version.host.is_some())
}

fn baseline(checker: &mut Checker<'_>, name: &str, service: &Service) {
    let subsets = || service.subsets.keys().map(String::as_str);
    match &service.baseline {
        Some(baseline) if !service.subsets.contains_key(baseline) => {
            checker
                .error(&["services", name, "baseline"], format!("`{name}` has no subset `{baseline}`"))
                .help(instead(baseline, subsets()));
        }
        // One that could not be read was complained about already.
        None if service.subsets.len() > 1
            && !mesh::is_external(&checker.document().mesh, service)
            && checker.project.tree.at(&["services", name, "baseline"]).is_none() =>
        {
            checker
                .error_at_key(
                    &["services", name],
                    format!("`{name}` has several subsets, and none is the baseline"),
                )
                .help(format!(
                    "add `baseline:` with the subset for requests that no pin or weight sends elsewhere: {}",
                    listed(subsets())
                ));
        }
        _ => {}
    }
}

/// Pins and rollout, of a service or of one of its routes.
fn choices(
    checker: &mut Checker<'_>,
    path: &[&str],
    service: &Service,
    pins: &BTreeMap<String, String>,
    rollout: Option<&Rollout>,
    own_baseline: Option<&str>,
) {
    let name = path[1];
    let document = checker.document();
    for (tenant, subset) in pins {
        let at = [path, &["pins", tenant]].concat();
        if checker.project.tree.at(&at).is_none() {
            // A route without pins of its own has the service's, which are checked there.
            continue;
        }
        if !document.tenants.contains_key(tenant) {
            checker
                .error_at_key(&at, format!("a pin for the unknown tenant `{tenant}`"))
                .help(instead(tenant, document.tenants.keys().map(String::as_str)));
        }
        if !service.subsets.contains_key(subset) {
            checker
                .error(&at, format!("`{tenant}` is pinned to the unknown subset `{subset}` of `{name}`"))
                .help(instead(subset, service.subsets.keys().map(String::as_str)));
        }
    }
    if let Some(rollout) = rollout {
        let path = [path, &["rollout"]].concat();
        // External weights have a check of their own.
        if !rollout.weights.external {
            weights(checker, &path, service, rollout, own_baseline.or(mesh::baseline(service)));
        }
        participants(checker, &path, pins, rollout);
        if let Some(salt) = &rollout.salt
            && !is_name(salt)
        {
            let at = [&path[..], &["salt"]].concat();
            checker.error(&at, format!("`{salt}` cannot be a salt")).help(format!("a salt has {NAME_RULE}"));
        }
        super::rollout::check(checker, &path, rollout);
        if !rollout.weights.external {
            super::guards::check(checker, &path, pins, rollout);
        }
    }
}

fn weights(
    checker: &mut Checker<'_>,
    path: &[&str],
    service: &Service,
    rollout: &Rollout,
    baseline: Option<&str>,
) {
    let name = path[1];
    let all = [path, &["weights"]].concat();
    if rollout.weights.is_empty() {
        checker
            .error_at_key(&all, "a rollout without a canary")
            .help("write one, as in `weights: {canary: 1}`");
    }
    let mut sum = 0u32;
    let mut ends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (subset, share) in &rollout.weights {
        let at = [&all[..], &[subset]].concat();
        ends.entry(if share.from() == End::Top { "top" } else { "bottom" }).or_default().push(subset);
        match share.buckets() {
            Some(buckets) => sum += u32::from(buckets),
            None => {
                checker
                    .error(&at, format!("invalid weight {}", share.percent()))
                    .help("write a percentage from 0 to 100 with up to two decimals, as in `25` or `0.5`");
            }
        }
        if !service.subsets.contains_key(subset) {
            let canaries =
                service.subsets.keys().map(String::as_str).filter(|other| Some(*other) != baseline);
            checker
                .error_at_key(&at, format!("`{name}` has no subset `{subset}`"))
                .help(instead(subset, canaries));
        } else if baseline == Some(subset.as_str()) {
            checker
                .error_at_key(&at, format!("`{subset}` is the baseline: it gets the rest"))
                .help("remove it, and give weights to the canaries only");
        }
    }
    if sum > 10_000 {
        checker
            .error_at_key(&all, format!("the weights add up to {} %", crate::percent::of(sum)))
            .help("make them 100 or less; the baseline gets the rest");
    }
    for (end, canaries) in ends.iter().filter(|(_, canaries)| canaries.len() > 1) {
        let canaries = listed(canaries.iter().copied());
        let message =
            format!("{canaries} all take users from the {end}: changing one weight moves users of another");
        checker
            .warning(&all, message)
            .help("let one take users from each end, as in `{percent: 5, from: top}`; `graylane simulate` shows who moves");
    }
}

fn participants(
    checker: &mut Checker<'_>,
    path: &[&str],
    pins: &BTreeMap<String, String>,
    rollout: &Rollout,
) {
    let document = checker.document();
    for (index, tenant) in rollout.tenants.iter().flatten().enumerate() {
        let number = index.to_string();
        let at = [path, &["tenants", &number]].concat();
        if !document.tenants.contains_key(tenant) {
            checker
                .error(&at, format!("unknown tenant `{tenant}`"))
                .help(instead(tenant, document.tenants.keys().map(String::as_str)));
        } else if pins.contains_key(tenant) {
            let pin = checker.project.key(&["services", path[1], "pins", tenant]);
            checker
                .warning(&at, format!("`{tenant}` never takes part: its pin comes first"))
                .help("remove it here, or remove the pin")
                .related(pin, "the pin");
        }
    }
    if rollout.tenants.as_ref().is_some_and(Vec::is_empty) {
        checker
            .error(&[path, &["tenants"]].concat(), "no tenant takes part in this rollout")
            .help("name its tenants, or leave `tenants` out: then the default tenant takes part");
    }
}

/// Two services of one host have to differ in their port.
fn same_host(checker: &mut Checker<'_>) {
    let document = checker.document();
    let mut hosts: BTreeMap<String, Vec<(&str, Option<u16>)>> = BTreeMap::new();
    for (name, service) in &document.services {
        let others = hosts.entry(mesh::full_host(&document.mesh, name, service)).or_default();
        if let Some((other, _)) =
            others.iter().find(|(_, port)| port.is_none() || service.port.is_none() || *port == service.port)
        {
            let first = checker.project.key(&["services", other]);
            checker
                .error_at_key(&["services", name], format!("`{other}` and `{name}` have the same host"))
                .help("make them one service, or give each a `port` of its own")
                .related(first, "the other one");
        }
        others.push((name, service.port));
    }
}
