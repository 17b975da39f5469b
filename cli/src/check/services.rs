//! Services: subsets, pins, rollouts.

use std::collections::BTreeMap;

use graylane_decide::config::End;
use graylane_decide::plan::{NAME_RULE, is_name};

use super::names::{is_dns_label, is_dns_name, is_label_key};
use super::{Checker, instead, listed};
use crate::document::duration;
use crate::document::model::{Rollout, Service};
use crate::mesh;

pub fn check(checker: &mut Checker<'_>) {
    let document = checker.document();
    if document.services.is_empty() {
        checker
            .error_at_key(&["services"], "there is no service")
            .help("write at least one, as in `orders: {subsets: {stable: {version: v1}}}`");
    }
    for (name, service) in &document.services {
        names(checker, name, service);
        subsets(checker, name, service);
        pins(checker, name, service);
        if let Some(rollout) = &service.rollout {
            self::rollout(checker, name, service, rollout);
        }
    }
    same_host(checker);
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
                    format!("`{name}` has no `host`, and cannot be one itself"),
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
            .error(&path, format!("`{host}` is no host name"))
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
    let path = ["services", name, "subsets"];
    if service.subsets.is_empty() {
        checker
            .error_at_key(&path, format!("`{name}` has no subset"))
            .help("write at least the one that live users get, as in `subsets: {stable: {version: v1}}`");
        return;
    }
    for (subset, labels) in &service.subsets {
        let path = ["services", name, "subsets", subset];
        checker.check_name("subset", subset, &path);
        let written = checker.project.tree.at(&path).map_or(0, |node| node.entries().len());
        if written == 0 && service.subsets.len() > 1 {
            checker
                .error_at_key(
                    &path,
                    format!("subset `{subset}` has no label, so it is every pod of `{name}`"),
                )
                .help("write the pod label that makes it, as in `version: v1`");
        }
        for (key, value) in labels {
            let path = ["services", name, "subsets", subset, key];
            if !is_label_key(key) {
                checker
                    .error_at_key(&path, format!("`{key}` is no label of a pod"))
                    .help("write a key as in `version` or `example.com/version`");
            }
            if !value.is_empty() && !is_name(value) {
                checker.error(&path, format!("`{value}` is no value of a label")).help(NAME_RULE);
            }
        }
    }
    let equal = service.subsets.iter().collect::<Vec<_>>();
    for (index, (subset, labels)) in equal.iter().enumerate() {
        if let Some((other, _)) =
            equal[..index].iter().find(|(_, others)| others == labels).filter(|_| !labels.is_empty())
        {
            let first = checker.project.key(&["services", name, "subsets", other]);
            checker
                .error_at_key(
                    &["services", name, "subsets", subset],
                    format!("subsets `{other}` and `{subset}` have the same labels, so the same pods"),
                )
                .help("give each the label that tells its pods apart")
                .related(first, "the other one");
        }
    }
    baseline(checker, name, service);
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
            && checker.project.tree.at(&["services", name, "baseline"]).is_none() =>
        {
            checker
                .error_at_key(
                    &["services", name],
                    format!("`{name}` has several subsets, and none is the baseline"),
                )
                .help(format!(
                    "add `baseline:` with the one that everybody gets who is not placed otherwise: {}",
                    listed(subsets())
                ));
        }
        _ => {}
    }
}

fn pins(checker: &mut Checker<'_>, name: &str, service: &Service) {
    let document = checker.document();
    for (tenant, subset) in &service.pins {
        let path = ["services", name, "pins", tenant];
        if !document.tenants.contains_key(tenant) {
            checker
                .error_at_key(&path, format!("a pin for `{tenant}`, which is no tenant"))
                .help(instead(tenant, document.tenants.keys().map(String::as_str)));
        }
        if !service.subsets.contains_key(subset) {
            checker
                .error(&path, format!("`{tenant}` is pinned to `{subset}`, which is no subset of `{name}`"))
                .help(instead(subset, service.subsets.keys().map(String::as_str)));
        }
    }
}

