//! A first graylane file, from Services and from what makes their pods.

use std::collections::{BTreeMap, BTreeSet};

use graylane_decide::names::TENANT_LABEL;
use graylane_decide::naming::is_name;
use serde_json::Value as Json;

use super::Choices;
use super::file::{EdgeOut, File, GatewayOut, MeshOut, ServiceOut, TenantOut};
use super::ports::{self, Speaks};
use super::read::Resource;
use super::versions::{self, Labels, Workload};
use crate::adopt::headless;
use crate::traffic::group_is_istio;

/// The tenant that tries new versions, where nothing names one.
const GRAY: &str = "gray-v1";

/// Workloads by namespace and one label.
type Index<'a> = BTreeMap<(&'a str, &'a str, &'a str), Vec<usize>>;

/// The file, and what only a person can know.
#[must_use]
pub fn init(found: &[Resource], choices: &Choices) -> (File, Vec<String>) {
    let mut notes = Vec::new();
    // The same object often stands in several files.
    let mut known = BTreeSet::new();
    let found: Vec<&Resource> = found
        .iter()
        .filter(|resource| {
            known.insert((&resource.kind, &resource.namespace, &resource.name, is_core(resource)))
        })
        .collect();
    let workloads: Vec<Workload<'_>> =
        found.iter().filter_map(|resource| workload(resource, &mut notes)).collect();
    let services: Vec<&Resource> = found.iter().copied().filter(|resource| is_service(resource)).collect();
    let namespace = most(services.iter().map(|service| service.namespace.as_str()));
    let index = index(&workloads);
    let mut init =
        Init { notes, tenants: tenants(&workloads, choices), all: BTreeMap::new(), gateway: gateway(&found) };
    let mut selected = BTreeSet::new();
    for service in services {
        let selector = labels(&service.spec["selector"]);
        let own = selected_by(&selector, service, &workloads, &index);
        selected.extend(own.iter().copied());
        let own: Vec<&Workload<'_>> = own.into_iter().map(|place| &workloads[place]).collect();
        init.service(service, &selector, &own, &namespace);
    }
    for (place, workload) in workloads.iter().enumerate() {
        if !selected.contains(&place) && workload.resource.kind != "Job" {
            init.notes.push(format!(
                "{}: no Service selects it; if it consumes topics, add it to `workers` with them",
                workload.resource.title()
            ));
        }
    }
    init.file(choices, namespace)
}

struct Init<'a> {
    notes: Vec<String>,
    tenants: BTreeSet<String>,
    all: BTreeMap<String, ServiceOut>,
    gateway: Option<Gateway<'a>>,
}

struct Gateway<'a> {
    resource: &'a Resource,
    selector: Labels,
}

impl Init<'_> {
    fn service(&mut self, service: &Resource, selector: &Labels, own: &[&Workload<'_>], namespace: &str) {
        let title = service.title();
        if headless::is_headless(&service.whole) {
            self.notes.push(format!(
                "{title}: it is headless, so callers pick the pod and no route can choose a version; left out"
            ));
            return;
        }
        if own.is_empty() {
            self.notes.push(format!("{title}: it selects no workload; left out"));
            return;
        }
        if own.iter().all(|workload| is_gateway(workload)) {
            self.notes.push(format!("{title}: an ingress gateway, which is not a service of the file"));
            return;
        }
        let ports: Vec<&Json> = service.spec["ports"].as_array().into_iter().flatten().collect();
        if !ports.is_empty() && ports.iter().all(|port| ports::speaks(port) == Speaks::Other) {
            let list: Vec<String> = ports.iter().map(|port| ports::title(port)).collect();
            self.notes.push(format!(
                "{title}: port {} is not HTTP, so routes have no effect on it; left out",
                list.join(", ")
            ));
            return;
        }
        let mut out = ServiceOut { port: port(&title, &ports, &mut self.notes), ..ServiceOut::default() };
        if service.namespace != namespace {
            out.namespace = Some(service.namespace.clone());
        }
        versions::subsets(&mut out, service, own, selector, &self.tenants, &mut self.notes);
        let name = if self.all.contains_key(&service.name) {
            out.host = Some(service.name.clone());
            format!("{}-{}", service.name, service.namespace)
        } else {
            service.name.clone()
        };
        self.all.insert(name, out);
    }

    fn file(self, choices: &Choices, namespace: String) -> (File, Vec<String>) {
        let Self { mut notes, tenants, all, gateway } = self;
        let default = TenantOut { default: Some(true) };
        let tenants = tenants.into_iter().map(|name| (name, TenantOut::default()));
        if let Some(gateway) = &gateway {
            notes.push(format!(
                "{}: its pods are assumed to be in istio-system (if not, add `edge.gateway.namespace`); add `expose: {{hosts: […]}}` to what it exposes",
                gateway.resource.title()
            ));
        }
        let edge = gateway.map(|gateway| EdgeOut {
            gateway: GatewayOut {
                selector: Some(gateway.selector),
                name: format!("{}/{}", gateway.resource.namespace, gateway.resource.name),
            },
            rules: Vec::new(),
            jwt: None,
        });
        let file = File {
            version: 1,
            mesh: MeshOut {
                name: choices.mesh.clone().unwrap_or_else(|| namespace.clone()),
                namespace,
                routes: None,
            },
            header: choices.header.clone(),
            tenants: tenants.chain([(choices.default_tenant.clone(), default)]).collect(),
            policy: None,
            edge,
            services: all,
        };
        (file, notes)
    }
}

