//! The native module in Envoy's configuration, as JSON: what `render --native`, tests and the bench have in common.

use graylane_decide::names::CLAIMS_STATE;
use serde_json::{Value as Json, json};

/// Type of the filter that runs a native module.
pub const FILTER: &str =
    "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";

/// Type of the filter that tells the module the claims of a token.
pub const STATE: &str = "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config";

/// Where a pod has the module, unless a command says otherwise.
pub const FILE: &str = "/graylane/libgraylane.so";

/// What Envoy's scope of the module's metrics is called. With `envoy_` before it this is how Prometheus sees their names
/// begin: `envoy_graylane_requests_total`.
pub const NAMESPACE: &str = "graylane";

/// The filter's configuration. `name`: the role, and behind a `/` what tells plugins of one role apart; `environment`: what
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
