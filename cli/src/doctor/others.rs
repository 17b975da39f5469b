//! Objects that other people made for the same hosts and namespaces, and graylane's own.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Cluster, Row, State, some};
use crate::adopt::{gateway_api, other_files};
use crate::manifest::Resource;
use crate::mesh::Mesh;
use crate::resources::{self, Options, is_for_all_pods, is_ours};
use crate::traffic;

pub(super) fn rows(cluster: &Cluster<'_>, mesh: Option<&Mesh>) -> Vec<Row> {
    let mut rows = vec![telemetry(cluster)];
    rows.extend(mesh.map(|mesh| routes(cluster, mesh)));
    rows.extend(mesh.and_then(|mesh| other_files(cluster, mesh)));
    rows.extend(mesh.and_then(|mesh| of_gateway_api(cluster, mesh)));
    rows.push(installed(cluster));
    rows
}

/// Istio uses only the oldest Telemetry of a namespace among those without a selector.
fn telemetry(cluster: &Cluster<'_>) -> Row {
    const SUBJECT: &str = "Telemetry";
    let wins: Vec<String> = cluster
        .of_kind("Telemetry")
        .filter(|existing| cluster.namespaces.contains(&existing.namespace) && !is_ours(&existing.whole))
        .filter(|existing| is_for_all_pods(existing))
        .map(|existing| format!("{}/{}", existing.namespace, existing.name))
        .collect();
    if wins.is_empty() {
        return Row::new(State::Ok, SUBJECT, "no other object is for all pods of these namespaces");
    }
    Row::new(State::Warning, SUBJECT, format!("Istio would use {} instead of graylane's", some(&wins)))
        .next("kubectl get telemetry -A -o yaml | graylane render --merge-telemetry - …")
}

/// Routes of the same hosts.
fn routes(cluster: &Cluster<'_>, mesh: &Mesh) -> Row {
    const SUBJECT: &str = "routes";
    let whole: Vec<&Json> = cluster.resources.iter().map(|resource| &resource.whole).collect();
    let options = Options { without_filter: true, ..Options::default() };
    let rendered: Vec<Json> =
        resources::resources(mesh, &options).iter().map(resources::Resource::json).collect();
    let rivals: BTreeSet<String> = traffic::rivals(&whole, &rendered)
        .iter()
        .filter_map(|rival| cluster.resources.get(rival.resource))
        .map(|resource| format!("{} {}/{}", resource.kind, resource.namespace, resource.name))
        .collect();
    if rivals.is_empty() {
        return Row::new(State::Ok, SUBJECT, "no other object routes the hosts that graylane would route");
    }
    let rivals: Vec<String> = rivals.into_iter().collect();
    Row::new(State::Warning, SUBJECT, format!("of the same hosts: {}", some(&rivals)))
        .next("`graylane check --against` says what each one means; `routing: external` keeps them, `graylane import` replaces them")
}

/// Objects of another file of graylane's for the same pods or routes: the first of them, and how to see the others.
fn other_files(cluster: &Cluster<'_>, mesh: &Mesh) -> Option<Row> {
    let whole: Vec<&Json> = cluster.resources.iter().map(|resource| &resource.whole).collect();
    let claim = other_files::claims(mesh, &whole).into_iter().next()?;
    Some(first("other files", claim.text, &claim.help))
}

/// The first of several errors.
fn first(subject: &'static str, text: String, help: &str) -> Row {
    Row::new(State::Error, subject, text).next(format!("{help}; `graylane check --against` names each"))
}

/// What routes of the Gateway API need and the cluster does not have: the first of it.
fn of_gateway_api(cluster: &Cluster<'_>, mesh: &Mesh) -> Option<Row> {
    let whole: Vec<&Json> = cluster.resources.iter().map(|resource| &resource.whole).collect();
    let misfit = gateway_api::misfits(mesh, &whole).into_iter().next()?;
    Some(first("Gateway API", misfit.text, &misfit.help))
}

/// Plugins that are there, and of which version.
fn installed(cluster: &Cluster<'_>) -> Row {
    const SUBJECT: &str = "graylane";
    let plugins: Vec<&Resource> = cluster
        .of_kind("WasmPlugin")
        .chain(cluster.of_kind("TrafficExtension"))
        .filter(|plugin| is_ours(&plugin.whole))
        .collect();
    let version = |plugin: &&&Resource| {
        plugin.whole["metadata"]["annotations"]["graylane.dev/version"]
            .as_str()
            .unwrap_or("unknown")
            .to_owned()
    };
    let versions: Vec<String> =
        plugins.iter().map(|plugin| version(&plugin)).collect::<BTreeSet<_>>().into_iter().collect();
    match &versions[..] {
        [] => Row::new(State::Ok, SUBJECT, "not installed yet"),
        [one] => Row::new(State::Ok, SUBJECT, format!("{} plugins of version {one}", plugins.len())),
        many => Row::new(State::Warning, SUBJECT, format!("plugins of several versions: {}", some(many)))
            .next("update all of them: graylane render --image REF | kubectl apply -f -"),
    }
}
