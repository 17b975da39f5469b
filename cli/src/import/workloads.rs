//! A first graylane file, from Services and Deployments that exist.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::names::TENANT_LABEL;
use graylane_decide::plan::is_name;
use serde_json::Value as Json;

use super::Choices;
use super::file::{File, MeshOut, ServiceOut, TenantOut};
use super::read::Resource;

/// Labels that say which version a pod is, the first that all have counts.
const VERSION_LABELS: [&str; 3] = ["version", "app.kubernetes.io/version", "track"];
/// The tenant that tries new versions, where nothing names one.
const GRAY: &str = "gray-v1";

type Labels = BTreeMap<String, String>;

/// Pods that one Deployment or StatefulSet makes.
struct Workload<'a> {
    resource: &'a Resource,
    labels: Labels,
    replicas: u64,
}

/// The file, and what only a person can know.
#[must_use]
pub fn init(found: &[Resource], choices: &Choices) -> (File, Vec<String>) {
    let mut notes = Vec::new();
    let workloads: Vec<Workload<'_>> = found.iter().filter_map(workload).collect();
    let services: Vec<&Resource> = found.iter().filter(|resource| is_service(resource)).collect();
    let namespace = most(services.iter().map(|service| service.namespace.as_str()));
    let mut tenants: BTreeSet<String> =
        workloads.iter().filter_map(|workload| workload.labels.get(TENANT_LABEL).cloned()).collect();
    tenants.retain(|tenant| is_name(tenant) && *tenant != choices.default_tenant);
    if tenants.is_empty() {
        tenants.insert(GRAY.to_owned());
    }
    let mut selected: BTreeSet<String> = BTreeSet::new();
    let mut all = BTreeMap::new();
    for service in services {
        let selector = labels(&service.spec["selector"]);
        let own: Vec<&Workload<'_>> = workloads
            .iter()
            .filter(|workload| workload.resource.namespace == service.namespace)
            .filter(|workload| selector.iter().all(|(key, value)| workload.labels.get(key) == Some(value)))
            .collect();
        if own.is_empty() {
            notes.push(format!("{}: selects no Deployment or StatefulSet, left out", service.title()));
            continue;
        }
        selected.extend(own.iter().map(|workload| workload.resource.title()));
        let mut out = ServiceOut { port: port(service, &mut notes), ..ServiceOut::default() };
        if service.namespace != namespace {
            out.namespace = Some(service.namespace.clone());
        }
        subsets(&mut out, service, &own, &selector, &tenants, &mut notes);
        let name = if all.contains_key(&service.name) {
            out.host = Some(service.name.clone());
            format!("{}-{}", service.name, service.namespace)
        } else {
            service.name.clone()
        };
        all.insert(name, out);
    }
    let rest =
        workloads.iter().map(|workload| workload.resource.title()).filter(|title| !selected.contains(title));
    notes.extend(rest.map(|title| {
        format!("{title}: no Service selects it; if it consumes topics, add it to `workers` with them")
    }));
    let default = TenantOut { default: Some(true) };
    let tenants = tenants.into_iter().map(|name| (name, TenantOut::default()));
    let file = File {
        version: 1,
        mesh: MeshOut { name: choices.mesh.clone().unwrap_or_else(|| namespace.clone()), namespace },
        header: choices.header.clone(),
        tenants: tenants.chain([(choices.default_tenant.clone(), default)]).collect(),
        policy: None,
        edge: None,
        services: all,
    };
    (file, notes)
}

fn is_service(resource: &Resource) -> bool {
    // What has no selector has endpoints of its own making, as the API server itself.
    resource.kind == "Service"
        && resource.spec["selector"].as_object().is_some_and(|labels| !labels.is_empty())
}

fn workload(resource: &Resource) -> Option<Workload<'_>> {
    let is = ["Deployment", "StatefulSet"].contains(&&*resource.kind);
    let labels = labels(&resource.spec["template"]["metadata"]["labels"]);
    let replicas = resource.spec["replicas"].as_u64().unwrap_or(1);
    is.then_some(Workload { resource, labels, replicas })
}

fn labels(json: &Json) -> Labels {
    let pairs = json.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn most<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let most = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
    most.map_or("default", |(name, _)| name).to_owned()
}

/// The port that speaks HTTP: by its protocol, its name, or because it is the only one.
fn port(service: &Resource, notes: &mut Vec<String>) -> Option<u16> {
    let ports: Vec<&Json> = service.spec["ports"].as_array().into_iter().flatten().collect();
    let speaks_http = |port: &&Json| {
        let word = port["appProtocol"].as_str().or(port["name"].as_str()).unwrap_or_default();
        ["http", "grpc", "kubernetes.io/h2c"].iter().any(|start| word.starts_with(start))
    };
    let mut http = ports.iter().copied().filter(speaks_http);
    let chosen = match (http.next(), http.next(), &ports[..]) {
        (Some(only), None, _) => Some(only),
        (None, _, [only]) => Some(*only),
        (None, _, []) => None,
        _ => {
            notes.push(format!(
                "{}: several ports, so none is named; add `port:` if one is meant",
                service.title()
            ));
            None
        }
    };
    chosen?["port"].as_u64().and_then(|port| port.try_into().ok()).filter(|port| *port > 0)
}

/// Versions of a service: one subset for each value of the label that tells its pods apart.
fn subsets(
    out: &mut ServiceOut,
    service: &Resource,
    own: &[&Workload<'_>],
    selector: &Labels,
    tenants: &BTreeSet<String>,
    notes: &mut Vec<String>,
) {
    let told_by = |key: &&str| {
        !selector.contains_key(*key)
            && own.iter().all(|workload| workload.labels.get(*key).is_some_and(|value| is_name(value)))
    };
    let Some(key) = VERSION_LABELS.into_iter().find(told_by) else {
        if own.len() > 1 {
            notes.push(format!(
                "{}: {} Deployments and no label `{}` on all of their pods that tells them apart; label them to have subsets",
                service.title(),
                own.len(),
                VERSION_LABELS[0]
            ));
        }
        out.subsets.insert("stable".to_owned(), Labels::new());
        return;
    };
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for workload in own {
        *versions.entry(&workload.labels[key]).or_default() += workload.replicas;
    }
    // Most pods are live users'; of equally many the first version's.
    let baseline =
        versions.iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a))).map(|(version, _)| *version);
    let canaries = versions.len() - 1;
    for version in versions.keys() {
        let name = match (Some(*version) == baseline, canaries) {
            (true, _) => "stable".to_owned(),
            (false, 1) => "canary".to_owned(),
            (false, _) => format!("canary-{version}"),
        };
        out.subsets.insert(name, Labels::from([(key.to_owned(), (*version).to_owned())]));
    }
    if canaries > 0 {
        out.baseline = Some("stable".to_owned());
    }
    if canaries == 1 {
        out.pins = tenants.iter().map(|tenant| (tenant.clone(), "canary".to_owned())).collect();
    } else if canaries > 1 {
        notes.push(format!(
            "{}: {} versions; pin tenants to those that they try",
            service.title(),
            canaries + 1
        ));
    }
}