/// Is it of an API that is Kubernetes' own? Others have kinds of the same name.
fn is_core(resource: &Resource) -> bool {
    resource.whole["apiVersion"].as_str().is_none_or(|version| version == "v1")
}

fn is_service(resource: &Resource) -> bool {
    // What has no selector has endpoints of its own making, as the API server itself.
    resource.kind == "Service"
        && is_core(resource)
        && resource.spec["selector"].as_object().is_some_and(|labels| !labels.is_empty())
}

/// Objects with a pod template and without an owner.
fn workload<'a>(resource: &'a Resource, notes: &mut Vec<String>) -> Option<Workload<'a>> {
    let owned =
        resource.whole["metadata"]["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    if owned {
        return None;
    }
    if resource.kind == "Rollout" && resource.spec.get("workloadRef").is_some() {
        let of = resource.spec["workloadRef"]["name"].as_str().unwrap_or_default();
        notes.push(format!("{}: its pods are those of {of}", resource.title()));
        return None;
    }
    let labels = labels(&resource.spec["template"]["metadata"]["labels"]);
    let replicas = resource.spec["replicas"].as_u64().unwrap_or(1);
    (!labels.is_empty()).then_some(Workload { resource, labels, replicas })
}

fn is_gateway(workload: &Workload<'_>) -> bool {
    let is = |key: &str, value: &str| workload.labels.get(key).is_some_and(|is| is == value);
    is("istio", "ingressgateway")
        || is("istio", "egressgateway")
        || is("service.istio.io/canonical-name", "istio-ingressgateway")
}

/// The Gateway of Istio, if there is one and no more.
fn gateway<'a>(found: &[&'a Resource]) -> Option<Gateway<'a>> {
    let mut all =
        found.iter().filter(|resource| resource.kind == "Gateway" && group_is_istio(&resource.whole));
    let (Some(resource), None) = (all.next(), all.next()) else { return None };
    Some(Gateway { resource, selector: labels(&resource.spec["selector"]) })
}

fn tenants(workloads: &[Workload<'_>], choices: &Choices) -> BTreeSet<String> {
    let named = workloads.iter().filter_map(|workload| workload.labels.get(TENANT_LABEL).cloned());
    let mut tenants: BTreeSet<String> = named.collect();
    tenants.retain(|tenant| is_name(tenant) && *tenant != choices.default_tenant);
    if tenants.is_empty() {
        tenants.insert(GRAY.to_owned());
    }
    tenants
}

fn labels(json: &Json) -> Labels {
    let pairs = json.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn index<'a>(workloads: &'a [Workload<'_>]) -> Index<'a> {
    let mut index = Index::new();
    for (place, workload) in workloads.iter().enumerate() {
        for (key, value) in &workload.labels {
            index.entry((&workload.resource.namespace, key, value)).or_default().push(place);
        }
    }
    index
}

/// Workloads whose pods have all labels of a selector: of those with its rarest one.
fn selected_by(
    selector: &Labels,
    service: &Resource,
    workloads: &[Workload<'_>],
    index: &Index<'_>,
) -> Vec<usize> {
    let mut rarest: Option<&Vec<usize>> = None;
    for (key, value) in selector {
        let Some(places) = index.get(&(service.namespace.as_str(), key.as_str(), value.as_str())) else {
            return Vec::new();
        };
        if rarest.is_none_or(|known| places.len() < known.len()) {
            rarest = Some(places);
        }
    }
    let fits = |place: &&usize| {
        selector.iter().all(|(key, value)| workloads[**place].labels.get(key) == Some(value))
    };
    rarest.into_iter().flatten().filter(fits).copied().collect()
}

fn most<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let most = counts.into_iter().max_by(|(a, n), (b, m)| n.cmp(m).then(b.cmp(a)));
    most.map_or("default", |(name, _)| name).to_owned()
}

/// The port that speaks HTTP: the only one that says so, or the only one that does not say otherwise.
fn port(title: &str, ports: &[&Json], notes: &mut Vec<String>) -> Option<u16> {
    let speaking = |wanted: Speaks| ports.iter().copied().filter(move |port| ports::speaks(port) == wanted);
    let (http, unknown): (Vec<&Json>, Vec<&Json>) =
        (speaking(Speaks::Http).collect(), speaking(Speaks::Unknown).collect());
    let chosen = match (&http[..], &unknown[..]) {
        ([only], _) | ([], [only]) => Some(*only),
        ([], []) => None,
        _ => {
            notes.push(format!("{title}: several ports, so none is named; add `port:` if one is meant"));
            None
        }
    };
    chosen?["port"].as_u64().and_then(|port| port.try_into().ok()).filter(|port| *port > 0)
}
