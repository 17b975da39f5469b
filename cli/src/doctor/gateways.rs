//! Ingress gateways: whoever comes in where no filter runs can name any tenant.

use super::{Cluster, NO_PODS, PASS_PODS, Row, State, labels, selects, some, versions};
use crate::manifest::Resource;
use crate::mesh::Mesh;

/// Is a pod a gateway? Its proxy runs as `router`.
pub(super) fn is_gateway(pod: &Resource) -> bool {
    versions::proxy(pod).is_some_and(|proxy| {
        proxy["args"].as_array().into_iter().flatten().any(|argument| argument == "router")
    })
}

pub(super) fn rows(cluster: &Cluster<'_>, mesh: Option<&Mesh>) -> Vec<Row> {
    let pods: Vec<&Resource> = cluster.pods().filter(|pod| is_gateway(pod) && !is_egress(pod)).collect();
    if cluster.of_kind("Pod").next().is_none() {
        return vec![Row::new(State::Unknown, "ingress", NO_PODS).next(PASS_PODS)];
    }
    let mut rows = vec![named(&pods, mesh)];
    let unserved: Vec<String> = cluster
        .of_kind("Gateway")
        .filter(|gateway| gateway.spec["selector"].is_object())
        .filter(|gateway| !pods.iter().any(|pod| selects(labels(&gateway.spec["selector"]), pod)))
        .map(|gateway| format!("{}/{}", gateway.namespace, gateway.name))
        .collect();
    if !unserved.is_empty() && !pods.is_empty() {
        let text = format!("no ingress pod has the labels that these select: {}", some(&unserved));
        rows.push(
            Row::new(State::Warning, "gateways", text).next("correct `spec.selector` of these Gateways"),
        );
    }
    rows
}

/// Requests that leave the mesh are no way in.
fn is_egress(pod: &Resource) -> bool {
    pod.whole["metadata"]["labels"]["istio"] == "egressgateway"
}

fn named(pods: &[&Resource], mesh: Option<&Mesh>) -> Row {
    const SUBJECT: &str = "ingress";
    let titles = |pods: &[&Resource]| -> Vec<String> {
        pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
    };
    let Some(mesh) = mesh else {
        return match pods {
            [] => Row::new(State::Unknown, SUBJECT, "no gateway pod was found"),
            [first, ..] => {
                let label = labels(&first.whole["metadata"]["labels"]).find(|(key, _)| *key == "istio");
                let (key, value) = label.unwrap_or(("istio", "ingressgateway"));
                Row::new(State::Ok, SUBJECT, some(&titles(pods))).next(format!(
                    "name it in the file: edge: {{gateway: {{namespace: {}, selector: {{{key}: {value}}}}}}}",
                    first.namespace
                ))
            }
        };
    };
    let Some(gateway) = &mesh.document.edge.gateway else {
        return match pods {
            [] => Row::new(State::Ok, SUBJECT, "none, and the file names none"),
            pods => Row::new(
                State::Warning,
                SUBJECT,
                format!(
                    "the file names no gateway, and there is {}: callers there can name any tenant",
                    some(&titles(pods))
                ),
            )
            .next("add `edge.gateway` to the file"),
        };
    };
    let selector = || gateway.selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let (own, others): (Vec<&Resource>, Vec<&Resource>) =
        pods.iter().partition(|pod| pod.namespace == gateway.namespace && selects(selector(), pod));
    let wanted = selector().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    if own.is_empty() {
        let text =
            format!("no pod in {} has the labels of `edge.gateway.selector`: {wanted}", gateway.namespace);
        return Row::new(State::Error, SUBJECT, text).next(format!(
            "correct `edge.gateway` in the file; gateway pods that were found: {}",
            if pods.is_empty() { "none".to_owned() } else { some(&titles(pods)) }
        ));
    }
    if !others.is_empty() {
        let text = format!(
            "`edge.gateway` does not select {}: callers there can name any tenant",
            some(&titles(&others))
        );
        return Row::new(State::Warning, SUBJECT, text)
            .next("let its routes remove the tenant header, or give it a graylane file of its own");
    }
    Row::new(State::Ok, SUBJECT, some(&titles(&own)))
}
