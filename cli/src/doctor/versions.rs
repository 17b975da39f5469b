//! istiod, proxies, and the APIs that the cluster has.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Cluster, NO_PODS, PASS_PODS, Row, State};
use crate::istio::{MINORS as ISTIO, TRAFFIC_EXTENSION_SINCE};
use crate::manifest::Resource;

/// Custom resources that graylane renders, with their group.
const NEEDED: [&str; 4] = [
    "virtualservices.networking.istio.io",
    "destinationrules.networking.istio.io",
    "telemetries.telemetry.istio.io",
    "wasmplugins.extensions.istio.io",
];

pub(super) fn rows(cluster: &Cluster<'_>) -> Vec<Row> {
    let istiod: Vec<&Resource> =
        cluster.pods().filter(|pod| pod.whole["metadata"]["labels"]["app"] == "istiod").collect();
    let newest = istiod.iter().filter_map(|pod| version(&pod.spec, "discovery")).max();
    vec![control_plane(&istiod, newest), proxies(cluster, newest), apis(cluster, newest)]
}

fn control_plane(istiod: &[&Resource], newest: Option<(u32, u32)>) -> Row {
    const SUBJECT: &str = "istiod";
    let Some(first) = istiod.first() else {
        return Row::new(State::Unknown, SUBJECT, "no pod with the label app=istiod").next(PASS_PODS);
    };
    let namespace = &first.namespace;
    match newest {
        None => {
            Row::new(State::Unknown, SUBJECT, format!("in {namespace}; its image has no version in its tag"))
        }
        Some((1, minor)) if ISTIO.contains(&minor) => {
            Row::new(State::Ok, SUBJECT, format!("1.{minor}, in {namespace}"))
        }
        Some((major, minor)) => Row::new(
            State::Error,
            SUBJECT,
            format!("{major}.{minor}, in {namespace}; expected 1.{} to 1.{}", ISTIO.start(), ISTIO.end()),
        )
        .next("upgrade Istio, or take a graylane that supports it: docs/support.md"),
    }
}

fn proxies(cluster: &Cluster<'_>, istiod: Option<(u32, u32)>) -> Row {
    const SUBJECT: &str = "proxies";
    let mut found: BTreeMap<Option<(u32, u32)>, usize> = BTreeMap::new();
    for pod in cluster.pods().filter(|pod| has_proxy(pod)) {
        *found.entry(version(&pod.spec, PROXY)).or_default() += 1;
    }
    if cluster.of_kind("Pod").next().is_none() {
        return Row::new(State::Unknown, SUBJECT, NO_PODS).next(PASS_PODS);
    }
    if found.is_empty() {
        return Row::new(State::Warning, SUBJECT, "no pod has a sidecar or is a gateway").next(
            "inject sidecars: kubectl label namespace NAME istio-injection=enabled, and restart its pods",
        );
    }
    let list = found.iter().map(|(version, count)| match version {
        Some((major, minor)) => format!("{count} with {major}.{minor}"),
        None => format!("{count} with an unknown version"),
    });
    let text = list.collect::<Vec<_>>().join(", ");
    let known = || found.keys().flatten();
    if known().any(|(major, minor)| *major != 1 || !ISTIO.contains(minor)) {
        return Row::new(
            State::Error,
            SUBJECT,
            format!("{text}; expected 1.{} to 1.{}", ISTIO.start(), ISTIO.end()),
        )
        .next("restart the pods with old proxies: kubectl rollout restart deployment -n NAMESPACE");
    }
    // Istio supports proxies that are two minor versions behind istiod.
    let behind = istiod.is_some_and(|(_, new)| known().any(|(_, minor)| minor + 2 < new));
    if behind {
        return Row::new(State::Warning, SUBJECT, format!("{text}; more than two versions behind istiod"))
            .next("restart the pods with old proxies: kubectl rollout restart deployment -n NAMESPACE");
    }
    Row::new(State::Ok, SUBJECT, text)
}

fn apis(cluster: &Cluster<'_>, istiod: Option<(u32, u32)>) -> Row {
    const SUBJECT: &str = "APIs";
    let names: Vec<&str> = cluster.of_kind("CustomResourceDefinition").map(|crd| crd.name.as_str()).collect();
    if names.is_empty() {
        return Row::new(State::Unknown, SUBJECT, "no custom resource definition was passed")
            .next("pass them: kubectl get crd -o yaml");
    }
    let missing: Vec<&str> = NEEDED.into_iter().filter(|name| !names.contains(name)).collect();
    if !missing.is_empty() {
        return Row::new(State::Error, SUBJECT, format!("missing: {}", missing.join(", ")))
            .next("install Istio's base chart in istiod's version");
    }
    let old: Vec<&str> = cluster
        .of_kind("CustomResourceDefinition")
        .filter(|crd| crd.name == "telemetries.telemetry.istio.io" && !serves(crd, "v1"))
        .map(|crd| crd.name.as_str())
        .collect();
    if !old.is_empty() {
        return Row::new(State::Error, SUBJECT, format!("{} without version v1", old.join(", ")))
            .next("upgrade Istio's custom resource definitions (its base chart)");
    }
    let extension = names.contains(&"trafficextensions.extensions.istio.io");
    let kind = match istiod {
        Some((1, minor)) if minor >= TRAFFIC_EXTENSION_SINCE && extension => "TrafficExtension or WasmPlugin",
        _ => "WasmPlugin",
    };
    Row::new(State::Ok, SUBJECT, format!("VirtualService, DestinationRule, Telemetry; plugins as {kind}"))
}

fn serves(crd: &Resource, version: &str) -> bool {
    crd.spec["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|one| one["name"] == version && one["served"] != false)
}

/// Name of a proxy's container; a native sidecar is an init container.
const PROXY: &str = "istio-proxy";

pub(super) fn has_proxy(pod: &Resource) -> bool {
    container(&pod.spec, PROXY).is_some()
}

pub(super) fn container<'j>(spec: &'j Json, name: &str) -> Option<&'j Json> {
    ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| spec[list].as_array().into_iter().flatten())
        .find(|container| container["name"] == name)
}

pub(super) fn proxy(pod: &Resource) -> Option<&Json> {
    container(&pod.spec, PROXY)
}

/// Major and minor version of a container, from the tag of its image.
fn version(spec: &Json, name: &str) -> Option<(u32, u32)> {
    let image = container(spec, name)?["image"].as_str()?;
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let (_, tag) = image.rsplit_once(':')?;
    let mut numbers = tag.trim_start_matches('v').split(['.', '-']).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_version_is_read_of_a_tag() {
        let of =
            |image: &str| version(&json!({"containers": [{"name": "istio-proxy", "image": image}]}), PROXY);
        assert_eq!(of("docker.io/istio/proxyv2:1.31.0-distroless"), Some((1, 31)));
        assert_eq!(of("registry.example:5000/proxyv2:v1.28.2@sha256:00"), Some((1, 28)));
        for unknown in
            ["proxyv2", "registry.example:5000/proxyv2", "proxyv2@sha256:00", "proxyv2:latest", "proxyv2:1"]
        {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }
}
