//! The native module in Envoy's configuration, as JSON: what `render --native`, tests and the bench have in common.

use graylane_decide::names::CLAIMS_STATE;
use serde_json::{Value as Json, json};

/// Type of the filter that runs a native module.
pub const FILTER: &str =
    "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";

/// Type of the filter that passes the claims of a token to the module.
pub const STATE: &str = "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config";

/// Where a pod has the module, unless a command says otherwise.
pub const FILE: &str = "/graylane/libgraylane.so";

/// What Envoy's scope of the module's metrics is called. Istio's bootstrap keeps statistics of few scopes: those whose names
/// begin with `istio` are among them (`v2Suffix` in istio/pkg/bootstrap/config.go). This one is that of Istio's own metrics:
/// where the filter `istio.stats` runs, Prometheus sees names without it, so `graylane_requests_total` as of the filter in
/// WebAssembly.
pub const NAMESPACE: &str = "istiocustom";

/// The switch by which an Envoy takes [`NAMESPACE`] off the names that Prometheus sees, whatever else it runs. Without both
/// names begin with `envoy_istiocustom_`.
pub const STRIP: &str = "envoy.reloadable_features.dynamic_modules_strip_custom_stat_prefix";

/// The filter's configuration. `name`: the role, and behind a `/` what distinguishes plugins of one role; `environment`: what
/// the module has to know without a readable configuration.
#[must_use]
pub fn filter(file: &str, name: &str, environment: &[(&str, &str)], configuration: &str) -> Json {
    let variables: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let name = if variables.is_empty() { name.to_owned() } else { format!("{name}?{}", variables.join("&")) };
    json!({
        "@type": FILTER,
        "dynamic_module_config": {
            "module": {"local": {"filename": file}},
            "do_not_close": true,
            "metrics_namespace": NAMESPACE,
        },
        "filter_name": name,
        "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration},
    })
}

/// The filter before it that hands over the claims of a verified token: the ABI of modules reads no metadata below its
/// top. Without a token there is nothing to hand over.
#[must_use]
pub fn claims() -> Json {
    json!({
        "@type": STATE,
        "on_request_headers": [{
            "object_key": CLAIMS_STATE,
            "factory_key": "envoy.string",
            "format_string": {
                "text_format_source": {"inline_string": "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload)%"},
                "omit_empty_values": true,
            },
            "skip_if_empty": true,
        }],
    })
}
