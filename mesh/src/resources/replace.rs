//! Patches of an EnvoyFilter that put another filter in the place of a plugin's, for the pods that it selects.
//!
//! istiod applies patches one after the other to what it has built (`patchHTTPFilters` in
//! istio/pilot/pkg/networking/core/envoyfilter/listener_patch.go), so there is always exactly one of the two in a chain: where
//! the selector or the plugin's name does not fit, or another patch was there before, nothing is replaced.

use graylane_decide::Role;
use serde_json::{Value as Json, json};

/// What istiod names the filter of a plugin, before and behind `<namespace>.<name>`: of a TrafficExtension, of a WasmPlugin since
/// istiod makes one of it (`syntheticMarker` in pilot/pkg/config/kube/extensions/translate.go), and of a WasmPlugin before that.
pub const FILTERS: [(&str, &str); 3] = [
    ("extensions.istio.io/trafficextension/", ""),
    ("extensions.istio.io/trafficextension/", "~istio-translated-wasmplugin"),
    ("extensions.istio.io/wasmplugin/", ""),
];

const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// A filter whose configuration istiod hands over by its name; until it has come no request passes, as with a plugin.
pub fn discovered(own: &str, types: &[&str]) -> Json {
    json!({
        "name": own,
        "config_discovery": {
            "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
            "type_urls": types,
        },
    })
}

/// That configuration. `proxies`: versions of proxies, as a regular expression; none: any.
pub fn configuration(role: Role, own: &str, proxies: Option<&str>, filter: &Json) -> Json {
    json!({
        "applyTo": "EXTENSION_CONFIG",
        "match": matched(role, proxies),
        "patch": {"operation": "ADD", "value": {"name": own, "typed_config": filter}},
    })
}

/// What is done at the filter of a plugin.
pub fn patch(role: Role, plugin: &str, operation: &str, proxies: Option<&str>, value: &Json) -> Json {
    let filter = json!({"name": CONNECTION_MANAGER, "subFilter": {"name": plugin}});
    let mut matched = matched(role, proxies);
    matched["listener"] = json!({"filterChain": {"filter": filter}});
    json!({
        "applyTo": "HTTP_FILTER",
        "match": matched,
        "patch": {"operation": operation, "value": value},
    })
}

fn matched(role: Role, proxies: Option<&str>) -> Json {
    let context = match role {
        Role::Inbound => "SIDECAR_INBOUND",
        Role::Outbound | Role::Waypoint => "SIDECAR_OUTBOUND",
        Role::Gateway => "GATEWAY",
    };
    match proxies {
        Some(proxies) => json!({"context": context, "proxy": {"proxyVersion": proxies}}),
        None => json!({"context": context}),
    }
}