fn rollout(checker: &mut Checker<'_>, name: &str, service: &Service, rollout: &Rollout) {
    let at = |rest: &[&'static str]| [&["services", name, "rollout"], rest].concat();
    let document = checker.document();
    if rollout.weights.is_empty() {
        checker
            .error_at_key(&at(&["weights"]), "a rollout without a canary")
            .help("write one, as in `weights: {canary: 1}`");
    }
    let baseline = mesh::baseline(service);
    let mut sum = 0u32;
    let mut ends: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (subset, share) in &rollout.weights {
        let path = ["services", name, "rollout", "weights", subset];
        ends.entry(if share.from() == End::Top { "top" } else { "bottom" }).or_default().push(subset);
        match share.buckets() {
            Some(buckets) => sum += u32::from(buckets),
            None => drop(
                checker
                    .error(&path, format!("{} is no weight", share.percent()))
                    .help("write percent from 0 to 100 with up to two decimals, as in `25` or `0.5`"),
            ),
        }
        if !service.subsets.contains_key(subset) {
            checker.error_at_key(&path, format!("`{subset}` is no subset of `{name}`")).help(instead(
                subset,
                service.subsets.keys().map(String::as_str).filter(|other| Some(*other) != baseline),
            ));
        } else if baseline == Some(subset) {
            checker
                .error_at_key(&path, format!("`{subset}` is the baseline: it gets what is left"))
                .help("leave it out, and weigh the canaries alone");
        }
    }
    if sum > 10_000 {
        checker
            .error_at_key(&at(&["weights"]), format!("the weights add up to {} %", f64::from(sum) / 100.0))
            .help("make them 100 or less; the baseline gets the rest");
    }
    for (end, canaries) in ends.iter().filter(|(_, canaries)| canaries.len() > 1) {
        let message = format!(
            "{} fill from the {end}: changing one weight moves users of another",
            listed(canaries.iter().copied())
        );
        checker
            .warning(&at(&["weights"]), message)
            .help("let one fill from each end, as in `{percent: 5, from: top}`; `graylane simulate` shows who moves");
    }
    for (index, tenant) in rollout.tenants.iter().flatten().enumerate() {
        let path = ["services", name, "rollout", "tenants", &index.to_string()];
        if !document.tenants.contains_key(tenant) {
            checker
                .error(&path, format!("`{tenant}` is no tenant"))
                .help(instead(tenant, document.tenants.keys().map(String::as_str)));
        } else if service.pins.contains_key(tenant) {
            let pin = checker.project.key(&["services", name, "pins", tenant]);
            checker
                .warning(&path, format!("`{tenant}` never takes part: its pin comes first"))
                .help("take it out here, or take the pin away")
                .related(pin, "the pin");
        }
    }
    if rollout.tenants.as_ref().is_some_and(Vec::is_empty) {
        checker
            .error(&at(&["tenants"]), "a rollout that nobody takes part in")
            .help("name its tenants, or leave `tenants` out: then the default tenant takes part");
    }
    if let Some(salt) = &rollout.salt
        && !is_name(salt)
    {
        checker
            .error(&at(&["salt"]), format!("`{salt}` cannot be a salt"))
            .help(format!("a salt has {NAME_RULE}"));
    }
    steps(checker, name, rollout);
}

fn steps(checker: &mut Checker<'_>, name: &str, rollout: &Rollout) {
    let mut last = 0.0;
    for (index, step) in rollout.steps.iter().enumerate() {
        let path = ["services", name, "rollout", "steps", &index.to_string()];
        if crate::document::model::Share::Percent(*step).buckets().is_none_or(|buckets| buckets == 0) {
            checker
                .error(&path, format!("{step} is no step"))
                .help("write percent above 0 and up to 100, with up to two decimals");
        } else if *step <= last {
            checker
                .error(&path, format!("step {step} comes after {last}"))
                .help("let every step be larger than the one before");
        }
        last = *step;
    }
    if let Some(hold) = &rollout.hold
        && duration::parse(hold).is_none()
    {
        checker
            .error(&["services", name, "rollout", "hold"], format!("`{hold}` is no duration"))
            .help(duration::EXAMPLES);
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
                .error_at_key(&["services", name], format!("`{other}` and `{name}` are the same host"))
                .help("make them one service, or give each the `port` that is meant")
                .related(first, "the other one");
        }
        others.push((name, service.port));
    }
}
