//! Pods without a sidecar: their requests pass no filter.

use std::collections::BTreeSet;

use super::{Cluster, NO_PODS, PASS_PODS, Row, State, some, versions};
use crate::manifest::Resource;

/// Namespaces whose pods get sidecars, by label or because some have.
pub(super) fn injected(resources: &[Resource]) -> BTreeSet<String> {
    let labelled = |namespace: &&Resource| {
        let labels = &namespace.whole["metadata"]["labels"];
        labels["istio-injection"] == "enabled" || labels["istio.io/rev"].is_string()
    };
    let named = resources.iter().filter(|resource| resource.kind == "Namespace").filter(labelled);
    let pods = resources.iter().filter(|resource| resource.kind == "Pod");
    let with_sidecar = pods.filter(|pod| versions::has_proxy(pod) && !super::gateways::is_gateway(pod));
    named
        .map(|namespace| namespace.name.clone())
        .chain(with_sidecar.map(|pod| pod.namespace.clone()))
        .collect()
}

pub(super) fn row(cluster: &Cluster<'_>) -> Row {
    const SUBJECT: &str = "sidecars";
    if cluster.of_kind("Pod").next().is_none() {
        return Row::new(State::Unknown, SUBJECT, NO_PODS).next(PASS_PODS);
    }
    let namespaces = || cluster.namespaces.iter().cloned().collect::<Vec<_>>();
    let ambient: Vec<String> = cluster
        .of_kind("Namespace")
        .filter(|namespace| cluster.namespaces.contains(&namespace.name))
        .filter(|namespace| namespace.whole["metadata"]["labels"]["istio.io/dataplane-mode"] == "ambient")
        .map(|namespace| namespace.name.clone())
        .collect();
    let own = || cluster.pods().filter(|pod| cluster.namespaces.contains(&pod.namespace));
    let without: Vec<String> = own()
        .filter(|pod| {
            !versions::has_proxy(pod) && pod.spec["hostNetwork"] != true && !ambient.contains(&pod.namespace)
        })
        .map(|pod| format!("{}/{}", pod.namespace, pod.name))
        .collect();
    let count = own().count();
    if cluster.namespaces.is_empty() {
        return Row::new(State::Warning, SUBJECT, "no namespace has injection, and no pod has a sidecar")
            .next("kubectl label namespace NAME istio-injection=enabled, and restart its pods; without sidecars: docs/ambient.md");
    }
    if count == 0 {
        return Row::new(State::Warning, SUBJECT, format!("no pod in {}", some(&namespaces())))
            .next("check `mesh.namespaces` and the services' namespaces in the file");
    }
    if !without.is_empty() {
        let text = format!("{} of {count} pods have none: {}", without.len(), some(&without));
        return Row::new(State::Warning, SUBJECT, text)
            .next("label their namespace istio-injection=enabled and restart the pods; until then no lost header is restored there");
    }
    if !ambient.is_empty() {
        return Row::new(
            State::Ok,
            SUBJECT,
            format!("{} ambient: the filter runs in waypoints", some(&ambient)),
        )
        .next("render with --data-plane ambient");
    }
    Row::new(State::Ok, SUBJECT, format!("all {count} pods in {} have one", some(&namespaces())))
}
