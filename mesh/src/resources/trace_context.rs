//! An EnvoyFilter that takes trace headers off what comes in from outside, before the gateway's own tracing reads them.
//!
//! Envoy starts its span before HTTP filters run and injects it upstream in the router, so a filter that removes the headers
//! comes too late: the outside caller's trace id would be back. Early header mutations run before the span starts
//! (`ConnectionManagerImpl::ActiveStream::decodeHeaders` in source/common/http/conn_manager_impl.cc).

use graylane_decide::config::IdKind;
use serde_json::{Value as Json, json};

use super::{Kind, Resource, Stage, attached};
use crate::document::model::{Gateway, TraceContext};
use crate::mesh::{Ingress, Mesh};

const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";
const TYPE: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// What tracers of Envoy continue a trace from, with the id that a file may name for it.
const TRACE_HEADERS: [(IdKind, &[&str]); 4] = [
    (IdKind::W3c, &["traceparent", "tracestate"]),
    (IdKind::B3, &["b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"]),
    (
        IdKind::Datadog,
        &[
            "x-datadog-trace-id",
            "x-datadog-parent-id",
            "x-datadog-sampling-priority",
            "x-datadog-origin",
            "x-datadog-tags",
        ],
    ),
    (IdKind::Skywalking, &["sw8"]),
];

/// One for each gateway where trace ids of callers outside do not count.
pub fn all(mesh: &Mesh) -> Vec<Resource> {
    let restarts =
        |(ingress, _): &(Ingress<'_>, &Gateway)| ingress.trace_context() == Some(TraceContext::Restart);
    mesh.gateways().filter(restarts).map(|(ingress, gateway)| resource(mesh, &ingress, gateway)).collect()
}

fn resource(mesh: &Mesh, ingress: &Ingress<'_>, gateway: &Gateway) -> Resource {
    let mut spec = attached::patch(gateway);
    let filter = json!({"name": CONNECTION_MANAGER});
    let patch = json!({
        "applyTo": "NETWORK_FILTER",
        "match": {"context": "GATEWAY", "listener": {"filterChain": {"filter": filter}}},
        "patch": {"operation": "MERGE", "value": {"typed_config": {"@type": TYPE, "early_header_mutation_extensions": [mutation(mesh)]}}},
    });
    spec.insert("configPatches".to_owned(), json!([patch]));
    let spec = super::Spec::Fields(spec);
    let name = format!("{}-trace", ingress.resource());
    Resource::new(mesh, Kind::EnvoyFilter, Stage::Gateway, &gateway.namespace, &name, spec)
}

/// The extension of Envoy's connection manager that removes them.
#[must_use]
pub fn mutation(mesh: &Mesh) -> Json {
    let is_kept = |kind: IdKind| mesh.document.policy.ids.iter().any(|id| id.kind == kind && id.keep);
    let headers = TRACE_HEADERS.iter().filter(|(kind, _)| !is_kept(*kind)).flat_map(|(_, headers)| *headers);
    let mutations: Vec<Json> = headers.map(|header| json!({"remove": header})).collect();
    json!({
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": mutations,
        },
    })
}
