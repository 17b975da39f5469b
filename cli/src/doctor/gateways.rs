//! Ingress gateways: whoever comes in where no filter runs can name any tenant.

use super::{Cluster, NO_PODS, PASS_PODS, Row, State, labels, selects, some, versions};
use crate::adopt::unlisted;
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
    let mut rows = match mesh {
        Some(mesh) => named(cluster, &pods, mesh),
        None => vec![unnamed(&pods)],
    };
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

const SUBJECT: &str = "ingress";

fn titles(pods: &[&Resource]) -> String {
    some(&pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect::<Vec<_>>())
}

/// What to write where there is no file.
fn unnamed(pods: &[&Resource]) -> Row {
    let [first, ..] = pods else { return Row::new(State::Unknown, SUBJECT, "no gateway pod was found") };
    let label = labels(&first.whole["metadata"]["labels"]).find(|(key, _)| *key == "istio");
    let (key, value) = label.unwrap_or(("istio", "ingressgateway"));
    Row::new(State::Ok, SUBJECT, titles(pods)).next(format!(
        "name it in the file: edge: {{gateway: {{namespace: {}, selector: {{{key}: {value}}}}}}}",
        first.namespace
    ))
}

/// The gateways of the file, and the pods of others.
fn named(cluster: &Cluster<'_>, pods: &[&Resource], mesh: &Mesh) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut owners: Vec<(&Resource, String)> = Vec::new();
    for (ingress, gateway) in mesh.gateways() {
        let selector = || gateway.selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let own = pods.iter().filter(|pod| pod.namespace == gateway.namespace && selects(selector(), pod));
        let own: Vec<&Resource> = own.copied().collect();
        let path = ingress.place(&[]).join(".");
        if own.is_empty() {
            let wanted =
                selector().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
            let text =
                format!("no pod in {} has the labels of `{path}.selector`: {wanted}", gateway.namespace);
            rows.push(Row::new(State::Error, SUBJECT, text).next(format!(
                "correct `{path}` in the file; gateway pods that were found: {}",
                if pods.is_empty() { "none".to_owned() } else { titles(pods) }
            )));
        }
        for pod in own {
            if let Some((_, other)) = owners.iter().find(|(one, _)| std::ptr::eq(*one, pod)) {
                let text = format!(
                    "{} has the labels of `{other}` and of `{path}`: it would run both plugins, and decide each request twice",
                    titles(&[pod])
                );
                let next = "add a label to one `selector` that only the pods of that gateway have";
                rows.push(Row::new(State::Error, SUBJECT, text).next(next));
            }
            owners.push((pod, path.clone()));
        }
    }
    let is_own = |pod: &&Resource| owners.iter().any(|(own, _)| std::ptr::eq(*own, *pod));
    let others: Vec<&Resource> = pods.iter().filter(|pod| !is_own(pod)).copied().collect();
    let (reach, unlisted) = unlisted(cluster, mesh, &others);
    rows.extend(unlisted);
    let rest: Vec<&Resource> =
        others.into_iter().filter(|pod| !reach.iter().any(|one| std::ptr::eq(*one, *pod))).collect();
    // Without a pod of its own the file is to be corrected first: these may be the ones that it means.
    if !rest.is_empty() && (rows.is_empty() || !owners.is_empty()) {
        rows.push(unnamed_by(mesh, &rest));
    }
    if rows.is_empty() {
        let own: Vec<&Resource> = owners.iter().map(|(pod, _)| *pod).collect();
        let text = if own.is_empty() { "none, and the file names none".to_owned() } else { titles(&own) };
        rows.push(Row::new(State::Ok, SUBJECT, text));
    }
    rows
}

/// Pods that no gateway of the file selects, and that no route was found for.
fn unnamed_by(mesh: &Mesh, pods: &[&Resource]) -> Row {
    let paths: Vec<String> =
        mesh.gateways().map(|(ingress, _)| format!("`{}`", ingress.place(&[]).join("."))).collect();
    let pods = titles(pods);
    let (text, next) = match &paths[..] {
        [] => (
            format!("the file names no gateway, and there is {pods}: callers there can name any tenant"),
            "add `edge.gateway` to the file",
        ),
        [only] => (
            format!("{only} does not select {pods}: callers there can name any tenant"),
            "let its routes remove the tenant header, or list both gateways in `edge.gateways`",
        ),
        _ => (
            format!("none of {} selects {pods}: callers there can name any tenant", paths.join(", ")),
            "let its routes remove the tenant header, or list it in `edge.gateways`",
        ),
    };
    Row::new(State::Warning, SUBJECT, text).next(next)
}

/// Gateways from which routes lead to services of the mesh: those of these pods that serve them, and what to say of each.
fn unlisted<'r>(cluster: &Cluster<'_>, mesh: &Mesh, pods: &[&'r Resource]) -> (Vec<&'r Resource>, Vec<Row>) {
    let whole: Vec<_> = cluster.resources.iter().map(|resource| &resource.whole).collect();
    let mut reach = Vec::new();
    let mut rows = Vec::new();
    for one in unlisted::gateways(mesh, &whole) {
        let selector = || one.selector.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        reach.extend(pods.iter().filter(|pod| selects(selector(), pod)).copied());
        rows.push(Row::new(State::Error, SUBJECT, one.text).next(one.help));
    }
    (reach, rows)
}
