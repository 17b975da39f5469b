//! What no resource can carry: fields of the mesh's own configuration.

use std::collections::BTreeMap;

use graylane_decide::metrics::TAGS;
use graylane_decide::names::filter_state;
use serde::Serialize;

use crate::mesh::Mesh;
use crate::native;

/// Istio's own format of access logs (pilot/pkg/model/telemetry_logging.go, `EnvoyTextLogFormat`), to which ours is
/// appended.
const ISTIOS_FORMAT: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%"#;

/// What [`ISTIOS_FORMAT`] lacks by which the calls of one request are found and put in order: ids that applications forward
/// instead of the request id, and the pod, by a variable that Istio's injection sets. Callers write the ids, so they stand before what
/// the filter decided: of two fields with one name the last one counts.
const JOINED_BY: &str = "traceparent=%REQ(TRACEPARENT)% b3=%REQ(X-B3-TRACEID)% pod=%ENVIRONMENT(POD_NAME)%";

/// The format of access logs that `graylane trace` reads, a line.
#[must_use]
pub fn access_log_format() -> String {
    let state = |name: &str| format!("{name}=%FILTER_STATE({}:PLAIN)%", filter_state(name));
    let ours = ["tenant", "subset", "source"].map(state).join(" ");
    format!("{ISTIOS_FORMAT} {JOINED_BY} {ours}\n")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    mesh_config: MeshConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MeshConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    access_log_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_config: Option<DefaultConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DefaultConfig {
    extra_stat_tags: Vec<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    runtime_values: BTreeMap<&'static str, &'static str>,
}

/// The fields of the mesh's configuration, as values of Istio's Helm chart or as part of an IstioOperator. `has_native`: some
/// pods run the native module.
#[must_use]
pub fn mesh_config(mesh: &Mesh, has_native: bool) -> String {
    let telemetry = &mesh.document.telemetry;
    let runtime_values = has_native.then_some((native::STRIP, "true")).into_iter().collect();
    let values = Values {
        mesh_config: MeshConfig {
            access_log_format: telemetry.tracing.then(access_log_format),
            default_config: telemetry
                .metrics
                .then(|| DefaultConfig { extra_stat_tags: TAGS.to_vec(), runtime_values }),
        },
    };
    let later = if has_native { "extraStatTags and runtimeValues" } else { "extraStatTags" };
    format!(
        "# accessLogFormat takes effect at once; {later} when a pod restarts.\n{}",
        crate::serialise::yaml(&values)
    )
}
